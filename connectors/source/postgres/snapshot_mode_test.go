package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestSnapshotModes wants what each mode reads at a first start, after a restart in
// order, and after the slot has lost what the offset needs.
func TestSnapshotModes(t *testing.T) {
	t.Parallel()
	const based = "snapshot.mode.configuration.based."
	for _, c := range []struct {
		name, mode string
		settings   []string
		first      string // events with one row in the table, and one that is inserted
		again      string // after a restart, with a third row
		lost       string // after the slot was dropped, with a fourth row; "fails"
	}{
		{"always", "always", nil, "r1 c2", "c3 r1 r2 r3", "fails"},
		{"initial", "initial", nil, "r1 c2", "c3", "fails"},
		{"initial_only", "initial_only", nil, "r1", "", ""},
		{"no_data", "no_data", nil, "c2", "c3", "fails"},
		{"never", "never", nil, "c2", "c3", "fails"},
		{"schema_only", "schema_only", nil, "c2", "c3", "fails"},
		{"when_needed", "when_needed", nil, "r1 c2", "c3", "r1 r2 r3 r4"},
		{"nothing", "configuration_based", nil, "", "", ""},
		{"data and stream", "configuration_based", []string{based + "snapshot.data", "true", based + "start.stream", "true"}, "r1 c2", "c3 r1 r2 r3", "fails"},
		{"data alone", "configuration_based", []string{based + "snapshot.data", "true"}, "r1", "r1 r2 r3", "r1 r2 r3 r4"},
		{"stream", "configuration_based", []string{based + "start.stream", "true"}, "c2", "c3", "fails"},
		{"stream, on error", "configuration_based", []string{based + "start.stream", "true", based + "snapshot.on.data.error", "true"}, "c2", "c3", "r1 r2 r3 r4"},
		{"policy of the slot", "initial", []string{"slot.lost.policy", "snapshot"}, "r1 c2", "c3", "r1 r2 r3 r4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)", append([]string{"snapshot.mode", c.mode}, c.settings...)...)
			r.show = func(rec *connect.Record) string {
				cells := rec.Value.Cells()
				return cells[envelopeOp].Text() + cells[envelopeAfter].Cells()[0].String()
			}
			r.open()
			r.quiet(strings.HasPrefix(c.first, "r"))
			r.db.Exec(t, "INSERT INTO a VALUES (2)")
			r.wantEvents(c.first)
			r.stop()
			r.db.Exec(t, "INSERT INTO a VALUES (3)")
			r.open()
			r.wantEvents(c.again)
			r.stop()
			r.db.Exec(t, "INSERT INTO a VALUES (4); SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'slot_'||current_database()")
			err := r.tryOpen()
			if c.lost == "fails" {
				if err == nil {
					t.Error("a source opens although changes are gone")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r.wantEvents(c.lost)
		})
	}
}

// quiet waits for the snapshot at the start, if there is one.
func (r *rig) quiet(snapshot bool) {
	if snapshot {
		r.pumpFor("the snapshot", func() bool { return len(r.events) > 0 && r.source.snapshots.state == nil })
	}
}

// wantEvents wants these durable events and no more.
func (r *rig) wantEvents(want string) {
	r.t.Helper()
	r.pumpFor("events "+want, func() bool { return strings.Join(r.events, " ") == want })
	r.pumpOnce()
	if got := strings.Join(r.events, " "); got != want {
		r.t.Errorf("got %q, want %q", got, want)
	}
	r.events = nil
}

// TestInitialOnlyThenInitial stops after the snapshot, and streams from there when
// the mode is changed: what was written in between is gone, and the source says so.
func TestInitialOnlyThenInitial(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)", "snapshot.mode", "initial_only")
	r.open()
	r.pumpFor("the row", func() bool { return len(r.events) == 1 })
	if slots := r.db.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); slots != "0" {
		t.Errorf("%s slots are left, which would keep WAL for nobody", slots)
	}
	r.stop()
	r.settings["snapshot.mode"] = "initial"
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "slot.lost.policy") {
		t.Errorf("opening in mode initial: %v", err)
	}
	r.settings["snapshot.mode"] = "when_needed"
	r.open()
	r.events = nil
	r.pumpFor("the row", func() bool { return len(r.events) == 1 && strings.Contains(r.events[0], " r ") })
}

// TestSnapshotOfExistingSlot begins with a slot that somebody has made before: rows
// come from the snapshot, and nothing of the time before again from the slot.
func TestSnapshotOfExistingSlot(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CREATE TABLE a (id int); CREATE PUBLICATION dbz_publication FOR ALL TABLES", "snapshot.mode", "initial")
	r.db.Exec(t, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", r.settings["slot.name"]))
	r.db.Exec(t, "INSERT INTO a VALUES (1)")
	r.show = marked
	r.open()
	r.completed()
	r.db.Exec(t, "INSERT INTO a VALUES (2)")
	r.want("a r last (1)", "a c - (2)")
}

// TestSnapshotWhoseSlotMoved is interrupted, and the slot that is trusted has not kept what
// has changed since: the snapshot begins again, so that a row of its first part is up to date.
func TestSnapshotWhoseSlotMoved(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a SELECT i, 0 FROM generate_series(1, 10) i",
		"snapshot.mode", "initial", optMismatch, mismatchTrustGreater)
	r.batch = newBatchOf(3)
	r.open()
	r.readFor("the first rows", func() bool { return len(r.events) >= 3 })
	r.stop()
	r.db.Exec(t, "UPDATE a SET v = 1 WHERE id = 1")
	r.advanceSlot()
	r.events = nil
	r.open()
	r.completed()
	if first := strings.Join(r.events, ", "); len(r.events) != 10 || !strings.Contains(first, "r - (1 1)") {
		t.Errorf("%d rows came: %s", len(r.events), first)
	}
}
