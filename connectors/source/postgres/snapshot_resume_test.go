package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// resumeTables are tables with and without a key, with values out of line, with
// rows spread over many pages.
const resumeTables = `
CREATE TABLE keyed (id int PRIMARY KEY, v int) WITH (fillfactor = 10, autovacuum_enabled = false);
CREATE TABLE long (id int PRIMARY KEY, v int, t text) WITH (fillfactor = 50, autovacuum_enabled = false);
CREATE TABLE keyless (id int, v int) WITH (fillfactor = 10, autovacuum_enabled = false);
ALTER TABLE long ALTER t SET STORAGE EXTERNAL;
INSERT INTO keyed SELECT i, 0 FROM generate_series(1, 4000) i;
INSERT INTO long SELECT i, 0, repeat(md5(i::text), 100) FROM generate_series(1, 300) i;
INSERT INTO keyless SELECT i, 0 FROM generate_series(1, 4000) i;
ANALYZE`

// writer changes the tables until it is stopped. Its pace is that of the reader, who
// would fall behind for ever on a busy machine.
type writer struct {
	conn *pgx.Conn
	turn chan struct{}   // a change may be made
	ctx  context.Context // ends with the writer
	stop context.CancelFunc
	done sync.WaitGroup
	rnd  *rand.Rand
	next int
	err  error
}

func startWriter(t *testing.T, r *rig) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{conn: r.db.Connect(t), turn: make(chan struct{}, 4), ctx: ctx, stop: cancel, rnd: rand.New(rand.NewPCG(1, 2)), next: 10000}
	r.writer = w
	w.done.Go(func() {
		defer cancel()
		for ctx.Err() == nil && w.err == nil {
			select {
			case <-w.turn:
			case <-time.After(20 * time.Millisecond): // the reader may wait for a change
			}
			w.err = w.write()
		}
	})
	return w
}

// allow lets the writer make a change or two while a batch is read.
func (w *writer) allow() {
	for range 2 {
		select {
		case w.turn <- struct{}{}:
		default:
		}
	}
}

// change has the writer make n changes.
func (w *writer) change(n int) {
	for range n + cap(w.turn) {
		select {
		case w.turn <- struct{}{}:
		case <-w.ctx.Done():
			return
		}
	}
}

// write makes one change, now and then in a subtransaction or one that is rolled
// back, and lets new rows take the places of old ones.
func (w *writer) write() error {
	id := w.rnd.IntN(4000) + 1
	w.next++
	var sql string
	switch w.rnd.IntN(12) {
	case 0, 1:
		sql = fmt.Sprintf("INSERT INTO keyed VALUES (%d, 1); INSERT INTO keyless VALUES (%d, 1)", w.next, w.next)
	case 2:
		sql = fmt.Sprintf("DELETE FROM keyed WHERE id = %d", id)
	case 3:
		sql = fmt.Sprintf("UPDATE keyed SET id = id + 100000 WHERE id = %d", id)
	case 4:
		sql = fmt.Sprintf("BEGIN; SAVEPOINT a; UPDATE keyed SET v = v + 1 WHERE id = %d; INSERT INTO keyless VALUES (%d, 2); RELEASE a; COMMIT", id, w.next)
	case 5:
		sql = fmt.Sprintf("BEGIN; SAVEPOINT a; UPDATE keyed SET v = -1 WHERE id = %d; INSERT INTO keyless VALUES (%d, -1); ROLLBACK TO a; COMMIT", id, w.next)
	case 6:
		sql = fmt.Sprintf("DELETE FROM long WHERE id = %d; INSERT INTO long VALUES (%d, 3, repeat('x', 3000))", id%300+1, w.next)
	case 7:
		sql = "VACUUM keyed"
	case 8:
		sql = "VACUUM long"
	case 9, 10:
		sql = fmt.Sprintf("UPDATE long SET v = v + 1 WHERE id %% 10 = %d", id%10)
	default:
		sql = fmt.Sprintf("UPDATE keyed SET v = v + 1 WHERE id BETWEEN %d AND %d", id, id+20)
	}
	_, err := w.conn.Exec(context.Background(), sql)
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func (w *writer) end(t *testing.T) {
	t.Helper()
	w.stop()
	w.done.Wait()
	if w.err != nil {
		t.Fatal(w.err)
	}
}

// materialized is what a consumer makes of the records: the rows of tables with a
// key by key, and how often each row of those without one came.
type materialized struct {
	rows  map[string]map[string][]string
	count map[string]map[string]int
	// before is called with each record of a table with a key, before it changes it.
	before func(table, op, key string, row []string)
}

func newMaterialized() *materialized {
	return &materialized{rows: map[string]map[string][]string{}, count: map[string]map[string]int{}}
}

func (m *materialized) apply(rec *connect.Record) {
	if rec.Value.IsNull() || rec.Topic == "pre.message" {
		return
	}
	table := strings.TrimPrefix(rec.Topic, "pre.public.")
	cells := rec.Value.Cells()
	op, after := cells[envelopeOp].Text(), cells[envelopeAfter]
	if rec.KeySchema == nil {
		counts := m.count[table]
		if counts == nil {
			counts = map[string]int{}
			m.count[table] = counts
		}
		counts[showCells(after)]++
		return
	}
	rows := m.rows[table]
	if rows == nil {
		rows = map[string][]string{}
		m.rows[table] = rows
	}
	key := showCells(rec.Key)
	if m.before != nil && op == "r" {
		var row []string
		for _, c := range after.Cells() {
			row = append(row, c.String())
		}
		m.before(table, op, key, row)
	}
	if op == "d" {
		delete(rows, key)
		return
	}
	row := make([]string, len(after.Cells()))
	for i, c := range after.Cells() {
		row[i] = c.String()
		if strings.Contains(row[i], "__debezium_unavailable_value") && rows[key] != nil {
			row[i] = rows[key][i] // as it was
		}
	}
	rows[key] = row
}

// TestSnapshotResumes stops the source again and again while the tables change, and
// wants the records to make up the tables in the end. Rows without a key come once.
func TestSnapshotResumes(t *testing.T) {
	t.Parallel()
	for _, at := range [][]int{{}, {10}, {50}, {90}, oftenStopped} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			testResume(t, at, "3")
		})
	}
}

