// Package log is a partitioned log on the local disk in Kafka's own file format.
package log
