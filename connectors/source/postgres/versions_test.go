package postgres

import (
	"fmt"
	"testing"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestVersions runs the workload on the other versions of the server, with a
// restart in the middle, and looks at what is there only in some.
func TestVersions(t *testing.T) {
	for _, version := range []int{14, 16, 17, 18} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			server := pgtest.Start(t, pgtest.Options{Version: version})
			r := newRigOn(t, server, oneTable+`; CREATE TABLE g (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED); ALTER TABLE g REPLICA IDENTITY FULL`,
				"slot.failover", "true")
			littleMemory(t, r)
			r.open()
			slot := r.settings["slot.name"]
			if version >= 17 {
				if got := r.db.Text(t, `SELECT failover FROM pg_replication_slots WHERE slot_name = '`+slot+`'`); got != "true" {
					t.Error("the slot is not kept by standby servers")
				}
			}
			workload(t, r)
			want := workloadEvents()
			r.readFor("half of the events", func() bool { return len(r.events) > len(want)/2 })
			r.restart()
			r.until(len(want))
			if i := firstOther(r.events, want); i >= 0 {
				t.Fatalf("event %d: got %s, want %s", i, r.events[i], want[i])
			}
			r.events = nil
			r.db.Exec(t, `INSERT INTO g VALUES (1); UPDATE g SET id = 2`)
			if version >= 18 {
				r.want(`public.g c - (1 2)`, `public.g d (1 2) -`, `public.g tombstone (1)`, `public.g c - (2 4)`)
			} else {
				r.want(`public.g c - (1)`, `public.g d (1) -`, `public.g tombstone (1)`, `public.g c - (2)`)
			}
		})
	}
}
