package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestHostileSignals sends what would harm a connector or its database: it refuses each,
// says why, and reads on.
func TestHostileSignals(t *testing.T) {
	t.Parallel()
	topic := newTestTopic()
	r := newRig(t, `CREATE TABLE a (id int PRIMARY KEY, long text); INSERT INTO a VALUES (1, repeat('x', 200000)); CREATE TABLE victim (id int);
		CREATE TABLE writes (id int); CREATE FUNCTION writes() RETURNS boolean LANGUAGE sql AS 'INSERT INTO writes VALUES (1) RETURNING true'`, topicSettings...)
	r.follow, r.show = topic.follow, marked
	r.open()
	filter := func(kind, filter string) string {
		return fmt.Sprintf(`{"type": %q, "data-collections": ["public.a"], "additional-conditions": [{"data-collection": "public.a", "filter": %q}]}`, kind, filter)
	}
	for i, c := range []struct{ data, log string }{
		{`{"data-collections": ["` + strings.Repeat("(a*)*", 20) + `!"]}`, "left out"},
		{`{"data-collections": ["` + strings.Repeat("(a|aa)+", 40) + `b"]}`, "left out"},
		{`{"data-collections": ["(` + strings.Repeat("x{1000}", 50) + `){1000}"]}`, "left out"},
		{`{"data-collections": [` + strings.Repeat(`"public.none",`, maxSnapshotTables) + `"public.a"]}`, "more than 1000 elements"},
		{`{"data-collections": ["public.a"], "additional-conditions": [` + strings.Repeat(`{},`, maxSnapshotTables) + `{}]}`, "more than 1000 elements"},
		{strings.Repeat(`[`, 100000) + strings.Repeat(`]`, 100000), "left out"},
		{`{"data-collections": {"a": 1}}`, "no list of strings"},
		{filter("incremental", strings.Repeat("<", maxSignal/5)), "it is too long"},
		{filter("incremental", "true) ORDER BY 1 LIMIT 1; DROP TABLE victim; --"), "SQL_EXCEPTION"},
		{filter("incremental", "true)) TO STDOUT; COMMIT; DROP TABLE victim; --"), "SQL_EXCEPTION"},
		{filter("incremental", "writes()"), "SQL_EXCEPTION"},
		{filter("blocking", "SELECT 1) AS t) TO STDOUT; COMMIT; DROP TABLE victim; --"), "refuses the statement"},
		{filter("blocking", "SELECT id FROM a"), "refuses the statement"}, // a column is missing
		{filter("blocking", "DROP TABLE victim"), "refuses the statement"},
		{`{"data-collections": ["public.a"], "surrogate-key": "long"}`, "a key has more than"},
		{`{"data-collections": ["public.a"], "surrogate-key": "none"}`, "is left out"},
	} {
		r.log.reset()
		topic.send("pre", executeSignal(fmt.Sprint(i), c.data))
		r.pumpFor(fmt.Sprintf("%q after %.80s", c.log, c.data), func() bool {
			sn := r.source.snapshots
			return strings.Contains(r.log.String(), c.log) && sn.state == nil && sn.signals.incremental.state == nil
		})
		if n := len(r.log.String()); n > 16<<10 {
			t.Errorf("%.80s: the log got %d bytes", c.data, n)
		}
	}
	if got := r.db.Text(t, `SELECT (SELECT count(*) FROM victim)::text || (SELECT count(*) FROM writes)::text`); got != "00" {
		t.Errorf("the tables have %s rows", got)
	}
	r.db.Exec(t, `INSERT INTO a VALUES (2, '')`)
	r.pumpFor("the new row", func() bool { return len(r.eventsOf("a c")) == 1 })
}

