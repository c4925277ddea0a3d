package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// commitGroup is what is committed at once: batches that follow each other and
// are all in the log.
type commitGroup struct {
	batches []*sourceBatch
	marks   []connect.Mark // the last of each source partition
	index   map[string]int // of marks, by source partition
	offsets sourceBatch    // its records go to the offset topic
	letters sourceBatch    // its records go to the dead letter queue
}

func (g *commitGroup) init() {
	g.index = make(map[string]int)
	for _, b := range []*sourceBatch{&g.offsets, &g.letters} {
		b.answered = make(chan struct{}, 1)
		b.promise = b.answer
	}
}

// commitAll commits batches in the order in which they were read until the
// converter closes the channel or one fails.
func (s *sourceTask) commitAll() error {
	committer, _ := s.source.(connect.Committer)
	for b := s.nextSent(); b != nil; b = s.nextSent() {
		if err := s.collect(b); err != nil {
			return err
		}
		if err := s.sendLetters(); err != nil {
			return err
		}
		began := time.Now()
		err := s.storeOffsets()
		if len(s.commits.offsets.records) > 0 {
			s.meter.Committed(time.Since(began), err)
		}
		if err != nil {
			return err
		}
		s.copyOffsets()
		if committer != nil {
			s.commit(committer)
		}
		for _, b := range s.commits.batches {
			s.meter.Delivered(b.batch.Len(), b.written(), b.newest())
			s.free.put(b)
		}
	}
	return nil
}

// collect waits for the records of a batch and takes the batches after it that
// are in the log already, so that one write of offsets serves all of them.
func (s *sourceTask) collect(b *sourceBatch) error {
	g := &s.commits
	g.batches, g.marks = g.batches[:0], g.marks[:0]
	clear(g.index)
	<-b.answered
	for {
		if err := s.check(b); err != nil {
			return err
		}
		g.batches = append(g.batches, b)
		g.add(b.batch.Marks())
		if b = s.nextAnswered(); b == nil {
			return nil
		}
	}
}

// nextSent returns the next batch, nil when there will be none.
func (s *sourceTask) nextSent() *sourceBatch {
	if b := s.held; b != nil {
		s.held = nil
		return b
	}
	return <-s.sent
}

// nextAnswered returns the next batch if all its records are answered.
func (s *sourceTask) nextAnswered() *sourceBatch {
	select {
	case b, ok := <-s.sent:
		if !ok {
			return nil
		}
		select {
		case <-b.answered:
			return b
		default:
			s.held = b
			return nil
		}
	default:
		return nil
	}
}

// add takes over the marks of a batch; a later mark of a source partition stands
// for the earlier ones.
func (g *commitGroup) add(marks []connect.Mark) {
	for _, m := range marks {
		if i, ok := g.index[string(m.Partition)]; ok {
			g.marks[i] = m
			continue
		}
		g.index[string(m.Partition)] = len(g.marks)
		g.marks = append(g.marks, m)
	}
}

// check fails the task for records that the log did not take, unless it should
// go on without them.
func (s *sourceTask) check(b *sourceBatch) error {
	for _, f := range b.failures {
		err := s.explain(f)
		if !s.def.options.tolerateAll() || !recordIsAtFault(f.err) {
			return err
		}
		if err := s.refused(b, f, err); err != nil {
			return err
		}
	}
	return nil
}

// explain says what the log did not take and what helps.
func (s *sourceTask) explain(f produceFailure) error {
	r := f.record
	err := fmt.Errorf("produce a record of %d bytes (key %d, value %d) to topic %s: %w", recordBytes(r), len(r.Key), len(r.Value), r.Topic, f.err)
	switch {
	case errors.Is(f.err, kerr.MessageTooLarge):
		return fmt.Errorf("%w; raise producer.override.max.request.size (%d bytes now) and the topic's max.message.bytes%s", err, s.def.options.producer.maxRequestBytes, s.limits.hint(r.Topic))
	case errors.Is(f.err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("%w; create the topic, or let the cluster create topics (auto.create.topics.enable)", err)
	}
	return err
}

// recordIsAtFault tells whether the log refused the record itself.
func recordIsAtFault(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp)
}

// storeOffsets writes the offsets of the marks and returns when they are durable.
// The records that they cover are durable already: their acknowledgements with
// acks=all were awaited (I1, I2).
func (s *sourceTask) storeOffsets() error {
	if err := s.dropCopies(s.commits.marks); err != nil {
		return err
	}
	s.sendOffsets()
	return s.awaitOffsets()
}

// sendOffsets produces the offsets of the marks, whose memory is not to change before
// awaitOffsets.
func (s *sourceTask) sendOffsets() {
	o := &s.commits.offsets
	o.records, o.data, o.failures = o.records[:0], o.data[:0], o.failures[:0]
	for _, m := range s.commits.marks {
		if m.Partition == nil {
			continue // the upstream keeps the position itself
		}
		start := len(o.data)
		o.data = appendOffsetKey(o.data, s.id.Connector, m.Partition)
		o.records = append(o.records, kgo.Record{Topic: s.offsets.primary, Partition: connect.AnyPartition,
			Key: o.data[start:len(o.data):len(o.data)], Value: m.Offset})
	}
	p := s.producer
	if s.offsetsElsewhere {
		p = s.offsets.client
	}
	o.produceTo(s.kill, p, o.records)
}

// awaitOffsets returns when the offsets that were sent are durable.
func (s *sourceTask) awaitOffsets() error {
	o := &s.commits.offsets
	<-o.answered
	if len(o.failures) > 0 {
		return s.explain(o.failures[0])
	}
	return nil
}

// sendLetters writes what the log has refused to the dead letter queue and
// returns when it is durable, before the offsets say that it was handled (I2).
func (s *sourceTask) sendLetters() error {
	l := &s.commits.letters
	if len(l.records) == 0 {
		return nil
	}
	l.failures = l.failures[:0]
	s.produce(l)
	<-l.answered
	l.records = l.records[:0]
	if len(l.failures) > 0 {
		s.meter.LettersFailed(len(l.failures))
		return s.explain(l.failures[0])
	}
	return nil
}

// commit tells the source what its upstream may forget (I2: after storeOffsets).
func (s *sourceTask) commit(c connect.Committer) {
	for _, m := range s.commits.marks {
		c.Commit(m)
	}
}
