package postgres

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestLargeTransaction reads a transaction of SLUICE_TRANSACTION_ROWS rows (20,000) that
// the server sends while it runs: a small one that is committed meanwhile comes first,
// the rows come in order, and memory does not grow with them.
func TestLargeTransaction(t *testing.T) {
	rows := int64(20_000)
	if text := os.Getenv("SLUICE_TRANSACTION_ROWS"); text != "" {
		var err error
		if rows, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, oneTable)
	littleMemory(t, r)
	next := int64(0) // the row that comes next; 0 is the small transaction's
	r.show = func(rec *connect.Record) string {
		if id := rec.Key.Cells()[0].Int(); id != next {
			t.Fatalf("got row %d, want %d", id, next)
		}
		next++
		return ""
	}
	r.batch = connect.NewBatch(2048, 1<<20)
	r.open()
	long := r.db.Connect(t)
	if _, err := long.Exec(t.Context(), `BEGIN`); err != nil {
		t.Fatal(err)
	}
	if _, err := long.Exec(t.Context(), `INSERT INTO t SELECT i, repeat('x', 80) FROM generate_series(1, $1::int) i`, rows); err != nil {
		t.Fatal(err)
	}
	r.db.Exec(t, `INSERT INTO t VALUES (0, 'small')`)
	runtime.GC() // what other tests have left
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(rows)*time.Millisecond/10)
	defer cancel()
	began, peak := time.Now(), uint64(0)
	readTo := func(row int64) {
		for n := 0; next < row; n++ {
			r.mustRead(ctx, "the transaction")
			r.events = r.events[:0]
			if n%64 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	}
	readTo(1)
	kept, written := r.source.stream.spill.kept, r.source.stream.spill.written
	if kept < rows*9/10 || written == 0 { // the last of them wait in the server
		t.Errorf("%d messages with %d bytes wait in the file, want most of %d rows", kept, written, rows)
	}
	small := time.Since(began)
	if _, err := long.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	readTo(rows + 1)
	took := time.Since(began)
	next = -1
	r.db.Exec(t, `INSERT INTO t VALUES (-1, 'behind')`)
	readTo(0)
	if s := r.source.stream.spill; s.used != 0 || len(s.txns) != 0 {
		t.Errorf("%d bytes of %d transactions are left in files", s.used, len(s.txns))
	}
	if peak > 96<<20 {
		t.Errorf("the heap had %d MB", peak>>20)
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows: the small transaction after %.1f s, the last row after %.1f s, %d MB in the file, heap %d MB, resident %d MB at most",
		rows, small.Seconds(), took.Seconds(), written>>20, peak>>20, usage.Maxrss>>10)
}

// TestPlaceholderInHex has bytes in place of large values that an update leaves out.
func TestPlaceholderInHex(t *testing.T) {
	t.Parallel()
	r := newRig(t, `CREATE TABLE t (id int PRIMARY KEY, n int, v text, b bytea); ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
		INSERT INTO t VALUES (1, 1, repeat('v', 3000), decode(repeat('00ff', 1500), 'hex'))`, optPlaceholder, "hex:41424300ff")
	r.open()
	r.db.Exec(t, `UPDATE t SET n = 2`)
	r.want("public.t u - (1 2 \"ABC\\x00\\xff\" 41424300ff)")
}
