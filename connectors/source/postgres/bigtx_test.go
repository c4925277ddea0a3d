package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// workload is transactions of every shape that restarts must get right: savepoints
// that are rolled back or released, transactions that interleave, rows of a COPY
// that share an LSN, transactions larger than the server's memory.
func workload(t *testing.T, r *rig) {
	r.db.Exec(t, `INSERT INTO t SELECT i, 'small' FROM generate_series(1, 3) i`)
	long := r.db.Connect(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := long.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`BEGIN`)
	exec(`INSERT INTO t SELECT 1000 + i, repeat('y', 50) FROM generate_series(1, 700) i`)
	exec(`SAVEPOINT a`)
	exec(`INSERT INTO t SELECT 2000 + i, repeat('z', 50) FROM generate_series(1, 700) i`)
	r.db.Exec(t, `INSERT INTO t VALUES (10, 'between')`)
	exec(`SAVEPOINT b`)
	exec(`INSERT INTO t SELECT 3000 + i, 'gone too' FROM generate_series(1, 5) i`)
	exec(`RELEASE b`)
	exec(`ROLLBACK TO a`)
	exec(`SAVEPOINT c`)
	exec(`INSERT INTO t SELECT 4000 + i, 'kept' FROM generate_series(1, 5) i`)
	exec(`RELEASE c`)
	r.db.Exec(t, `DELETE FROM t WHERE id = 10`)
	exec(`UPDATE t SET v = 'w' WHERE id BETWEEN 1001 AND 1003`)
	exec(`COMMIT`)
	copied, err := long.PgConn().CopyFrom(t.Context(), strings.NewReader(func() (rows string) {
		for i := range 50 {
			rows += fmt.Sprintf("%d\tcopied\n", 5000+i)
		}
		return rows
	}()), `COPY t FROM STDIN`)
	if err != nil || copied.RowsAffected() != 50 {
		t.Fatal(err)
	}
	r.db.Exec(t, `BEGIN; INSERT INTO t SELECT 6000 + i, repeat('n', 50) FROM generate_series(1, 700) i; ROLLBACK`)
	r.db.Exec(t, `INSERT INTO t VALUES (7000, 'last')`)
}

// workloadEvents are the events of workload in order.
func workloadEvents() []string {
	var events []string
	add := func(op string, id int, text string) {
		events = append(events, fmt.Sprintf("public.t %s - (%d %q)", op, id, text))
	}
	for i := range 3 {
		add("c", 1+i, "small")
	}
	add("c", 10, "between")
	events = append(events, "public.t d (10 null) -", "public.t tombstone (10)")
	for i := range 700 {
		add("c", 1001+i, strings.Repeat("y", 50))
	}
	for i := range 5 {
		add("c", 4001+i, "kept")
	}
	for i := range 3 {
		add("u", 1001+i, "w")
	}
	for i := range 50 {
		add("c", 5000+i, "copied")
	}
	add("c", 7000, "last")
	return events
}

// littleMemory makes the server send or spill transactions of more than 64 kB.
func littleMemory(t *testing.T, r *rig) {
	r.db.Exec(t, `ALTER DATABASE `+r.db.Name+` SET logical_decoding_work_mem = '64kB'`)
}

func TestTransactionsInProgress(t *testing.T) {
	t.Parallel()
	testTransactionsInProgress(t)
}

func testTransactionsInProgress(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
		full     bool
	}{
		{"streamed", nil, false},
		{"whole", []string{"streaming.in.progress", "false"}, false},
		{"spill is full", []string{"streaming.spill.max.bytes", "1048576"}, true},
		{"no place to spill", []string{"streaming.spill.directory", "/dev/null"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, oneTable, c.settings...)
			littleMemory(t, r)
			r.open()
			want := workloadEvents()
			if c.full { // more than fits
				r.db.Exec(t, `INSERT INTO t SELECT 10000 + i, repeat('f', 200) FROM generate_series(1, 8000) i`)
				for i := range 8000 {
					want = append(want, fmt.Sprintf("public.t c - (%d %q)", 10001+i, strings.Repeat("f", 200)))
				}
				want = append(want[len(want)-8000:], want[:len(want)-8000]...)
			}
			workload(t, r)
			r.until(len(want))
			if i := firstOther(r.events, want); i >= 0 {
				t.Fatalf("event %d: got %s, want %s", i, r.events[i], want[i])
			}
			if r.source.whole != c.full {
				t.Errorf("transactions are asked for whole: %t", r.source.whole)
			}
			if kept := r.source.stream.spill.kept > 0; kept != (c.name == "streamed") {
				t.Errorf("transactions in progress were kept: %t", kept)
			}
		})
	}
}

// firstOther is the first place where got and want differ, -1 for none.
func firstOther(got, want []string) int {
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			return i
		}
	}
	return -1
}

