// Package debezium compares Sluice's Postgres source with Debezium's: the same SQL
// against the same version of PostgreSQL, the same connector config posted to a
// worker's REST API, and every record of every topic side by side, keys, values,
// headers and their order in the partition.
//
// A Scenario is a config and script files of testdata. record.sh plays them against
// Debezium in a worker of Apache Kafka Connect on Sluice's log and keeps what came
// as testdata/golden/NAME.txt.gz; the test plays them against the binary. Each comes
// twice, with JSON and with Avro. Debezium's Avro is that of Apicurio's converter, in
// Confluent's framing; a registry of a few lines is in record/registry.go. Both sides
// are read by avro.go, which knows the binary form and no converter. What
// cannot be equal in two runs is replaced first (see canonical.go): positions,
// transaction ids and times by their rank, so that their order still counts.
//
// handover.sh hands a connector over between Debezium and Sluice, there and back, and
// keeps the offsets that Debezium left (handover.go); the source's own test goes on from
// each.
//
// What differs on purpose is in differences.go with its reason, and a difference
// that is not there fails the test, as does an entry there that does not occur.
package debezium
