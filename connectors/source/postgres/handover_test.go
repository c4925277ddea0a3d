package postgres

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/test/conformance/debezium"
)

const conformance = "../../../test/conformance/debezium/testdata"

// TestGoesOnFromRecordedOffsets goes on from each offset that Debezium left when it was
// stopped, after the same changes. LSNs of the recorded server are replaced by
// those of the same events here.
func TestGoesOnFromRecordedOffsets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(conformance + "/golden/handover.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded debezium.Handover
	if err := json.Unmarshal(text, &recorded); err != nil || len(recorded.Stops) < 10 {
		t.Fatalf("%d offsets were recorded, %v", len(recorded.Stops), err)
	}
	r := newRig(t, `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE ignored (id int); CREATE TABLE zz_marker (id int PRIMARY KEY);
		INSERT INTO t VALUES (-2, 'there before'), (-1, 'there before')`, "snapshot.mode", "initial", "table.include.list", "public.t,public.zz_marker")
	var here, markers []debezium.HandoverEvent
	r.show = func(rec *connect.Record) string {
		switch rec.Topic {
		case "pre.public.t":
			here = append(here, handoverEvent(rec))
		case "pre.public.zz_marker":
			markers = append(markers, handoverEvent(rec))
		}
		return showRecord(rec)
	}
	r.commit = false // the slot has to keep everything
	r.batch = newBatchOf(1)
	r.open()
	r.completed()
	playHandover(t, r)
	r.readFor("all events", func() bool { return len(here) >= len(recorded.Events) && len(markers) >= len(recorded.Markers) })
	r.stop()
	all, lsns := here, matchedLSNs{commits: map[int64]int64{}, changes: map[int64]int64{}}
	for i, e := range recorded.Markers {
		matchEvents(t, i, e, markers[i], lsns)
	}
	for i, e := range recorded.Events {
		matchEvents(t, i, e, all[i], lsns)
	}
	for _, stop := range recorded.Stops {
		t.Run(stop.Round, func(t *testing.T) {
			r.t, here, markers, r.events = t, nil, nil, nil
			r.stored = replaceLSNs(t, stop.Offset, lsns)
			last := lsnOfOffset(t, r.stored)
			r.open()
			defer r.stop()
			rest := all[stop.Events:]
			r.readFor("the rest", func() bool { return len(here) >= len(rest) && len(markers) > 0 })
			if len(markers) == 0 || last >= markers[0].LSN {
				t.Fatalf("offset %s: the last event comes again", stop.Offset)
			}
			for i, e := range rest {
				if here[i].Text != e.Text || here[i].LSN != e.LSN {
					t.Fatalf("offset %s: event %d is %s at %d, want %s at %d", stop.Offset, i, here[i].Text, here[i].LSN, e.Text, e.LSN)
				}
			}
		})
	}
}

// playHandover plays the rounds as they were recorded, with the rows of the other worker
// in between.
func playHandover(t *testing.T, r *rig) {
	t.Helper()
	rounds, err := debezium.ReadHandover(conformance)
	if err != nil {
		t.Fatal(err)
	}
	sessions, markers := map[string]*pgx.Conn{}, 0
	marker := func() {
		markers++
		r.db.Exec(t, fmt.Sprintf("INSERT INTO zz_marker VALUES (%d)", markers))
	}
	play := func(steps [][2]string) {
		for _, step := range steps {
			if sessions[step[0]] == nil {
				sessions[step[0]] = r.db.Connect(t)
			}
			if _, err := sessions[step[0]].Exec(t.Context(), step[1]); err != nil {
				t.Fatalf("%s: %v", step[1], err)
			}
		}
	}
	for i, round := range rounds {
		play(round.Steps)
		if i > 0 && !round.Fails {
			marker()
		}
		play(round.Other)
		r.db.Exec(t, fmt.Sprintf("INSERT INTO t VALUES (%d, 'by the other')", 1000+i))
		marker()
	}
}

// handoverEvent is a record as it was recorded.
func handoverEvent(rec *connect.Record) debezium.HandoverEvent {
	if rec.Value.IsNull() {
		return debezium.HandoverEvent{Text: "tombstone"}
	}
	cells := rec.Value.Cells()
	source := cells[envelopeSource].Cells()
	return debezium.HandoverEvent{Text: cells[envelopeOp].Text() + " " + showCells(cells[envelopeAfter]), LSN: source[sourceLSN].Int(), Sequence: strings.Clone(source[sourceSequence].Text())}
}

// matchedLSNs says which LSN here is which one there. A commit ends where the next
// change begins, or not: that is up to the server.
type matchedLSNs struct{ commits, changes map[int64]int64 }

// matchEvents notes which LSN here is which one there.
func matchEvents(t *testing.T, i int, there, here debezium.HandoverEvent, lsns matchedLSNs) {
	t.Helper()
	op, _, _ := strings.Cut(there.Text, " ")
	if ours, _, _ := strings.Cut(here.Text, " "); ours != op {
		t.Fatalf("event %d is %s, %s was recorded", i, here.Text, there.Text)
	}
	if op == "tombstone" {
		return
	}
	from, to := sequence(t, there), sequence(t, here)
	for j, known := range []map[int64]int64{lsns.commits, lsns.changes} {
		if from[j] == 0 || to[j] == 0 {
			continue
		}
		if old, ok := known[from[j]]; ok && old != to[j] {
			t.Fatalf("event %d: the LSN %d is %d and %d here", i, from[j], old, to[j])
		}
		known[from[j]] = to[j]
	}
}

func lsnOfOffset(t *testing.T, offset json.RawMessage) int64 {
	t.Helper()
	var o struct{ LSN int64 }
	if err := json.Unmarshal(offset, &o); err != nil {
		t.Fatal(err)
	}
	return o.LSN
}

// sequence are the two LSNs of source.sequence, 0 for null.
func sequence(t *testing.T, e debezium.HandoverEvent) [2]int64 {
	t.Helper()
	var texts [2]*string
	if err := json.Unmarshal([]byte(e.Sequence), &texts); err != nil {
		t.Fatalf("sequence %q: %v", e.Sequence, err)
	}
	var both [2]int64
	for i, s := range texts {
		if s != nil {
			both[i], _ = strconv.ParseInt(*s, 10, 64)
		}
	}
	return both
}

// replaceLSNs puts the LSNs of this server into an offset.
func replaceLSNs(t *testing.T, offset json.RawMessage, lsns matchedLSNs) json.RawMessage {
	t.Helper()
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(string(offset)))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	for name, matched := range map[string]map[int64]int64{"lsn": lsns.changes, "lsn_proc": lsns.changes, "lsn_commit": lsns.commits} {
		n, ok := fields[name].(json.Number)
		if !ok {
			continue
		}
		there, err := n.Int64()
		if err != nil {
			t.Fatal(err)
		}
		here, known := matched[there]
		if !known {
			t.Fatalf("offset %s: no event has the LSN %d", offset, there)
		}
		fields[name] = here
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
