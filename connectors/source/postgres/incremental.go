package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// incremental reads tables beside the stream, a chunk of rows at a time in the
// order of their keys. A chunk is read in a transaction whose snapshot is known, so
// each change of the stream is known to be older or newer than its rows. They are
// handed over when the stream has passed all that the snapshot sees, without those
// that newer changes have met meanwhile.
type incremental struct {
	snapshotEnv
	state *incrementalState // nil: there is nothing to do

	conn    *pgx.Conn
	pos     *position   // the source's
	opened  *openMark   // of the next window, if the signal table has it already
	query   *chunkQuery // of the table in work
	limit   int         // rows of its chunks, when it has large ones; 0: as the config says
	window  *window
	stream  *table // the stream's version of the table in work
	scratch *connect.Batch
	retryAt time.Time // after an error

	// inWindow is for tests: it is called when a chunk has its snapshot, and not
	// yet its place in the stream.
	inWindow func()
}

// appendOffset appends the member of an offset, after a comma.
func (i *incremental) appendOffset(dst []byte) []byte {
	if i.state == nil {
		return dst
	}
	return appendMember(dst, "sluice_incremental", i.state)
}

// add adds tables to be read, all or none.
func (i *incremental) add(b *connect.Batch, sig *signal, data *signalData, tables []*table) error {
	list := make([]incrementalTable, len(tables))
	for n, t := range tables {
		filter, err := data.condition(t.name)
		if err != nil {
			return err
		}
		list[n] = incrementalTable{Name: t.name.String(), Filter: filter, Surrogate: data.Surrogate}
	}
	state, begins := i.state, i.state == nil
	if begins {
		state = &incrementalState{ID: sig.ID}
	}
	if err := state.add(list); err != nil {
		return err
	}
	i.state = state
	i.log.Info("incremental snapshot requested", "id", sig.ID, "tables", i.names())
	if begins {
		i.notice(b, noticeStarted, "data_collections", i.names())
	}
	return nil
}

// halt takes tables out, all when there are no patterns.
func (i *incremental) halt(b *connect.Batch, id string, list patterns) error {
	if i.state == nil {
		return errors.New("no incremental snapshot is running")
	}
	var stopped []string
	var rest []incrementalTable
	for _, t := range i.state.Tables {
		stop := list == nil
		if !stop {
			var err error
			if stop, err = list.match(t.Name); err != nil {
				return err
			}
		}
		if stop {
			stopped = append(stopped, t.Name)
		} else {
			rest = append(rest, t)
		}
	}
	if len(stopped) == 0 {
		return errors.New("data-collections names no table of the incremental snapshot that is running")
	}
	if stopped[0] == i.state.Tables[0].Name {
		i.leave()
		i.state.next()
	}
	i.state.Tables = rest
	i.log.Info("incremental snapshot stopped", "id", id, "tables", stopped)
	if list == nil {
		i.notice(b, noticeAborted)
	} else {
		i.notice(b, noticeAborted, "data_collections", strings.Join(stopped, ","))
	}
	if len(i.state.Tables) == 0 {
		i.end()
	}
	return nil
}

func (i *incremental) pause(b *connect.Batch, pause bool) {
	if i.state == nil || i.state.Paused == pause {
		return
	}
	i.state.Paused = pause
	kind := noticeResumed
	if pause {
		kind = noticePaused
	}
	i.log.Info("incremental snapshot", "paused", pause)
	i.notice(b, kind, "data_collections", i.names())
}

// change tells the window of a change before it becomes a record.
func (i *incremental) change(ctx context.Context, t *table, o *origin, kind pgoutput.Kind, old, r row) error {
	w := i.window
	if i.closes(t, kind, old, r) {
		at := *o
		w.closed = &at
	}
	if t.oid != w.table.oid {
		return nil
	}
	if i.stream != t {
		i.stream, i.query = t, nil // it may have other columns: the next chunk asks
	}
	if w.seen.sees(w.seen.widen(o.txID)) || w.byKey == nil {
		return nil
	}
	had, err := i.taken(t, old, r)
	if err != nil {
		return i.again(ctx, err)
	}
	if had != nil {
		w.complete(t, r, had)
	}
	return nil
}

