package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// testTopic is a topic in memory.
type testTopic struct {
	mu        sync.Mutex // guards what follows
	records   []connect.FollowedRecord
	more      chan struct{} // closed and replaced when records come
	asked     []connect.Follow
	committed int64
}

func newTestTopic() *testTopic { return &testTopic{more: make(chan struct{})} }

func (t *testTopic) send(key, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, connect.FollowedRecord{Offset: int64(len(t.records)), Key: []byte(key), Value: []byte(value)})
	close(t.more)
	t.more = make(chan struct{})
}

func (t *testTopic) follow(f connect.Follow) (connect.Follower, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = append(t.asked, f)
	return &testFollower{t, max(0, f.Offset)}, nil
}

type testFollower struct {
	topic *testTopic
	next  int64
}

func (f *testFollower) Next(ctx context.Context) (connect.FollowedRecord, error) {
	for {
		f.topic.mu.Lock()
		records, more := f.topic.records, f.topic.more
		f.topic.mu.Unlock()
		if f.next < int64(len(records)) {
			f.next++
			return records[f.next-1], nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return connect.FollowedRecord{}, ctx.Err()
		}
	}
}

func (f *testFollower) Commit(next int64) {
	f.topic.mu.Lock()
	defer f.topic.mu.Unlock()
	f.topic.committed = next
}

func (f *testFollower) Close() {}

func executeSignal(id, data string) string {
	return fmt.Sprintf(`{"id": %q, "type": "execute-snapshot", "data": %s}`, id, data)
}

// topicSettings are for a source that may not write and has signals from a topic.
var topicSettings = []string{"signal.enabled.channels", "kafka", "read.only", "true", "signal.poll.interval.ms", "50",
	"incremental.snapshot.chunk.size", "7", "table.include.list", `public\..*`}

func (r *rig) signalOffset() int64 {
	var m topicMembers
	if json.Unmarshal(r.stored, &m) != nil || m.Offset == nil {
		return -1
	}
	return *m.Offset
}

// TestSignalTopic sends signals by a topic to a source that may not write to its
// database: those for others and those that are none are passed over, and none is done
// twice, whatever restarts there are.
func TestSignalTopic(t *testing.T) {
	t.Parallel()
	topic := newTestTopic()
	r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 40)",
		append(slices.Clone(topicSettings), "signal.kafka.topic", "orders", "signal.consumer.client.id", "me", "signal.kafka.bootstrap.servers", "k1:9092,k2:9092")...)
	r.follow, r.show = topic.follow, marked
	topic.send("other", executeSignal("0", `{"data-collections": ["public.a"]}`))
	topic.send("pre", "no json")
	topic.send("pre", "")
	topic.send("pre", `{"id": "long", "type": "log", "data": {"message": "`+strings.Repeat("x", maxSignal)+`"}}`)
	r.open()
	topic.send("pre", executeSignal("1", `{"data-collections": ["public.a"]}`))
	r.incrementalDone()
	if got := len(r.eventsOf("a r incremental")); got != 40 {
		t.Errorf("%d rows were read of 40", got)
	}
	topic.send("pre", `{"id": "2", "type": "log", "data": "{\"message\": \"at {}\"}"}`)
	topic.send("other", "{}")
	r.pumpFor("the offset of the topic", func() bool { return r.signalOffset() == 7 })
	if log := r.log.String(); !strings.Contains(log, `at {\"lsn\":`) || strings.Count(log, "a signal is left out") != 2 {
		t.Errorf("the log is\n%s", log)
	}
	r.restart()
	topic.send("pre", executeSignal("3", `{"data-collections": ["public.a"], "additional-conditions": [{"data-collection": "public.a", "filter": "id < 4"}]}`))
	r.pumpFor("the next snapshot", func() bool { return r.signalOffset() == 8 && r.source.snapshots.signals.incremental.state == nil })
	if got := len(r.eventsOf("a r incremental")); got != 43 {
		t.Errorf("%d rows were read in all, want 43", got)
	}
	if topic.committed != 8 {
		t.Errorf("the group is at %d", topic.committed)
	}
	first, again := topic.asked[0], topic.asked[1]
	if first.Offset != -1 || again.Offset != 7 {
		t.Errorf("the topic was read from %d and %d", first.Offset, again.Offset)
	}
	if got := fmt.Sprintf("%s %s %v %s", first.Topic, first.Group, first.Settings, first.Prefix); got != "orders kafka-signal map[bootstrap.servers:k1:9092,k2:9092 client.id:me] signal.consumer." {
		t.Errorf("it was asked for %s", got)
	}
}