// TestRestartsAnywhere stops after each batch, of changing sizes, and switches
// between the two ways to get large transactions: every event comes once.
func TestRestartsAnywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	littleMemory(t, r)
	r.open()
	r.stop()
	workload(t, r)
	want := workloadEvents()
	for n := 0; len(r.events) < len(want); n++ {
		r.settings["streaming.in.progress"] = fmt.Sprint(n%2 == 0)
		r.batch = newBatchOf([]int{1, 7, 64, 100, 3}[n%5])
		r.commit = n%3 != 0
		r.open()
		before := len(r.events)
		r.readFor("an event", func() bool { return len(r.events) > before })
		if n%4 == 1 && len(r.events) < len(want) { // what is read but not durable comes again
			r.store = false
			r.mustRead(t.Context(), "the next batch")
			r.store = true
		}
		r.stop()
	}
	if i := firstOther(r.events, want); i >= 0 || len(r.events) != len(want) {
		t.Fatalf("event %d of %d is another; got %q, want %q", i, len(r.events), slices.Concat(r.events, []string{"none"})[max(i, 0)], want[max(i, 0)])
	}
}

// TestRelationOfASavepointThatIsGone has the server describe a table in a part of a
// streamed transaction that is rolled back, and not again for the part that is not.
func TestRelationOfASavepointThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	littleMemory(t, r)
	r.open()
	long := r.db.Connect(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := long.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	// The server does not stream what it knows to be rolled back, so it has to have
	// streamed the part before that.
	exec(`BEGIN; SAVEPOINT a; INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i`)
	r.readFor("the savepoint is streamed", func() bool { return r.source.stream != nil && r.source.stream.spill.kept > 1000 })
	exec(`ROLLBACK TO a`)
	exec(`INSERT INTO t SELECT i, repeat('y', 100) FROM generate_series(1, 2000) i`)
	exec(`COMMIT`)
	r.batch = newBatchOf(500)
	r.until(2000)
}

// TestColumnsChangeWhileATransactionRuns has the publication send other columns of a table
// while a transaction is streamed that has changed it: each row is read as the columns were
// when it was sent, also those behind the transaction.
func TestColumnsChangeWhileATransactionRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t, `CREATE TABLE t (id int PRIMARY KEY, a text, b text); CREATE TABLE other (id int PRIMARY KEY, v text);
		CREATE PUBLICATION dbz_publication FOR TABLE t (id, a), other`)
	littleMemory(t, r)
	r.show = func(rec *connect.Record) string {
		after := rec.Value.Cells()[envelopeAfter].Cells()
		return fmt.Sprintf("%s %s=%s", after[0], rec.ValueSchema.Fields()[envelopeAfter].Schema.Fields()[1].Name, after[1].Text())
	}
	r.open()
	long := r.db.Connect(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := long.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const rows = 1000
	exec(fmt.Sprintf(`BEGIN; INSERT INTO t SELECT i, repeat('a', 100), repeat('b', 100) FROM generate_series(1, %d) i`, rows))
	// What is not streamed before the commit is of another table, so that this one is not described again.
	exec(fmt.Sprintf(`INSERT INTO other SELECT i, repeat('o', 200) FROM generate_series(1, %d) i`, rows))
	r.readFor("the transaction is streamed", func() bool { return r.source.stream != nil && r.source.stream.spill.kept > rows+rows/2 })
	r.db.Exec(t, `ALTER PUBLICATION dbz_publication SET TABLE t (id, b), other`)
	r.db.Exec(t, `INSERT INTO t VALUES (-1, 'a', 'b')`)
	r.until(1)
	exec(`COMMIT`)
	r.db.Exec(t, `INSERT INTO t VALUES (-2, 'a', 'b')`)
	r.until(2*rows + 2)
	for i, want := range map[int]string{0: "-1 b=b", 1: "1 a=" + strings.Repeat("a", 100), 2*rows + 1: "-2 b=b"} {
		if r.events[i] != want {
			t.Errorf("event %d: got %s, want %s", i, r.events[i], want)
		}
	}
}

// TestSpillCounters: the metrics have what the server wrote to its disk of a large
// transaction, or sent before its commit.
func TestSpillCounters(t *testing.T) {
	t.Parallel()
	for streaming, counts := range map[bool][2]string{
		false: {"postgres_server_spilled_transactions_total", "postgres_server_spilled_bytes_total"},
		true:  {"postgres_server_streamed_transactions_total", "postgres_server_streamed_bytes_total"},
	} {
		t.Run(fmt.Sprint(streaming), func(t *testing.T) {
			r := newRig(t, oneTable, "streaming.in.progress", fmt.Sprint(streaming))
			littleMemory(t, r)
			r.open()
			r.db.Exec(t, `INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 2000) i`)
			r.until(2000)
			m := &monitor{cfg: r.source.cfg, log: r.source.log, confirmed: r.source.confirmed, conn: r.db.Connect(t)}
			r.stop() // a walsender tells its numbers at its end
			waitFor(t, func() bool {
				if err := m.readSlot(t.Context()); err != nil {
					t.Fatal(err)
				}
				return metric(t, m, counts[0]) == 1 && metric(t, m, counts[1]) > 100_000
			})
		})
	}
}

// metric reads a metric of the slot.
func metric(t *testing.T, m *monitor, name string) float64 {
	t.Helper()
	for i := range gauges {
		if gauges[i].Name == name {
			v, _ := gauges[i].read(new(numbers), m)
			return v
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
