// Package configs holds connector configs to start from. They are what a user of
// Kafka Connect has in a file, and are posted as they are.
package configs

import _ "embed" // the files are part of the binary: the demo runs them

// MQTTSource reads readings from an MQTT broker into the topic iot-sensors.
//
//go:embed mqtt-source.json
var MQTTSource []byte

// S3Sink writes the topic iot-sensors to an S3 bucket as JSON lines.
//
//go:embed s3-sink.json
var S3Sink []byte

// PostgresAvro reads a PostgreSQL database into topics of Avro records.
//
//go:embed postgres-avro.json
var PostgresAvro []byte

// PostgresS3Parquet writes the rows of these topics to an S3 bucket as Parquet.
//
//go:embed postgres-s3-parquet.json
var PostgresS3Parquet []byte
