package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

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
	if q.info, _, err = readTable(ctx, conn, t.oid); err != nil {
		return err
	}
	if q.keys, err = readKeyColumns(ctx, conn, t.oid, names); err != nil {
		return err
	}
	if i.state.Max == nil {
		err = i.readOnly(ctx, conn, func() error {
			i.state.Max, err = readGreatest(ctx, conn, q)
			return err
		})
		if err != nil {
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
	return greatest, checkKey(greatest)
}

// readChunk reads the next rows and a place in the stream behind them. Where the
// database may be written to, rows of the signal table frame it as Debezium's do;
// they also make sure that the stream gets there when nothing else is written. A window
// stays open when there are no more rows: it goes on with the next table.
func (i *incremental) readChunk(ctx context.Context) (*window, error) {
	conn, err := i.connection(ctx)
	if err != nil {
		return nil, err
	}
	w, err := i.readRows(ctx, conn)
	if err != nil || len(w.rows) == 0 {
		return w, err
	}
	if err := i.closeWindow(ctx, w); err != nil {
		return nil, err
	}
	if w.until, err = writePlace(ctx, conn); err != nil {
		return nil, err
	}
	return w, w.index(i.emitter, i.scratch)
}

// openMark is a row of the signal table that opens a window, without one that closes it.
type openMark struct {
	id    string
	table string // in work at that time
	at    time.Time
}

// marks tells whether the windows are in the signal table.
func (i *incremental) marks() bool {
	return !i.cfg.connection.readOnly && len(i.cfg.signals.tables) > 0
}

// openWindow writes the row that opens a window, unless one is open.
func (i *incremental) openWindow(ctx context.Context) error {
	if i.opened != nil || !i.marks() {
		return nil
	}
	m := &openMark{randomUUID(), i.state.Tables[0].Name, i.now()}
	if err := i.writeMark(ctx, i.insertMark(m.id+"-open", signalWindowOpen, i.about(m, false))); err != nil {
		return err
	}
	i.opened = m
	return nil
}

// closeWindow closes the window that is open, if one is, and notes in w by which change.
func (i *incremental) closeWindow(ctx context.Context, w *window) error {
	m := i.opened
	if m == nil {
		return nil
	}
	w.closing = closingChange{pgoutput.KindInsert, m.id + "-close"}
	sql := i.insertMark(w.closing.id, signalWindowClose, i.about(m, true))
	if i.cfg.signals.watermarking == "insert_delete" {
		w.closing = closingChange{pgoutput.KindDelete, m.id + "-open"}
		sql = fmt.Sprintf("DELETE FROM %s WHERE id = %s", i.signalTable(), quoteLiteral(w.closing.id))
	}
	if err := i.writeMark(ctx, sql); err != nil {
		return err
	}
	i.opened = nil
	return nil
}

func (i *incremental) signalTable() string {
	t := i.cfg.signals.tables[0]
	return quoteTable(t.schema, t.name)
}

func (i *incremental) insertMark(id, kind, data string) string {
	return fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, %s)", i.signalTable(), quoteLiteral(id), quoteLiteral(kind), quoteLiteral(data))
}

// about is what Debezium says of a window in the row's data.
func (i *incremental) about(m *openMark, closed bool) string {
	member := func(name, value string) string {
		quoted, _ := json.Marshal(value) // of a string
		return fmt.Sprintf("%q: %s", name, quoted)
	}
	const instant = "2006-01-02T15:04:05.000000Z"
	members := []string{member("openWindowTimestamp", m.at.UTC().Format(instant))}
	if closed {
		members = append(members, member("closeWindowTimestamp", i.now().UTC().Format(instant)))
	}
	if i.state.ID != "" {
		members = append(members, member("correlationId", clip(i.state.ID)))
	}
	members = append(members, member("dataCollectionId", m.table))
	return "{" + strings.Join(members, ", ") + "}"
}

// writeMark writes to the signal table. What cannot be written is tried again as the
// config says.
func (i *incremental) writeMark(ctx context.Context, sql string) error {
	o := &i.cfg.signals
	conn, err := i.connection(ctx)
	if err != nil {
		return err
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

// readRows reads the rows of a chunk, and which snapshot they are of.
func (i *incremental) readRows(ctx context.Context, conn *pgx.Conn) (*window, error) {
	w := &window{table: i.query.table, block: &rowBlock{}}
	return w, i.readOnly(ctx, conn, func() error { return i.readIn(ctx, conn, w) })
}

// readOnly runs queries in a transaction of one snapshot that changes nothing, whatever
// the conditions of a signal call.
func (i *incremental) readOnly(ctx context.Context, conn *pgx.Conn, f func() error) error {
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return err
	}
	err := f()
	if _, end := conn.Exec(ctx, "ROLLBACK"); err == nil {
		err = end
	}
	return err
}

func (i *incremental) readIn(ctx context.Context, conn *pgx.Conn, w *window) error {
	var seen string
	err := conn.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&seen)
	if err != nil {
		return err
	}
	if w.seen, err = parseVisibility(seen); err != nil {
		return err
	}
	info, _, err := readTable(ctx, conn, i.query.table.oid)
	if err != nil {
		return err
	}
	if !sameInfo(&info, &i.query.info) {
		return errChanged
	}
	if i.inWindow != nil {
		i.inWindow()
	}
	return i.copyRows(ctx, conn, w)
}

// writePlace is where the server writes: what a snapshot of before sees was committed
// before.
func writePlace(ctx context.Context, conn *pgx.Conn) (pgoutput.LSN, error) {
	var place string
	const end = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_insert_lsn() END)::text"
	if err := conn.QueryRow(ctx, end).Scan(&place); err != nil {
		return 0, err
	}
	lsn, err := pgoutput.ParseLSN(place)
	return beforeHeader(lsn), err
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
	return w.takeRows(len(q.keys), forms)
}

// maxKeySize bounds the key of a row, which the offset keeps (I5).
const maxKeySize = 32 << 10

// takeRows takes the rows out of the block: each begins with its key's columns.
func (w *window) takeRows(keys int, forms []bool) error {
	rows := w.block.rows
	for n := 0; !w.block.empty(); n++ {
		cols := w.block.take(nil, forms)
		w.rows = append(w.rows, windowRow{cols: cols[keys:]})
		if n == rows-1 {
			w.last = make([]string, keys)
			for k := range keys {
				w.last[k] = string(cols[k].Data)
			}
			return checkKey(w.last)
		}
	}
	return nil
}

func checkKey(key []string) error {
	size := 0
	for _, text := range key {
		size += len(text)
	}
	if size > maxKeySize {
		return fmt.Errorf("%w: a key has more than %d bytes", errUnreadable, maxKeySize)
	}
	return nil
}