// closes tells whether a change closes the window.
func (i *incremental) closes(t *table, kind pgoutput.Kind, old, r row) bool {
	c := i.window.closing
	if c.id == "" || kind != c.kind || !i.cfg.signals.isSignalTable(t.name) {
		return false
	}
	if kind == pgoutput.KindDelete {
		r = old
	}
	row, _ := signalOf(t, r)
	return row.ID == c.id
}

// taken takes the rows with the keys of a change out of the window, and returns the
// columns of one of them, nil when there was none.
func (i *incremental) taken(t *table, old, r row) (had pgoutput.Tuple, err error) {
	for _, side := range []row{old, r} {
		if len(side) == 0 {
			continue
		}
		key, err := keyOf(i.emitter, i.scratch, t, side)
		if err != nil {
			return nil, err
		}
		if cols := i.window.take(key); cols != nil {
			had = cols
		}
	}
	return had, nil
}

// truncated tells the window that its table was emptied.
func (i *incremental) truncated(t *table, xid uint32) {
	if w := i.window; w != nil && t.oid == w.table.oid && !w.seen.sees(w.seen.widen(xid)) {
		w.rows = nil
		w.byKey = nil
	}
}

// again has the chunk read anew when an error is about a label that its enum has
// got meanwhile. Other errors are returned.
func (i *incremental) again(ctx context.Context, err error) error {
	stale, err := i.staleEnum(ctx, err)
	if stale {
		i.query, i.window = nil, nil
	}
	return err
}

// stepTime is for how long one boundary goes on: the stream waits meanwhile.
const stepTime = time.Second

// boundary hands over the rows of a window that the stream has passed, and reads the
// next chunk; a few of them where nothing is written at the moment, since the stream is
// behind such a chunk already.
func (i *incremental) boundary(ctx context.Context, b *connect.Batch, lsn pgoutput.LSN) error {
	for until := i.now().Add(stepTime); i.ready(lsn) && !b.Full() && i.now().Before(until); {
		step := i.advance
		if i.window != nil {
			step = i.handOver
		}
		if err := i.tryStep(ctx, b, step); err != nil {
			return err
		}
	}
	return nil
}

// ready tells whether there is something to be done when the stream is at lsn.
func (i *incremental) ready(lsn pgoutput.LSN) bool {
	switch {
	case i.state == nil:
		return false
	case i.window != nil:
		return i.window.closed != nil || lsn >= i.window.until
	}
	return !i.state.Paused && !i.now().Before(i.retryAt)
}

// tryStep makes a step. Errors of reading a table are its own, those of handing rows
// over are returned.
func (i *incremental) tryStep(ctx context.Context, b *connect.Batch, step func(context.Context, *connect.Batch) error) error {
	handing := i.window != nil
	err := step(ctx, b)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		i.disconnect()
		return ctx.Err()
	}
	if err = i.again(ctx, err); err == nil || handing {
		return err
	}
	i.failed(b, err)
	return nil
}

// advance makes one step: takes up the next table, or reads a chunk of it.
func (i *incremental) advance(ctx context.Context, b *connect.Batch) error {
	if len(i.state.Tables) == 0 {
		if err := i.closeWindow(ctx, new(window)); err != nil {
			i.log.Warn("incremental snapshot: the row that closes the last window, which is empty, was not written", "error", err)
		}
		i.log.Info("incremental snapshot completed", "id", i.state.ID)
		i.notice(b, noticeCompleted)
		i.end()
		return nil
	}
	if err := i.openWindow(ctx); err != nil {
		return err
	}
	if i.query == nil {
		if err := i.prepare(ctx, b); err != nil || i.query == nil {
			return err
		}
	}
	w, err := i.readChunk(ctx)
	switch {
	case errors.Is(err, errWindowFull):
		i.disconnect() // it has more to say
		return nil
	case errors.Is(err, errChanged): // the next attempt looks at the table anew
		i.query = nil
		return nil
	}
	if err != nil {
		return err
	}
	if len(w.rows) == 0 {
		i.scanned(b, "SUCCEEDED")
		return nil
	}
	i.window = w
	i.notice(b, noticeInProgress, "data_collections", i.names(), "current_collection_in_progress", i.state.Tables[0].Name,
		"maximum_key", strings.Join(i.state.Max, ","), "last_processed_key", strings.Join(i.state.Last, ","))
	return nil
}

