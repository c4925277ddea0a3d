package postgres

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// mixedTable has the twelve columns of a usual table.
const mixedTable = `CREATE TABLE mixed (id bigint PRIMARY KEY, small int2 NOT NULL, n int, price numeric(12,2), ok bool, name varchar(64), note text,
	created timestamp, changed timestamptz, ratio float8, ref uuid, doc jsonb)`

const mixedRows = `INSERT INTO mixed SELECT i, i %% 1000, i * 7, i * 1.25, i %% 2 = 0, 'customer-' || i, repeat('lorem ipsum ', 6),
	'2026-01-01'::timestamp + i * interval '1 second', '2026-01-01'::timestamptz + i * interval '1 second', i / 3.0,
	'a81bc81b-dead-4e5d-abff-90865d1e13b1', '{"a": 1, "b": [true, null]}' FROM generate_series(%d, %d) i`

// backlog makes rows in transactions of 100 that wait in a slot.
func backlog(b *testing.B, rows int) *rig {
	r := newRig(b, mixedTable+`; CREATE PUBLICATION dbz_publication FOR ALL TABLES`)
	r.db.Exec(b, `SELECT pg_create_logical_replication_slot('`+r.settings["slot.name"]+`', 'pgoutput')`)
	conn := r.db.Connect(b)
	for i := 0; i < rows; i += 100 {
		if _, err := conn.Exec(b.Context(), fmt.Sprintf(mixedRows, i+1, i+100)); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

const streamedRows = 200_000

// BenchmarkStream reads a backlog: once as bare frames, which nobody looks into,
// once as records. The bare reader is the limit that the server sets.
func BenchmarkStream(b *testing.B) {
	r := backlog(b, streamedRows)
	b.Run("frames", func(b *testing.B) {
		measureRows(b, func() { readFrames(b, r) })
	})
	b.Run("records", func(b *testing.B) {
		b.ReportAllocs()
		measureRows(b, func() { readRecords(b, r) })
	})
}

// measureRows reports rows a second, and the CPU time of this process for a row,
// which the load of the machine changes less.
func measureRows(b *testing.B, read func()) {
	before := cpuTime(b)
	for b.Loop() {
		read()
	}
	rows := float64(b.N) * streamedRows
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/rows, "cpu-ns/row")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readFrames counts the inserts and reads nothing else.
func readFrames(b *testing.B, r *rig) {
	cfg := r.config()
	pc, err := cfg.connectReplication(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	w, err := startStream(b.Context(), pc, streamStart{slot: cfg.replication.slot, publication: cfg.replication.publication})
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < streamedRows; {
		f, err := w.next()
		if err != nil {
			b.Fatal(err)
		}
		switch {
		case f.kind == 0:
			if err := w.feed.wait(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		case f.kind == pgoutput.FrameXLogData && f.data.Data[0] == byte(pgoutput.KindInsert):
			n++
		}
	}
	w.close()
}

// readRecords reads the records and commits nothing, so that the next round gets
// them again.
func readRecords(b *testing.B, r *rig) {
	s := r.config().Source().(*Source)
	sc := r.sourceContext()
	if err := s.Open(b.Context(), sc); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	batch := connect.NewBatch(2048, 4<<20)
	for n := 0; n < streamedRows; n += batch.Len() {
		batch.Reset()
		if err := s.Read(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
}
