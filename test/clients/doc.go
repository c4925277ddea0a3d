// Package clients judges the broker with clients that others wrote: kcat
// (librdkafka) and kafka-python. A client that is not installed fails its test
// with the command that installs it.
package clients