// oftenStopped are the percentages of the rows at which a snapshot is stopped six times.
var oftenStopped = []int{10, 30, 50, 60, 80, 95}

func testResume(t *testing.T, stopsAt []int, threads string) {
	r := newRig(t, resumeTables, "snapshot.mode", "initial", "snapshot.max.threads", threads, "snapshot.chunk.rows", "1000")
	r.batch = newBatchOf(97)
	m := newMaterialized()
	w := startWriter(t, r)
	r.open()
	for _, percent := range stopsAt {
		resumeUntil(t, r, m, func() bool {
			return r.source.snapshots.state == nil || r.source.snapshots.state.Rows >= int64(percent)*8300/100
		})
		r.stop()
		w.change(20)
		r.open()
	}
	resumeUntil(t, r, m, func() bool { return r.source.snapshots.state == nil })
	w.end(t)
	end := walEnd(t, r)
	resumeUntil(t, r, m, func() bool { return r.source.pos.end >= end })
	compareTables(t, r, m)
}

// resumeUntil reads, with what was read durable, until the condition holds.
func resumeUntil(t *testing.T, r *rig, m *materialized, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	r.show = func(rec *connect.Record) string { m.apply(rec); return "" }
	for !holds() {
		if _, err := r.read(ctx); err != nil && !connect.IsRetriable(err) {
			t.Fatalf("read: %v\n%s", err, r.log.String())
		} else if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the source did not get there in time")
		}
	}
}

func compareTables(t *testing.T, r *rig, m *materialized) {
	t.Helper()
	compareKeyed(t, r, m)
	compareKeyless(t, r, m)
}

func compareKeyed(t *testing.T, r *rig, m *materialized) {
	t.Helper()
	for table, columns := range map[string]string{"keyed": "id, v", "long": "id, v, t"} {
		want := map[string][]string{}
		for _, row := range queryRows(t, r, "SELECT "+columns+" FROM "+table) {
			want["("+row[0]+")"] = row
		}
		if !maps.EqualFunc(m.rows[table], want, func(a, b []string) bool { return strings.Join(a, " ") == strings.Join(b, " ") }) {
			t.Errorf("%s: %s", table, difference(m.rows[table], want))
		}
	}
}

func compareKeyless(t *testing.T, r *rig, m *materialized) {
	t.Helper()
	want := map[string]int{}
	for _, row := range queryRows(t, r, "SELECT id, v FROM keyless") {
		want["("+strings.Join(row, " ")+")"]++
	}
	if !maps.Equal(m.count["keyless"], want) {
		t.Errorf("keyless: %d different rows came, %d are there", len(m.count["keyless"]), len(want))
		for row, n := range m.count["keyless"] {
			if n != want[row] {
				t.Errorf("keyless: %s came %d times instead of %d", row, n, want[row])
				break
			}
		}
	}
}

func difference(got, want map[string][]string) string {
	var text []string
	for k, row := range want {
		if strings.Join(got[k], " ") != strings.Join(row, " ") && len(text) < 5 {
			text = append(text, fmt.Sprintf("%.60q is there and %.60q came", row, got[k]))
		}
	}
	for k, row := range got {
		if want[k] == nil && len(text) < 10 {
			text = append(text, fmt.Sprintf("%.60q came and is not there", row))
		}
	}
	return fmt.Sprintf("%d rows came, %d are there: %s", len(got), len(want), strings.Join(text, "; "))
}

// queryRows shows rows as records show them.
func queryRows(t *testing.T, r *rig, sql string) [][]string {
	t.Helper()
	rows, err := r.db.Connect(t).Query(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all [][]string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
			if text, ok := v.(string); ok {
				row[i] = fmt.Sprintf("%q", text)
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// walEnd is where the server writes next.
func walEnd(t *testing.T, r *rig) pgoutput.LSN {
	t.Helper()
	r.db.Exec(t, "SELECT pg_logical_emit_message(true, 'end', '')")
	lsn, err := pgoutput.ParseLSN(r.db.Text(t, "pg_current_wal_insert_lsn()"))
	if err != nil {
		t.Fatal(err)
	}
	return beforeHeader(lsn)
}
