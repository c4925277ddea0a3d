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
