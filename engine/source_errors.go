package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

func timeOf(milliseconds int64) time.Time { return time.UnixMilli(milliseconds) }

// recordFailed skips a record that cannot be converted or returns the error that
// fails the task. Its dead letter is one more record of the batch, so it is
// durable before the mark that covers it is stored (I2).
func (s *sourceTask) recordFailed(b *sourceBatch, index int, err error) error {
	r := &b.batch.Records()[index]
	place := fmt.Sprintf("record %d of a batch for topic %q", index, r.Topic)
	if !s.def.options.tolerateAll() {
		return s.intolerable(place, err)
	}
	from := origin{topic: strings.Clone(r.Topic)}
	from.partition, from.offset = markAfter(b.batch.Marks(), index)
	s.skip(place, sourceDetail(from), err)
	if s.def.options.dlqTopic == "" {
		return nil
	}
	e := asStageError(err, stageValue, s.def.options.class)
	out := kgo.Record{Topic: s.def.options.dlqTopic, Partition: connect.AnyPartition, Key: plain(true, r.KeySchema, r.Key), Value: plain(false, r.ValueSchema, r.Value)}
	if r.Timestamp != connect.NoTimestamp {
		out.Timestamp = timeOf(r.Timestamp)
	}
	out.Headers = s.letterHeaders(plainHeaders(r.Headers), from, e)
	b.records = append(b.records, out)
	b.letters++
	s.meter.Letter()
	return nil
}

// markAfter returns the source partition and offset of the first mark that
// covers a record.
func markAfter(marks []connect.Mark, index int) (partition, offset string) {
	for _, m := range marks {
		if m.Records > index {
			return string(m.Partition), string(m.Offset)
		}
	}
	return "", ""
}

// plain is what a dead letter has of a value that its converter does not take:
// text, bytes, or JSON, whichever it is.
func plain(key bool, schema *connect.Schema, v connect.Value) []byte {
	data, null, err := convert.NewAuto(key).FromConnect(nil, "", schema, v)
	if null {
		return nil
	}
	if err != nil {
		return fmt.Append(nil, v.Type())
	}
	return append([]byte{}, data...)
}

func plainHeaders(headers []connect.Header) []kgo.RecordHeader {
	var out []kgo.RecordHeader
	for _, h := range headers {
		out = append(out, kgo.RecordHeader{Key: strings.Clone(h.Key), Value: plain(false, h.Schema, h.Value)})
	}
	return out
}

// shorten sends a dead letter that is too large without its value.
func (s *sourceTask) shorten(f produceFailure, err error) error {
	if !errors.Is(f.err, kerr.MessageTooLarge) || f.record.Value == nil {
		return err
	}
	letter := kgo.Record{Topic: f.record.Topic, Partition: connect.AnyPartition, Key: f.record.Key, Timestamp: f.record.Timestamp, Headers: f.record.Headers}
	s.commits.letters.records = append(s.commits.letters.records, letter)
	s.meter.Letter()
	return nil
}

// refused skips a record that the log did not take. Its dead letter has the key
// and the headers; the value goes with it only when it is not what is too large.
func (s *sourceTask) refused(b *sourceBatch, f produceFailure, err error) error {
	dlq := s.def.options.dlqTopic
	if f.record.Topic == dlq && dlq != "" {
		s.meter.LettersFailed(1)
		return s.shorten(f, err)
	}
	from := origin{topic: f.record.Topic}
	from.partition, from.offset = markAfter(b.batch.Marks(), b.batch.Len()-1)
	e := &stageError{stageProduce, s.def.options.class, "produce", err}
	s.skip("a record for topic "+f.record.Topic, sourceDetail(from), e)
	if dlq == "" {
		return nil
	}
	letter := kgo.Record{Topic: dlq, Partition: connect.AnyPartition, Key: f.record.Key, Timestamp: f.record.Timestamp}
	if e.exceptionClass() != tooLargeClass {
		letter.Value = f.record.Value
	}
	letter.Headers = s.letterHeaders(f.record.Headers, from, e)
	s.commits.letters.records = append(s.commits.letters.records, letter)
	s.meter.Letter()
	return nil
}
