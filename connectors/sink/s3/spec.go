package s3

import "github.com/sluice-data/sluice/connect"

// Spec describes the S3 sink.
var Spec = connect.Spec{
	Class:   "sluice.S3SinkConnector",
	Aliases: []string{"io.confluent.connect.s3.S3SinkConnector"},
	Version: "0.1.0",
	Doc: "Writes the records of topics to S3, or to any server with its API, as objects of JSON lines, raw bytes, Avro or Parquet. " +
		"An object becomes visible whole, when its records, its bytes, its age, a schedule or the records' own time end it. With " +
		"exactly.once.sink.support=enabled, the worker's default, every record is in exactly one object: objects and consumer offset are " +
		"decided in one transaction.",
	New: func() connect.Config { return new(Config) },
}
