package postgres

import (
	"fmt"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// versionTests are the tests that also run on the versions that are not the default:
// snapshots, also interrupted ones, streams, publications.
var versionTests = []struct {
	name string
	run  func(*testing.T)
}{
	{"stream", testWorkload},
	{"generated columns", testGeneratedColumns},
	{"failover slot", testFailoverSlot},
	{"origins", testOrigins},
	{"transactions", testTransactionsInProgress},
	{"snapshot", testSnapshot},
	{"snapshot of tables", testSnapshotTables},
	{"snapshot with changes", func(t *testing.T) { testResume(t, oftenStopped, "3") }},
	{"incremental snapshot", testIncremental},
	{"incremental snapshot with changes", testIncrementalWindow},
	{"blocking snapshot", testBlockingSnapshot},
	{"publications", testPublications},
}

// TestVersions runs them on one server of each version.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, version := range pgtest.Versions {
		if version == pgtest.Default {
			continue // all tests are of it
		}
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			for _, test := range versionTests {
				t.Run(test.name, test.run)
			}
		})
	}
}

// testWorkload reads the workload, with a restart in the middle.
func testWorkload(t *testing.T) {
	r := newRig(t, oneTable)
	littleMemory(t, r)
	r.open()
	workload(t, r)
	want := workloadEvents()
	r.readFor("half of the events", func() bool { return len(r.events) > len(want)/2 })
	r.restart()
	r.until(len(want))
	if i := firstOther(r.events, want); i >= 0 {
		t.Fatalf("event %d: got %s, want %s", i, r.events[i], want[i])
	}
}

// testGeneratedColumns wants them in the stream where the server can publish them.
func testGeneratedColumns(t *testing.T) {
	tables := `CREATE TABLE g (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED); ALTER TABLE g REPLICA IDENTITY FULL;`
	if versionOf(t) >= 18 {
		tables += `CREATE TABLE v (id int PRIMARY KEY, thrice int GENERATED ALWAYS AS (id * 3) VIRTUAL)`
	}
	r := newRig(t, tables)
	r.open()
	r.db.Exec(t, `INSERT INTO g VALUES (1); UPDATE g SET id = 2`)
	if versionOf(t) < 18 {
		r.want(`public.g c - (1)`, `public.g d (1) -`, `public.g tombstone (1)`, `public.g c - (2)`)
		return
	}
	r.want(`public.g c - (1 2)`, `public.g d (1 2) -`, `public.g tombstone (1)`, `public.g c - (2 4)`)
	r.db.Exec(t, `INSERT INTO v VALUES (1)`) // a virtual one is never sent
	r.want(`public.v c - (1)`)
}

// testFailoverSlot wants the slot to be one that standbys keep, where there are such.
func testFailoverSlot(t *testing.T) {
	r := newRig(t, oneTable, "slot.failover", "true")
	r.open()
	if versionOf(t) < 17 {
		r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
		r.want(`public.t c - (1 "a")`)
		return
	}
	if got := r.db.Text(t, `SELECT failover FROM pg_replication_slots WHERE slot_name = '`+r.settings["slot.name"]+`'`); got != "true" {
		t.Error("the slot is not kept by standby servers")
	}
}

// testOrigins has a change that came from another server. From 16 on origin=none leaves
// it out.
func testOrigins(t *testing.T) {
	upstream := func(r *rig) {
		name := "up_" + r.db.Name
		r.db.Exec(t, `INSERT INTO t VALUES (1, 'own')`)
		r.db.Exec(t, `SELECT pg_replication_origin_create('`+name+`')`)
		r.db.Exec(t, `SELECT pg_replication_origin_session_setup('`+name+`'); INSERT INTO t VALUES (2, 'of another server')`)
		r.db.Exec(t, dropOrigin(name))
		r.db.Exec(t, `INSERT INTO t VALUES (3, 'own')`)
	}
	r := newRig(t, oneTable)
	r.show = func(rec *connect.Record) string {
		return showRecord(rec) + " " + rec.Value.Cells()[envelopeSource].Cells()[sourceOrigin].String()
	}
	r.open()
	upstream(r)
	r.want(`public.t c - (1 "own") null`, `public.t c - (2 "of another server") "up_`+r.db.Name+`"`, `public.t c - (3 "own") null`)
	if versionOf(t) < 16 {
		return
	}
	r = newRig(t, oneTable, "slot.stream.params", "origin=none")
	r.open()
	upstream(r)
	r.want(`public.t c - (1 "own")`, `public.t c - (3 "own")`)
}

// dropOrigin drops a replication origin, once the session that used it has ended.
func dropOrigin(name string) string {
	return `DO $$ BEGIN
	FOR i IN 1..1000 LOOP
		BEGIN
			PERFORM pg_replication_origin_drop('` + name + `');
			RETURN;
		EXCEPTION WHEN object_in_use THEN
			PERFORM pg_sleep(0.01);
		END;
	END LOOP;
	RAISE 'the origin is still in use';
END $$`
}
