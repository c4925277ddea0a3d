// Package s3 is the sink that writes records as objects to S3 or to a server
// that speaks its protocol. It stands in for Confluent's S3 sink: option names,
// defaults and the names of the objects are the same.
//
// # Objects
//
//	[topics.dir/]<topic>/<encoded partition>/<topic>+<p>+<start offset, 10 digits><part><extension>
//
// An object holds records of one topic-partition that package partitioner gives the same directory, as package format
// writes them: the values, or with a part of their own (.keys, .headers) keys and headers. The files that a topic-partition has
// open are a group. It is rotated (gets no more records and becomes visible) as a whole, since the consumer offset stands for all
// records before it: by the rules in rotation.go and, for schemas, place.go.
//
// # Life of a file
//
//	open ──rotate──► sent ──Prepare──► offered ──transaction, Apply──► complete
//	records are      all parts are     key, upload id and ETags        CompleteMultipartUpload
//	appended, full   on the server     are part of the state
//	parts leave
//
// A file is a multipart upload, so that all of it can be on the server and none of
// it visible until the engine has committed its state with the consumer offset.
// complete is one atomic request that anybody can make who has the state, again and
// again: a second attempt finds the object and in its metadata the attempt that made
// it. Objects of the same name that are none of our attempts are not replaced
// (If-None-Match), unless behavior.on.existing.objects says so; whether the server
// knows the condition is found out when a task starts.
//
// # Delivery
//
// Exactly once (I3), where the engine commits states (connect.SinkContext):
//
//   - A crash before the commit leaves uploads that nobody sees. The next owner of the partition aborts those that the
//     last state knows of, and those that the server lists under names that this config makes, once it has committed something
//     itself: before that it may be a former owner that does not know it (orphans.go). A lifecycle rule for the rest must be of a week: a shorter one could take away what is committed.
//   - A crash after the commit leaves a state, which the next owner restores: it
//     completes the uploads, then goes on at the offset.
//   - A former owner that wakes up can complete what was committed, which is right,
//     and commit nothing more.
//
// The state of a partition:
//
//	{"complete":[{"key":"topics/t/partition=0/t+0+0000000000.json","id":"…","attempt":"…","parts":["etag",…]}],
//	 "open":[{"key":"…","id":"…"}],"bucket":"…"}
//
// or, when that is too large for a record, {"list":"…","bucket":"…"}: the object that has it, which is deleted after the next commit (state.go).
//
// Otherwise at least once: a file is complete as soon as it is rotated, one that
// fits in one part with one PutObject rather than three requests, and Prepare
// returns an offset only when the objects of all records before it are complete. The
// first object of a replay has the name of one that may exist and overwrites it.
//
// # Memory
//
// A file's records wait in a buffer that doubles from 4 KiB to 1 MiB and goes on in pieces of that size up to the part size; rows that are to be
// sealed wait in such pieces too. A piece is memory that the collector does not know of, where the system lets us have that.
// All buffers of a sink come from a pool of buffer.memory.max bytes. When it is
// used up, Write sends the largest buffers of at least 5 MiB as parts, else it
// rotates the largest files, and waits for uploads to end. One record may
// exceed the limit by its own size, so that any record can be written.
//
// # Goroutines
//
// The caller's goroutine owns sink, partitions, files and pool, which therefore
// have no locks. It hands steps (op) to the uploader's workers and collects
// their results in Write, Prepare and Apply. An op in flight owns its buffer. What passes
// between ops of one file is in upload, with the rule for each field.
//
// Prepare offers what has arrived, so the sink asks for it (connect.SinkContext.Due) when the last part of a group has, and when the time of an
// open group is up.
//
// # Failures
//
// A step that fails for a passing reason (5xx, SlowDown, timeouts, no
// connection) is repeated by its worker until it works; other partitions and
// Write go on meanwhile. Write returns connect.Retriable only when the memory is
// used up and nothing moves; the same call continues after the last record
// taken. An answer that will not change (no such bucket, access denied) fails
// Write or Flush with the option to look at.
package s3
