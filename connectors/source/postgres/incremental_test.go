package postgres

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

const signalTable = "CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32), data varchar(2048));"

// incrementalSettings are for a source with a signal table and small chunks.
var incrementalSettings = []string{"signal.data.collection", "public.signals", "table.include.list", `public\..*`,
	"incremental.snapshot.chunk.size", "7", "skipped.operations", "none", "signal.poll.interval.ms", "50"}

func (r *rig) signal(kind, data string) {
	r.t.Helper()
	r.db.Exec(r.t, fmt.Sprintf("INSERT INTO signals VALUES ('%s', '%s', '%s')", randomUUID(), kind, strings.ReplaceAll(data, "'", "''")))
}

// incrementalDone reads until the incremental snapshot that was asked for is over.
func (r *rig) incrementalDone() {
	r.t.Helper()
	r.pumpFor("the end of the incremental snapshot", func() bool { return strings.Contains(r.log.String(), "incremental snapshot completed") })
}

// eventsOf are the durable events of a table.
func (r *rig) eventsOf(table string) []string {
	var found []string
	for _, e := range r.events {
		if strings.HasPrefix(e, table+" ") {
			found = append(found, e)
		}
	}
	return found
}

// TestIncremental reads tables beside the stream, by keys of all kinds.
func TestIncremental(t *testing.T) {
	t.Parallel()
	testIncremental(t)
}

func testIncremental(t *testing.T) {
	for _, c := range []struct{ name, key, value string }{
		{"int", "int", "i"},
		{"bigint beyond int", "bigint", "i + 5000000000"},
		{"numeric", "numeric(20,5)", "i::numeric / 7"},
		{"text in a language's order", `text COLLATE "en-x-icu"`, "chr(97 + i % 26) || CASE WHEN i % 2 = 0 THEN 'Ä' ELSE '_' END || i"},
		{"text with quotes", "text", `i || '''\"'`},
		{"uuid", "uuid", "md5(i::text)::uuid"},
		{"timestamp", "timestamptz", "'2020-01-01'::timestamptz + i * interval '1 microsecond'"},
		{"enum", "color", "('{red,green,blue}'::color[])[i]"},
		{"bytes", "bytea", "decode(md5(i::text), 'hex')"},
		{"boolean", "boolean", "i = 1"},
		{"char", "char(8)", "i"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, signalTable+"CREATE TYPE color AS ENUM ('blue', 'green', 'red'); CREATE TABLE a (k "+c.key+" PRIMARY KEY, v int)", incrementalSettings...)
			n := 50
			switch c.key {
			case "color":
				n = 3
			case "boolean":
				n = 2
			}
			r.db.Exec(t, fmt.Sprintf("INSERT INTO a SELECT %s, i FROM generate_series(1, %d) i", c.value, n))
			r.show = marked
			r.open()
			r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
			r.incrementalDone()
			got := map[string]bool{}
			for _, e := range r.eventsOf("a r incremental") {
				got[e] = true
			}
			if len(got) != n || len(r.eventsOf("a")) != n {
				t.Errorf("got %d different of %d events, want %d:\n%s\n%s", len(got), len(r.eventsOf("a")), n, strings.Join(r.events, "\n"), r.log.String())
			}
		})
	}
}

// TestIncrementalWindow changes rows between the reading of a chunk and the place
// where its rows are handed over: the changes win, and what they left out comes from
// the chunk.
func TestIncrementalWindow(t *testing.T) {
	t.Parallel()
	testIncrementalWindow(t)
}

