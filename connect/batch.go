package connect

import (
	"encoding/json"
	"unsafe"
)

// AnyPartition as a Record's Partition leaves the choice to the producer: by
// the hash of the key, or spread when there is no key.
const AnyPartition int32 = -1

// NoTimestamp as a Record's Timestamp leaves it to the log to stamp the record.
const NoTimestamp int64 = -1

// TopicPartition names a partition of a topic of the log.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Record is one record of a Batch.
type Record struct {
	Topic       string
	Partition   int32 // AnyPartition, or the partition to write to or read from
	Offset      int64 // in the log; sinks only
	Timestamp   int64 // Unix time in milliseconds, or NoTimestamp
	KeySchema   *Schema
	ValueSchema *Schema
	Key         Value
	Value       Value // null: a tombstone
	Headers     []Header
}

// Header is a key and a value beside a record's own; keys may repeat.
type Header struct {
	Key    string
	Schema *Schema
	Value  Value
}

// Mark says where a source can resume reading. Partition and Offset are small
// JSON objects, kept in the offset topic under the connector's name as Kafka
// Connect keeps source partitions and offsets. Equal partitions must have equal
// bytes, so write their fields in a fixed order.
//
// A source whose upstream keeps the position, such as a message broker that
// waits for acknowledgements, leaves Partition nil: nothing is stored, and
// Commit gets the Token.
type Mark struct {
	Partition json.RawMessage
	Offset    json.RawMessage
	// Token comes back in Commit unchanged: whatever number lets the source find
	// what it may tell its upstream to forget, without parsing Offset.
	Token uint64
	// Records is the number of records of the batch that the mark covers. Mark
	// sets it.
	Records int
}

// Batch is a group of records in memory that is used again and again. Whoever
// calls Read or Write owns it; the connector uses it only during the call. It
// is not safe for concurrent use.
//
// Everything that a record points to and that is not immutable comes from the
// batch: Bytes, Text, Cells and Headers hand out its memory, Reset takes all of
// it back.
type Batch struct {
	// From is the topic-partition of the log that the records of a sink's batch
	// were read from, whatever transforms have made of Record.Topic. The consumer
	// offset of this partition is what Flush reports on.
	From TopicPartition

	records    []Record
	marks      []Mark
	boundaries []Boundary
	maxRecords int
	maxBytes   int
	usedBytes  int
	data       slab[byte]
	cells      slab[Value]
	headers    slab[Header]
}

// NewBatch returns a batch that is full at maxRecords records or when it has
// handed out maxBytes bytes, those of records, cells and headers among them, whichever comes first.
func NewBatch(maxRecords, maxBytes int) *Batch {
	return &Batch{maxRecords: maxRecords, maxBytes: maxBytes}
}

// Append adds a record and returns it for filling in: zero but for Partition,
// Offset and Timestamp, which are -1. The pointer is good until the next Append.
func (b *Batch) Append() *Record {
	if len(b.records) < cap(b.records) {
		b.records = b.records[:len(b.records)+1]
	} else {
		b.records = append(b.records, Record{})
	}
	b.usedBytes += int(unsafe.Sizeof(Record{}))
	r := &b.records[len(b.records)-1]
	*r = Record{Partition: AnyPartition, Offset: -1, Timestamp: NoTimestamp}
	return r
}

// Full tells a source to return what it has. Appending to a full batch still
// works, so a unit that belongs together need not be split.
func (b *Batch) Full() bool {
	return len(b.records) >= b.maxRecords || b.usedBytes >= b.maxBytes
}

// Len returns the number of records.
func (b *Batch) Len() int { return len(b.records) }

// Records returns the records. The slice is the batch's own.
func (b *Batch) Records() []Record { return b.records }

// Filter keeps the records for which keep returns true, in order, and corrects
// the marks. It is for transforms; dropped records count as handled.
func (b *Batch) Filter(keep func(*Record) bool) {
	n, m, e := 0, 0, 0
	for i := range b.records {
		for ; m < len(b.marks) && b.marks[m].Records <= i; m++ {
			b.marks[m].Records = n
		}
		for ; e < len(b.boundaries) && b.boundaries[e].Records <= i; e++ {
			b.boundaries[e].Records = n
		}
		if keep(&b.records[i]) {
			if n != i {
				b.records[n] = b.records[i]
			}
			n++
		}
	}
	for ; m < len(b.marks); m++ {
		b.marks[m].Records = n
	}
	for ; e < len(b.boundaries); e++ {
		b.boundaries[e].Records = n
	}
	b.records = b.records[:n]
}

// Mark adds a mark that covers every record appended so far. The two JSON
// objects are copied.
func (b *Batch) Mark(m Mark) {
	m.Partition = b.rawJSON(m.Partition)
	m.Offset = b.rawJSON(m.Offset)
	m.Records = len(b.records)
	b.marks = append(b.marks, m)
}

func (b *Batch) rawJSON(p json.RawMessage) json.RawMessage {
	if p == nil {
		return nil
	}
	return b.Bytes(p)
}

// Marks returns the marks in the order in which they were made.
func (b *Batch) Marks() []Mark { return b.marks }

// Boundary is where a transaction ends in a batch: after its first Records records
// and Marks marks.
type Boundary struct {
	Records, Marks int
	Abort          bool
}

// EndTransaction ends a transaction after the records and marks so far, for a
// source with transaction.boundary=connector (see TransactionBoundaries). With
// abort its records are never delivered, while its marks count: what they cover
// is not read again.
func (b *Batch) EndTransaction(abort bool) {
	b.boundaries = append(b.boundaries, Boundary{len(b.records), len(b.marks), abort})
}

// Boundaries returns where transactions end, in order.
func (b *Batch) Boundaries() []Boundary { return b.boundaries }

// Bytes copies p into the batch's memory.
func (b *Batch) Bytes(p []byte) []byte {
	c := b.Buffer(len(p))
	copy(c, p)
	return c
}

// Buffer returns n bytes of the batch's memory to write to. Their content is
// undefined.
func (b *Batch) Buffer(n int) []byte {
	b.usedBytes += n
	return b.data.take(n)
}

// Text copies p into the batch's memory and returns it as a string, which, like
// everything else of the batch, is gone after Reset.
func (b *Batch) Text(p []byte) string {
	c := b.Bytes(p)
	return unsafe.String(unsafe.SliceData(c), len(c))
}

// Cells returns n null cells of the batch's memory.
func (b *Batch) Cells(n int) []Value {
	b.usedBytes += n * int(unsafe.Sizeof(Value{}))
	c := b.cells.take(n)
	clear(c)
	return c
}

// Headers returns n empty headers of the batch's memory.
func (b *Batch) Headers(n int) []Header {
	b.usedBytes += n * int(unsafe.Sizeof(Header{}))
	h := b.headers.take(n)
	clear(h)
	return h
}

// Reset empties the batch and takes its memory back for new records.
func (b *Batch) Reset() {
	b.From = TopicPartition{}
	b.records = b.records[:0]
	b.marks = b.marks[:0]
	b.boundaries = b.boundaries[:0]
	b.usedBytes = 0
	b.data.reset()
	b.cells.reset()
	b.headers.reset()
}
