package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestOIDSet(t *testing.T) {
	for _, c := range []struct {
		oids []uint32
		text string
	}{
		{nil, `""`},
		{[]uint32{16384}, `"cn4"`},
		{[]uint32{16384, 16385, 16386, 16390}, `"cn4.2,4"`},
		{[]uint32{1, 4294967295}, `"1,1z141z2"`},
	} {
		text, err := json.Marshal(oidSet(c.oids))
		if err != nil || string(text) != c.text {
			t.Errorf("%v: got %s, %v, want %s", c.oids, text, err, c.text)
		}
		var back oidSet
		if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back, c.oids) {
			t.Errorf("%s: got %v, %v", text, back, err)
		}
	}
	var s oidSet
	for _, oid := range []uint32{7, 3, 5, 3, 4} {
		s.add(oid)
	}
	if !slices.Equal(s, oidSet{3, 4, 5, 7}) || s.has(6) || !s.has(5) {
		t.Errorf("added: %v", s)
	}
	// 10,000 tables, each with an index, a TOAST table and its index.
	s = nil
	for i := range uint32(10000) {
		s = append(s, 16384+4*i)
	}
	if text, _ := json.Marshal(s); len(text) > 30000 {
		t.Errorf("10,000 tables take %d bytes of an offset", len(text))
	}
}

func TestBadOIDSets(t *testing.T) {
	for _, text := range []string{`"0"`, `"-1"`, `"1,*"`, `"1.zzzzzz"`, `"1z141z4"`, `7`, `"1.100000"`, `"!"`} {
		var s oidSet
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s is read as %d relations", text, len(s))
		}
	}
}

func FuzzOIDSet(f *testing.F) {
	f.Add(`"cn4.2,4"`)
	f.Fuzz(func(t *testing.T, text string) {
		var s oidSet
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		if !slices.IsSorted(s) {
			t.Fatalf("%q is not ascending", text)
		}
		again, err := json.Marshal(s)
		var back oidSet
		if err != nil || json.Unmarshal(again, &back) != nil || !slices.Equal(s, back) {
			t.Fatalf("%q comes back as %s", text, again)
		}
	})
}

func TestBadVisibility(t *testing.T) {
	for _, text := range []string{"", "1:2", "a:2:", "2:1:", "1:5:3,2", "1:5:x"} {
		if v, err := parseVisibility(text); err == nil {
			t.Errorf("%q is read as %+v", text, v)
		}
	}
}

func TestVisibilityWraps(t *testing.T) {
	v := visibility{xmin: 1<<32 + 10, xmax: 1<<32 + 20, running: []uint64{1<<32 + 12}}
	for xid, want := range map[uint32]bool{9: true, 10: true, 12: false, 13: true, 20: false, 4294967290: true} {
		if got := v.sees(v.widen(xid)); got != want {
			t.Errorf("transaction %d is seen: %t", xid, got)
		}
	}
	for _, c := range []struct {
		now  uint64
		want bool
	}{{1<<32 + 21, true}, {1<<31 + 100, false}} {
		if got := (&visibility{xmin: 90, xmax: 100}).ambiguous(&visibility{xmax: c.now}); got != (c.want || c.now-100 >= 1<<31) {
			t.Errorf("at %d: ambiguous is %t", c.now, got)
		}
	}
}

// TestVisibilityCondition holds the condition against rows of transactions that were
// over, running and not begun when a snapshot was taken, also in subtransactions.
func TestVisibilityCondition(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CREATE TABLE a (id int, want bool); INSERT INTO a VALUES (1, true)")
	ctx := context.Background()
	begin := func() *pgx.Conn {
		conn := r.db.Connect(t)
		if _, err := conn.Exec(ctx, "BEGIN; SELECT pg_current_xact_id()"); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	end := func(conn *pgx.Conn, sql string) {
		if _, err := conn.Exec(ctx, sql+"; COMMIT"); err != nil {
			t.Fatal(err)
		}
	}
	running, over := begin(), begin()
	end(over, "INSERT INTO a VALUES (2, true)")
	text := r.db.Text(t, "pg_current_snapshot()")
	end(begin(), "INSERT INTO a VALUES (3, false); SAVEPOINT s; INSERT INTO a VALUES (4, false)")
	end(running, "INSERT INTO a VALUES (5, false)")
	v, err := parseVisibility(text)
	if err != nil || len(v.running) == 0 {
		t.Fatalf("the snapshot %s has no running transaction: %v", text, err)
	}
	if got := r.db.Text(t, "SELECT string_agg(id::text, ',' ORDER BY id) FROM a WHERE "+v.condition()); got != "1,2" {
		t.Errorf("the condition %s selects the rows %s", v.condition(), got)
	}
	later, _ := parseVisibility(r.db.Text(t, "pg_current_snapshot()"))
	rows := strings.Split(r.db.Text(t, "SELECT string_agg(id || ':' || xmin, ',' ORDER BY id) FROM a"), ",")
	for _, row := range rows {
		id, text, _ := strings.Cut(row, ":")
		var xid uint32
		_ = json.Unmarshal([]byte(text), &xid)
		if got := v.precedes(xid, &later); got == (id == "1" || id == "2") {
			t.Errorf("row %s: precedes is %t", id, got)
		}
	}
}
