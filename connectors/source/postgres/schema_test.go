package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestTablesThatChange changes tables between rows, also in one transaction and
// while nobody reads, so that the catalog is ahead of the stream.
func TestTablesThatChange(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable+`; CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE e (id int PRIMARY KEY, m mood)`)
	r.open()
	r.stop()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.db.Exec(t, `BEGIN; INSERT INTO t VALUES (2, 'b'); ALTER TABLE t ADD n int DEFAULT 7; INSERT INTO t VALUES (3, 'c'); COMMIT`)
	r.db.Exec(t, `ALTER TABLE t DROP v; INSERT INTO t VALUES (4)`)
	r.db.Exec(t, `ALTER TABLE t ALTER n TYPE text; INSERT INTO t VALUES (5, 'text')`)
	r.db.Exec(t, `ALTER TABLE t RENAME n TO m; INSERT INTO t VALUES (6, 'named')`)
	r.db.Exec(t, `ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (7, 'moved')`)
	r.db.Exec(t, `DROP TABLE u; CREATE TABLE t (id int PRIMARY KEY, w bool); INSERT INTO t VALUES (8, true)`)
	r.db.Exec(t, `INSERT INTO e VALUES (1, 'sad')`)
	r.db.Exec(t, `ALTER TYPE mood ADD VALUE 'happy' BEFORE 'ok'`)
	r.db.Exec(t, `INSERT INTO e VALUES (2, 'happy')`)
	r.open()
	r.want(`public.t c - (1 "a")`, `public.t c - (2 "b")`, `public.t c - (3 "c" 7)`, `public.t c - (4 7)`, `public.t c - (5 "text")`,
		`public.t c - (6 "named")`, `public.u c - (7 "moved")`, `public.t c - (8 true)`, `public.e c - (1 "sad")`, `public.e c - (2 "happy")`)
	// The same without a restart: nobody knows of the new type, table or label yet.
	r.db.Exec(t, `CREATE TYPE size AS ENUM ('s', 'l'); ALTER TABLE t ADD s size; INSERT INTO t VALUES (9, false, 'l')`)
	r.db.Exec(t, `CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)`)
	r.want(`public.t c - (9 false "l")`, `public.late c - (1)`)
	r.db.Exec(t, `ALTER TYPE mood ADD VALUE 'grand'`)
	r.db.Exec(t, `INSERT INTO e VALUES (3, 'grand')`)
	r.want(`public.e c - (3 "grand")`)
}

// TestSchemasStay reads rows of a table whose relation is described again without
// a change: converters know schemas by their pointers.
func TestSchemasStay(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	schemas := map[*connect.Schema]bool{}
	r.show = func(rec *connect.Record) string {
		schemas[rec.ValueSchema] = true
		return showRecord(rec)
	}
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.db.Exec(t, `ANALYZE t; COMMENT ON TABLE t IS 'x'; ALTER TABLE t SET (fillfactor = 90)`)
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'b')`)
	r.want(`public.t c - (1 "a")`, `public.t c - (2 "b")`)
	if len(schemas) != 1 {
		t.Errorf("%d schemas came for one table", len(schemas))
	}
}

// TestConstraintsThatChange: the stream describes a table as before, and the catalog does not.
func TestConstraintsThatChange(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.show = func(rec *connect.Record) string {
		row := rec.ValueSchema.Fields()[envelopeAfter].Schema
		return fmt.Sprintf("%s %t", rec.Key.Cells()[0], row.Fields()[1].Schema.Optional())
	}
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.want("1 true")
	r.db.Exec(t, `ALTER TABLE t ALTER v SET NOT NULL`)
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'b')`)
	r.want("2 false")
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable+`; CREATE TABLE beats (n serial PRIMARY KEY)`, optHeartbeat, "100", optHeartbeatQuery, "INSERT INTO beats DEFAULT VALUES")
	r.open()
	count := func(what string) (n int) {
		for _, e := range r.events {
			if strings.HasPrefix(e, what) {
				n++
			}
		}
		return n
	}
	r.readFor("heartbeats", func() bool { return count("heartbeat") >= 3 && count("public.beats") >= 3 })
}

func TestTransactionMetadataGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, optTransaction, "true")
	r.open()
	r.stop()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	var orders []string
	r.show = func(rec *connect.Record) string {
		if rec.Topic == "pre.public.t" {
			block := rec.Value.Cells()[envelopeTransaction].Cells()
			orders = append(orders, block[1].String()+"/"+block[2].String())
		}
		return showRecord(rec)
	}
	for len(r.events) < 5 {
		r.batch = newBatchOf(1)
		r.open()
		before := len(r.events)
		r.readFor("an event", func() bool { return len(r.events) > before })
		r.stop()
	}
	r.want("transaction BEGIN", `public.t c - (1 "a")`, `public.t c - (2 "b")`, `public.t c - (3 "c")`, "transaction END")
	if got := strings.Join(orders, " "); got != "1/1 2/2 3/3" {
		t.Errorf("the rows are numbered %s", got)
	}
}

func TestPreparedTransactions(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.open()
	r.db.Exec(t, `BEGIN; INSERT INTO t VALUES (1, 'a'); PREPARE TRANSACTION 'p1'`)
	r.db.Exec(t, `BEGIN; INSERT INTO t VALUES (2, 'b'); PREPARE TRANSACTION 'p2'`)
	r.db.Exec(t, `INSERT INTO t VALUES (3, 'c')`)
	r.db.Exec(t, `ROLLBACK PREPARED 'p2'`)
	r.db.Exec(t, `COMMIT PREPARED 'p1'`)
	r.want(`public.t c - (3 "c")`, `public.t c - (1 "a")`)
}

// TestBeginComesOnce has the first event of a transaction fail: its BEGIN is not
// there without it, since both come again.
func TestBeginComesOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE e (id int PRIMARY KEY, m mood)`, optTransaction, "true")
	r.open()
	r.db.Exec(t, `INSERT INTO e VALUES (1, 'sad')`)
	r.want("transaction BEGIN", `public.e c - (1 "sad")`, "transaction END")
	r.db.Exec(t, `ALTER TYPE mood ADD VALUE 'grand'`)
	r.db.Exec(t, `INSERT INTO e VALUES (2, 'grand')`)
	lock := r.db.Connect(t)
	if _, err := lock.Exec(t.Context(), `BEGIN; LOCK pg_catalog.pg_enum IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
		_, _ = r.read(ctx)
	}
	if _, err := lock.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	r.want("transaction BEGIN", `public.e c - (2 "grand")`, "transaction END")
}

// TestStreamedTransactionMetadata has a transaction that the server sends while it runs: its
// BEGIN stands where its first change is, as if it had come whole.
func TestStreamedTransactionMetadata(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, optTransaction, "true")
	littleMemory(t, r)
	r.show = func(rec *connect.Record) string {
		cells := rec.Value.Cells()
		if rec.Topic == "pre.transaction" {
			_, at, _ := strings.Cut(cells[1].Text(), ":")
			return cells[0].Text() + " " + at
		}
		return fmt.Sprintf("%s %d", cells[envelopeOp].Text(), cells[envelopeSource].Cells()[sourceLSN].Int())
	}
	r.open()
	const rows = 2000
	r.db.Exec(t, fmt.Sprintf(`INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, %d) i`, rows))
	r.until(rows + 2)
	if kept := r.source.stream.spill.kept; kept < rows {
		t.Errorf("the transaction was not sent in progress: %d messages were kept", kept)
	}
	if _, first, _ := strings.Cut(r.events[1], " "); r.events[0] != "BEGIN "+first || !strings.HasPrefix(r.events[rows+1], "END ") {
		t.Errorf("got %s, %s ... %s", r.events[0], r.events[1], r.events[rows+1])
	}
}
