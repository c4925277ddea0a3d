package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestGapMarker loses changes in each way and goes on: one record says from where to
// where, with the position behind it, also when the first attempt dies before that is
// durable.
func TestGapMarker(t *testing.T) {
	t.Parallel()
	drop := `SELECT pg_drop_replication_slot('SLOT')`
	for _, c := range []struct {
		name, sql, reason string
		settings          []string
		topic             string
		crash             bool
	}{
		{"dropped", drop, "does not exist any more", nil, "pre.notification", false},
		{"dropped, crash", drop, "dropped and made anew, or advanced", nil, "pre.notification", true},
		{"made anew", drop + `; SELECT pg_create_logical_replication_slot('SLOT', 'pgoutput')`, "dropped and made anew", []string{"topic.delimiter", "-"}, "pre-notification", false},
		{"advanced", `SELECT pg_replication_slot_advance('SLOT', pg_current_wal_lsn())`, "or advanced", []string{"notification.sink.topic.name", "notices"}, "notices", false},
		{"with the mode initial", drop, "does not exist any more", []string{"snapshot.mode", "initial"}, "pre.notification", false},
		{"with the mode always", drop, "does not exist any more", []string{"snapshot.mode", "always"}, "pre.notification", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, oneTable, append([]string{optSlotLost, slotLostContinue}, c.settings...)...)
			var topics []string
			r.show = func(rec *connect.Record) string {
				if rec.ValueSchema == noticeSchema {
					topics = append(topics, rec.Topic)
				}
				return showRecord(rec)
			}
			r.open()
			r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
			r.readFor("the first row", func() bool { return strings.Contains(strings.Join(r.events, "\n"), "before") })
			p, err := parsePosition(r.stored)
			if err != nil {
				t.Fatal(err)
			}
			r.stop()
			r.events = nil
			r.db.Exec(t, `INSERT INTO t VALUES (2, 'meanwhile')`)
			r.db.Exec(t, strings.ReplaceAll(c.sql, "SLOT", r.settings["slot.name"]))
			r.open()
			if c.crash {
				r.store = false
				r.mustRead(t.Context(), "the gap")
				r.store, topics = true, nil
				r.restart()
			}
			r.db.Exec(t, `INSERT INTO t VALUES (3, 'after')`)
			r.readFor("the last row", func() bool { return strings.Contains(strings.Join(r.events, "\n"), `"after"`) })
			to, _, _ := strings.Cut(strings.SplitAfter(r.events[0], `"to_lsn" `)[min(1, strings.Count(r.events[0], `"to_lsn"`))], " ")
			for _, part := range []string{"notice Change Stream GAP", c.reason, fmt.Sprintf("%q", p.start()), r.settings["slot.name"]} {
				if !strings.Contains(r.events[0], part) {
					t.Errorf("the first record is %s, without %s", r.events[0], part)
				}
			}
			if to == "" || to == `"0/0"` {
				t.Errorf("the gap reaches to %s: %s", to, r.events[0])
			}
			r.restart()
			r.db.Exec(t, `INSERT INTO t VALUES (4, 'last')`)
			r.readFor("the end", func() bool { return strings.Contains(strings.Join(r.events, "\n"), `"last"`) })
			if strings.Join(topics, " ") != c.topic {
				t.Errorf("markers went to %v, want one to %s", topics, c.topic)
			}
			text := strings.Join(r.events, "\n")
			if mode := r.settings["snapshot.mode"]; mode != "always" && strings.Contains(text, "meanwhile") {
				t.Errorf("slot.lost.policy=continue has read the tables again:\n%s", text)
			}
		})
	}
}

