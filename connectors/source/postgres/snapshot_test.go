package postgres

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// marked shows a record as "table op marker after".
func marked(rec *connect.Record) string {
	if rec.Value.IsNull() || len(rec.Value.Cells()) != envelopeFields {
		return showRecord(rec)
	}
	cells := rec.Value.Cells()
	marker := "-"
	if m := cells[envelopeSource].Cells()[sourceSnapshot]; !m.IsNull() {
		marker = m.Text()
	}
	return fmt.Sprintf("%s %s %s %s", strings.TrimPrefix(rec.Topic, "pre.public."), cells[envelopeOp].Text(), marker, showCells(cells[envelopeAfter]))
}

// TestSnapshot wants the rows of all tables with Debezium's markers, then changes.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	testSnapshot(t)
}

func testSnapshot(t *testing.T) {
	for _, c := range []struct{ name, tables, want string }{
		{"nothing", "CREATE TABLE a (id int PRIMARY KEY)", ""},
		{"one row", "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)", "a r last (1)"},
		{"empty tables around", "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int); INSERT INTO b VALUES (1), (2), (3)",
			"b r first (1), b r true (2), b r last (3)"},
		{"single rows", "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int); CREATE TABLE d (id int); " +
			"INSERT INTO a VALUES (1); INSERT INTO b VALUES (2); INSERT INTO c VALUES (3)",
			"a r first (1), b r last_in_data_collection (2), c r last (3)"},
		{"all markers", "CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a SELECT generate_series(1, 3); INSERT INTO b SELECT generate_series(4, 6)",
			"a r first (1), a r true (2), a r last_in_data_collection (3), b r first_in_data_collection (4), b r true (5), b r last (6)"},
		{"nulls, text, casts", "CREATE TABLE a (i int, t text, n numeric(5,2)); INSERT INTO a VALUES (NULL, 'x', 1.50), (2, NULL, NULL)",
			`a r first (null "x" 0096), a r last (2 null null)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.tables, "snapshot.mode", "initial")
			r.show = marked
			r.open()
			r.completed()
			if got := strings.Join(r.events, ", "); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			r.events = nil
			r.db.Exec(t, "INSERT INTO a VALUES (99)")
			r.until(1)
			if !strings.HasPrefix(r.events[0], "a c - (99") {
				t.Errorf("after the snapshot: %s", r.events[0])
			}
		})
	}
}

// completed reads until the snapshot is done.
func (r *rig) completed() {
	r.t.Helper()
	r.readFor("the end of the snapshot", func() bool { return !r.source.snapshots.active() })
}

// TestSnapshotTables wants the tables in order, each row of partitions once.
func TestSnapshotTables(t *testing.T) {
	t.Parallel()
	testSnapshotTables(t)
}

func testSnapshotTables(t *testing.T) {
	const partitioned = `CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
		CREATE TABLE p1 (v text, id int NOT NULL); ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10);
		CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1, 'a'), (11, 'b');`
	for _, c := range []struct {
		name, tables string
		settings     []string
		want         string
	}{
		{"order of the include list", "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE b2 (id int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2); INSERT INTO b2 VALUES (3)",
			[]string{"table.include.list", `public\.b.*,public\.a`}, "b r first (2), b2 r last_in_data_collection (3), a r last (1)"},
		{"some tables only", "CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)",
			[]string{"snapshot.include.collection.list", `public\.b`}, "b r last (2)"},
		{"order by rows", "CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2), (3); ANALYZE",
			[]string{"snapshot.tables.order.by.row.count", "descending"}, "b r first (2), b r last_in_data_collection (3), a r last (1)"},
		{"statement of its own", "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2), (3)",
			[]string{"snapshot.select.statement.overrides", "public.a", "snapshot.select.statement.overrides.public.a", "SELECT * FROM a WHERE id > 1 ORDER BY id DESC"},
			"a r first (3), a r last (2)"},
		{"statement for a partitioned table", partitioned, []string{"table.include.list", `public\.p`,
			"snapshot.select.statement.overrides", "public.p", "snapshot.select.statement.overrides.public.p", "SELECT * FROM p ORDER BY id DESC"},
			`p r first (11 "b"), p r last (1 "a")`},
		{"partitions", partitioned, nil, `p1 r first ("a" 1), p2 r last (11 "b")`},
		{"partitions by their root", "CREATE PUBLICATION dbz_publication FOR ALL TABLES WITH (publish_via_partition_root);" + partitioned, nil,
			`p r first (1 "a"), p r last (11 "b")`},
		{"a root alone", partitioned, []string{"table.include.list", `public\.p`}, `p r first (1 "a"), p r last (11 "b")`},
		{"inheritance", "CREATE TABLE a (id int); CREATE TABLE b (x int) INHERITS (a); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2, 3)", nil,
			"a r first (1), b r last (2 3)"},
		{"names to quote", `CREATE TABLE "A b" ("Id" int, "sel""ect" int); INSERT INTO "A b" VALUES (1, 2)`, nil, "A_b r last (1 2)"},
		{"no columns", "CREATE TABLE a (); INSERT INTO a DEFAULT VALUES; INSERT INTO a DEFAULT VALUES", nil, "a r first (), a r last ()"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.tables, append([]string{"snapshot.mode", "initial"}, c.settings...)...)
			r.show = marked
			r.open()
			r.completed()
			if got := strings.Join(r.events, ", "); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestSnapshotProgress: every ten seconds the log says how far a snapshot is and how long it
// will take at its rate, of a resumed one the rows of before too; the metrics say the same.
func TestSnapshotProgress(t *testing.T) {
	var log logBuffer
	now := time.Unix(0, 0)
	a, b := &table{name: tableName{"public", "a"}}, &table{name: tableName{"public", "b"}}
	half := &relation{oid: 1, table: a, rows: 4096, pages: 10, lastOfTable: true}
	plan := &snapshotPlan{relations: []*relation{half, {oid: 2, table: b, rows: 3072, lastOfTable: true}}, relation: 1, place: tid{page: 5}}
	s := &snapshotter{snapshotEnv: snapshotEnv{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }, numbers: new(snapshotNumbers)},
		state: &snapshotState{Rows: 2048, Relation: 1}}
	p := &s.progress
	p.snapshotNumbers = s.numbers
	p.start(now, plan, s.state)
	left := []int64{p.secondsLeft.Load()}
	for range 2048 {
		s.state.Rows++
		now = now.Add(5 * time.Millisecond)
		p.row(s, half)
	}
	left = append(left, p.secondsLeft.Load())
	want := "table=public.a rows=4096 estimated=7168 tables_left=2 rows_per_second=200 time_left=15s"
	if text := log.String(); !strings.Contains(text, want) || strings.Count(text, "\n") != 1 {
		t.Errorf("the log says %s, want one line with %s", text, want)
	}
	if n := p.tableDone(a); n != 2048 || s.numbers.tablesLeft.Load() != 1 || s.numbers.rows.Load() != 4096 || s.numbers.total.Load() != 7168 || s.numbers.running.Load() != 1 {
		t.Errorf("%d rows of the table, %d of all of %d, %d tables left", n, s.numbers.rows.Load(), s.numbers.total.Load(), s.numbers.tablesLeft.Load())
	}
	p.stop(7000)
	if left = append(left, p.secondsLeft.Load()); !slices.Equal(left, []int64{unknownSeconds, 15, 0}) {
		t.Errorf("the seconds left are %d at the start, in the middle and at the end", left)
	}
	if s.numbers.rows.Load() != 7000 || s.numbers.tablesLeft.Load() != 0 || s.numbers.running.Load() != 0 {
		t.Errorf("at the end %d rows, %d tables left", s.numbers.rows.Load(), s.numbers.tablesLeft.Load())
	}
}

// TestRelationIsDoneWithItsLastRow, which is held back when its end comes: an offset in
// between would leave it out.
func TestRelationIsDoneWithItsLastRow(t *testing.T) {
	s := &snapshotter{state: new(snapshotState)}
	last, other := &chunk{piece: piece{rel: &relation{oid: 7}, last: true}}, &chunk{piece: piece{rel: &relation{oid: 8}}}
	for _, c := range []struct {
		held *chunk
		ends bool // the held row is the last
	}{{last, true}, {other, false}, {nil, false}} {
		s.state.Done, s.cursor.held = nil, heldRow{chunk: c.held}
		if s.ended(nil, last); s.cursor.held.ends != c.ends || s.state.Done.has(7) == c.ends {
			t.Errorf("with the row of %+v held the relation is done: %t", c.held, s.state.Done.has(7))
		}
	}
}
