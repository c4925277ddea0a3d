package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// sourceBatch is a batch of a source with everything that its records need on
// their way into the log. All of it is used again.
type sourceBatch struct {
	batch    *connect.Batch
	full     bool // when it was read: transforms use its memory too
	records  []kgo.Record
	produced []kgo.Record // those of records that were produced last
	headers  []kgo.RecordHeader
	data     []byte // keys, values and header values
	maxData  int
	letters  int // dead letters among records
	taken    int // of the batch's marks, by the transaction
	// now is the timestamp of records that have none: one look at the clock for all.
	now  time.Time
	same sharedHeaders
	ends []int // how many of records come before each of the batch's boundaries

	// pending counts the records that are not answered yet, and one for the
	// converter while it produces. answered has a token when it reaches zero.
	pending  atomic.Int64
	answered chan struct{}
	promise  func(*kgo.Record, error) // answer, bound once

	mu       sync.Mutex // guards the fields below until answered has its token
	failures []produceFailure
}

// sharedHeaders are the headers of the record before and what became of them. Most
// sources give all records of a topic the same slice.
type sharedHeaders struct {
	topic string
	from  []connect.Header // nil: nothing can be shared
	made  []kgo.RecordHeader
}

// of tells whether headers are those that were converted last: the same memory,
// which nobody writes to before the batch is reset.
func (s *sharedHeaders) of(topic string, headers []connect.Header) bool {
	return len(headers) == len(s.from) && len(headers) > 0 && &headers[0] == &s.from[0] && topic == s.topic
}

// produceFailure is a record that the log did not take.
type produceFailure struct {
	record *kgo.Record // the batch's memory
	err    error
}

func newSourceBatch(maxRecords, maxBytes int) *sourceBatch {
	b := &sourceBatch{batch: connect.NewBatch(maxRecords, maxBytes), maxData: 2 * maxBytes, answered: make(chan struct{}, 1)}
	b.promise = b.answer
	return b
}

// answer is called by the client for each record.
func (b *sourceBatch) answer(r *kgo.Record, err error) {
	if err != nil {
		b.mu.Lock()
		b.failures = append(b.failures, produceFailure{r, err})
		b.mu.Unlock()
	}
	b.release()
}

func (b *sourceBatch) release() {
	if b.pending.Add(-1) == 0 {
		b.answered <- struct{}{}
	}
}

// newest is the timestamp of the last record, connect.NoTimestamp when there is
// none.
func (b *sourceBatch) newest() int64 {
	records := b.batch.Records()
	if len(records) == 0 {
		return connect.NoTimestamp
	}
	return records[len(records)-1].Timestamp
}

// written is how many of the source's records the log has, once all are answered.
func (b *sourceBatch) written() int { return len(b.records) - len(b.failures) - b.letters }

// reset makes room for the batch's records. Memory beyond the usual is dropped,
// so that one huge record does not hold it for ever.
func (b *sourceBatch) reset() {
	b.failures = b.failures[:0]
	b.headers = b.headers[:0]
	b.letters, b.taken = 0, 0
	b.ends = b.ends[:0]
	b.now, b.same = time.Now(), sharedHeaders{}
	if cap(b.data) > b.maxData {
		b.data = nil
	}
	b.data = b.data[:0]
	if n := b.batch.Len(); cap(b.records) < n {
		b.records = make([]kgo.Record, 0, n)
	}
	b.records = b.records[:0]
}

// produceAll converts and produces batches until the reader closes the channel
// or a record cannot be converted.
func (s *sourceTask) produceAll() error {
	for b := range s.read {
		if err := s.convertAll(b); err != nil {
			return unlessAwaited(s.stop, err)
		}
		if s.txn == nil { // a transaction's records are produced by whoever ends it
			s.produce(b)
		}
		s.sent <- b // never blocks: there are no more batches than room
	}
	return nil
}

// produce hands a batch's records to the client.
func (s *sourceTask) produce(b *sourceBatch) { s.produceRecords(b, b.records) }

// produceRecords hands some of them to the client.
func (s *sourceTask) produceRecords(b *sourceBatch, records []kgo.Record) {
	b.produceTo(s.kill, s.producer, records)
}

func (b *sourceBatch) produceTo(ctx context.Context, p producer, records []kgo.Record) {
	b.pending.Store(int64(len(records)) + 1)
	for i := range records {
		p.Produce(ctx, &records[i], b.promise)
	}
	b.release()
}

// convertAll fills in the records of the log.
func (s *sourceTask) convertAll(b *sourceBatch) error {
	b.reset()
	if s.tracker.stale() {
		s.topic = "" // so that the next record's is noted again
	}
	records := b.batch.Records()
	boundaries := b.batch.Boundaries()
	for i := range records {
		for len(b.ends) < len(boundaries) && boundaries[len(b.ends)].Records <= i {
			b.ends = append(b.ends, len(b.records))
		}
		err := s.transformRecord(b, &records[i])
		if err == nil {
			continue
		}
		if connect.IsRetriable(err) {
			err = s.retryConvert(b, i, err)
		}
		if _, fatal := errors.AsType[*fatalError](err); err != nil && !fatal {
			err = s.recordFailed(b, i, err)
		}
		if err != nil {
			return err
		}
	}
	for len(b.ends) < len(boundaries) {
		b.ends = append(b.ends, len(b.records))
	}
	return nil
}

