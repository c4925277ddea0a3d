// Package connect is the API between Sluice and a connector. A connector
// package imports this package and the client of its own system, nothing else
// of Sluice (I8). It exports one Spec.
//
// # Types
//
//   - Schema and Value are Kafka Connect's data model: a Schema describes, a
//     Value is a small tagged cell. A struct's cells stand in the order of its
//     schema's fields, so no record carries a map.
//   - Batch is a group of records that its caller owns and recycles. Record is
//     one of them.
//   - Source fills batches, Sink writes them. Optional abilities are small
//     interfaces beside them: Committer, Assigner, Flusher, TwoPhase.
//   - Follower reads a topic of the log for a source that people talk to.
//   - Spec and Config describe a plugin; Def declares its options once, from
//     which come typed values, validation, documentation and forms.
//
// # Contract
//
// The rules below hold for every connector; package connecttest checks them.
//
//  1. One goroutine makes every call on a Source or Sink, one call at a time,
//     so a connector needs no locks of its own. Committer.Commit is the one
//     exception: it comes from the log's side while Read may be waiting.
//  2. The context is the only stop signal. When it ends, the call returns soon,
//     with the context's error or with what it has. Close is called exactly
//     once, last, after Open was called, whether or not Open succeeded.
//  3. Open may fail with Retriable; the same value is then closed and a new one
//     made. A connector is never reused after Close.
//  4. The batch belongs to the caller. Memory for a record comes from the batch
//     (Batch.Bytes, Batch.Cells, Batch.Headers) or is immutable, and nothing
//     from a batch is kept after the call returns: the caller overwrites it.
//  5. Read blocks until there is at least one record or mark, the batch is
//     full, or the context ends. An empty batch with a nil error is normal.
//  6. Batch.Mark, after the last record that it covers, says where reading can
//     resume. What a mark does not cover is read again after a restart. Records
//     before a mark are durable in the log, and so is the mark's offset, before
//     Commit is called with it (I2).
//  7. A batch that a Sink gets holds records of one topic-partition of the log
//     in offset order. Write returning nil means that they are durable, or, for
//     a Flusher, that they are taken over: Flush says how far they are durable.
//     Only then does the consumer offset move (I3). A TwoPhase sink has Prepare,
//     Apply and Restore in place of Flush: the offset moves in one transaction
//     with the state that Prepare returned, nothing is visible before that, and
//     after it Apply or the next owner's Restore makes it so, as often as it takes.
//  8. A plain error fails the task. Retriable(err) means: the same call again
//     after a backoff, on the same value. A *BatchError names the records that
//     cannot be handled while the others were.
//  9. A panic fails the task (I5).
package connect