// TestSignalTopicOverCrashes forgets what was not stored, at several places of a snapshot
// that a topic asked for: it goes on, and ends once.
func TestSignalTopicOverCrashes(t *testing.T) {
	t.Parallel()
	topic := newTestTopic()
	r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000)",
		append(slices.Clone(topicSettings), "notification.enabled.channels", "sink", "notification.sink.topic.name", "notices")...)
	r.follow, r.show = topic.follow, func(rec *connect.Record) string {
		if rec.Topic != "notices" {
			return marked(rec)
		}
		return rec.Value.Cells()[1].Text() + " notice"
	}
	topic.send("pre", executeSignal("1", `{"data-collections": ["public.a"]}`))
	for round := range 8 {
		r.open()
		if got := r.source.snapshots.signals.passed; got != max(0, r.signalOffset()) {
			t.Errorf("round %d: the topic is read on from %d, the offset says %d", round, got, r.signalOffset())
		}
		have := len(r.eventsOf("a r"))
		r.pumpFor("more chunks", func() bool { return len(r.eventsOf("a r")) >= min(1000, have+14) })
		r.store = false // and more, which a crash forgets
		r.pumpOnce()
		r.store = true
		r.stop()
	}
	r.open()
	r.pumpFor("the end", func() bool { return len(r.eventsOf("COMPLETED")) > 0 })
	r.pumpOnce()
	completed := len(r.eventsOf("COMPLETED"))
	rows := r.eventsOf("a r incremental")
	slices.Sort(rows)
	if n := len(rows); n != 1000 || len(slices.Compact(rows)) != 1000 || completed != 1 {
		t.Errorf("%d rows, %d different, %d times completed", n, len(slices.Compact(rows)), completed)
	}
}

// TestSignalRowOverCrash stops between a signal's row and the commit of its transaction:
// the signal is in the offset, because the row does not come again.
func TestSignalRowOverCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+"CREATE TABLE a (id int PRIMARY KEY)", incrementalSettings...)
	r.show, r.batch = marked, newBatchOf(2)
	r.open()
	r.db.Exec(t, `BEGIN; INSERT INTO signals VALUES ('1', 'execute-snapshot', '{"data-collections": ["public.a"]}');
		INSERT INTO a SELECT generate_series(1, 10); COMMIT`)
	r.readFor("a part of the transaction", func() bool { return len(r.events) > 0 })
	if !strings.Contains(string(r.stored), `"sluice_signals":[{"id":"1"`) {
		t.Errorf("the offset is %s", r.stored)
	}
	r.restart()
	r.pumpFor("all rows", func() bool { return len(r.eventsOf("a r incremental")) == 10 && len(r.eventsOf("a c")) == 10 })
	if strings.Contains(string(r.stored), "sluice_signals") {
		t.Errorf("the offset is %s", r.stored)
	}
}

// TestReadOnlySignals has an incremental snapshot without a write to the database by
// each channel that needs none.
func TestReadOnlySignals(t *testing.T) {
	t.Parallel()
	t.Run("file", func(t *testing.T) {
		path := t.TempDir() + "/signals"
		r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 20)", append(slices.Clone(topicSettings),
			"signal.enabled.channels", "file", "signal.file", path)...)
		r.show = marked
		r.open()
		writeFile(t, path, executeSignal("1", `{"data-collections": ["public.a"]}`))
		r.incrementalDone()
		if got := len(r.eventsOf("a r incremental")); got != 20 {
			t.Errorf("%d rows were read of 20", got)
		}
	})
	t.Run("kafka without a log", func(t *testing.T) {
		r := newRig(t, "", topicSettings...)
		if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "leave kafka out") {
			t.Errorf("got %v", err)
		}
	})
}

// TestTopicOffsetOfWaitingSignals wants the topic to be read again from the first signal
// that is not done, and signals that cannot be read again to be kept.
func TestTopicOffsetOfWaitingSignals(t *testing.T) {
	cfg := new(config)
	cfg.signals.topic = "orders"
	s := &signaller{snapshotEnv: snapshotEnv{cfg: cfg}, incremental: new(incremental), follower: &testFollower{}, passed: 9}
	s.waiting = []signal{{ID: "row", Type: "log", topicOffset: -1}, {ID: "x", topicOffset: 5}, {ID: "file", topicOffset: -1}, {ID: "y", topicOffset: 7}}
	offset := json.RawMessage(append(append([]byte(`{"a":1`), s.appendOffset(nil)...), '}'))
	if from, err := signalOffset(offset, "orders"); from != 5 || err != nil {
		t.Errorf("the topic is read on from %d, %v: %s", from, err, offset)
	}
	if from, _ := signalOffset(offset, "other"); from != -1 {
		t.Errorf("another topic is read on from %d", from)
	}
	if from, ok := committedSignals(offset); from != 5 || !ok {
		t.Errorf("the group gets to know %d, %t", from, ok)
	}
	again := &signaller{incremental: new(incremental)}
	if err := again.load(offset); err != nil || len(again.waiting) != 2 || again.waiting[0].ID != "row" || again.waiting[1].ID != "file" {
		t.Errorf("kept are %+v, %v", again.waiting, err)
	}
	if from, err := signalOffset(json.RawMessage(`{"incremental_snapshot_signal_offset":4}`), "orders"); from != 5 || err != nil {
		t.Errorf("Debezium's offset goes on at %d, %v", from, err)
	}
}