// TestGapWhileStreaming takes the slot away under a running source, in the middle of an
// incremental snapshot that a topic asked for: the record of the gap comes before what is
// behind it, the snapshot goes on, and signals are neither forgotten nor done twice.
func TestGapWhileStreaming(t *testing.T) {
	t.Parallel()
	topic := newTestTopic()
	r := newRig(t, oneTable+"; CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 50)",
		append(slices.Clone(topicSettings), optSlotLost, slotLostContinue, "snapshot.mode", "initial", "snapshot.include.collection.list", "public.t")...)
	r.follow = topic.follow
	r.show = func(rec *connect.Record) string {
		if rec.ValueSchema == noticeSchema {
			return "gap"
		}
		return marked(rec)
	}
	r.open()
	topic.send("pre", `{"id": "1", "type": "log", "data": {"message": "once"}}`)
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
	r.readFor("the first row", func() bool { return len(r.eventsOf("t c"))+len(r.eventsOf("t r")) == 1 })
	topic.send("pre", executeSignal("2", `{"data-collections": ["public.a"]}`))
	r.readFor("a part of the snapshot", func() bool { return len(r.eventsOf("a r")) > 0 })
	r.breakStream()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'meanwhile')`)
	r.advanceSlot()
	r.db.Exec(t, `INSERT INTO t VALUES (3, 'after')`)
	r.readFor("the row behind the gap", func() bool { return strings.Contains(strings.Join(r.events, " "), "after") })
	r.incrementalDone()
	text := strings.Join(r.events, "\n")
	if gap, after := strings.Index(text, "gap"), strings.Index(text, "after"); gap < 0 || gap > after || strings.Count(text, "gap") != 1 || strings.Contains(text, "meanwhile") {
		t.Errorf("the events are\n%s", text)
	}
	rows := r.eventsOf("a r")
	slices.Sort(rows)
	if n := len(rows); n != 50 || len(slices.Compact(rows)) != 50 || strings.Count(r.log.String(), "msg=once") != 1 {
		t.Errorf("%d rows of the snapshot came:\n%s", n, r.log.String())
	}
}

// TestTwoPhase reads transactions of two-phase commit: they come when they are
// committed, as Debezium has them, over a restart in between and streamed too. A slot
// with two_phase would send them earlier, but for version 14, and is refused.
func TestTwoPhase(t *testing.T) {
	t.Parallel()
	for _, version := range []int{14, 15, 17} {
		server := pgtest.Shared(t, version)
		for _, on := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d two_phase=%t", version, on), func(t *testing.T) {
				r := newRigOn(t, server, oneTable+"; CREATE PUBLICATION dbz_publication FOR ALL TABLES")
				littleMemory(t, r)
				r.db.Exec(t, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput', false, %t)", r.settings["slot.name"], on))
				if version >= 15 && on {
					if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), optSlot) || !strings.Contains(err.Error(), "two_phase on") {
						t.Errorf("got %v, want an error with a remedy", err)
					}
					return
				}
				twoPhaseWorkload(t, r)
			})
		}
	}
}

func twoPhaseWorkload(t *testing.T, r *rig) {
	gid := r.db.Name
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'first')`)
	r.want(`public.t c - (1 "first")`)
	r.db.Exec(t, fmt.Sprintf(`BEGIN; INSERT INTO t VALUES (2, 'prepared'); PREPARE TRANSACTION '%[1]s-1';
		BEGIN; INSERT INTO t VALUES (3, 'never'); PREPARE TRANSACTION '%[1]s-2';
		BEGIN; INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(100, 599) i; PREPARE TRANSACTION '%[1]s-3'`, gid))
	r.db.Exec(t, `INSERT INTO t VALUES (4, 'between')`)
	r.want(`public.t c - (4 "between")`)
	r.restart()
	r.db.Exec(t, fmt.Sprintf("ROLLBACK PREPARED '%s-2'", gid))
	r.db.Exec(t, fmt.Sprintf("COMMIT PREPARED '%s-1'", gid))
	r.want(`public.t c - (2 "prepared")`)
	r.restart()
	r.db.Exec(t, fmt.Sprintf("COMMIT PREPARED '%s-3'", gid))
	r.until(500)
	r.events = nil
	r.db.Exec(t, `INSERT INTO t VALUES (5, 'last')`)
	r.want(`public.t c - (5 "last")`)
}