// TestWaitingSignalsAreBounded sends more than may wait (I5): an offset with all of them
// fits into a record.
func TestWaitingSignalsAreBounded(t *testing.T) {
	s := newSignaller(snapshotEnv{cfg: new(config), log: slog.New(slog.DiscardHandler), now: time.Now}, nil, new(position))
	table := &table{columns: []column{{name: "id"}, {name: "type"}, {name: "data"}}}
	send := func(id, data string) {
		r := row{{Data: []byte(id)}, {Data: []byte("dance")}, {Data: []byte(data)}}
		s.signalled(table, r)
		s.signalled(table, r) // again, as after an error
	}
	send("long", strings.Repeat("x", maxSignal))
	send(strings.Repeat("x", 2000), "")
	if len(s.waiting) != 0 {
		t.Fatalf("%d wait that are too long", len(s.waiting))
	}
	for i := range 2 * maxWaiting {
		send(fmt.Sprint(i), strings.Repeat("<", 1000))
	}
	if offset := s.appendOffset(nil); len(s.waiting) == 0 || len(offset) > 1<<19 {
		t.Errorf("%d wait and take %d bytes of an offset", len(s.waiting), len(offset))
	}
	first := s.waiting[0]
	s.waiting = nil
	for i := range 2 * maxWaiting {
		send(fmt.Sprint(i), "")
	}
	if len(s.waiting) != maxWaiting || s.waiting[0] == first || s.waiting[1].ID != "1" {
		t.Errorf("%d wait, the second is %+v", len(s.waiting), s.waiting[1])
	}
}

// TestInboxWaits wants who brings signals to wait for room, or for the end.
func TestInboxWaits(t *testing.T) {
	box := newInbox()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range maxInbox {
		if err := box.put(ctx, signal{topicOffset: -1}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- box.put(ctx, signal{topicOffset: 7}) }()
	got, passed := box.take(nil)
	if len(got) != maxInbox || passed != 0 {
		t.Errorf("took %d, the topic is read on at %d", len(got), passed)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got, passed = box.take(got[:0]); len(got) != 1 || passed != 8 {
		t.Errorf("took %d, the topic is read on at %d", len(got), passed)
	}
	for range 3 {
		if err := box.put(ctx, signal{Data: strings.Repeat("x", maxWaitingSize/3)}); err != nil {
			break
		}
		if len(box.signals) == 2 {
			cancel() // the third has no room
		}
	}
	if box.bytes > maxWaitingSize || len(box.signals) != 2 {
		t.Errorf("the inbox has %d signals of %d bytes", len(box.signals), box.bytes)
	}
}

// FuzzSignal reads records of a topic: whatever they are, what comes out is bounded and
// has data that can be parsed or an error.
func FuzzSignal(f *testing.F) {
	for _, text := range []string{executeSignal("1", `{"data-collections": ["public.a"]}`), `{"id":1}`, `{"type":"log","data":"{\"message\":\"x\"}"}`, `null`, `[]`,
		executeSignal("2", `{"data-collections": ["(a+)+"], "additional-conditions": [{"data-collection": "\"a\".\"b\"", "filter": "x < 1"}], "surrogate-key": "k"}`)} {
		f.Add([]byte("pre"), []byte(text))
	}
	topic := &signalTopic{key: []byte("pre"), log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s, err := topic.signal(&connect.FollowedRecord{Offset: 3, Key: key, Value: value})
		if err != nil {
			return
		}
		if s.size() > maxSignal || s.topicOffset != 3 || string(key) != "pre" {
			t.Fatalf("got %d bytes at %d for %q", s.size(), s.topicOffset, key)
		}
		data, err := s.parse()
		if err != nil {
			return
		}
		list, err := data.collections()
		if err == nil {
			_, _ = list.match("public.orders")
			_, _ = data.condition(tableName{"public", "orders"})
		}
		kept := &signaller{snapshotEnv: snapshotEnv{cfg: new(config)}, waiting: []signal{s}, incremental: new(incremental)}
		kept.waiting[0].topicOffset = -1
		offset := append(append([]byte(`{"a":1`), kept.appendOffset(nil)...), '}')
		again := &signaller{incremental: new(incremental)}
		if err := again.load(offset); err != nil || !slices.EqualFunc(again.waiting, kept.waiting, func(a, b signal) bool { return a.Type == strings.ToValidUTF8(b.Type, "\ufffd") }) {
			t.Fatalf("%s: %v", offset, err)
		}
	})
}
