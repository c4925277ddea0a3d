// Package clients judges the broker with clients that others wrote: franz-go
// with kadm, librdkafka (confluent-kafka-go and Debian's older kcat), Sarama,
// segmentio/kafka-go and kafka-python, old and new. docs/compatibility.md lists
// what each test shows, and which clients judge it.
//
// It is a module of its own, so that the clients are no dependencies of Sluice.
// `make test` installs what it needs: Go modules, kcat from Debian, kafka-python
// from PyPI into a virtual environment. A client that is missing fails its test
// with the command that installs it; nothing is skipped.
//
// A test is written once and runs with every client that can do it, see judge.
package clients
