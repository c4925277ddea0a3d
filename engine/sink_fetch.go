package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// internalTopic tells whether a topic is one of the worker's own, which topics.regex
// never means.
func (c *Config) internalTopic(name string) bool {
	return name == c.ConfigTopic.Name || name == c.OffsetTopic.Name || name == c.StatusTopic.Name || name == c.SinkStateTopic.Name
}

// internalTopicsRegex is internalTopic as a pattern.
func (c *Config) internalTopicsRegex() string {
	q := regexp.QuoteMeta
	return "^(?:" + q(c.ConfigTopic.Name) + "|" + q(c.OffsetTopic.Name) + "|" + q(c.StatusTopic.Name) + "|" + q(c.SinkStateTopic.Name) + ")$"
}

// fetchAll polls and converts until ctx ends, or a record cannot be converted.
func (s *sinkTask) fetchAll(ctx context.Context) error {
	trouble := s.trouble("fetch from the log")
	for {
		if s.gate.pass(ctx) != nil {
			return nil
		}
		fetches, epochs := s.poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchError(fetches); err != nil {
			if errors.Is(err, kerr.UnknownTopicID) {
				return fmt.Errorf("%w: %w", errTopicDeleted, err) // the client has tried for a while
			}
			if !passing(err) {
				return fmt.Errorf("fetch from the log: %w", err)
			}
			trouble.note(err)
			_ = sleep(ctx, retryDelay)
		} else {
			trouble.over()
		}
		if err := s.convertFetches(ctx, fetches, epochs); err != nil {
			return unlessAwaited(ctx, err)
		}
	}
}

// poll returns records and the epochs of their partitions' assignments. Rebalances
// wait only as long as it takes to note the epochs.
func (s *sinkTask) poll(ctx context.Context) (kgo.Fetches, []uint64) {
	defer s.client.AllowRebalance()
	s.polled.Store(0)
	fetches := s.client.PollRecords(ctx, s.def.options.consumer.maxPollRecords)
	s.polled.Store(time.Now().UnixNano())
	var epochs []uint64
	s.mu.Lock()
	defer s.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		epochs = append(epochs, s.epochs[connect.TopicPartition{Topic: p.Topic, Partition: p.Partition}])
	})
	return fetches, epochs
}

func fetchError(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(topic string, partition int32, err error) {
		if first == nil {
			first = fmt.Errorf("topic %s, partition %d: %w", topic, partition, err)
		}
	})
	return first
}

// passing tells whether fetching may work again by itself. What Kafka calls not
// retriable, such as a missing permission, is not.
func passing(err error) bool {
	var k *kerr.Error
	return !errors.As(err, &k) || k.Retriable || errors.Is(err, kerr.OffsetOutOfRange)
}

func (s *sinkTask) convertFetches(ctx context.Context, fetches kgo.Fetches, epochs []uint64) error {
	var err error
	n := 0
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if err == nil && epochs[n] != 0 {
			tp := connect.TopicPartition{Topic: p.Topic, Partition: p.Partition}
			err = s.convertPartition(ctx, tp, s.fetched(tp, &p.FetchPartition), epochs[n])
		}
		n++
	})
	return err
}

// convertPartition hands the records of a partition to the writer in batches.
func (s *sinkTask) convertPartition(ctx context.Context, tp connect.TopicPartition, records []*kgo.Record, epoch uint64) error {
	if len(records) > 0 {
		s.tracker.use(tp.Topic)
	}
	for len(records) > 0 {
		b := s.free.take(ctx)
		if b == nil {
			return nil
		}
		b.batch.Reset()
		b.batch.From, b.epoch = tp, epoch
		n, err := s.fill(ctx, b, records)
		if n > 0 {
			b.next, b.originals = records[n-1].Offset+1, records[:n]
			s.filled <- b // never blocks: there are no more batches than room
		}
		if err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// fill converts records until the batch is full and returns how many it handled.
func (s *sinkTask) fill(ctx context.Context, b *sinkBatch, records []*kgo.Record) (int, error) {
	for i, r := range records {
		if i > 0 && b.batch.Full() {
			return i, nil
		}
		err := s.convertRecord(b.batch, r)
		if err == nil {
			continue
		}
		if connect.IsRetriable(err) {
			err = s.retryConvert(ctx, b.batch, r, err)
		}
		if _, fatal := errors.AsType[*fatalError](err); err != nil && !fatal {
			err = s.recordFailed(b.batch.From, r, err)
		}
		if err != nil {
			return i, err
		}
	}
	return len(records), nil
}

func (s *sinkTask) retryConvert(ctx context.Context, b *connect.Batch, r *kgo.Record, err error) error {
	return s.retryRecord(ctx, err, func() error { return s.convertRecord(b, r) })
}

func (s *sinkTask) convertRecord(b *connect.Batch, r *kgo.Record) error {
	keySchema, key, err := s.convert.readKey(b, r)
	if err != nil {
		return s.convert.keyError(misfit(r.Key, err))
	}
	valueSchema, value, err := s.convert.readValue(b, r)
	if err != nil {
		return s.convert.valueError(misfit(r.Value, err))
	}
	var headers []connect.Header
	if len(r.Headers) > 0 {
		if headers, err = s.convertHeaders(b, r); err != nil {
			return err
		}
	}
	s.changed = connect.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(),
		KeySchema: keySchema, Key: key, ValueSchema: valueSchema, Value: value, Headers: headers}
	keep, err := s.transform(b, &s.changed)
	if err == nil && keep {
		*b.Append() = s.changed
	}
	return err
}

func (s *sinkTask) convertHeaders(b *connect.Batch, r *kgo.Record) ([]connect.Header, error) {
	headers := b.Headers(len(r.Headers))
	for i, h := range r.Headers {
		schema, value, err := s.convert.header.ToConnectHeader(b, r.Topic, h.Key, h.Value)
		if err != nil {
			return nil, s.convert.headerError(h.Key, misfit(h.Value, err))
		}
		headers[i] = connect.Header{Key: h.Key, Schema: schema, Value: value}
	}
	return headers, nil
}
