package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// pgLatency measures how long rows take from their commit's start to a reader of
// committed records, at so many rows a second in transactions of some.
func pgLatency(perSecond, each int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		p, err := startPostgres(ctx)
		if err != nil {
			return result{}, err
		}
		defer p.stop()
		w := &pgWorkload{before: []string{"CREATE TABLE timed (id bigserial PRIMARY KEY, sent bigint NOT NULL, note text)"},
			load: func(context.Context, *pgx.Conn, int) error { return nil }}
		if err := p.backlog(ctx, w, "drain"); err != nil {
			return result{}, err
		}
		s, err := b.start(ctx)
		if err != nil {
			return result{}, err
		}
		defer s.stop()
		if _, err := p.drain(ctx, s); err != nil {
			return result{}, err
		}
		return p.timed(ctx, b, s, perSecond, each)
	}
}

// timed inserts rows at a rate and reads them from the log.
func (p *postgres) timed(ctx context.Context, b *bench, s *server, perSecond, each int) (result, error) {
	total := perSecond * int(b.seconds/time.Second)
	cl, err := s.client(kgo.ConsumeTopics(pgPrefix+".public.timed"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return result{}, err
	}
	defer cl.Close()
	cpu := s.cpu()
	failed := make(chan error, 1)
	go func() { failed <- p.insertTimed(ctx, total, perSecond, each) }()
	took := make([]time.Duration, 0, total)
	for len(took) < total {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		fetches := cl.PollFetches(ctx)
		err := ctx.Err()
		cancel()
		if err != nil {
			return result{}, fmt.Errorf("read %d of %d rows: %w", len(took), total, err)
		}
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) { took = append(took, now.Sub(sentAt(r.Value))) })
	}
	if err := <-failed; err != nil {
		return result{}, err
	}
	cpu = s.cpu() - cpu
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
	}
	return result{figure: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms, %.0f %% of a core", at(0.5), at(0.99), at(0.999), 100*cpu.Seconds()/b.seconds.Seconds())}, nil
}

// insertTimed inserts rows that say when they were sent.
func (p *postgres) insertTimed(ctx context.Context, total, perSecond, each int) error {
	tick := time.NewTicker(time.Second * time.Duration(each) / time.Duration(perSecond))
	defer tick.Stop()
	for sent := 0; sent < total; sent += each {
		if _, err := p.conn.Exec(ctx, "INSERT INTO timed (sent, note) SELECT $1, 'a note' FROM generate_series(1, $2)", time.Now().UnixMicro(), each); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// sentAt finds the time in an event.
func sentAt(event []byte) time.Time {
	_, rest, _ := bytes.Cut(event, []byte(`"sent":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	micros, _ := strconv.ParseInt(string(digits), 10, 64)
	return time.UnixMicro(micros)
}
