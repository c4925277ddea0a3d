package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

func TestPositionComesBack(t *testing.T) {
	for name, p := range map[string]position{
		"between transactions": {end: 1000, lastCommit: 900, systemID: "7234567890123456789", timeline: 3},
		"in a transaction": {end: 1000, commit: 2000, events: 17, lastCommit: 1000, systemID: "7", timeline: 1,
			last: lastEvent{lsn: 1500, same: 2, xid: 731, micros: 1_700_000_000_000_000, kind: kindUpdate}},
		"far":   {end: 1<<63 + 5, lastCommit: 1<<63 + 4},
		"fresh": {end: 1, lastCommit: 1},
	} {
		t.Run(name, func(t *testing.T) {
			text := p.appendJSON(nil, nil)
			got, err := parsePosition(text)
			if p.last.kind == "" {
				got.last = lastEvent{} // what it has is from end
			}
			if err != nil || got != p {
				t.Errorf("%s:\n got %+v, error %v\nwant %+v", text, got, err, p)
			}
		})
	}
}

func TestPositionOfDebezium(t *testing.T) {
	for name, c := range map[string]struct {
		offset   string
		start    pgoutput.LSN
		resume   lsnResume
		snapshot bool
	}{
		"after a row":        {`{"transaction_id":null,"lsn_proc":990,"messageType":"INSERT","lsn_commit":1000,"lsn":990,"txId":749,"ts_usec":1700000000000000}`, 1000, lsnResume{990, 1}, false},
		"at a commit":        {`{"lsn_proc":1000,"messageType":"COMMIT","lsn_commit":1000,"lsn":1000}`, 1000, lsnResume{}, false},
		"in a transaction":   {`{"lsn_proc":1500,"messageType":"UPDATE","lsn_commit":1000,"lsn":1500,"txId":749,"lsn_events_processed":3}`, 1000, lsnResume{1500, 3}, false},
		"without the count":  {`{"lsn_proc":1500,"messageType":"DELETE","lsn_commit":1000,"lsn":1500}`, 1000, lsnResume{1500, 1}, false},
		"after a message":    {`{"lsn_proc":1500,"messageType":"MESSAGE","lsn_commit":1000,"lsn":1500}`, 1000, lsnResume{}, false},
		"after a snapshot":   {`{"last_snapshot_record":true,"lsn":1000,"txId":5,"ts_usec":1,"snapshot":"INITIAL","snapshot_completed":true}`, 1000, lsnResume{}, false},
		"in a snapshot":      {`{"last_snapshot_record":false,"lsn":1000,"snapshot":"INITIAL","snapshot_completed":false}`, 1000, lsnResume{}, true},
		"in an old snapshot": {`{"last_snapshot_record":false,"lsn":1000,"snapshot":true}`, 1000, lsnResume{}, true},
		"of an old version":  {`{"lsn_proc":990,"lsn":990,"txId":749}`, 0, lsnResume{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parsePosition([]byte(c.offset))
			if err != nil || p.start() != c.start || p.resume != c.resume || p.inSnapshot != c.snapshot {
				t.Errorf("got start %d, resume %+v, snapshot %t, error %v", p.start(), p.resume, p.inSnapshot, err)
			}
		})
	}
}

