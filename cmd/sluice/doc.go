// Command sluice moves data between systems through a log: one process is the
// log, the worker and the connectors.
//
//	sluice server     run connectors, with the log embedded or on a Kafka cluster
//	sluice demo       everything at once, with simulated devices and an S3 server
//	sluice log        check and dump the files of the log
//
// `sluice help` lists the commands, `sluice COMMAND -h` their flags.
package main
