package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

var errNullValue = errors.New("the value is null; set behavior.on.null.values to ignore to leave such records out, or to write to keep them")

var errNullKey = errors.New("the key is null, and store.kafka.keys is on")

// Write appends the records to the open files of their partition. After an error
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
	p.written = p.next
	if len(p.failed) > 0 {
		failed := p.failed
		p.failed = nil
		return &connect.BatchError{Failed: failed}
	}
	return s.err
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

// take appends one record to the partition's files. Its error is that of waiting
// for memory: then the record is not taken. A record that cannot be written is
// noted in p.failed and counts as taken.
func (s *Sink) take(ctx context.Context, p *partition, r *connect.Record, index int) error {
	if r.Offset < p.next {
		return nil // taken by an earlier call with the same batch
	}
	if p.durable < 0 { // nothing was ever committed: there is nothing before it
		p.written, p.durable, p.reported = r.Offset, r.Offset, r.Offset
	}
	if err := s.write(ctx, p, r); err != nil {
		refused, ok := errors.AsType[*refusedError](err)
		if !ok {
			return err
		}
		p.failed = append(p.failed, connect.RecordError{Index: index, Err: refused.err})
	}
	p.next = r.Offset + 1
	return nil
}

// refusedError is about the record alone: others can be written.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

// write puts the record into its files, unless it is left out.
func (s *Sink) write(ctx context.Context, p *partition, r *connect.Record) error {
	leave, err := s.leaveOut(r)
	if err != nil || leave {
		return err
	}
	if s.config.storeKeys && r.Key.IsNull() {
		return &refusedError{errNullKey}
	}
	if err := s.locate(p, r); err != nil {
		return &refusedError{err}
	}
	if p.open != nil && !s.place.tombstone && s.rotation.over(p.open, s.place.timeMs, s.place.encoded) {
		s.rotate(p)
	}
	c, isNew, err := s.cellFor(p, r)
	if err != nil {
		return &refusedError{err}
	}
	if err := s.encode(c, r); err != nil {
		return &refusedError{err}
	}
	if c, err = s.room(ctx, p, c, r, isNew); err != nil {
		return err
	}
	s.append(p, c, r)
	return nil
}

// leaveOut decides about a record without a value.
func (s *Sink) leaveOut(r *connect.Record) (bool, error) {
	if !r.Value.IsNull() || s.config.nullValues == nullsWrite {
		return false, nil
	}
	if s.config.nullValues == nullsFail {
		return false, &refusedError{errNullValue}
	}
	if s.config.reportNulls && s.report != nil {
		return true, s.report(r, errNullValue)
	}
	return true, nil
}

// encode puts the record's bytes in s.lines, one for each part.
func (s *Sink) encode(c *cell, r *connect.Record) error {
	for i, p := range s.parts {
		if cap(s.lines[i]) > maxLineBytes {
			s.lines[i] = nil
		}
		s.lines[i] = s.lines[i][:0]
		f := c.files[i]
		if f == nil {
			continue // a tombstone has no value
		}
		record := r
		if c.plan != nil && p.what == format.Values {
			projected, err := c.plan.apply(s.scratch, r)
			if err != nil {
				return err
			}
			record = projected
		}
		var err error
		if s.lines[i], err = f.writer.Append(s.lines[i], record); err != nil {
			return err
		}
	}
	return nil
}

// append adds what encode has written to the files.
func (s *Sink) append(p *partition, c *cell, r *connect.Record) {
	g := p.open
	g.last = s.now()
	s.noteTime(g)
	g.records++
	for i, f := range c.files {
		if f != nil {
			f.last = r.Offset
			s.add(f, s.lines[i])
		}
	}
	if s.rotation.full(g, c.files, &s.packing) {
		p.next = r.Offset + 1
		s.rotate(p)
	}
}

// noteTime keeps what rotation by the records' time needs. Records without a value are in a directory of their own and have no part in it.
func (s *Sink) noteTime(g *group) {
	if s.place.tombstone {
		return
	}
	if !g.timed {
		g.timed, g.baseMs = true, s.place.timeMs
	}
	if s.rotation.onChange && g.encoded != string(s.place.encoded) {
		g.encoded = string(s.place.encoded)
	}
}

// rotate closes the partition's open files and brings them on their way. They become
// visible when that is committed, or at once where nothing is.
func (s *Sink) rotate(p *partition) {
	g := p.open
	g.end = p.next
	p.open = nil
	p.rotated = append(p.rotated, g)
	for _, f := range g.files {
		s.finish(f)
		if !s.exactlyOnce {
			s.complete(f)
		}
	}
	if g.sending.Add(-1) == 0 && s.exactlyOnce {
		s.due()
	}
}

// relieve sends files until need bytes will be free once all that is on its way
// has arrived: first the largest buffers that are large enough for a part, then
// the largest groups as they are.
func (s *Sink) relieve(need int) {
	for !s.pool.fits(need - s.sentBytes) {
		p := s.largest()
		if p == nil {
			return
		}
		if f := p.open.largest(); f.buf.n >= minPartBytes {
			s.sendPart(f)
			continue
		}
		s.rotate(p)
	}
}

// largest returns the partition whose open files have most in memory, the oldest
// of equal ones, or nil.
func (s *Sink) largest() *partition {
	var found *partition
	most := 0
	for _, p := range s.partitions {
		if p.open == nil {
			continue
		}
		held := p.open.held()
		if held > most || held == most && held > 0 && p.open.opened.Before(found.open.opened) {
			found, most = p, held
		}
	}
	return found
}

// await waits for an op to end.
func (s *Sink) await(ctx context.Context) error {
	t := time.NewTimer(s.limits.stall)
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
	return fmt.Errorf("upload to S3: buffer.memory.max is used up and no upload ended within %s", s.limits.stall)
}
