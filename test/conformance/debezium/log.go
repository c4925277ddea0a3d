package debezium

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// logReader reads the topics of one connector, by their prefix, as they are written.
type logReader struct {
	client  *kgo.Client
	admin   *kadm.Client
	of      *Scenario
	avro    *avroReader // nil: the records are JSON
	records []Record
	last    time.Time // when the last record came
	known   []string
	next    map[string]int64 // by topic: the offset after the last record
}

func newLogReader(bootstrap string, of *Scenario, avro *avroReader) (*logReader, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeTopics(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MetadataMinAge(20*time.Millisecond), kgo.KeepControlRecords())
	if err != nil {
		return nil, fmt.Errorf("connect to the log: %w", err)
	}
	return &logReader{client: c, admin: kadm.NewClient(c), of: of, avro: avro, last: time.Now(), next: make(map[string]int64)}, nil
}

// close deletes the topics, which every other reader would hear of each time it looks for
// its own.
func (l *logReader) close(ctx context.Context) {
	if len(l.known) > 0 {
		_, _ = l.admin.DeleteTopics(ctx, l.known...) // they are of no use any more, and do no harm
	}
	l.client.Close()
}

// ours tells whether a topic is of this connector.
func (l *logReader) ours(topic string) bool {
	return strings.HasPrefix(topic, l.of.Name+l.of.delimiter()) || topic == l.of.heartbeats()
}

// poll reads what is there, for a short time.
func (l *logReader) poll(ctx context.Context) error {
	topics, err := l.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	for _, name := range topics.Names() {
		if l.ours(name) && !slices.Contains(l.known, name) {
			l.known = append(l.known, name)
			l.client.AddConsumeTopics(name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 150*time.Millisecond)
	defer cancel()
	l.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		l.next[r.Topic] = r.Offset + 1
		if r.Attrs.IsControl() || err != nil || r.Topic == l.of.heartbeats() && r.Offset > 0 {
			return // heartbeats come at any time: the first stands for all
		}
		l.last = time.Now()
		var record Record
		record, err = l.recordOf(r)
		l.records = append(l.records, record)
	})
	return err
}

func (l *logReader) recordOf(r *kgo.Record) (Record, error) {
	record := Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, Header{h.Key, h.Value})
	}
	if l.avro == nil {
		return record, nil
	}
	for _, side := range []*[]byte{&record.Key, &record.Value} {
		var err error
		if *side, err = l.avro.json(*side); err != nil {
			return record, fmt.Errorf("%s, offset %d: %w", r.Topic, r.Offset, err)
		}
	}
	return record, nil
}

// quiet reads until nothing has come for a while.
func (l *logReader) quiet(ctx context.Context, d time.Duration) error {
	for begin := time.Now(); time.Since(begin) < d || time.Since(l.last) < d; {
		if err := l.poll(ctx); err != nil {
			return err
		}
	}
	return l.rest(ctx)
}

// rest reads up to where the topics end now.
func (l *logReader) rest(ctx context.Context) error {
	return until(ctx, func() error {
		if err := l.poll(ctx); err != nil {
			return err
		}
		return l.complete(ctx)
	})
}

// complete returns an error while there are records that were not read.
func (l *logReader) complete(ctx context.Context) error {
	if len(l.known) == 0 {
		return nil
	}
	ends, err := l.admin.ListCommittedOffsets(ctx, l.known...)
	if err != nil {
		return fmt.Errorf("list offsets: %w", err)
	}
	for _, topic := range l.known {
		for partition, end := range ends[topic] {
			if partition != 0 {
				return fmt.Errorf("topic %s has a partition %d", topic, partition)
			}
			if l.next[topic] < end.Offset && topic != l.of.heartbeats() {
				return fmt.Errorf("read %d of %d records of %s", l.next[topic], end.Offset, topic)
			}
		}
	}
	return nil
}

// holds reads until there are so many records.
func (l *logReader) holds(ctx context.Context, records int, alive func() error) error {
	return until(ctx, func() error {
		if err := l.poll(ctx); err != nil || len(l.records) >= records {
			return err
		}
		if err := alive(); err != nil {
			return err
		}
		return fmt.Errorf("%d of %d records have come", len(l.records), records)
	})
}

// has reads until there is a record on a topic whose key has this id.
func (l *logReader) has(ctx context.Context, topic string, id int, alive func() error) error {
	key := fmt.Sprintf(`{"id":%d`, id)
	of := func(r Record) bool {
		_, rest, found := strings.Cut(string(r.Key), key)
		return r.Topic == topic && found && strings.IndexAny(rest, ",}") == 0
	}
	return until(ctx, func() error {
		if err := l.poll(ctx); err != nil {
			return err
		}
		if slices.ContainsFunc(l.records, of) {
			return nil
		}
		if err := alive(); err != nil {
			return err
		}
		return fmt.Errorf("no record %s} on %s among %d of %v", key, topic, len(l.records), l.known)
	})
}
