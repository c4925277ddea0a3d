package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// recordFailed skips a record that cannot be handled, by way of the dead letter
// queue where there is one, or returns the error that fails the task.
func (s *sinkTask) recordFailed(tp connect.TopicPartition, r *kgo.Record, err error) error {
	place := recordPlace(tp, r.Offset)
	if !s.def.options.tolerateAll() {
		return s.intolerable(place, err)
	}
	s.skip(place, consumedDetail(tp, r), err)
	if s.letters == nil {
		return nil
	}
	e := asStageError(err, stagePut, putClass)
	s.meter.Letter()
	// The client must not be handed a record that a fetch owns: it writes to it.
	s.letters.send(s.kill, &kgo.Record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: s.letterHeaders(r.Headers, sinkOrigin(tp, r.Offset), e)})
	return nil
}

// tolerate skips the records that a Write could not handle, or fails the task.
func (s *sinkTask) tolerate(b *sinkBatch, failed *connect.BatchError) error {
	records := b.batch.Records()
	for _, f := range failed.Failed {
		if f.Index < 0 || f.Index >= len(records) {
			return fmt.Errorf("write a batch of %s, partition %d: the sink failed record %d of %d: %w", b.batch.From.Topic, b.batch.From.Partition, f.Index, len(records), f.Err)
		}
		err := error(s.putError("write", f.Err))
		if !s.def.options.tolerateAll() {
			return s.intolerable("write "+recordPlace(b.batch.From, records[f.Index].Offset), failed)
		}
		original := b.original(records[f.Index].Offset)
		if original == nil {
			return fmt.Errorf("write %s: the batch has no such record: %w", recordPlace(b.batch.From, records[f.Index].Offset), err)
		}
		if err := s.recordFailed(b.batch.From, original, err); err != nil {
			return err
		}
	}
	return nil
}

// putError names the class that Kafka Connect names.
func (s *sinkTask) putError(what string, err error) *stageError {
	return &stageError{stagePut, putClass, what, err}
}

// original returns the record of the log with an offset, nil when the batch does
// not have it. Transforms may have dropped records, so indexes do not lead to it.
func (b *sinkBatch) original(offset int64) *kgo.Record {
	i, ok := slices.BinarySearchFunc(b.originals, offset, func(r *kgo.Record, o int64) int { return int(max(min(r.Offset-o, 1), -1)) })
	if !ok {
		return nil
	}
	return b.originals[i]
}

// report is connect.SinkContext's.
func (s *sinkTask) report(r *connect.Record, cause error) error {
	err := s.putError("write", cause)
	if b := s.writing; b != nil {
		if original := b.original(r.Offset); original != nil {
			return s.recordFailed(b.batch.From, original, err)
		}
	}
	original, convertErr := s.unconvert(r)
	if convertErr != nil {
		return fmt.Errorf("report topic %s, partition %d, offset %d (%w): %w", r.Topic, r.Partition, r.Offset, cause, convertErr)
	}
	return s.recordFailed(connect.TopicPartition{Topic: r.Topic, Partition: r.Partition}, original, err)
}

// unconvert makes the record of the log again from a copy that a sink has kept.
// The task's converters are the fetcher's, so it has its own.
func (s *sinkTask) unconvert(r *connect.Record) (*kgo.Record, error) {
	c, err := newConverters(s.cfg, &s.def.options, s.def.resolved.settings)
	if err != nil {
		return nil, err
	}
	out := &kgo.Record{Offset: r.Offset}
	if r.Timestamp != connect.NoTimestamp {
		out.Timestamp = timeOf(r.Timestamp)
	}
	if out.Key, err = unconverted(c.key.FromConnect(nil, r.Topic, r.KeySchema, r.Key)); err != nil {
		return nil, c.keyError(err)
	}
	if out.Value, err = unconverted(c.value.FromConnect(nil, r.Topic, r.ValueSchema, r.Value)); err != nil {
		return nil, c.valueError(err)
	}
	for _, h := range r.Headers {
		value, err := unconverted(c.header.FromConnectHeader(nil, r.Topic, h.Key, h.Schema, h.Value))
		if err != nil {
			return nil, c.headerError(h.Key, err)
		}
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: value})
	}
	return out, nil
}

// unconverted returns no bytes for null, and some for an empty value.
func unconverted(data []byte, null bool, err error) ([]byte, error) {
	if null || err != nil {
		return nil, err
	}
	return append([]byte{}, data...), nil
}

// stopped drops an error of a task that was asked to stop.
func stopped(stop context.Context, err error) error {
	if stop.Err() != nil {
		return nil
	}
	return err
}
