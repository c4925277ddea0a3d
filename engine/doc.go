// Package engine is the worker: it runs source and sink connectors from Kafka
// Connect configs and reaches the log only over the Kafka protocol (I4).
//
// # State
//
// What should run is in the config topic, how far each source got in the offset
// topic, what became of each connector and task in the status topic: in the
// names and record formats of Kafka Connect, so that a worker can take over the
// topics of a Connect cluster. One follower reads the three topics from their
// beginning and keeps their latest state in memory. A change is produced with
// acks=all and takes effect when the follower has read it back, so a restarted
// worker stands where the old one stood. A source with offsets.storage.topic has
// its offsets in a topic of its own, which a follower of its task reads; the
// worker's offset topic gets copies behind it.
//
// # Exactly-once sources
//
// A source that keeps offsets writes them and its records in one transaction after
// the other (KIP-618), under the transactional id <group.id>-<connector>-<task>.
// Before a task runs, every older run of it is fenced. The source is told what it
// may forget when the transaction is committed (I2). A source that keeps none, or
// a worker with exactly.once.source.support=disabled, produces idempotently and
// writes offsets afterwards.
//
// # Goroutines
//
//   - One reconciler compares what should run with what runs and starts and
//     stops tasks. It never calls a connector and never waits for one.
//   - Each connector's config is read and split into tasks in a goroutine of its
//     own, each task runs in its own goroutines. A task that does not stop in
//     time is abandoned: its clients are closed, what it reports is not heard any
//     more, and a new one may start (I5).
//   - Callers of the Worker's methods, such as package rest, read snapshots. They
//     never wait for a connector's task.
//
// Locks: every mutex guards a few fields for the time of a read or a write, and
// none is taken while another is held.
//
// # Several workers
//
// On a cluster, workers share a group.id (package cluster). What a worker runs is
// what the group has assigned to it (ownership); a worker alone owns everything and
// goes the same way. Work that is taken away has stopped before group.OnRevoked
// returns. Everybody reads the config topic; the leader alone writes connectors,
// task configs and fencing to it (leaderWriter), in transactions where sources can
// be exactly once, so that a deposed leader is refused. Who runs a connector sends
// its task configs to the leader, and asks it to fence, over the REST API (peers).
//
// # Metrics
//
// The goroutines of a task count into package meters, once for each batch; a scrape
// of Config.Metrics reads it. The lag of a sink comes from its own fetches, with the
// markers of transactions kept until they are counted.
package engine
