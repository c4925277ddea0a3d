// Package connect compares the worker's REST API with Apache Kafka Connect's: one
// script of requests is played against both. Kafka's answers were recorded by
// record.sh and are in testdata/kafka.txt, so that the test needs no Java.
package connect
