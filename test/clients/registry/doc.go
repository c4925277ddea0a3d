// Package registry judges the schema registry of the real binary with clients that others
// wrote: confluent-kafka-go's client and its Avro serde over librdkafka, and franz-go's. One
// test kills the server while clients register, and looks at what they were told.
package registry
