// Package s3 is the sink that writes records as objects to S3 or to a server
// that speaks its protocol. It stands in for Confluent's S3 sink: option names,
// defaults and the names of the objects are the same.
//
// # Objects
//
//	[topics.dir/]<topic>/partition=<p>/<topic>+<p>+<start offset, 10 digits><extension>
//
// An object holds consecutive records of one topic-partition, one value a line.
// It is rotated (gets no more records and becomes visible) after flush.size
// records or rotate.max.age.ms after its first record, whichever is first, with
// or without further records. See rotation.go, the only place that decides it.
//
// # Life of a file
//
//	open ──rotate──► finish ─────────────► complete ─────────────► offset reported
//	records are      the last part is      CompleteMultipartUpload,
//	appended, full   on its way            or PutObject for a file
//	parts leave                            that fits in one part
//
// Nothing of a file is visible before complete, which is one atomic request
// either way. A file that fits in one part is one PutObject rather than the three
// requests of a multipart upload: S3 charges and answers by the request. finish
// and complete are separate steps so that a sink with two phases can put the
// fenced commit of its state between them (I3).
//
// # Delivery
//
// At least once: Flush reports an offset only when the objects of all records
// before it are complete (I2). After a crash the records since then are read
// again; the first object of the replay has the name of one that may exist and
// overwrites it. Where rotation by age cuts the replay elsewhere, records can be
// in two objects. Uploads that a crash leaves behind are invisible but take
// space: give the bucket a lifecycle rule that aborts incomplete uploads.
//
// # Memory
//
// A file's records wait in a buffer that doubles from 64 KiB to the part size.
// All buffers of a sink come from a pool of buffer.memory.max bytes. When it is
// used up, Write sends the largest buffers of at least 5 MiB as parts, else it
// rotates the largest files, and waits for uploads to end. One record may
// exceed the limit by its own size, so that any record can be written.
//
// # Goroutines
//
// The caller's goroutine owns sink, partitions, files and pool, which therefore
// have no locks. It hands steps (op) to the uploader's workers and collects
// their results in Write and Flush. An op in flight owns its buffer. What passes
// between ops of one file is in upload, with the rule for each field.
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
