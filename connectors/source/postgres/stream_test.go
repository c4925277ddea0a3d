package postgres

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

const oneTable = `CREATE TABLE t (id int PRIMARY KEY, v text)`

func TestStreamsChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "skipped.operations", "none")
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a'), (2, NULL)`)
	r.db.Exec(t, `UPDATE t SET v = 'b' WHERE id = 1`)
	r.db.Exec(t, `UPDATE t SET id = 3 WHERE id = 2`)
	r.db.Exec(t, `DELETE FROM t WHERE id = 1`)
	r.db.Exec(t, `SELECT pg_logical_emit_message(true, 'p', 'in'), pg_logical_emit_message(false, 'p', 'out')`)
	r.db.Exec(t, `TRUNCATE t`)
	r.want(
		`public.t c - (1 "a")`, `public.t c - (2 null)`,
		`public.t u - (1 "b")`,
		`public.t d (2 null) -`, `public.t tombstone (2)`, `public.t c - (3 null)`,
		`public.t d (1 null) -`, `public.t tombstone (1)`,
		`message ("p" 6f7574)`, `message ("p" 696e)`,
		`public.t t - -`)
}

// TestContinuesAfterEachEvent stops after every number of durable batches of one
// record each, also in the middle of transactions, and goes on.
func TestContinuesAfterEachEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.open()
	r.stop()
	var want []string
	for tx := range 3 {
		sql := ""
		for i := range 4 {
			id := 10*tx + i
			sql += fmt.Sprintf("INSERT INTO t VALUES (%d, 'x');", id)
			want = append(want, fmt.Sprintf(`public.t c - (%d "x")`, id))
		}
		r.db.Exec(t, sql)
	}
	for range want {
		r.batch = newBatchOf(1)
		r.open()
		before := len(r.events)
		r.readFor("an event", func() bool { return len(r.events) > before })
		r.stop()
	}
	r.open()
	r.want(want...)
}

// TestFillLooksUp has more messages waiting than fill may handle at once.
func TestFillLooksUp(t *testing.T) {
	typeMessage := []byte("Y\x00\x00\x40\x00public\x00mood\x00") // makes no record
	frame := append(append([]byte{pgoutput.FrameXLogData}, make([]byte, 24)...), typeMessage...)
	messages := bytes.Repeat(message('d', frame), 3*breather)
	w := &walConn{asked: make(chan struct{}, 1)}
	w.feed = newFeed(bytes.NewReader(messages), w.peek)
	defer w.feed.close()
	<-w.feed.done // all of them are there
	s := &stream{src: &Source{}, wal: w, spill: newSpill(t.TempDir(), 1<<20), feedback: &feedback{}}
	more, err := s.fill(t.Context(), newBatchOf(1))
	for err == nil && !more { // the reader was slower
		more, err = s.fill(t.Context(), newBatchOf(1))
	}
	if err != nil {
		t.Errorf("got error %v after all messages, want to be let go in between", err)
	}
}

// TestTablesThatComeAndGo makes tables on and on: the stream forgets those that it knew (I5),
// and loses nothing with them. A transaction may have more of them than that.
func TestTablesThatComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.open()
	r.source.described = 3
	r.batch = newBatchOf(2)
	var want []string
	make := func(i int) string {
		want = append(want, fmt.Sprintf("public.t%d c - (%d)", i, i), fmt.Sprintf("public.t%d u - (%d)", i, i))
		return fmt.Sprintf("CREATE TABLE t%[1]d (id int PRIMARY KEY); INSERT INTO t%[1]d VALUES (%[1]d); UPDATE t%[1]d SET id = %[1]d;", i)
	}
	for i := range 10 {
		r.db.Exec(t, make(i))
	}
	all := ""
	for i := range 10 {
		all += make(10 + i)
	}
	r.db.Exec(t, all)
	for i := range 3 {
		r.db.Exec(t, make(20+i)+fmt.Sprintf("DROP TABLE t%d", 20+i))
	}
	r.want(want...)
	if n, streams := len(r.source.stream.tables), r.source.numbers.streams.Load(); n > 4 || streams < 4 {
		t.Errorf("%d tables are known after %d connections", n, streams)
	}
}

// TestLooksUpFromWhatIsFiltered reads much that makes no records: the position is
// marked all the same, and a stop is heard.
func TestLooksUpFromWhatIsFiltered(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable+`; CREATE TABLE noise (id int)`, "table.exclude.list", "public.noise")
	r.open()
	r.stop()
	conn := r.db.Connect(t)
	for range 100 {
		if _, err := conn.Exec(t.Context(), `INSERT INTO noise SELECT generate_series(1, 2000)`); err != nil {
			t.Fatal(err)
		}
	}
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.open()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := time.AfterFunc(10*time.Millisecond, cancel)
	defer stopped.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		if events, err := r.read(ctx); err == nil && len(events) > 0 {
			t.Fatal("the stop was not heard before all was read")
		}
	}
	marks := 0
	for len(r.events) == 0 {
		if r.mustRead(t.Context(), "nothing"); len(r.marks) > 0 {
			marks++
		}
	}
	if marks < 2 {
		t.Errorf("%d marks were made", marks)
	}
	r.want(`public.t c - (1 "a")`)
}

// TestReadThatIsCutShort ends Read's context while a table is described: the
// message that was taken must not be missed by the next Read.
func TestReadThatIsCutShort(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	for i := range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
		_, _ = r.read(ctx)
		cancel()
		if len(r.events) > 0 {
			break
		}
	}
	r.want(`public.t c - (1 "a")`)
	// The same where it matters: the catalog does not answer.
	lock := r.db.Connect(t)
	r.db.Exec(t, `CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)`)
	if _, err := lock.Exec(t.Context(), `BEGIN; LOCK pg_catalog.pg_index IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
		if events, _ := r.read(ctx); len(events) > 0 {
			t.Fatal("a table was described without the catalog")
		}
	}
	if _, err := lock.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	r.want(`public.late c - (1)`)
}
