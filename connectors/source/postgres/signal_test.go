package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestBlockingSnapshot asks for a snapshot while rows change. The stream stops where
// the snapshot was taken, so each of its rows is what the stream has made of it, and
// none is missing.
func TestBlockingSnapshot(t *testing.T) {
	t.Parallel()
	testBlockingSnapshot(t)
}

func testBlockingSnapshot(t *testing.T) {
	for _, stop := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped=%t", stop), func(t *testing.T) { testBlocking(t, stop) })
	}
}

func testBlocking(t *testing.T, stop bool) {
	r := newRig(t, signalTable+resumeTables, append([]string{"snapshot.mode", "initial", "snapshot.max.threads", "2", "snapshot.chunk.rows", "1000"}, incrementalSettings...)...)
	m := newMaterialized()
	r.open()
	sn := func() *snapshotter { return r.source.snapshots.snapshotter }
	resumeUntil(t, r, m, func() bool { return sn().state == nil })
	w := startWriter(t, r)
	r.signal(signalExecute, `{"type": "blocking", "data-collections": ["public.keyed", "public.long"]}`)
	resumeUntil(t, r, m, func() bool { return sn().state != nil && sn().state.LSN != 0 })
	read := map[string]int{}
	m.before = func(table, op, key string, row []string) {
		if op != "r" {
			return
		}
		read[table]++
		if have := strings.Join(m.rows[table][key], " "); have != strings.Join(row, " ") && (table == "keyed" || !stop) {
			t.Fatalf("%s: the stream has made %.60q, the snapshot has %.60q", table, have, row)
		}
	}
	want := map[string]int{}
	resumeUntil(t, r, m, func() bool { return sn().state == nil || !sn().waiting })
	want["keyed"], want["long"] = len(m.rows["keyed"]), len(m.rows["long"])
	if stop {
		resumeUntil(t, r, m, func() bool { return sn().state == nil || sn().state.Rows > 2000 })
		r.stop()
		w.change(20)
		r.open()
	}
	resumeUntil(t, r, m, func() bool { return sn().state == nil })
	for table, n := range want {
		if read[table] != n && !stop || read[table] > n && table == "keyed" { // values out of line are read again
			t.Errorf("%s: %d rows were read of %d", table, read[table], n)
		}
	}
	m.before = nil
	w.end(t)
	end := walEnd(t, r)
	resumeUntil(t, r, m, func() bool { return r.source.pos.end >= end })
	compareKeyed(t, r, m)
}

