package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// TestInterruptedChunkIsMarked ends Read's context while a chunk of an incremental
// snapshot is read, after the rows of another were handed over and when nothing else has
// moved the position: the rows have a mark, and come once in all.
func TestInterruptedChunkIsMarked(t *testing.T) {
	t.Parallel()
	r := newRig(t, signalTable+"CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 300)",
		append(slices.Clone(incrementalSettings), "read.only", "true", "status.update.interval.ms", "60000")...)
	r.show = marked
	r.batch = newBatchOf(14) // two chunks
	r.open()
	r.signal(signalExecute, `{"data-collections": ["public.a"]}`)
	inc := r.source.snapshots.signals.incremental
	r.readFor("the first rows", func() bool { return len(r.eventsOf("a r")) > 0 })
	interrupted := 0
	for interrupted < 3 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		inc.inWindow = func() {
			if inc.state.Rows > int64(len(r.eventsOf("a r"))) && !r.source.dirty {
				cancel()
			}
		}
		events, err := r.read(ctx) // fails the test when rows have no mark
		if err != nil {
			t.Fatalf("read: %v\n%s", err, r.log.String())
		}
		if ctx.Err() != nil && len(events) > 0 {
			interrupted++
			r.stop()
			r.open()
			inc = r.source.snapshots.signals.incremental
		}
		if cancel(); inc.state == nil {
			t.Fatalf("only %d chunks were interrupted", interrupted)
		}
	}
	inc.inWindow = nil
	r.pumpFor("the end of the incremental snapshot", func() bool { return inc.state == nil })
	rows := r.eventsOf("a r")
	slices.Sort(rows)
	if n := len(slices.Compact(slices.Clone(rows))); len(rows) != 300 || n != 300 {
		t.Errorf("%d rows came, %d different, want each of 300 once", len(rows), n)
	}
}

// TestFailedPieceIsMarked has a connection of a snapshot fail when rows before the error
// are in the batch: they have a mark, and the error comes with the next Read.
func TestFailedPieceIsMarked(t *testing.T) {
	t.Parallel()
	const fails = 5 // of its rows the fifth cannot be read
	r := newRig(t, "CREATE TABLE a (id int PRIMARY KEY, v int, t text); ALTER TABLE a ALTER t SET STORAGE EXTERNAL;"+
		fmt.Sprintf("INSERT INTO a SELECT i, %d - i, repeat('x', 300000) FROM generate_series(1, 9) i", fails),
		"snapshot.mode", "initial", "snapshot.max.threads", "2", "snapshot.select.statement.overrides", "public.a",
		"snapshot.select.statement.overrides.public.a", "SELECT id, 1 / v AS v, t FROM a ORDER BY id")
	r.show = func(rec *connect.Record) string { return rec.Value.Cells()[envelopeAfter].Cells()[0].String() }
	r.batch = connect.NewBatch(1, 1<<20)
	r.open()
	r.readFor("the first row", func() bool { return len(r.events) == 1 })
	r.source.snapshots.reader.running.Wait() // a row of the size of a block is one: they are all there, and the error
	r.batch = connect.NewBatch(64, 1<<30)
	events, err := r.read(t.Context())
	if err != nil || len(events) == 0 {
		t.Fatalf("got events %v and error %v, want the rows before the error", events, err)
	}
	if _, err := r.read(t.Context()); !connect.IsRetriable(err) || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("got error %v, want the server's", err)
	}
	if !strings.Contains(string(r.stored), fmt.Sprintf(`"rows":%d`, len(r.events))) {
		t.Errorf("%d rows are durable, the offset is %s", len(r.events), r.stored)
	}
	r.db.Exec(t, "UPDATE a SET v = 1")
	r.restart()
	r.completed()
	for id := 1; id <= 9; id++ {
		if !slices.Contains(r.events, fmt.Sprint(id)) {
			t.Errorf("row %d is missing", id)
		}
	}
}

// TestEachCommitMovesTheSlot commits one mark at a time, with none behind it that would
// make up for a commit that is forgotten.
func TestEachCommitMovesTheSlot(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.commit = false
	r.open()
	for id := range 4 {
		before := r.source.pos.end
		r.db.Exec(t, fmt.Sprintf("INSERT INTO t VALUES (%d, 'x')", id))
		r.readFor("the commit", func() bool { return len(r.events) > id && r.source.pos.end > before && !r.source.dirty })
		r.source.Commit(r.marks[len(r.marks)-1])
		end := r.source.pos.end
		waitFor(t, func() bool { return r.confirmedLSN() == end })
	}
}

// TestConfirmedMovesForward: a mark that is committed late takes nothing back.
func TestConfirmedMovesForward(t *testing.T) {
	c := new(confirmed)
	for _, step := range []struct{ to, want pgoutput.LSN }{{10, 10}, {5, 10}, {10, 10}, {11, 11}} {
		if c.advance(step.to); c.load() != step.want {
			t.Errorf("after %d it is at %d, want %d", step.to, c.load(), step.want)
		}
	}
}
