package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
)

var errNullValue = errors.New("the value is null; set behavior.on.null.values to ignore to leave such records out")

// Write appends the records to the open file of their partition. After an error
// the same call continues behind the last record that was taken.
func (s *Sink) Write(ctx context.Context, b *connect.Batch) error {
	s.collect()
	if s.err != nil {
		return s.err
	}
	if b.Len() == 0 {
		return nil
	}
	p := s.partition(b)
	if p.open != nil && s.rotation.old(p.open, s.now()) {
		s.rotate(p)
	}
	for i := range b.Records() {
		if err := s.take(ctx, p, &b.Records()[i], i); err != nil {
			return err
		}
	}
	if len(p.failed) > 0 {
		failed := p.failed
		p.failed = nil
		return &connect.BatchError{Failed: failed}
	}
	return nil
}

// partition returns the state of the batch's partition, also of one that was
// never assigned.
func (s *Sink) partition(b *connect.Batch) *partition {
	p := s.partitions[b.From]
	if p == nil {
		p = newPartition(b.From, b.Records()[0].Offset)
		s.partitions[b.From] = p
	}
	return p
}

// take appends one record to the partition's file. Its error is that of waiting
// for memory: then the record is not taken. A record that cannot be written is
// noted in p.failed and counts as taken.
func (s *Sink) take(ctx context.Context, p *partition, r *connect.Record, index int) error {
	if r.Offset < p.next {
		return nil // taken by an earlier call with the same batch
	}
	if p.durable < 0 { // nothing was ever committed: there is nothing before it
		p.durable, p.reported = r.Offset, r.Offset
	}
	written, err := s.encode(r)
	if err != nil {
		p.failed = append(p.failed, connect.RecordError{Index: index, Err: err})
	}
	if written {
		if err := s.room(ctx, p, len(s.line)); err != nil {
			return err
		}
		if p.open == nil {
			p.open = s.newFile(p, r.Offset)
		}
		s.add(p.open, s.line)
	}
	p.next = r.Offset + 1
	if written && s.rotation.full(p.open) {
		s.rotate(p)
	}
	return nil
}

// encode puts the record's bytes in s.line. It returns false for a record that is
// left out.
func (s *Sink) encode(r *connect.Record) (bool, error) {
	if r.Value.IsNull() {
		if s.config.nullValues == nullsIgnore {
			return false, nil
		}
		return false, errNullValue
	}
	if cap(s.line) > maxLineBytes {
		s.line = nil
	}
	var err error
	s.line, err = s.format.appendValue(s.line[:0], r)
	return err == nil, err
}

func (s *Sink) newFile(p *partition, start int64) *file {
	return &file{up: newUpload(s.ctx, s.objectKey(p.TopicPartition, start)), opened: s.now()}
}

func (s *Sink) objectKey(tp connect.TopicPartition, start int64) string {
	extension := s.format.extension()
	if s.config.gzip() {
		extension += ".gz"
	}
	return s.config.objectKey(tp, start, extension)
}

// rotate closes the partition's open file and brings it on its way. It becomes
// visible when that is committed, or at once where nothing is.
func (s *Sink) rotate(p *partition) {
	f := p.open
	f.end = p.next
	p.open = nil
	p.rotated = append(p.rotated, f)
	s.finish(f)
	if !s.exactlyOnce {
		s.complete(f)
	}
}

// room waits until n bytes more fit in the partition's file and in the pool, and
// makes it so: by sending what is in memory (I5). With nothing left to send the
// record is let in, whatever its size.
func (s *Sink) room(ctx context.Context, p *partition, n int) error {
	for s.steps >= maxOps || !s.pool.fits(s.growth(p, n)) {
		s.relieve(s.growth(p, n))
		if s.steps == 0 {
			return nil
		}
		if err := s.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// growth is what the pool has to hand out for n bytes more of the partition.
func (s *Sink) growth(p *partition, n int) int {
	if p.open == nil {
		return max(n, firstBufferBytes)
	}
	return s.config.growth(p.open, n)
}

// relieve sends files until need bytes will be free once all that is on its way
// has arrived: first the largest buffers that are large enough for a part, then
// the largest files as they are.
func (s *Sink) relieve(need int) {
	for !s.pool.fits(need - s.sentBytes) {
		p := s.largest()
		switch {
		case p == nil:
			return
		case len(p.open.buf) >= minPartBytes:
			s.sendPart(p.open)
		default:
			s.rotate(p)
		}
	}
}

// largest returns the partition whose open file has most in memory, the oldest
// of equal ones, or nil.
func (s *Sink) largest() *partition {
	var found *partition
	for _, p := range s.partitions {
		if p.open == nil || p.open.held() == 0 {
			continue
		}
		if found == nil || p.open.held() > found.open.held() ||
			p.open.held() == found.open.held() && p.open.opened.Before(found.open.opened) {
			found = p
		}
	}
	return found
}

// await waits for an op to end.
func (s *Sink) await(ctx context.Context) error {
	t := time.NewTimer(s.stall)
	defer t.Stop()
	select {
	case <-s.uploader.ready:
		s.collect()
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return connect.Retriable(s.stalled())
	}
}

// stalled says why there is no memory for more records.
func (s *Sink) stalled() error {
	if err := s.retrier.health.trouble(); err != nil {
		return fmt.Errorf("upload to S3, with buffer.memory.max used up: %w", s.store.remedy(err))
	}
	return fmt.Errorf("upload to S3: buffer.memory.max is used up and no upload ended within %s", s.stall)
}
