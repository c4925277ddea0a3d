package postgres

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

func TestResolve(t *testing.T) {
	server := serverInfo{systemID: "7", timeline: 1, walEnd: 1000}
	promoted := serverInfo{systemID: "7", timeline: 2, walEnd: 1000, history: []timelineEnd{{1, 300}}}
	good := slotInfo{exists: true, confirmed: 100, walStatus: "reserved"}
	at := func(end, commit pgoutput.LSN, events int64) position {
		return position{end: end, commit: commit, events: events, systemID: "7", timeline: 1}
	}
	for name, c := range map[string]struct {
		strategy string
		pos      position
		slot     slotInfo
		server   serverInfo
		start    pgoutput.LSN
		gap      string // part of it
	}{
		"slot behind":            {mismatchNoValidation, at(200, 0, 0), good, server, 200, ""},
		"slot behind, in part":   {mismatchNoValidation, at(100, 150, 3), good, server, 150, ""},
		"slot at the same":       {mismatchNoValidation, at(100, 0, 0), good, server, 100, ""},
		"slot beyond":            {mismatchNoValidation, at(99, 0, 0), good, server, 99, "beyond the stored offset"},
		"slot beyond, offset":    {mismatchTrustOffset, at(99, 0, 0), good, server, 99, "beyond the stored offset"},
		"slot beyond, slot":      {mismatchTrustSlot, at(99, 0, 0), good, server, 100, ""},
		"slot beyond, greater":   {mismatchTrustGreater, at(99, 0, 0), good, server, 100, ""},
		"slot behind, greater":   {mismatchTrustGreater, at(200, 0, 0), good, server, 200, ""},
		"slot behind, slot":      {mismatchTrustSlot, at(200, 0, 0), good, server, 100, ""},
		"dropped":                {mismatchTrustSlot, at(200, 0, 0), slotInfo{}, server, 200, "does not exist"},
		"lost":                   {mismatchTrustSlot, at(200, 0, 0), slotInfo{exists: true, walStatus: "lost"}, server, 200, "max_slot_wal_keep_size"},
		"idle":                   {mismatchNoValidation, at(200, 0, 0), slotInfo{exists: true, walStatus: "lost", invalidation: "idle_timeout"}, server, 200, "idle_replication_slot_timeout"},
		"another server":         {mismatchTrustSlot, at(200, 0, 0), good, serverInfo{systemID: "8", walEnd: 1000}, 200, "another one"},
		"ahead of the server":    {mismatchNoValidation, at(1001, 0, 0), good, server, 1001, "restored from a backup"},
		"ahead of a standby":     {mismatchNoValidation, at(1001, 0, 0), good, serverInfo{systemID: "7", timeline: 1, walEnd: 1000, standby: true}, 1001, ""},
		"promoted":               {mismatchNoValidation, at(200, 0, 0), good, promoted, 200, ""},
		"promoted too early":     {mismatchTrustSlot, at(301, 0, 0), good, promoted, 301, "had not received everything"},
		"promoted without":       {mismatchTrustSlot, at(200, 0, 0), slotInfo{}, promoted, 200, "took over that did not have it"},
		"Debezium, old":          {mismatchNoValidation, position{}, good, server, 100, ""},
		"Debezium, no system id": {mismatchNoValidation, position{end: 200}, good, server, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.pos.lastCommit = 90
			p, gap := resolve(c.strategy, c.pos, &c.slot, &c.server)
			if p.start() != c.start || (gap == "") != (c.gap == "") || !strings.Contains(gap, c.gap) {
				t.Errorf("got %s, gap %q; want %s, %q", p.start(), gap, c.start, c.gap)
			}
			if p.lastCommit != 90 || p.systemID != c.pos.systemID || p.timeline != c.pos.timeline {
				t.Errorf("got a position behind %s on %q, %d; they do not change with the place", p.lastCommit, p.systemID, p.timeline)
			}
		})
	}
}

// TestSlotThatMoved takes the slot away while the connector is stopped, in every
// way, and changes the table meanwhile: nothing is skipped silently.
func TestSlotThatMoved(t *testing.T) {
	t.Parallel()
	drop := `SELECT pg_drop_replication_slot('SLOT')`
	anew := drop + `; SELECT pg_create_logical_replication_slot('SLOT', 'pgoutput')`
	advanced := `SELECT pg_replication_slot_advance('SLOT', pg_current_wal_lsn())`
	for name, c := range map[string]struct {
		settings []string
		sql      string
		err      string   // of the open
		want     []string // events otherwise
	}{
		"dropped":            {nil, drop, "does not exist any more", nil},
		"made anew":          {nil, anew, "dropped and made anew, or advanced", nil},
		"advanced":           {nil, advanced, "dropped and made anew, or advanced", nil},
		"advanced, followed": {[]string{optMismatch, mismatchTrustSlot}, advanced, "", []string{`public.t c - (3 "after")`}},
		"made anew, go on":   {[]string{optSlotLost, slotLostContinue}, anew, "", []string{"gap", `public.t c - (3 "after")`}},
		"dropped, go on":     {[]string{optSlotLost, slotLostContinue}, drop, "", []string{"gap", `public.t c - (3 "after")`}},
		"dropped, snapshot": {[]string{optSlotLost, slotLostSnapshot, "snapshot.mode", "initial"}, drop, "",
			[]string{`public.t r - (1 "before")`, `public.t r - (2 "meanwhile")`, `public.t c - (3 "after")`}},
		"advanced, snapshot": {[]string{optSlotLost, slotLostSnapshot}, advanced, "",
			[]string{`public.t r - (1 "before")`, `public.t r - (2 "meanwhile")`, `public.t c - (3 "after")`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, oneTable)
			r.show = func(rec *connect.Record) string {
				if rec.ValueSchema == noticeSchema { // see TestGapMarker
					return "gap"
				}
				return showRecord(rec)
			}
			r.open()
			r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
			r.want(`public.t c - (1 "before")`)
			r.stop()
			r.db.Exec(t, `INSERT INTO t VALUES (2, 'meanwhile')`)
			r.db.Exec(t, strings.ReplaceAll(c.sql, "SLOT", r.settings["slot.name"]))
			for i := 0; i < len(c.settings); i += 2 {
				r.settings[c.settings[i]] = c.settings[i+1]
			}
			err := r.tryOpen()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), optSlotLost) {
					t.Errorf("got error %v, want one with %q and a remedy", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(c.want[0], "public.t r") {
				r.until(2)
			}
			r.db.Exec(t, `INSERT INTO t VALUES (3, 'after')`)
			r.want(c.want...)
			if c.settings[0] == optSlotLost && !strings.Contains(r.log.String(), "changes are missing in the stream") {
				t.Error("the log says nothing of the gap")
			}
		})
	}
}