func testIncrementalWindow(t *testing.T) {
	for _, mode := range []string{"insert_insert", "insert_delete", "read.only"} {
		t.Run(mode, func(t *testing.T) {
			settings := append([]string{"incremental.snapshot.watermarking.strategy", strings.Replace(mode, "read.only", "insert_insert", 1), "read.only", fmt.Sprint(mode == "read.only"), "status.update.interval.ms", "60000"},
				incrementalSettings...)
			r := newRig(t, signalTable+`CREATE TABLE a (id int PRIMARY KEY, v int, t text); ALTER TABLE a ALTER t SET STORAGE EXTERNAL;
				INSERT INTO a SELECT i, 0, repeat('x', 3000) FROM generate_series(1, 6) i`, settings...)
			r.show = func(rec *connect.Record) string {
				return strings.ReplaceAll(marked(rec), strings.Repeat("x", 3000), "long")
			}
			r.open()
			r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
			inc := r.source.snapshots.signals.incremental
			inc.inWindow = func() { // the rows are as they are now, and nothing of them is handed over
				inc.inWindow = nil
				r.db.Exec(t, "UPDATE a SET v = 1 WHERE id = 1; DELETE FROM a WHERE id = 2; UPDATE a SET id = 30 WHERE id = 3; INSERT INTO a VALUES (7, 0, 'new'); UPDATE a SET v = 2 WHERE id = 1")
			}
			r.readFor("the rows", func() bool { return len(r.eventsOf("a")) >= 9 }) // a read that is cut short would read the chunk again
			want := []string{`a u - (1 1 "long")`, `a d - -`, `a d - -`, `a c - (30 0 "long")`, `a c - (7 0 "new")`,
				`a u - (1 2 "__debezium_unavailable_value")`,
				`a r incremental (4 0 "long")`, `a r incremental (5 0 "long")`, `a r incremental (6 0 "long")`}
			if got := r.eventsOf("a"); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			r.db.Exec(t, "INSERT INTO a VALUES (99, 0, 'last')") // the last mark may come after the rows, and before this one
			r.readFor("the last row", func() bool { return len(r.eventsOf("a c")) == 3 })
			wantMarks := map[string]string{"insert_insert": "c snapshot-window-open, c snapshot-window-close", "insert_delete": "c snapshot-window-open, d", "read.only": ""}[mode]
			if got := strings.Join(r.windowMarks(), ", "); !strings.HasSuffix(got, wantMarks) || wantMarks == "" && got != "" { // a chunk that was cut short has one of its own before that
				t.Errorf("the signal table has %s, want %s", got, wantMarks)
			}
		})
	}
}

// TestIncrementalTruncate: rows that were read before their table was emptied are not handed over behind that.
func TestIncrementalTruncate(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+`CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)`, incrementalSettings...)
	r.show = marked
	r.open()
	r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
	inc := r.source.snapshots.signals.incremental
	inc.inWindow = func() {
		inc.inWindow = nil
		r.db.Exec(t, "TRUNCATE a; INSERT INTO a VALUES (3)")
	}
	r.readFor("the truncate", func() bool { return len(r.eventsOf("a")) > 0 })
	r.db.Exec(t, "INSERT INTO a VALUES (4)")
	r.readFor("the last row", func() bool { return strings.Contains(strings.Join(r.eventsOf("a"), " "), "(4)") })
	if got := strings.Join(r.eventsOf("a"), ", "); got != "a t - -, a c - (3), a c - (4)" {
		t.Errorf("got %s, want the truncate and the new rows alone", got)
	}
}

// windowMarks are the events of the signal table that chunks have written.
func (r *rig) windowMarks() []string {
	var marks []string
	for _, e := range r.eventsOf("signals") {
		f := strings.Fields(e)
		switch {
		case strings.Contains(e, "snapshot-window"):
			marks = append(marks, f[1]+" "+strings.Trim(f[4], `"`))
		case f[1] == "d":
			marks = append(marks, "d")
		}
	}
	return marks
}

// TestIncrementalSequence wants the rows of a chunk to have the sequence of the change
// that closed their window, or where the signal table has none, of the last commit.
func TestIncrementalSequence(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"insert_insert", "insert_delete", "read.only"} {
		t.Run(mode, func(t *testing.T) {
			settings := append([]string{"incremental.snapshot.watermarking.strategy", strings.Replace(mode, "read.only", "insert_insert", 1), "read.only", fmt.Sprint(mode == "read.only")},
				incrementalSettings...)
			r := newRig(t, signalTable+"CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2); CREATE TABLE b (id int PRIMARY KEY)", settings...)
			r.show = func(rec *connect.Record) string {
				if rec.Value.IsNull() {
					return "tombstone"
				}
				return marked(rec) + " " + rec.Value.Cells()[envelopeSource].Cells()[sourceSequence].Text()
			}
			r.open()
			r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
			r.incrementalDone()
			r.db.Exec(t, "INSERT INTO b VALUES (1)")
			r.readFor("the last row", func() bool { return len(r.eventsOf("b")) == 1 })
			want := sequenceOf(t, r.eventsOf("b")[0])
			want[1] = want[0] // nothing is committed between
			if closing := map[string]string{"insert_insert": "snapshot-window-close", "insert_delete": "signals d "}[mode]; closing != "" {
				before := r.events[:max(0, slices.IndexFunc(r.events, func(e string) bool { return strings.HasPrefix(e, "a r ") }))]
				for _, e := range before { // the last: a read that is interrupted has its chunk read again
					if strings.Contains(e, closing) {
						want = sequenceOf(t, e)
					}
				}
			}
			rows := r.eventsOf("a r incremental")
			if len(rows) != 2 || sequenceOf(t, rows[0]) != want || sequenceOf(t, rows[1]) != want {
				t.Errorf("the rows are %q, want them at %q:\n%s", rows, want, strings.Join(r.events, "\n"))
			}
		})
	}
}

