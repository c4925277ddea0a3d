package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// prepare finds out what the table in work is read by. It leaves out tables that
// cannot be read, and empty ones.
func (i *incremental) prepare(ctx context.Context, b *connect.Batch) error {
	want := i.state.Tables[0]
	conn, err := i.connection(ctx)
	if err != nil {
		return err
	}
	tables, err := i.tables(ctx, conn, false)
	if err != nil {
		return err
	}
	var t *table
	for _, have := range tables {
		if have.name.String() == want.Name {
			t = have
		}
	}
	if t == nil {
		i.log.Warn("incremental snapshot: there is no such captured table any more", "table", want.Name)
		i.scanned(b, "UNKNOWN_SCHEMA")
		return nil
	}
	names := []string{want.Surrogate}
	if want.Surrogate == "" {
		names = t.keyColumns()
	}
	if len(names) == 0 {
		i.log.Warn("incremental snapshot: the table has no key to be read by and is left out: give it a primary key, or the signal a surrogate-key, "+
			"or use a blocking snapshot", "table", want.Name)
		i.scanned(b, "NO_PRIMARY_KEY")
		return nil
	}
	q := &chunkQuery{table: t, filter: want.Filter}
	if q.keys, err = readKeyColumns(ctx, conn, t.oid, names); err != nil {
		return err
	}
	if i.state.Max == nil {
		if i.state.Max, err = readGreatest(ctx, conn, q); err != nil {
			return err
		}
		if i.state.Max == nil {
			i.scanned(b, "EMPTY")
			return nil
		}
	}
	for _, k := range q.keys {
		if k.nullable {
			i.log.Warn("incremental snapshot: rows with null in the column that the table is read by are left out", "table", want.Name, "column", k.name)
		}
	}
	i.query = q
	return nil
}

// keyColumns are the columns of the record's key, in its order.
func (t *table) keyColumns() []string {
	names := make([]string, t.keys)
	for _, c := range t.columns {
		if c.key >= 0 {
			names[c.key] = c.name
		}
	}
	return names
}

// readGreatest reads the greatest key; nil: there are no rows.
func readGreatest(ctx context.Context, conn *pgx.Conn, q *chunkQuery) ([]string, error) {
	key := make([]*string, len(q.keys))
	into := make([]any, len(key))
	for n := range key {
		into[n] = &key[n]
	}
	err := conn.QueryRow(ctx, q.greatest()).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	greatest := make([]string, len(key))
	for n, text := range key {
		if text == nil {
			return nil, nil // all are null
		}
		greatest[n] = *text
	}
	return greatest, nil
}

// readChunk reads the next rows and the place in the stream behind them. Where the
// database may be written to, rows of the signal table frame it as Debezium's do;
// they also make sure that the stream gets there when nothing else is written.
func (i *incremental) readChunk(ctx context.Context) (*window, error) {
	conn, err := i.connection(ctx)
	if err != nil {
		return nil, err
	}
	id := randomUUID()
	if err := i.writeMark(ctx, conn, id, signalWindowOpen); err != nil {
		return nil, err
	}
	w, err := i.readRows(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := i.writeMark(ctx, conn, id, signalWindowClose); err != nil {
		return nil, err
	}
	return w, w.index(i.emitter, i.scratch)
}

// writeMark writes a row to the signal table, if there is one. A mark that cannot
// be written is tried again as the config says.
func (i *incremental) writeMark(ctx context.Context, conn *pgx.Conn, id, kind string) error {
	o := &i.cfg.signals
	if i.cfg.connection.readOnly || len(o.tables) == 0 {
		return nil
	}
	to := quoteTable(o.tables[0].schema, o.tables[0].name)
	suffix := "-open"
	if kind == signalWindowClose {
		suffix = "-close"
	}
	sql := fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, '{}')", to, quoteLiteral(id+suffix), quoteLiteral(kind))
	if kind == signalWindowClose && o.watermarking == "insert_delete" {
		sql = fmt.Sprintf("DELETE FROM %s WHERE id = %s", to, quoteLiteral(id+"-open"))
	}
	for attempt := 0; ; attempt++ {
		_, err := conn.Exec(ctx, sql)
		if err == nil {
			return nil
		}
		if attempt >= o.emitRetries || conn.IsClosed() {
			return fmt.Errorf("write to the signal table %s: %w", o.tables[0], err)
		}
		if err := sleep(ctx, o.emitBackoff); err != nil {
			return err
		}
	}
}

// readRows reads the rows of a chunk, which snapshot they are of, and where the
// server writes after that: what the snapshot sees was committed before.
func (i *incremental) readRows(ctx context.Context, conn *pgx.Conn) (*window, error) {
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return nil, err
	}
	w := &window{table: i.query.table, block: &rowBlock{}}
	err := i.readIn(ctx, conn, w)
	if _, end := conn.Exec(ctx, "ROLLBACK"); err == nil {
		err = end
	}
	return w, err
}

func (i *incremental) readIn(ctx context.Context, conn *pgx.Conn, w *window) error {
	var seen, until string
	err := conn.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&seen)
	if err != nil {
		return err
	}
	if w.seen, err = parseVisibility(seen); err != nil {
		return err
	}
	if i.inWindow != nil {
		i.inWindow()
	}
	const end = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_insert_lsn() END)::text"
	if err := conn.QueryRow(ctx, end).Scan(&until); err != nil {
		return err
	}
	if w.until, err = pgoutput.ParseLSN(until); err != nil {
		return err
	}
	w.until = beforeHeader(w.until)
	return i.copyRows(ctx, conn, w)
}

// beforeHeader is the end of the last record when lsn is where the next will begin:
// between them may be the header of a page, which no record ends behind.
func beforeHeader(lsn pgoutput.LSN) pgoutput.LSN {
	const page, longHeader = 8192, 40
	if lsn%page <= longHeader {
		return lsn - lsn%page
	}
	return lsn
}

// maxWindowBytes bounds the rows of a chunk (I5): one with more is read again with
// fewer.
const maxWindowBytes = 64 << 20

var errWindowFull = errors.New("a chunk of an incremental snapshot is too large")

func (i *incremental) copyRows(ctx context.Context, conn *pgx.Conn, w *window) error {
	q := i.query
	forms := q.forms()
	limit := i.cfg.signals.chunkSize
	if i.limit > 0 {
		limit = i.limit
	}
	split := &copySplitter{columns: len(forms), size: maxWindowBytes, block: w.block}
	split.full = func(b *rowBlock) (*rowBlock, error) {
		if split.trailer || limit == 1 {
			return b, nil
		}
		i.limit = max(1, limit/4)
		return nil, errWindowFull
	}
	sql := "COPY (" + q.rows(i.state.Last, i.state.Max, limit) + ") TO STDOUT (FORMAT binary)"
	if _, err := conn.PgConn().CopyTo(ctx, split, sql); err != nil {
		if errors.Is(changedError(err), errChanged) {
			i.query = nil // the next attempt looks at the table anew
		}
		return err
	}
	if err := split.finish(); err != nil {
		return err
	}
	keys := len(q.keys)
	for n := 0; !w.block.empty(); n++ {
		cols := w.block.take(nil, forms)
		w.rows = append(w.rows, windowRow{cols: cols[keys:]})
		if n == split.block.rows-1 {
			w.last = make([]string, keys)
			for k := range keys {
				w.last[k] = strings.Clone(string(cols[k].Data))
			}
		}
	}
	return nil
}