// breakStream has the server end the stream; the slot is free then.
func (r *rig) breakStream() {
	r.t.Helper()
	slot := ` FROM pg_replication_slots WHERE slot_name = '` + r.settings["slot.name"] + `'`
	r.db.Exec(r.t, `SELECT pg_terminate_backend(active_pid)`+slot)
	waitFor(r.t, func() bool { return r.db.Text(r.t, `SELECT active`+slot) == "false" })
}

// advanceSlot moves the slot to where the server writes.
func (r *rig) advanceSlot() {
	r.t.Helper()
	r.db.Exec(r.t, `SELECT pg_replication_slot_advance('`+r.settings["slot.name"]+`', pg_current_wal_lsn())`)
}

// TestSlotThatMovesWhileStreaming takes the slot away under a running source.
func TestSlotThatMovesWhileStreaming(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
	r.want(`public.t c - (1 "before")`)
	r.breakStream()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'meanwhile')`)
	r.advanceSlot()
	for {
		_, err := r.read(t.Context())
		if err == nil || strings.Contains(err.Error(), "connection to the server is lost") || strings.Contains(err.Error(), "ended the stream") {
			continue
		}
		if !strings.Contains(err.Error(), "beyond the stored offset") {
			t.Errorf("got error %v", err)
		}
		return
	}
}

// TestTrustedSlotBehindTheStream breaks the stream of a source that has read more than
// was confirmed: the slot is trusted at a start, and until then nothing comes twice.
func TestTrustedSlotBehindTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, optMismatch, mismatchTrustSlot)
	r.commit = false
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
	r.until(1)
	r.breakStream()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'after')`)
	r.want(`public.t c - (1 "before")`, `public.t c - (2 "after")`)
	r.restart()
	r.want(`public.t c - (1 "before")`, `public.t c - (2 "after")`)
}

// TestSlotThatMovesBeforeItIsRead moves a slot that was there before the connector, after
// the first connection and before anything was read: it counts where it is.
func TestSlotThatMovesBeforeItIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable+`; CREATE PUBLICATION dbz_publication FOR ALL TABLES`, "status.update.interval.ms", "60000")
	r.db.Exec(t, `SELECT pg_create_logical_replication_slot('`+r.settings["slot.name"]+`', 'pgoutput')`)
	r.open()
	r.pumpFor("the stream", func() bool { return r.source.stream != nil })
	r.breakStream()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'left out')`)
	r.advanceSlot()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'after')`)
	r.want(`public.t c - (2 "after")`)
}

// TestConfirmedOfAnotherWAL puts a slot that is behind what was confirmed in the place of
// the one that was read, as another server does: it must not hear of that, or it would skip
// changes, so the source has to be started again.
func TestConfirmedOfAnotherWAL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy string
		wal    bool // what was confirmed is beyond all of the WAL, not only beyond the slot
		fails  bool
	}{
		"continue, beyond the slot": {slotLostContinue, false, true},
		"continue, beyond the WAL":  {slotLostContinue, true, true},
		"snapshot, beyond the slot": {slotLostSnapshot, false, false}, // there will be another slot
		"snapshot, beyond the WAL":  {slotLostSnapshot, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, oneTable, optSlotLost, c.policy)
			r.open()
			r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
			r.until(1)
			r.breakStream()
			r.db.Exec(t, strings.ReplaceAll(`SELECT pg_drop_replication_slot('SLOT'); SELECT pg_create_logical_replication_slot('SLOT', 'pgoutput')`, "SLOT", r.settings["slot.name"]))
			at := r.confirmedLSN() + 1
			r.db.Exec(t, `INSERT INTO t SELECT i, 'meanwhile' FROM generate_series(2, 100) i`)
			if c.wal {
				at = r.walEnd() + 1<<30
			}
			r.source.confirmed.advance(at)
			var err error
			for n := len(r.events); len(r.events) == n && (err == nil || connect.IsRetriable(err)); {
				_, err = r.read(t.Context())
			}
			if failed := err != nil; failed != c.fails || failed && !strings.Contains(err.Error(), "has to be started again") {
				t.Fatalf("got error %v and events %v", err, r.events)
			}
			if c.fails {
				r.restart()
			}
			r.db.Exec(t, `INSERT INTO t VALUES (101, 'after')`)
			r.readFor("the last row", func() bool { return strings.Contains(strings.Join(r.events, " "), "after") })
		})
	}
}
