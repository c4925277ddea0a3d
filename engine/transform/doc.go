// Package transform has Kafka Connect's single-message transforms and predicates
// under Kafka's class names, and Debezium's for its envelopes.
//
// Define declares the options of the aliases that a connector's settings name.
// Once the settings are parsed, Plan.Errors has the rules between them and
// Plan.Chain is what a task puts its records through. A Chain is for one goroutine:
// every task has its own.
//
// # How a record is changed
//
// Chain.Apply works on a copy of the record and stores it when all transforms are
// done, so a record that fails is as it came and can go to a dead letter queue.
// Cells are never written to: a transform takes new ones from the batch. What a
// transform makes of a schema is compiled when the schema comes first and found by
// its pointer from then on; a chain keeps a bounded number of them (I5).
//
// A record that a transform drops counts as handled: neither the marks of a
// source's batch nor the offsets of a sink's partition know of it. A transform
// that gives a record another topic does not change where it came from
// (KIP-793).
//
// Raw JSON (connectjson.Schema), which the default converter reads, is parsed by
// the first transform that looks into it and is schemaless from there on.
//
// # Where this is not Kafka
//
// Schemaless data has no dates: they are milliseconds. A record with a value of
// another type than its schema says cannot be here, so nothing checks for it.
// testdata/differences.txt has every answer that is not that of Kafka's own
// classes to the same record, and why.
package transform