// TestSignals sends signals of all types by the table and by the file.
func TestSignals(t *testing.T) {
	t.Parallel()
	const tables = signalTable + `CREATE TABLE a (id int PRIMARY KEY, v int, u int UNIQUE); INSERT INTO a SELECT i, i % 2, 100 - i FROM generate_series(1, 40) i;
		CREATE TABLE b (v int NOT NULL, w int); INSERT INTO b SELECT 5 - i, i FROM generate_series(1, 4) i; CREATE TABLE empty (id int PRIMARY KEY)`
	for _, c := range []struct {
		name, kind, data string
		table            string
		want             int    // events r of the table
		log              string // that the log has
	}{
		{"log", signalLog, `{"message": "hello from a signal"}`, "a", 0, `msg="hello from a signal"`},
		{"regular expression", signalExecute, `{"data-collections": ["public\\.[ab]"], "type": "INCREMENTAL"}`, "a", 40, "NO_PRIMARY_KEY"},
		{"condition", signalExecute, `{"data-collections": ["public.a"], "additional-conditions": [{"data-collection": "public.a", "filter": "v = 1"}]}`, "a", 20, ""},
		{"condition that is wrong", signalExecute, `{"data-collections": ["public.a"], "additional-conditions": [{"data-collection": "public.a", "filter": "no = 1"}]}`, "a", 0, "SQL_EXCEPTION"},
		{"surrogate key", signalExecute, `{"data-collections": ["public.b"], "surrogate-key": "v"}`, "b", 4, ""},
		{"surrogate key beside a key", signalExecute, `{"data-collections": ["public.a"], "surrogate-key": "u"}`, "a", 40, ""},
		{"empty table", signalExecute, `{"data-collections": ["public.empty"]}`, "empty", 0, "EMPTY"},
		{"blocking with a statement", signalExecute, `{"data-collections": ["public.a"], "type": "blocking", "additional-conditions": [{"data-collection": "public.a", "filter": "SELECT * FROM a WHERE id <= 7"}]}`, "a", 7, ""},
		{"blocking without a key", signalExecute, `{"data-collections": ["public.b"], "type": "BLOCKING"}`, "b", 4, ""},
		{"unknown table", signalExecute, `{"data-collections": ["public.none"]}`, "a", 0, "names no captured table"},
		{"no tables", signalExecute, `{"type": "incremental"}`, "a", 0, "data-collections is missing or empty"},
		{"unknown snapshot", signalExecute, `{"data-collections": ["public.a"], "type": "total"}`, "a", 0, "there is no snapshot of type"},
		{"unknown type", "dance", `{}`, "a", 0, "its type is not known"},
		{"no JSON", signalExecute, `{`, "a", 0, "no JSON object"},
		{"nothing to stop", signalStop, `{}`, "a", 0, "no incremental snapshot is running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "signals.txt")
			r := newRig(t, tables, append([]string{"signal.enabled.channels", "source,file", "signal.file", path}, incrementalSettings...)...)
			r.show = marked
			r.open()
			r.signal(c.kind, c.data)
			r.signalled(c.table, c.want, c.log)
			r.events = nil
			r.log.reset()
			line := fmt.Sprintf(`{"id": "1", "type": %q, "data": %s}`, c.kind, c.data)
			if !strings.HasSuffix(c.data, "}") {
				line = fmt.Sprintf(`{"id": "1", "type": %q, "data": %q}`, c.kind, c.data)
			}
			if err := os.WriteFile(path, []byte("\n"+line+"\nno json\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.signalled(c.table, c.want, c.log)
		})
	}
}

// signalled waits for what a signal does.
func (r *rig) signalled(table string, want int, log string) {
	r.t.Helper()
	count := func() int { return len(r.eventsOf(table + " r")) }
	r.pumpFor(fmt.Sprintf("%d rows and %q", want, log), func() bool { return count() >= want && strings.Contains(r.log.String(), log) })
	if sn := r.source.snapshots; want > 0 {
		r.pumpFor("the end", func() bool { return sn.signals.incremental.state == nil && sn.state == nil })
	}
	if count() != want {
		r.t.Errorf("got %d rows, want %d:\n%s", count(), want, strings.Join(r.events, "\n"))
	}
}

// pumpFor reads until the condition holds, which need not come with records.
func (r *rig) pumpFor(what string, holds func() bool) {
	r.t.Helper()
	// A read that is cut short may have to begin its work again: on a busy machine it
	// needs more time, or it never ends.
	pump := r.pump
	for deadline := time.Now().Add(patience); !holds(); {
		ctx, cancel := context.WithTimeout(context.Background(), pump)
		_, err := r.read(ctx)
		over := ctx.Err() != nil
		cancel()
		if over {
			pump = min(pump+pump/4, patience)
		}
		if err != nil && !over && !connect.IsRetriable(err) {
			r.t.Fatalf("read: %v\n%s", err, r.log.String())
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not in %s: %s\n%s\n%s", patience, what, strings.Join(r.events, "\n"), r.log.String())
		}
	}
}

func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// TestPauseAndStop pauses an incremental snapshot, goes on with it after a restart
// and stops it.
func TestPauseAndStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+"CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)",
		append([]string{"notification.enabled.channels", "sink,log", "notification.sink.topic.name", "notices"}, incrementalSettings...)...)
	var notices []string
	r.show = func(rec *connect.Record) string {
		if rec.Topic == "notices" {
			v := rec.Value.Cells()
			notices = append(notices, v[1].Text())
			return "notice " + v[1].Text()
		}
		return marked(rec)
	}
	r.open()
	state := func() *incrementalState { return r.source.snapshots.signals.incremental.state }
	r.signal(signalExecute, `{"data-collections": ["public.a", "public.b"]}`)
	r.readFor("the first rows", func() bool { return len(r.eventsOf("a r")) > 0 })
	r.signal(signalPause, `{}`)
	r.readFor("the pause", func() bool { return state() != nil && state().Paused })
	r.restart()
	r.db.Exec(t, "INSERT INTO b VALUES (2)")
	r.readFor("a change", func() bool { return len(r.eventsOf("b c")) == 1 })
	read := len(r.eventsOf("a r"))
	if state() == nil || !state().Paused || read >= 1000 {
		t.Fatalf("after the restart the state is %+v and %d rows were read", state(), read)
	}
	r.signal(signalResume, `{}`)
	r.readFor("more rows", func() bool { return len(r.eventsOf("a r")) > read })
	r.signal(signalStop, `{"data-collections": ["public.a"]}`)
	r.incrementalDone()
	if a, b := len(r.eventsOf("a r")), len(r.eventsOf("b r")); a == 1000 || b != 2 {
		t.Errorf("%d rows of the stopped table were read and %d of the other", a, b)
	}
	got := strings.Join(notices, " ")
	for _, want := range []string{noticeStarted, noticePaused, noticeResumed, noticeAborted, noticeTableScanned, noticeCompleted} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no notice %s in %s", want, got)
		}
	}
}

// pumpOnce reads for a moment, in which nothing need come.
func (r *rig) pumpOnce() {
	r.t.Helper()
	until := time.Now().Add(300 * time.Millisecond)
	r.pumpFor("a moment", func() bool { return time.Now().After(until) })
}

// writeFile writes a file of signals.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