// handOver appends the rows of the window. Their sequence is that of the change that
// closed it, or else of the commit that they come behind, as Debezium's.
func (i *incremental) handOver(_ context.Context, b *connect.Batch) error {
	w := i.window
	o := origin{snapshot: snapshotIncremental, micros: i.now().UnixMicro(), lsn: i.pos.lastEnd(), lastCommit: i.pos.lastCommit}
	if w.closed != nil {
		o.lsn, o.lastCommit = w.closed.lsn, w.closed.lastCommit
	}
	for n := range w.rows {
		if w.rows[n].dropped {
			continue
		}
		if err := i.emitter.read(b, w.table, &o, w.rows[n].cols); err != nil {
			return err
		}
	}
	i.state.Rows += int64(len(w.rows))
	i.numbers.incremental.Add(int64(len(w.rows)))
	i.state.Last = w.last
	i.window = nil
	return nil
}

// scanned notes the end of a table.
func (i *incremental) scanned(b *connect.Batch, status string) {
	i.log.Info("incremental snapshot", "table", i.state.Tables[0].Name, "rows", i.state.Rows, "status", status)
	i.notice(b, noticeTableScanned, "data_collections", i.names(), "scanned_collection", i.state.Tables[0].Name,
		"total_rows_scanned", strconv.FormatInt(i.state.Rows, 10), "status", status)
	i.leave()
	i.state.next()
}

// retryDelay is between an error of the connection and the next attempt.
const retryDelay = 2 * time.Second

// failed leaves a table out that the server refuses to read, and comes back later
// after anything else.
func (i *incremental) failed(b *connect.Batch, err error) {
	if state := sqlState(err); errors.Is(err, errUnreadable) || state != "" && !retriableState(state) {
		i.log.Warn("incremental snapshot: the table is left out", "table", i.state.Tables[0].Name, "error", errorText(err))
		i.disconnect()
		i.scanned(b, "SQL_EXCEPTION")
		return
	}
	i.log.Warn("incremental snapshot: it is tried again", "table", i.state.Tables[0].Name, "error", err)
	i.disconnect()
	i.retryAt = i.now().Add(retryDelay)
}

// retriableState tells whether an SQLSTATE is about the server rather than about
// the statement: connections, resources, its administrator, conflicts.
func retriableState(state string) bool {
	for _, class := range []string{"08", "40", "53", "55", "57", "58", "XX"} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}

func (i *incremental) names() string {
	names := make([]string, len(i.state.Tables))
	for n, t := range i.state.Tables {
		names[n] = t.Name
	}
	return strings.Join(names, ",")
}

func (i *incremental) notice(b *connect.Batch, kind string, data ...string) {
	i.notices.send(b, noticeIncremental, kind, i.state.ID, data...)
}

// leave forgets the table in work.
func (i *incremental) leave() { i.query, i.window, i.stream, i.limit = nil, nil, nil, 0 }

func (i *incremental) end() {
	i.leave()
	i.state = nil
	i.disconnect()
}

// connection is the one that chunks are read with.
func (i *incremental) connection(ctx context.Context) (*pgx.Conn, error) {
	if i.conn == nil {
		var err error
		if i.conn, err = i.connect(ctx); err != nil {
			return nil, err
		}
	}
	return i.conn, nil
}

func (i *incremental) disconnect() {
	i.opened = nil
	if i.conn != nil {
		closeConn(i.conn)
		i.conn = nil
	}
}

func (i *incremental) close() { i.disconnect() }
