// Package log is a partitioned log on the local disk in Kafka's own file format, so that Kafka's dump tool reads it.
//
//	meta.properties                     cluster id
//	topics.json                         the catalogue: names, ids, partition counts, configs; with a CRC
//	recovery-point-offset-checkpoint    per partition, the offset below which nothing has to be looked at after a crash
//	log-start-offset-checkpoint         per partition, the first offset that is visible
//	cleaner-offset-checkpoint           per partition, the first offset that the cleaner has not been through
//	offset-holes-checkpoint             per partition, the offset below which compaction may have left holes
//	.kafka_cleanshutdown                there after a Close, until the next Open
//	.lock                               held by the process that has the log open
//	<topic>-<partition>/                appears with the first record
//	    partition.metadata              topic id
//	    leader-epoch-checkpoint         leader epochs; 0 from offset 0
//	    <20-digit base offset>.log      record batches v2 as received, see package batch
//	    <base>.index                    per about 4096 bytes: last offset of a batch - base uint32, its position uint32
//	    <base>.timeindex                largest timestamp so far int64, its offset - base uint32
//	    <base>.txnindex                 aborted transactions whose markers are in the segment, see txnindex.go
//	    <offset>.snapshot               producers and open transactions up to that offset, see snapshot.go
//
// # Durability
//
// Append writes to the page cache. One goroutine, the syncer, takes all partitions that were written to since its last
// round, syncs their files with fdatasync, several at a time, and only then moves their high watermarks and calls who
// waits (I1). A lazy append, and a transaction marker, does not start a round; so what a coordinator writes to several
// partitions shares one. Readers see what is below the high watermark, so nothing that a crash could take back (I7). Everything
// about names is synced where it happens: a segment's directory entry before anything in the segment can be
// acknowledged, small files through a temporary file, fsync, rename and fsync of the directory. After an error of fsync
// the log has failed for good, see [Log.Failed]. A full disk is no failure: the append is undone and returns [ErrFull].
//
// # Recovery
//
// A segment is synced, with its indexes and a producer snapshot, before the next one is created, so only the newest
// segment can have a torn end. Open scans from the recovery point on. Bytes that are no batch are either what a crash
// leaves of unsynced writes, which is cut off: nothing valid follows, or a whole sector in front of the next valid batch
// is zero. Or they are damage: then the partition is offline, its files stay as they are, and the others are served.
// Damage below the recovery point is found when it is read, because every Read checks CRCs, or by [Check].
//
// # Transactions
//
// A partition knows of a transaction what its producer state says: where the data of the open one begins (KIP-98). Whether a
// transaction exists and how it ends is the transaction coordinator's business; it ends one with [Partition.AppendMarker]. The last
// stable offset moves together with the high watermark, to what it was when that was the end of the log: so a transaction that
// has ended holds it back until its marker is durable (I7). Producers are not forgotten, and segments not deleted by
// retention, as long as an open transaction needs them. The transaction index is durable before the producer snapshot of
// a later offset is: recovery keeps its entries below the snapshot from which it replays, and makes the others again.
//
// # Compaction
//
// Topics with cleanup.policy=compact keep the latest record of every key. The cleaner looks every few seconds for the partition with
// the largest share of bytes that were written since it was there last. One pass reads the keys of the dirty segments, as many
// as fit into memory, writes what is left of all segments up to there anew, without holding a lock of the partition, and swaps
// the result in (swap.go, compact.go). It leaves the active segment alone, and everything from the last stable offset on. The
// rules are Kafka's: tombstones, and markers of transactions without data, get a delete horizon when they are first met and
// go after it (KIP-534); data of aborted transactions goes; the last batch of a producer stays, if empty, for its sequence
// number. Other than Kafka's cleaner, this one closes an active segment that makes most of its partition dirty, or that is old.
//
// Compaction is the only thing that leaves holes between offsets. So a hole is taken for one only below the offset that was
// written down for that before the first one was made, never in the active segment, and never at the end of a segment: the last
// batch of a cleaned segment stays, if empty. Everywhere else a missing offset is damage.
package log
