package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// patience is how long a test waits for something that should happen at once.
const patience = 2 * time.Minute

// rig is a database and a source on it. The test plays the engine: what it has
// stored is what a crash leaves.
type rig struct {
	t        testing.TB
	db       *pgtest.Database
	settings map[string]string
	source   *Source
	batch    *connect.Batch
	log      logBuffer

	stored json.RawMessage // the durable offset
	events []string        // the durable events
	marks  []connect.Mark  // of the last batch
	at     place           // of the last mark
	store  bool            // make what was read durable
	commit bool            // and tell the source
	show   func(*connect.Record) string
	pump   time.Duration // of a read that nothing need come from

	writer  *writer // changes tables at the pace of reading; may be nil
	follow  func(connect.Follow) (connect.Follower, error)
	measure func(func([]float64)) // gets what reads the metrics; may be nil
}

// logBuffer is a log that a test reads while others write it.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// versionOf is the version of the servers of a test: that in the name of a test that
// TestVersions runs, the default otherwise.
func versionOf(t testing.TB) int {
	if parts := strings.Split(t.Name(), "/"); len(parts) > 1 && parts[0] == "TestVersions" {
		version, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	return pgtest.Default
}

// newRig makes a database with the statements in it, on a server that no other test uses
// meanwhile.
func newRig(t testing.TB, statements string, settings ...string) *rig {
	t.Helper()
	return newRigOn(t, pgtest.Shared(t, versionOf(t)), statements, settings...)
}

func newRigOn(t testing.TB, server *pgtest.Server, statements string, settings ...string) *rig {
	t.Helper()
	db := server.Database(t)
	r := &rig{t: t, db: db, batch: connect.NewBatch(64, 1<<20), store: true, commit: true, show: showRecord, pump: 200 * time.Millisecond}
	r.settings = map[string]string{"database.hostname": "127.0.0.1", "database.port": strconv.Itoa(server.Port), "database.user": pgtest.User,
		"database.password": pgtest.Password, "database.dbname": db.Name, "topic.prefix": "pre", "slot.name": "slot_" + db.Name,
		"snapshot.mode": "no_data", "status.update.interval.ms": "100", "extended.headers.enabled": "false"}
	for i := 0; i < len(settings); i += 2 {
		r.settings[settings[i]] = settings[i+1]
	}
	if statements != "" {
		db.Exec(t, statements)
	}
	t.Cleanup(r.stop)
	return r
}

func (r *rig) config() *config {
	r.t.Helper()
	var spec = Spec
	cfg, err := spec.Configure(maps.Clone(r.settings))
	if err != nil {
		r.t.Fatalf("configure: %v", err)
	}
	return cfg.(*config)
}

// tryOpen opens a source on the stored offset.
func (r *rig) tryOpen() error {
	r.t.Helper()
	r.source = r.config().Source().(*Source)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.source.Open(ctx, r.sourceContext())
}

func (r *rig) sourceContext() connect.SourceContext {
	return connect.SourceContext{Connector: "shop", Measure: r.measure, Follow: r.follow, Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
		Offset: func(context.Context, json.RawMessage) (json.RawMessage, error) { return r.stored, nil }}
}

func (r *rig) open() {
	r.t.Helper()
	if err := r.tryOpen(); err != nil {
		r.t.Fatalf("open: %v", err)
	}
}

// stop closes the source in order; what is not stored is lost.
func (r *rig) stop() {
	r.t.Helper()
	if r.source == nil {
		return
	}
	if err := r.source.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
	r.source = nil
}

func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.open()
}

