package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// resumeWorkload has what counting events in transactions can get wrong: rows that share
// an LSN, changes that are several records, messages, a truncate, tables that are left
// out, a transaction that is streamed, and pairs that are committed one right after the
// other, so that one's end is the LSN of the next commit record.
func resumeWorkload(t *testing.T, r *rig) {
	a, b := r.db.Connect(t), r.db.Connect(t)
	r.db.Exec(t, `INSERT INTO t SELECT i, 'many' FROM generate_series(1, 4) i`)
	if _, err := a.PgConn().CopyFrom(t.Context(), strings.NewReader("11\tc\n12\tc\n13\tc\n14\tc\n"), `COPY t FROM STDIN`); err != nil {
		t.Fatal(err)
	}
	for pair := range 3 {
		id := 20 + 10*pair
		for _, step := range []struct {
			first bool
			sql   string
		}{
			{true, fmt.Sprintf(`BEGIN; INSERT INTO t VALUES (%d, 'a')`, id)},
			{false, fmt.Sprintf(`BEGIN; INSERT INTO t VALUES (%d, 'b')`, id+1)},
			{true, fmt.Sprintf(`INSERT INTO t VALUES (%d, 'a')`, id+2)},
			{false, fmt.Sprintf(`INSERT INTO t VALUES (%d, 'b')`, id+3)},
			{true, `COMMIT`}, {false, `COMMIT`},
		} {
			conn := b
			if step.first {
				conn = a
			}
			if _, err := conn.Exec(t.Context(), step.sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.db.Exec(t, `BEGIN; INSERT INTO noise VALUES (1); UPDATE t SET id = 100 WHERE id = 1; INSERT INTO noise VALUES (2);
		SELECT pg_logical_emit_message(true, 'p', 'in'); DELETE FROM t WHERE id = 2; COMMIT`)
	r.db.Exec(t, `SELECT pg_logical_emit_message(false, 'p', 'out'); SELECT pg_logical_emit_message(false, 'p', 'again')`)
	r.db.Exec(t, `BEGIN; SAVEPOINT s; INSERT INTO t SELECT 200 + i, repeat('s', 1000) FROM generate_series(1, 200) i; ROLLBACK TO s;
		INSERT INTO t SELECT 300 + i, repeat('k', 7000) FROM generate_series(1, 11) i; COMMIT`)
	r.db.Exec(t, `BEGIN; INSERT INTO t VALUES (400, 'before'); TRUNCATE t; INSERT INTO t VALUES (401, 'last'); COMMIT`)
}

// TestResumesAtEachPoint takes the offset behind each batch of one record and goes on
// from there, with the large transaction sent while it runs or when it is committed: what
// follows comes once, and the slot has not been told of more than the offset says.
func TestResumesAtEachPoint(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable+`; CREATE TABLE noise (id int)`, "skipped.operations", "none", "table.exclude.list", "public.noise",
		"provide.transaction.metadata", "true")
	littleMemory(t, r)
	r.db.Exec(t, `ALTER TABLE t ALTER v SET STORAGE PLAIN`)
	r.open()
	r.stop()
	resumeWorkload(t, r)
	r.commit, r.batch = false, newBatchOf(1)
	r.open()
	type point struct {
		offset json.RawMessage
		events int
	}
	var points []point
	r.readFor("all events", func() bool {
		if len(r.events) > 0 && (len(points) == 0 || points[len(points)-1].events < len(r.events)) {
			points = append(points, point{r.stored, len(r.events)})
		}
		return strings.Contains(strings.Join(r.events[max(0, len(r.events)-2):], " "), `"last"`)
	})
	if r.source.stream.spill.kept == 0 {
		t.Error("no transaction was sent while it ran")
	}
	r.stop()
	all := r.events
	touch := 0
	for i, p := range points {
		at, err := parsePosition(p.offset)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && at.commit == at.end {
			touch++
		}
		r.settings["streaming.in.progress"] = fmt.Sprint(i%2 == 0)
		r.stored, r.events, r.batch = p.offset, nil, newBatchOf(100)
		r.open()
		r.readFor("the rest", func() bool { return len(r.events) >= len(all)-p.events })
		if j := firstOther(r.events, all[p.events:]); j >= 0 {
			t.Fatalf("after %d events, from %s: got %.200s, want %.200s", p.events, p.offset, r.events[j], all[p.events+j])
		}
		r.stop()
		if at := at.start(); r.confirmedLSN() > at {
			t.Fatalf("after %d events the slot was told of %s, the offset is %s", p.events, r.confirmedLSN(), at)
		}
	}
	if touch == 0 {
		t.Error("no transaction was committed right behind another")
	}
}
