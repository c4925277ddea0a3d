package datagen

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/internal/count"
	"github.com/sluice-data/sluice/connectors/internal/pace"
)

// Source makes rows.
type Source struct {
	config    Config
	table     *table
	pacer     *pace.Pacer
	task      int
	partition json.RawMessage
	next      int64 // number of the next row
	begun     bool  // there was a row since Open
	row       row
}

// Open goes on with the row after the last one.
func (s *Source) Open(ctx context.Context, sc connect.SourceContext) error {
	s.task = sc.Task
	s.partition = count.Object(fieldTask, int64(sc.Task))
	offset, err := sc.Offset(ctx, s.partition)
	if err != nil || offset == nil {
		return err
	}
	s.next, err = count.Number(offset, fieldIteration)
	return err
}

// Read waits until rows are due and makes them.
func (s *Source) Read(ctx context.Context, b *connect.Batch) error {
	if s.config.iterations > 0 && s.next >= s.config.iterations {
		<-ctx.Done()
		return ctx.Err()
	}
	due, err := s.wait(ctx)
	if err != nil {
		return err
	}
	if s.config.iterations > 0 {
		due = int(min(int64(due), s.config.iterations-s.next))
	}
	now := time.Now().UnixMilli()
	for ; due > 0 && !b.Full(); due-- {
		r := s.table.append(b, &s.row, uint64(s.config.seed), uint64(s.task), s.next)
		r.Topic, r.Timestamp = s.config.topic, now
		s.next++
	}
	s.pacer.Took(b.Len())
	s.row.batch = nil
	b.Mark(connect.Mark{Partition: s.partition, Offset: count.Object(fieldIteration, s.next)})
	return nil
}

// wait returns how many rows are due.
func (s *Source) wait(ctx context.Context) (int, error) {
	if s.config.perSecond > 0 || s.config.maxInterval <= 0 {
		return s.pacer.Wait(ctx)
	}
	if !s.begun {
		s.begun = true
		return 1, nil
	}
	part := time.Duration(s.row.random.Uint64() % uint64(s.config.maxInterval))
	return 1, pace.Sleep(ctx, part)
}

// Close has nothing to free.
func (s *Source) Close() error { return nil }
