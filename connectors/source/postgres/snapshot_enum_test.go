package postgres

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestNewEnumLabels adds a label to an enum while a snapshot of either kind runs.
func TestNewEnumLabels(t *testing.T) {
	t.Parallel()
	const tables = signalTable + `CREATE TYPE color AS ENUM ('red'); CREATE TABLE a (id int PRIMARY KEY, t text); ALTER TABLE a ALTER t SET STORAGE PLAIN;
		INSERT INTO a SELECT i, repeat('x', 2000) FROM generate_series(1, 8000) i; CREATE TABLE z (c color PRIMARY KEY, v int); INSERT INTO z VALUES ('red', 1)`
	for _, mode := range []string{"initial", "incremental"} {
		t.Run(mode, func(t *testing.T) {
			settings := append([]string{"snapshot.mode", "initial"}, incrementalSettings...)
			if mode == "incremental" {
				settings = append([]string{"snapshot.mode", "no_data"}, incrementalSettings...)
			}
			r := newRig(t, tables, settings...)
			var allowed string
			r.show = func(rec *connect.Record) string {
				if rec.Topic == "pre.public.z" && rec.ValueSchema != nil {
					allowed = rec.ValueSchema.Fields()[envelopeAfter].Schema.Fields()[0].Schema.Parameters()["allowed"]
				}
				return marked(rec)
			}
			r.open()
			if mode == "initial" {
				r.pumpFor("the first rows", func() bool { return len(r.events) > 0 })
			} else {
				r.pumpOnce()
				r.pump = patience // the window is read once
				r.signal(signalExecute, `{"data-collections": ["public.z"]}`)
				inc := r.source.snapshots.signals.incremental
				inc.inWindow = func() {
					inc.inWindow = nil
					r.db.Exec(t, "ALTER TYPE color ADD VALUE 'blue'")
					r.db.Exec(t, "INSERT INTO z VALUES ('blue', 2)")
				}
				r.incrementalDone()
			}
			if mode == "initial" {
				r.db.Exec(t, "ALTER TYPE color ADD VALUE 'blue'")
				r.db.Exec(t, "INSERT INTO z VALUES ('blue', 2)")
			}
			r.pumpFor("the rows", func() bool {
				all := strings.Join(r.eventsOf("z"), ", ")
				return strings.Contains(all, `r `) && strings.Contains(all, `("blue" 2)`) && r.source.snapshots.state == nil
			})
			if allowed != "red,blue" {
				t.Errorf("the enum's labels are %q: %v", allowed, r.eventsOf("z"))
			}
		})
	}
}
