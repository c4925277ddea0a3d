package postgres

import (
	"fmt"
	"strings"
	"testing"
)

// TestAddedTables captures a second table later: its rows come once, from the
// snapshot or from the stream, while the first one's stream goes on.
func TestAddedTables(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			r := newRig(t, "CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
				"snapshot.mode", "initial", "table.include.list", "public.a", "snapshot.new.tables", fmt.Sprint(on))
			r.show = marked
			r.open()
			r.completed()
			// b's row comes first: what follows a's may not have been read when the source stops, and would be new to the next one.
			r.db.Exec(t, "INSERT INTO b VALUES (2); INSERT INTO a VALUES (2)")
			r.want("a r last (1)", "a c - (2)")
			r.stop()
			r.db.Exec(t, "INSERT INTO a VALUES (3); INSERT INTO b VALUES (3)")
			r.settings["table.include.list"] = "public.a,public.b"
			r.open()
			want := "a c - (3), b c - (3)"
			if on {
				want = "a c - (3), b r first (1), b r true (2), b r last (3)"
			}
			r.pumpFor(want, func() bool { return strings.Join(r.events, ", ") == want })
			r.db.Exec(t, "INSERT INTO b VALUES (4)")
			r.pumpFor("a new row", func() bool { return strings.Join(r.events, ", ") == want+", b c - (4)" })
			r.restart()
			r.db.Exec(t, "INSERT INTO b VALUES (5)")
			r.pumpFor("another", func() bool { return strings.Join(r.events, ", ") == want+", b c - (4), b c - (5)" })
		})
	}
}

// TestManyAddedTables captures more tables later than a signal may ask for, and interrupts
// their snapshot: each one's rows come once all the same.
func TestManyAddedTables(t *testing.T) {
	t.Parallel()
	const tables = maxSnapshotTables + 1
	r := newRig(t, "CREATE TABLE a (id int); INSERT INTO a VALUES (1)", "snapshot.mode", "initial", "table.include.list", "public.a", "snapshot.new.tables", "true")
	r.open()
	r.completed()
	for first := 0; first < tables; first += 100 { // each transaction has a lock for each
		r.db.Exec(t, fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE format('CREATE TABLE b%%s (id int); INSERT INTO b%%s VALUES (1)', i, i); END LOOP; END $$`,
			first, min(first+100, tables)-1))
	}
	r.stop()
	r.settings["table.include.list"] = "public.a,public.b.*"
	r.open()
	r.db.Exec(t, "INSERT INTO b7 VALUES (2)")
	r.readFor("some rows", func() bool { return len(r.events) > tables/2 })
	r.restart()
	r.until(1 + tables + 1)
	counts := make(map[string]int)
	for _, e := range r.events {
		counts[e]++
	}
	for i := range tables {
		if e := fmt.Sprintf("public.b%d r - (1)", i); counts[e] != 1 {
			t.Errorf("%s came %d times", e, counts[e])
		}
	}
	if len(r.stored) > 2000 {
		t.Errorf("the offset has %d bytes", len(r.stored))
	}
}

// TestOffsetOfAddedTables wants a snapshot that cannot be resumed, because too many transactions
// ran when it began, to be of the same tables when it begins again.
func TestOffsetOfAddedTables(t *testing.T) {
	cfg := (&rig{t: t, settings: minimal()}).config()
	before := &capturedFilter{Tables: [2]string{"public.a", ""}}
	s := &snapshotter{snapshotEnv: snapshotEnv{cfg: cfg}, state: &snapshotState{Kind: kindTables, At: "1:9:", Before: before,
		seen: visibility{running: make([]uint64, maxRunning+1)}}}
	offset := append(append([]byte(`{"lsn":1`), s.appendOffset(nil)...), '}')
	again := &snapshotter{snapshotEnv: snapshotEnv{cfg: cfg}}
	if err := again.load(offset); err != nil {
		t.Fatal(err)
	}
	if again.state.At != "" || !again.waiting {
		t.Errorf("goes on from %q, waiting %t; want a new beginning", again.state.At, again.waiting)
	}
	for name, want := range map[string]bool{"a": false, "b": true} {
		held, err := again.holdsBack(&table{name: tableName{"public", name}})
		if err != nil || held != want {
			t.Errorf("changes of %s are held back: %t, %v, want %t", name, held, err, want)
		}
	}
}