// read reads one batch and returns its events. With store they are durable, as
// the offset of the last mark is.
func (r *rig) read(ctx context.Context) ([]string, error) {
	if r.writer != nil {
		r.writer.allow()
	}
	r.batch.Reset()
	if err := r.source.Read(ctx, r.batch); err != nil {
		return nil, err
	}
	var events []string
	for i := range r.batch.Records() {
		events = append(events, r.show(&r.batch.Records()[i]))
	}
	r.marks = r.batch.Marks()
	if len(events) > 0 && (len(r.marks) == 0 || r.marks[len(r.marks)-1].Records != len(events)) {
		r.t.Fatalf("%d records have no mark after them", len(events))
	}
	r.checkMarked()
	if r.store && len(r.marks) > 0 {
		m := r.marks[len(r.marks)-1]
		r.events = append(r.events, events...)
		r.stored = append(json.RawMessage{}, m.Offset...)
		if r.commit {
			r.source.Commit(m)
		}
	}
	return events, nil
}

// place is where a mark says that reading goes on.
type place struct {
	end, commit pgoutput.LSN
	events      int64
}

// checkMarked wants a position that the source takes for marked to be the last mark's:
// one that was left out would only delay what others see, until the next.
func (r *rig) checkMarked() {
	r.t.Helper()
	for _, m := range r.marks {
		p, err := parsePosition(m.Offset)
		if err != nil {
			r.t.Fatal(err)
		}
		r.at = place{p.end, p.commit, p.events}
	}
	if p := &r.source.pos; !r.source.dirty && r.at != (place{p.end, p.commit, p.events}) {
		r.t.Fatalf("the position %+v has no mark, the last one is %+v", place{p.end, p.commit, p.events}, r.at)
	}
}

// until reads until the durable events are n, then makes sure that no more come.
func (r *rig) until(n int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for len(r.events) < n {
		r.mustRead(ctx, fmt.Sprintf("%d of %d events", len(r.events), n))
	}
	if len(r.events) > n {
		r.t.Fatalf("got %d events, want %d:\n%s", len(r.events), n, strings.Join(r.events, "\n"))
	}
}

func (r *rig) mustRead(ctx context.Context, have string) []string {
	r.t.Helper()
	for {
		events, err := r.read(ctx)
		switch {
		case err == nil:
			return events
		case errors.Is(err, context.DeadlineExceeded):
			r.t.Fatalf("%s came in %s:\n%s\n%s", have, patience, strings.Join(r.events, "\n"), r.log.String())
		case !connect.IsRetriable(err):
			r.t.Fatalf("read: %v\n%s", err, r.log.String())
		}
		fmt.Fprintf(&r.log, "read: %v\n", err)
	}
}

// readFor reads until the condition holds.
func (r *rig) readFor(what string, holds func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !holds() {
		r.mustRead(ctx, what+" not yet")
	}
}

func (r *rig) want(events ...string) {
	r.t.Helper()
	r.until(len(events))
	for i, w := range events {
		if r.events[i] != w {
			r.t.Errorf("event %d: got %s, want %s", i, r.events[i], w)
		}
	}
	r.events = nil
}

// showRecord shows a record as "topic op key after".
func showRecord(rec *connect.Record) string {
	topic := strings.TrimPrefix(rec.Topic, "pre.")
	if rec.Value.IsNull() {
		return topic + " tombstone " + showCells(rec.Key)
	}
	cells := rec.Value.Cells()
	switch {
	case rec.ValueSchema == noticeSchema:
		return "notice " + cells[2].Text() + " " + cells[1].Text() + " " + showCells(cells[3])
	case rec.Topic == "__debezium-heartbeat.pre":
		return "heartbeat"
	case topic == "transaction":
		return "transaction " + cells[0].Text()
	case topic == "message":
		return "message " + showCells(cells[messageMessage])
	}
	return topic + " " + cells[envelopeOp].Text() + " " + showCells(cells[envelopeBefore]) + " " + showCells(cells[envelopeAfter])
}

func showCells(v connect.Value) string {
	if v.IsNull() {
		return "-"
	}
	var parts []string
	for _, c := range v.Cells() {
		parts = append(parts, c.String())
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// newBatchOf is a batch that is full at n records.
func newBatchOf(n int) *connect.Batch { return connect.NewBatch(n, 1<<20) }

// waitFor waits until the condition holds.
func waitFor(t testing.TB, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in %s", patience)
		}
		<-time.After(5 * time.Millisecond)
	}
}
