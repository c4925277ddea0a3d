// Package meters counts what a worker's connectors and tasks do, and shows it
// under the names that Kafka Connect's metrics have with Prometheus.
//
// A [Worker] has a [Task] for every task that runs here. A task's number of runs
// share it, so its counters go on after a restart; each [Run] alone may write to
// it, and one that was abandoned is not heard any more. What belongs to one run,
// such as the partitions of a sink, begins anew with the next.
//
// Everything of a task is guarded by one mutex that is taken once for each batch
// by each of the task's goroutines, never for a record, and once by each scrape.
package meters
