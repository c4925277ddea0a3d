package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestUpgrade runs pg_upgrade while the connector is stopped. The new server has another
// identity, which is an error that says what it may come from and what to do. From 17 on
// the slot is kept, and nothing is missing behind slot.lost.policy=continue; before, what
// was written until the connector came back is.
func TestUpgrade(t *testing.T) {
	for _, c := range []struct {
		from int
		kept bool
	}{{15, false}, {17, true}} {
		t.Run(fmt.Sprintf("%d to 18", c.from), func(t *testing.T) {
			t.Parallel()
			old := pgtest.Start(t, pgtest.Options{Version: c.from, Programs: pgtest.Programs(t, c.from)})
			r := newRigOn(t, old, oneTable)
			r.open()
			r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
			wrote := r.walEnd()
			r.want(`public.t c - (1 "before")`)
			// pg_upgrade refuses a slot that has not got all.
			r.pumpFor("the slot follows", func() bool { return r.confirmedLSN() >= wrote })
			r.stop()
			upgraded := old.Upgraded(t, pgtest.Options{Version: 18, Programs: pgtest.Programs(t, 18)})
			r.settings["database.port"] = strconv.Itoa(upgraded.Port)
			r.db = &pgtest.Database{Server: upgraded, Name: r.db.Name}
			if kept := r.db.Text(t, `SELECT count(*) = 1 FROM pg_replication_slots`); kept != fmt.Sprint(c.kept) {
				t.Fatalf("the slot was kept: %s", kept)
			}
			r.db.Exec(t, `INSERT INTO t VALUES (2, 'meanwhile')`)
			err := r.tryOpen()
			for _, part := range []string{"as after pg_upgrade", optSlotLost + " to " + slotLostSnapshot, slotLostContinue} {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got error %v, want one with %q", err, part)
				}
			}
			r.stop()
			r.settings[optSlotLost] = slotLostContinue
			r.open()
			r.db.Exec(t, `INSERT INTO t VALUES (3, 'after')`)
			want := []string{`public.t c - (2 "meanwhile")`, `public.t c - (3 "after")`}
			if !c.kept {
				want = want[1:]
			}
			r.until(1 + len(want))
			if !strings.HasPrefix(r.events[0], "notice Change Stream GAP") || firstOther(r.events[1:], want) >= 0 {
				t.Errorf("got %q, want a notice of a gap and %q", r.events, want)
			}
		})
	}
}
