package postgres

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// benchRows is how many rows of twelve columns the benchmark's table has.
const benchRows = 500_000

const snapshotBenchTable = `
CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, product text, quantity smallint, price numeric(12,2), paid boolean,
	created timestamptz, shipped timestamp, due date, note varchar(100), weight double precision, token uuid);
INSERT INTO orders SELECT i, i %% 1000, 'product number ' || i %% 5000, i %% 100, (i %% 100000)::numeric / 100, i %% 2 = 0,
	now(), now(), now(), 'a note of some length for order ' || i, i * 0.1, gen_random_uuid() FROM generate_series(1, %d) i;
VACUUM ANALYZE orders`

// BenchmarkSnapshot reads a table with one and more connections. copy/s is what a
// COPY … (FORMAT binary) that is thrown away does on the same machine at the same
// time, ratio how much of that the snapshot gets.
func BenchmarkSnapshot(b *testing.B) {
	for _, threads := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("connections=%d", threads), func(b *testing.B) {
			r := newRig(b, "", "snapshot.mode", "initial_only", "snapshot.max.threads", strconv.Itoa(threads))
			for _, sql := range splitStatements(fmt.Sprintf(snapshotBenchTable, benchRows)) {
				r.db.Exec(b, sql)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var bare, ours time.Duration
			for range b.N {
				b.StopTimer()
				bare += copyToNull(b, r)
				b.StartTimer()
				start := time.Now()
				benchSnapshot(b, r)
				ours += time.Since(start)
			}
			rows := float64(b.N) * benchRows
			b.ReportMetric(rows/ours.Seconds(), "rows/s")
			b.ReportMetric(rows/bare.Seconds(), "copy/s")
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

func copyToNull(b *testing.B, r *rig) time.Duration {
	conn := r.db.Connect(b)
	start := time.Now()
	if _, err := conn.PgConn().CopyTo(context.Background(), io.Discard, "COPY orders TO STDOUT (FORMAT binary)"); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func benchSnapshot(b *testing.B, r *rig) {
	r.open()
	defer r.stop()
	batch := connect.NewBatch(2000, 4<<20)
	for rows := 0; rows < benchRows; rows += batch.Len() {
		batch.Reset()
		if err := r.source.Read(context.Background(), batch); err != nil {
			b.Fatalf("read: %v\n%s", err, r.log.String())
		}
	}
}

func splitStatements(sql string) []string {
	var o connectionOptions
	o.statements = sql
	_ = o.splitStatements()
	return o.initialStatements
}