func TestPositionRefuses(t *testing.T) {
	for _, text := range []string{``, `[]`, `{"lsn":"x"}`, `{"sluice_end_lsn":10,"sluice_commit_lsn":5}`, `{"sluice_end_lsn":1,"sluice_events":-1}`,
		`{"sluice_end_lsn":1,"sluice_system_id":"\"}"}`} {
		if p, err := parsePosition([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", text, p)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"lsn_proc":1500,"messageType":"UPDATE","lsn_commit":1000,"lsn":1500,"lsn_events_processed":3}`))
	f.Add((&position{end: 1, commit: 2, events: 3, systemID: "7"}).appendJSON(nil, nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		written := p.appendJSON(nil, nil)
		again, err := parsePosition(written)
		if err != nil || !json.Valid(written) || again.start() != p.start() {
			t.Errorf("%q becomes %s: %v", text, written, err)
		}
	})
}

// TestGoesOnFromDebezium takes over an offset of Debezium's at every place of a
// workload with interleaved transactions, rows that share LSNs and savepoints.
func TestGoesOnFromDebezium(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "tombstones.on.delete", "false")
	r.open()
	r.stop()
	long := r.db.Connect(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := long.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	exec(`BEGIN; INSERT INTO t VALUES (2, 'b')`)
	r.db.Exec(t, `INSERT INTO t VALUES (3, 'c'); DELETE FROM t WHERE id = 1`)
	exec(`INSERT INTO t VALUES (4, 'd'); COMMIT`)
	if _, err := long.PgConn().CopyFrom(t.Context(), strings.NewReader("5\te\n6\tf\n7\tg\n"), `COPY t FROM STDIN`); err != nil {
		t.Fatal(err)
	}
	r.batch = newBatchOf(1)
	r.commit = false
	r.open()
	var offsets []json.RawMessage
	var events []string
	for len(events) < 8 {
		before := len(r.events)
		r.readFor("an event", func() bool { return len(r.events) > before })
		events = append(events, r.events[before])
		offsets = append(offsets, debeziumOnly(t, r.stored))
	}
	r.stop()
	for i, offset := range offsets {
		r.stored, r.events = offset, nil
		r.open()
		if last := i == len(offsets)-1; last {
			r.db.Exec(t, `INSERT INTO t VALUES (8, 'h')`)
			events = append(events, `public.t c - (8 "h")`)
		}
		r.until(len(events) - i - 1)
		if j := firstOther(r.events, events[i+1:]); j >= 0 {
			t.Errorf("after event %d, offset %s: got %s, want %s", i, offset, r.events[j], events[i+1+j])
		}
		r.stop()
	}
}

// debeziumOnly is an offset without our own keys.
func debeziumOnly(t *testing.T, offset json.RawMessage) json.RawMessage {
	t.Helper()
	var all map[string]any
	d := json.NewDecoder(strings.NewReader(string(offset)))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	for k := range all {
		if strings.HasPrefix(k, "sluice_") {
			delete(all, k)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(fmt.Errorf("%v: %w", all, err))
	}
	return text
}

func TestAlterOffsets(t *testing.T) {
	r := &rig{t: t, settings: map[string]string{"database.hostname": "db", "database.user": "u", "database.dbname": "shop", "topic.prefix": "pre"}}
	cfg := r.config()
	for name, c := range map[string]struct {
		partition, offset string
		ok                bool
	}{
		"ours":              {`{"server":"pre"}`, `{"sluice_end_lsn":10}`, true},
		"Debezium's":        {`{"server": "pre"}`, `{"lsn":10}`, true},
		"reset":             {`{"server":"pre"}`, ``, true},
		"another partition": {`{"server":"other"}`, `{"lsn":10}`, false},
		"more than that":    {`{"server":"pre","x":"y"}`, `{"lsn":10}`, false},
		"no position":       {`{"server":"pre"}`, `{}`, false},
		"no offset":         {`{"server":"pre"}`, `[]`, false},
	} {
		m := connect.Mark{Partition: json.RawMessage(c.partition)}
		if c.offset != "" {
			m.Offset = json.RawMessage(c.offset)
		}
		if ok, err := cfg.AlterOffsets(t.Context(), []connect.Mark{m}); ok != c.ok || (err == nil) != c.ok {
			t.Errorf("%s: got %t, error %v", name, ok, err)
		}
	}
}

// TestOffsetsForDebezium wants Debezium's keys to be those of the last event in the middle
// of a transaction, and without lsn_proc where all are done: Debezium has left out
// transactions that had begun before the end in it, and does not start when the slot is
// past it (test/conformance/debezium/handover.sh).
func TestOffsetsForDebezium(t *testing.T) {
	last := lastEvent{lsn: 900, same: 1, xid: 7, micros: 5, kind: kindUpdate}
	for want, p := range map[string]position{
		`{"lsn":900,"lsn_proc":900,"lsn_commit":800,"txId":7,"ts_usec":5,"lsn_events_processed":1,"messageType":"UPDATE","sluice_end_lsn":850,"sluice_commit_lsn":1000,"sluice_events":1}`: {end: 850, lastCommit: 800, commit: 1000, events: 1, last: last},
		`{"lsn":1050,"lsn_commit":1000,"txId":7,"ts_usec":5,"messageType":"COMMIT","sluice_end_lsn":1050}`:                                                                                 {end: 1050, lastCommit: 1000, last: last},
		`{"lsn":1000,"lsn_commit":1000,"messageType":"COMMIT","sluice_end_lsn":1000}`:                                                                                                      positionAt(1000),
	} {
		if got := string(p.appendJSON(nil, nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestPositionOnAStandby has no timeline: a standby that is promoted while it is read has
// another then, and the position goes on in it.
func TestPositionOnAStandby(t *testing.T) {
	for standby, timeline := range map[bool]int32{true: 0, false: 3} {
		p := position{end: 100}
		if p.on(&serverInfo{systemID: "7", timeline: 3, standby: standby}); p.timeline != timeline || p.systemID != "7" {
			t.Errorf("on a standby %t the position is of timeline %d of %s", standby, p.timeline, p.systemID)
		}
	}
}
