package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// failover is a primary with a standby, and a source on the primary that has read the
// row 1.
type failover struct {
	*rig
	primary, standby *pgtest.Server
}

func newFailover(t *testing.T, version int, settings ...string) *failover {
	t.Helper()
	f := &failover{primary: pgtest.Start(t, pgtest.Options{Version: version})}
	f.standby = f.primary.Standby(t, nil)
	f.rig = newRigOn(t, f.primary, oneTable, settings...)
	f.open()
	f.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
	f.until(1)
	f.events = nil
	f.waitReplayed()
	return f
}

// onStandby is the database on the standby.
func (f *failover) onStandby() *pgtest.Database {
	return &pgtest.Database{Server: f.standby, Name: f.db.Name}
}

// synchronize brings the slot to the standby, as sync_replication_slots does now and
// then. The primary has to have passed what the standby has reserved, which
// it learns from records of running transactions.
func (f *failover) synchronize() {
	f.t.Helper()
	f.pumpFor("the slot on the standby", func() bool {
		f.db.Exec(f.t, `SELECT pg_log_standby_snapshot()`)
		f.onStandby().Exec(f.t, `SELECT pg_sync_replication_slots()`)
		return f.onStandby().Text(f.t, `SELECT count(*) FROM pg_replication_slots WHERE synced AND NOT temporary AND slot_name = '`+f.settings["slot.name"]+`'`) == "1"
	})
}

// waitReplayed waits until the standby has everything that the primary has.
func (f *failover) waitReplayed() {
	f.t.Helper()
	end := f.db.Text(f.t, `SELECT pg_current_wal_lsn()`)
	every := &pgtest.Database{Server: f.standby, Name: pgtest.User} // the standby may not have ours yet
	waitFor(f.t, func() bool {
		return every.Text(f.t, `SELECT pg_last_wal_replay_lsn() >= '`+end+`'`) == "true"
	})
}

// promote kills the primary, and the standby takes over its port.
func (f *failover) promote() {
	f.t.Helper()
	f.primary.Kill(f.t)
	f.standby.Port = f.primary.Port
	f.standby.Restart(f.t)
	if err := f.standby.Promote(); err != nil {
		f.t.Fatal(err)
	}
	f.db = f.onStandby()
}

// TestStandbyTakesOver promotes a real standby under a source that runs: with the slot
// kept on it the stream goes on with every row once.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	for _, version := range []int{17, 18} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			f := newFailover(t, version, "slot.failover", "true")
			f.synchronize()
			f.db.Exec(t, `INSERT INTO t VALUES (2, 'read before'); INSERT INTO t VALUES (3, 'in one transaction')`)
			f.want(`public.t c - (2 "read before")`, `public.t c - (3 "in one transaction")`)
			f.db.Exec(t, `INSERT INTO t VALUES (4, 'read after')`)
			f.waitReplayed()
			f.promote()
			f.db.Exec(t, `INSERT INTO t VALUES (5, 'new primary'); DELETE FROM t WHERE id = 1`)
			f.want(`public.t c - (4 "read after")`, `public.t c - (5 "new primary")`, `public.t d (1 null) -`, `public.t tombstone (1)`)
			if !strings.Contains(string(f.stored), `"sluice_timeline":2`) {
				t.Errorf("the offset %s is not of timeline 2", f.stored)
			}
			f.restart()
			f.db.Exec(t, `INSERT INTO t VALUES (6, 'again')`)
			f.want(`public.t c - (6 "again")`)
		})
	}
}

// TestStandbyWithoutSlot promotes a standby that has no copy of the slot: the source
// says so, and reads everything again if it may.
func TestStandbyWithoutSlot(t *testing.T) {
	t.Parallel()
	for _, version := range []int{14, 16} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			f := newFailover(t, version, "snapshot.mode", "initial")
			f.promote()
			f.db.Exec(t, `INSERT INTO t VALUES (2, 'new primary')`)
			wantGap(t, f.rig, "a standby took over that did not have it")
			f.stop()
			f.settings[optSlotLost] = slotLostSnapshot
			f.open()
			f.want(`public.t r - (1 "before")`, `public.t r - (2 "new primary")`)
		})
	}
}

// TestStandbyThatWasBehind promotes a standby that has the slot and lacks rows that the
// source has read. The new primary has been written to since, beyond the offset,
// so that nothing but the timeline tells.
func TestStandbyThatWasBehind(t *testing.T) {
	t.Parallel()
	f := newFailover(t, 17, "slot.failover", "true")
	f.synchronize()
	f.standby.Stop(pgtest.Fast)
	f.db.Exec(t, `INSERT INTO t VALUES (2, 'lost with the primary')`)
	f.want(`public.t c - (2 "lost with the primary")`)
	beyond := f.source.pos.end.String()
	f.promote()
	f.db.Exec(t, `INSERT INTO t SELECT i, 'new primary' FROM generate_series(2, 2000) i`)
	if f.db.Text(t, `SELECT pg_current_wal_lsn() > '`+beyond+`'`) != "true" {
		t.Fatal("the new primary is not beyond the offset")
	}
	wantGap(t, f.rig, "had not received everything")
	f.stop()
	wantGapAtOpen(t, f.rig, "had not received everything")
	f.settings[optSlotLost] = slotLostSnapshot
	f.open()
	f.until(2000)
	if got := f.events[1]; got != `public.t r - (2 "new primary")` {
		t.Errorf("the second row is %s", got)
	}
}

// TestServerMadeAnew puts another server in the place of the one that was read, with a
// database and a slot of the same names.
func TestServerMadeAnew(t *testing.T) {
	t.Parallel()
	old := pgtest.Start(t, pgtest.Options{})
	r := newRigOn(t, old, oneTable)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
	r.want(`public.t c - (1 "before")`)
	old.Stop(pgtest.Fast)
	anew := pgtest.Start(t, pgtest.Options{})
	anew.Stop(pgtest.Fast)
	anew.Port = old.Port
	anew.Restart(t)
	anew.Exec(t, `CREATE DATABASE `+r.db.Name)
	r.db = &pgtest.Database{Server: anew, Name: r.db.Name}
	r.db.Exec(t, oneTable+`; CREATE PUBLICATION dbz_publication FOR ALL TABLES`)
	r.db.Exec(t, `SELECT pg_create_logical_replication_slot('`+r.settings["slot.name"]+`', 'pgoutput')`)
	r.db.Exec(t, `INSERT INTO t VALUES (7, 'another server')`)
	wantGap(t, r, "the server is another one")
	r.stop()
	wantGapAtOpen(t, r, "the server is another one")
	r.settings[optSlotLost] = slotLostContinue
	r.open()
	r.until(2) // a notice of the gap comes first
	if got := r.events[1]; got != `public.t c - (7 "another server")` {
		t.Errorf("got %s behind the notice", got)
	}
}

// wantGap reads until the source fails for changes that are missing.
func wantGap(t *testing.T, r *rig, want string) {
	t.Helper()
	for range 1000 {
		events, err := r.read(t.Context())
		switch {
		case len(events) > 0:
			t.Fatalf("got %s, want an error", events)
		case err == nil || connect.IsRetriable(err):
			continue
		case !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), optSlotLost):
			t.Fatalf("got error %v, want one with %q and the remedy", err, want)
		}
		return
	}
	t.Fatal("the source goes on")
}

func wantGapAtOpen(t *testing.T, r *rig, want string) {
	t.Helper()
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), optSlotLost) {
		t.Fatalf("got error %v, want one with %q and the remedy", err, want)
	}
}
