// Package txn coordinates transactions: it knows who may write for a transactional
// id and which partitions are part of its transaction, and it ends transactions
// with the same outcome in all of them (KIP-98, KIP-360, KIP-890).
//
// A transactional id moves between these states:
//
//	InitProducerId
//	      │
//	      ▼      partitions added                      markers durable
//	    Empty ──────────────────► Ongoing ──► PrepareCommit ──► CompleteCommit ─┐
//	      ▲                        ▲   └─────► PrepareAbort ──► CompleteAbort ──┤
//	      │                        └────────────────────────────────────────────┤
//	      └──── InitProducerId ─────────────────────────────────────────────────┘
//
// InitProducerId of another producer and the timeout end an Ongoing one as
// PrepareAbort, with a higher epoch. There are two generations of the protocol,
// which may be mixed on one partition:
//
//	version 1  partitions are added before they are written to (AddPartitionsToTxn, AddOffsetsToTxn);
//	           the epoch stays from transaction to transaction
//	version 2  writing to a partition adds it (Produce 12, TxnOffsetCommit 5); each end raises the
//	           epoch (EndTxn 5), so that a late request cannot get into the next transaction
//
// # Storage
//
// The state is in records of the topic __transaction_state in Kafka's formats, the
// partition chosen by the Java hash of the transactional id:
//
//	key  version 0: transactional id    value version 1: producer id and epoch, timeout, state, partitions, times,
//	                                    the producer ids before and after, protocol version
//
// A null value is a tombstone. The last record of an id counts.
//
// # What is durable when
//
//	records, offsets ─┬─► decision (Prepare…) ─► markers in all partitions ─► the producer's next transaction
//	added partitions ─┘         EndTxn is answered          offsets are committed
//
// Each arrow waits for the disk (I1, I2). A request that comes before its turn waits
// a little and only then is answered CONCURRENT_TRANSACTIONS. What does not depend
// on each other shares a sync round: what a produce appends and the record that adds
// its partitions; all markers. That the markers are durable (Complete…) is written
// for the next start, which would otherwise write them again; nobody waits for it.
//
// # After a crash
//
// A decided transaction goes on with its markers. Of the others each partition knows
// what it has, so the record that adds a partition may be lost alone: a
// transaction that is open in a partition and has the current producer id and epoch
// of a transactional id is part of the id's open transaction, which then began even
// if that is not stored. Any other open transaction gets an abort marker, except
// while a part of the state topic cannot be read.
package txn
