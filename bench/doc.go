// Command bench measures Sluice against a limit that it measures in the same
// run, because machines differ and drift: the rate of fdatasync on this disk, a
// bare MQTT client that discards, a bare uploader. It starts the real binary and
// speaks to it as a user would, over REST and the Kafka protocol, and prints
// rows of a Markdown table.
//
//	go run ./bench -sluice bin/sluice              every row
//	go run ./bench -sluice bin/sluice -run mqtt    rows whose name matches
//
//	go run ./bench -sluice bin/sluice -kafka FILE  the log beside an Apache Kafka on this machine
//	go run ./bench -sluice bin/sluice -kafka FILE -s3sink FILE  the S3 sink beside Kafka Connect with Camel's or Aiven's
//	go run ./bench -sluice bin/sluice -soak 30m    whether memory, descriptors and goroutines stay flat
//
// It needs mosquitto for the MQTT rows, Java 17 and the files that test/conformance/classpath.sh
// and s3sink.sh make for the comparisons.
package main