// sequenceOf is the sequence behind an event: [last commit, LSN].
func sequenceOf(t *testing.T, event string) (both [2]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(event[strings.LastIndex(event, " ")+1:]), &both); err != nil || both[1] == "" {
		t.Fatalf("%s has no sequence: %v", event, err)
	}
	return both
}

// TestIncrementalWindows: a window in which a table ends goes on with the next one, so
// that empty tables have none of their own.
func TestIncrementalWindows(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);
		INSERT INTO a SELECT generate_series(1, 10); INSERT INTO c VALUES (1)`, incrementalSettings...)
	r.show = func(rec *connect.Record) string {
		e := marked(rec)
		if !strings.Contains(e, "snapshot-window") {
			return e
		}
		var about struct{ CorrelationID, DataCollectionID, OpenWindowTimestamp, CloseWindowTimestamp string }
		if err := json.Unmarshal([]byte(rec.Value.Cells()[envelopeAfter].Cells()[2].Text()), &about); err != nil || about.OpenWindowTimestamp == "" {
			return e
		}
		return fmt.Sprintf("window %s %s %v", about.DataCollectionID, about.CorrelationID, about.CloseWindowTimestamp != "")
	}
	r.pump = patience // a read that is interrupted opens its window anew
	r.open()
	r.db.Exec(t, `INSERT INTO signals VALUES ('one', 'execute-snapshot', '{"data-collections": ["public.a", "public.b", "public.c"]}')`)
	r.incrementalDone()
	r.db.Exec(t, `INSERT INTO signals VALUES ('two', 'execute-snapshot', '{"data-collections": ["public.b"]}')`)
	want := strings.Repeat("window public.a one false, window public.a one true, ", 3) + "window public.c one false, window public.c one true, window public.b two false, window public.b two true"
	r.readFor("the windows", func() bool { return len(r.eventsOf("window")) >= 10 })
	if got := strings.Join(r.eventsOf("window"), ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestIncrementalResumes stops the source again and again while rows change, and
// wants no row to be read from the start.
func TestIncrementalResumes(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+resumeTables, incrementalSettings...)
	r.settings["incremental.snapshot.chunk.size"] = "100"
	m := newMaterialized()
	w := startWriter(t, r)
	r.open()
	r.signal(signalExecute, `{"data-collections": ["public.keyed", "public.long", "public.keyless"]}`)
	inc := func() *incremental { return r.source.snapshots.signals.incremental }
	resumeUntil(t, r, m, func() bool { return inc().state != nil })
	for range 5 {
		rows := inc().state.Rows
		table := inc().state.Tables[0].Name
		resumeUntil(t, r, m, func() bool {
			return inc().state == nil || inc().state.Rows > rows+500 || inc().state.Tables[0].Name != table
		})
		r.stop()
		w.change(10)
		r.open()
		if inc().state == nil {
			t.Fatal("the offset does not have the incremental snapshot")
		}
	}
	resumeUntil(t, r, m, func() bool { return inc().state == nil })
	w.end(t)
	end := walEnd(t, r)
	resumeUntil(t, r, m, func() bool { return r.source.pos.end >= end })
	compareKeyed(t, r, m)
	if !strings.Contains(r.log.String(), "the table has no key to be read by") {
		t.Error("the log does not tell about the table without a key")
	}
}

// TestIncrementalOfATableThatChanges changes the columns of a table between two chunks, and no
// row: what is read from then on has the columns that the table has.
func TestIncrementalOfATableThatChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sql, want string }{
		{"ALTER TABLE a ADD w int NOT NULL DEFAULT 7", "a r incremental (40 1 7)"},
		{"ALTER TABLE a DROP v", "a r incremental (40)"},
		{"ALTER TABLE a RENAME v TO w", "a r incremental (40 1)"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			r := newRig(t, signalTable+"CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a SELECT i, 1 FROM generate_series(1, 40) i", incrementalSettings...)
			r.show, r.pump = marked, patience
			r.batch = newBatchOf(7)
			r.open()
			r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
			r.readFor("the first rows", func() bool { return len(r.eventsOf("a r")) > 0 })
			r.db.Exec(t, c.sql)
			r.incrementalDone()
			rows := r.eventsOf("a r")
			if len(rows) != 40 || rows[0] != "a r incremental (1 1)" || rows[39] != c.want {
				t.Errorf("%d rows came, the last is %s, want 40 up to %s:\n%s", len(rows), rows[len(rows)-1], c.want, r.log.String())
			}
		})
	}
}

// TestIncrementalLargeRows reads rows of which a chunk would not fit into memory.
func TestIncrementalLargeRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+"CREATE TABLE a (id int PRIMARY KEY, t text); ALTER TABLE a ALTER t SET STORAGE EXTERNAL; INSERT INTO a SELECT i, repeat('x', 20000000) FROM generate_series(1, 5) i",
		append(slices.Clone(incrementalSettings), "incremental.snapshot.chunk.size", "16")...)
	r.show = func(rec *connect.Record) string {
		if rec.Topic == "pre.public.a" {
			return fmt.Sprintf("a r %d", len(rec.Value.Cells()[envelopeAfter].Cells()[1].Text()))
		}
		return "signal"
	}
	r.pump = patience
	r.open()
	r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
	r.incrementalDone()
	if got := r.eventsOf("a"); len(got) != 5 || slices.Compact(got)[0] != "a r 20000000" {
		t.Errorf("got %v\n%s", got, r.log.String())
	}
}

// TestWindowKnowsOlderChanges: a change that the snapshot of the window saw leaves its row
// there and gets nothing from it, also when it is read late; one that it did not see, of a
// transaction that ran meanwhile or began later, takes the row out.
func TestWindowKnowsOlderChanges(t *testing.T) {
	info := tableInfo{oid: 1, name: tableName{"public", "a"}, primaryKey: []string{"id"},
		columns: []pgtype.Column{{Name: "id", TypeOID: 23, TypeMod: -1, NotNull: true}, {Name: "t", TypeOID: 25, TypeMod: -1}}}
	text := func(s string) pgoutput.Column { return pgoutput.Column{Kind: pgoutput.ColumnText, Data: []byte(s)} }
	for xid, taken := range map[uint32]bool{9: false, 10: false, 11: true, 12: false, 13: true, 14: true} {
		e, table := newTestEmitter(t, minimal(), info)
		inc := &incremental{snapshotEnv: snapshotEnv{emitter: e}, scratch: newBatchOf(1), stream: table}
		w := &window{table: table, seen: visibility{xmin: 11, xmax: 13, running: []uint64{11}}, rows: []windowRow{{cols: row{text("1"), text("long")}}}}
		if err := w.index(e, inc.scratch); err != nil {
			t.Fatal(err)
		}
		inc.window = w
		r := row{text("1"), {Kind: pgoutput.ColumnUnchanged}}
		if err := inc.change(t.Context(), table, &origin{txID: xid}, pgoutput.KindUpdate, nil, r); err != nil {
			t.Fatal(err)
		}
		if completed := r[1].Kind == pgoutput.ColumnText; w.rows[0].dropped != taken || completed != taken {
			t.Errorf("a change of transaction %d takes the row out: %t, gets its value: %t; want %t", xid, w.rows[0].dropped, completed, taken)
		}
		if inc.truncated(table, xid); (w.rows == nil) != taken {
			t.Errorf("a truncate of transaction %d empties the window: %t", xid, !taken)
		}
	}
}
