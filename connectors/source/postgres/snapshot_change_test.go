package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestTablesChangeMeanwhile changes a table before the snapshot gets to it. Rows of
// the other table, which is being read, come once all the same.
func TestTablesChangeMeanwhile(t *testing.T) {
	t.Parallel()
	const big = `CREATE TABLE a (id int PRIMARY KEY, t text); ALTER TABLE a ALTER t SET STORAGE PLAIN; INSERT INTO a SELECT i, repeat('x', 2000) FROM generate_series(1, 3000) i;
		CREATE TYPE color AS ENUM ('red'); CREATE TABLE z (id int PRIMARY KEY, v int, c color); INSERT INTO z VALUES (1, 1, 'red'), (2, 2, NULL)`
	for _, c := range []struct{ name, sql, want string }{
		{"nothing", "SELECT 1", `r(1 1 "red") r(2 2 null)`},
		{"type that rewrites", "ALTER TABLE z ALTER v TYPE bigint", `r(1 1 "red") r(2 2 null)`},
		{"rewritten as it is", "VACUUM FULL z", `r(1 1 "red") r(2 2 null)`},
		{"new column", "ALTER TABLE z ADD w int DEFAULT 7", `r(1 1 "red") r(2 2 null)`},
		{"dropped column", "ALTER TABLE z DROP c", `r(1 1) r(2 2)`},
		{"renamed column", "ALTER TABLE z RENAME v TO w", `r(1 1 "red") r(2 2 null)`},
		{"dropped table", "DROP TABLE z", ""},
		{"renamed table", "ALTER TABLE z RENAME TO y", `r(1 1 "red") r(2 2 null)`},
		{"emptied table", "TRUNCATE z; INSERT INTO z VALUES (3, 3, NULL)", "r(3 3 null) t c(3 3 null)"},
		{"dropped and made again", "DROP TABLE z; CREATE TABLE z (id int PRIMARY KEY); INSERT INTO z VALUES (9)", "c(9)"},
		{"changed row", "UPDATE z SET v = 5 WHERE id = 1", `r(1 1 "red") r(2 2 null) u(1 5 "red")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, big, "snapshot.mode", "initial", "skipped.operations", "none")
			seen := map[string]int{}
			r.show = func(rec *connect.Record) string {
				if rec.Topic == "pre.message" {
					return "m"
				}
				cells := rec.Value.Cells()
				text := cells[envelopeOp].Text()
				if after := cells[envelopeAfter]; !after.IsNull() {
					text += showCells(after)
				}
				if rec.Topic == "pre.public.a" {
					seen[strings.Fields(text)[0]]++
					return "a"
				}
				return text
			}
			r.open()
			r.pumpFor("the first rows", func() bool { return len(r.events) > 0 })
			for sql := range strings.SplitSeq(c.sql, ";") {
				r.db.Exec(t, sql)
			}
			r.pumpFor("the end of the snapshot", func() bool { return r.source.snapshots.state == nil })
			end := walEnd(t, r)
			r.pumpFor("the end of the stream", func() bool { return r.source.pos.end >= end })
			if len(seen) != 3000 {
				t.Errorf("%d rows of the other table came", len(seen))
			}
			for row, n := range seen {
				if n != 1 {
					t.Fatalf("%s came %d times", row, n)
				}
			}
			r.events = slices.DeleteFunc(r.events, func(e string) bool { return e == "a" || strings.HasPrefix(e, "m") })
			if got := strings.Join(r.events, " "); got != c.want {
				t.Errorf("got %s\nwant %s\n%s", got, c.want, r.log.String())
			}
		})
	}
}

// TestSnapshotErrors wants errors that say what to do.
func TestSnapshotErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, tables, want string }{
		{"no SELECT", "CREATE TABLE a (id int)", "permission denied for table a"},
		{"row-level security", "CREATE TABLE a (id int); ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON a USING (id > 1); GRANT SELECT ON a TO reader_%[1]s", "row-level security"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "", "snapshot.mode", "initial", "publication.autocreate.mode", "disabled")
			user := "reader_" + r.db.Name
			r.db.Exec(t, fmt.Sprintf("CREATE ROLE reader_%[1]s LOGIN REPLICATION; CREATE PUBLICATION dbz_publication FOR ALL TABLES; "+c.tables, r.db.Name))
			t.Cleanup(func() { r.db.Server.Exec(t, "DROP OWNED BY "+user+"; DROP ROLE "+user) })
			r.db.Exec(t, "INSERT INTO a VALUES (1)")
			r.settings["database.user"] = user
			r.open()
			t.Cleanup(func() { r.stop(); r.db.Exec(t, "DROP OWNED BY "+user) })
			var err error
			for err == nil {
				_, err = r.read(t.Context())
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "snapshot") || connect.IsRetriable(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestStatementThatIsWrong has a statement in place of a table that the server refuses: the
// error says which option it is, and the source does not try again for ever.
func TestStatementThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, statement, want string }{
		{"unknown table", "SELECT * FROM nowhere", `relation "nowhere" does not exist`},
		{"missing column", "SELECT id FROM t", `column "v" does not exist`},
		{"no SELECT", "DELETE FROM t", "syntax error"},
		{"more than one", "SELECT * FROM t) AS t; DROP TABLE t; --", "cannot insert multiple commands"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, oneTable+"; INSERT INTO t VALUES (1, 'a')", "snapshot.mode", "initial", optSelectOverrides, "public.t", optSelectOverrides+".public.t", c.statement)
			r.open()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var err error
			for err == nil {
				_, err = r.read(ctx)
			}
			var wrong *connect.ConfigError
			if !errors.As(err, &wrong) || wrong.Option != optSelectOverrides+".public.t" || !strings.Contains(wrong.Reason, c.want) {
				t.Errorf("got %v, want an error of the option with %s", err, c.want)
			}
			if n := r.db.Text(t, "SELECT count(*) FROM t"); n != "1" {
				t.Errorf("the table has %s rows", n)
			}
		})
	}
}