func (s *sourceTask) retryConvert(b *sourceBatch, index int, err error) error {
	return s.retryRecord(s.stop, err, func() error { return s.transformRecord(b, &b.batch.Records()[index]) })
}

// transformRecord converts what the transforms make of a record, unless they drop
// it: then it counts as handled, since marks count the records that were read. The
// batch keeps the record as it came, for another attempt and for a dead letter.
func (s *sourceTask) transformRecord(b *sourceBatch, r *connect.Record) error {
	if s.transforms == nil {
		return s.convertRecord(b, r)
	}
	s.changed = *r
	if keep, err := s.transform(b.batch, &s.changed); err != nil || !keep {
		return err
	}
	return s.convertRecord(b, &s.changed)
}

func (s *sourceTask) convertRecord(b *sourceBatch, r *connect.Record) error {
	if r.Topic != s.topic || s.topic == "" {
		if r.Topic == "" {
			return fmt.Errorf("the connector gave it no topic")
		}
		topic, err := s.lasting(r.Topic)
		if err != nil {
			return err
		}
		s.topic = topic
	}
	out := kgo.Record{Topic: s.topic, Partition: r.Partition, Timestamp: b.now}
	if r.Timestamp != connect.NoTimestamp {
		out.Timestamp = time.UnixMilli(r.Timestamp)
	}
	var err error
	if out.Key, err = s.bytes(b, r.KeySchema, r.Key, true); err != nil {
		return s.convert.keyError(err)
	}
	if out.Value, err = s.bytes(b, r.ValueSchema, r.Value, false); err != nil {
		return s.convert.valueError(err)
	}
	if out.Headers, err = s.headers(b, r.Headers, &out); err != nil {
		return err
	}
	b.records = append(b.records, out)
	return nil
}

// bytes converts a key or value into the batch's memory.
func (s *sourceTask) bytes(b *sourceBatch, schema *connect.Schema, v connect.Value, key bool) ([]byte, error) {
	c := s.convert.value
	if key {
		c = s.convert.key
	}
	start := len(b.data)
	data, null, err := c.FromConnect(b.data, s.topic, schema, v)
	if err != nil || null {
		return nil, err
	}
	b.data = data
	return data[start:len(data):len(data)], nil
}

// headers returns the headers of out: the record's own and those with ids of schemas.
func (s *sourceTask) headers(b *sourceBatch, headers []connect.Header, out *kgo.Record) ([]kgo.RecordHeader, error) {
	if s.convert.keyIDs == nil && s.convert.valueIDs == nil && b.same.of(out.Topic, headers) {
		return b.same.made, nil
	}
	first := len(b.headers)
	if err := s.convertHeaders(b, headers); err != nil {
		return nil, err
	}
	b.headers = s.convert.appendIDs(b.headers, out)
	last := len(b.headers)
	if last == first {
		return nil, nil
	}
	made := b.headers[first:last:last]
	b.same = sharedHeaders{out.Topic, headers, made}
	return made, nil
}

// convertHeaders appends a record's headers to those of the batch.
func (s *sourceTask) convertHeaders(b *sourceBatch, headers []connect.Header) error {
	for i := range headers {
		h := &headers[i]
		start := len(b.data)
		data, null, err := s.convert.header.FromConnectHeader(b.data, s.topic, h.Key, h.Schema, h.Value)
		if err != nil {
			return s.convert.headerError(h.Key, err)
		}
		out := kgo.RecordHeader{Key: h.Key}
		if !null {
			b.data = data
			out.Value = data[start:len(data):len(data)]
		}
		b.headers = append(b.headers, out)
	}
	return nil
}

// lasting returns a topic's name in memory of its own, since the client keeps it
// and the batch's memory is written over. There are as many as topics in the log.
// The topic is created before its first record where the config says how.
func (s *sourceTask) lasting(topic string) (string, error) {
	kept, known := s.topics[topic]
	if !known {
		kept = strings.Clone(topic)
		if err := s.refuseOffsetTopic(kept); err != nil {
			return "", err
		}
		if err := s.createTopic(kept); err != nil {
			return "", err
		}
		s.learnLimit(kept)
		s.topics[kept] = kept
	}
	s.tracker.use(kept)
	return kept, nil
}

// partitioner takes a record's partition as it is, or chooses as Kafka does: by
// the hash of the key, or one after the other for each request without a key.
type partitioner struct{ byKey kgo.Partitioner }

func newPartitioner() kgo.Partitioner { return partitioner{kgo.StickyKeyPartitioner(nil)} }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != connect.AnyPartition || p.byKey.RequiresConsistency(r)
}

func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	switch {
	case r.Partition != connect.AnyPartition:
		return int(r.Partition)
	case n == 1:
		return 0 // whatever the hash is
	}
	return p.byKey.Partition(r, n)
}

// OnNewBatch lets records without a key go to another partition.
func (p topicPartitioner) OnNewBatch() {
	if b, ok := p.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
