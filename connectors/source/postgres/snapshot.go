package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// snapshotEnv is what a snapshot gets from its source.
type snapshotEnv struct {
	cfg     *config
	log     *slog.Logger
	now     func() time.Time
	connect func(context.Context) (*pgx.Conn, error)
	// export makes the replication slot, or a temporary one when it is there
	// already, with the snapshot of its start.
	export func(context.Context) (*exported, error)
	// tables are the captured tables as they are now.
	// Those of a snapshot that is not incremental have generated columns too, as
	// Debezium's.
	tables  func(ctx context.Context, q querier, generated bool) ([]*table, error)
	emitter *emitter
	// refreshEnum reads an enum that has got new labels.
	refreshEnum func(context.Context, *pgtype.StaleEnumError) error
	notices     *notifier
	numbers     *snapshotNumbers
}

// snapshotter takes snapshots, one at a time: reads tables as they were at one
// place of the stream and hands their rows over when the stream is there.
// docs/decisions/0009 says how, and why an interrupted one can go on.
//
// One goroutine uses it, that of Read. The connections that read ahead are a
// pieceReader's.
type snapshotter struct {
	snapshotEnv
	state *snapshotState // nil: nothing to do
	// waiting: the stream has not got to the place of the snapshot yet, or there is
	// no such place while held is nil.
	waiting   bool
	completed bool // an earlier snapshot was
	// added are the tables of a snapshot of kindTables; nil: it is another one.
	added *addedTables

	held     *heldSnapshot
	reader   *pieceReader
	cursor   rowCursor
	progress snapshotProgress
}

// snapshotMembers are the members of an offset that are about snapshots: Debezium's
// and ours.
type snapshotMembers struct {
	State *snapshotState `json:"sluice_snapshot"`
}

// load reads the stored offset.
func (s *snapshotter) load(stored json.RawMessage) error {
	var m snapshotMembers
	if err := json.Unmarshal(stored, &m); err != nil {
		return fmt.Errorf("offset of a snapshot: %w", err)
	}
	if m.State == nil {
		s.completed = true
		return nil
	}
	if m.State.At != "" {
		if err := m.State.init(); err != nil {
			return err
		}
	}
	if m.State.Before != nil {
		var err error
		if s.added, err = newAddedTables(s.cfg, m.State.Before); err != nil {
			return fmt.Errorf("offset of a snapshot: %w", err)
		}
	}
	s.state = m.State
	s.waiting = s.state.Kind != kindInitial && !s.state.begun()
	return nil
}

// appendOffset appends the members of an offset, each after a comma.
func (s *snapshotter) appendOffset(dst []byte) []byte {
	if s.state == nil {
		if s.completed {
			dst = append(dst, `,"last_snapshot_record":true,"snapshot_completed":true`...)
		}
		return dst
	}
	if s.state.Kind == kindInitial {
		dst = append(dst, `,"snapshot":"INITIAL","snapshot_completed":false`...)
	}
	state := *s.state
	if len(state.seen.running) > maxRunning { // it begins again after a crash
		state = snapshotState{Kind: state.Kind, ID: state.ID, Tables: state.Tables, Before: state.Before}
	}
	return appendMember(dst, "sluice_snapshot", &state)
}

// appendMember appends a member of an object, after a comma. v is a plain struct,
// which always has JSON.
func appendMember(dst []byte, name string, v any) []byte {
	text, _ := json.Marshal(v)
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return append(dst, text...)
}

// request asks for a snapshot. One that waits for the stream begins when due says
// so. It is refused while another is not finished.
func (s *snapshotter) request(kind, id string, tables []snapshotTable) error {
	if s.state != nil {
		return errBusy
	}
	if len(tables) > maxSnapshotTables {
		return fmt.Errorf("a snapshot of %d tables is too large: ask for %d at most", len(tables), maxSnapshotTables)
	}
	s.state, s.added = &snapshotState{Kind: kind, ID: id, Tables: tables}, nil
	s.waiting = kind != kindInitial
	return nil
}

// due tells whether read has to be called before anything of the transaction that
// commits at lsn is handed over: because rows of the snapshot come first, or because
// the snapshot has no place in the stream yet and must not get one behind it.
func (s *snapshotter) due(lsn pgoutput.LSN) bool {
	if s.waiting && s.held != nil && lsn >= s.state.LSN {
		s.waiting = false
	}
	return s.active()
}

// active tells whether Read has to call read.
func (s *snapshotter) active() bool { return s.state != nil && (!s.waiting || s.held == nil) }

// place makes the slot, or a temporary one, and takes over its snapshot and its
// place in the stream. It takes as long as the longest transaction that writes.
func (s *snapshotter) place(ctx context.Context) error {
	e, err := s.export(ctx)
	if err != nil {
		return err
	}
	defer e.close()
	if s.held, err = holdSnapshot(ctx, s.connect, e.name); err != nil {
		return err
	}
	s.state.begin(s.held, e.lsn)
	return nil
}

// read appends rows until the batch is full or nothing is there at the moment. When
// it has appended the last, active is false.
func (s *snapshotter) read(ctx context.Context, b *connect.Batch, pos *position) error {
	if s.waiting { // the stream goes on to where the snapshot is
		if err := s.place(ctx); err != nil {
			return s.interrupted(ctx, err)
		}
		s.log.Info("a snapshot waits for its place in the stream", "kind", s.state.Kind, logLSN, s.state.LSN.String())
		return nil
	}
	if s.reader == nil {
		if err := s.open(ctx, b, pos); err != nil {
			return s.interrupted(ctx, err)
		}
	}
	done, err := s.fill(ctx, b)
	if err != nil {
		if stale, other := s.staleEnum(ctx, err); stale {
			err = errChanged
		} else {
			err = other
		}
		return s.interrupted(ctx, err)
	}
	if done {
		if s.state.Kind == kindAlways {
			pos.lastCommit = 0 // a sequence begins anew, as Debezium's does
		}
		s.finish(b)
	}
	return nil
}

// interrupted gives up all connections. The next read goes on from state, with a
// new snapshot.
func (s *snapshotter) interrupted(ctx context.Context, err error) error {
	s.release()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errChanged):
		s.log.Warn("the snapshot goes on with a new plan", "cause", err)
		return nil
	}
	var wrong *connect.ConfigError
	if errors.As(err, &wrong) || errors.Is(err, errCopy) {
		return err
	}
	return snapshotError(err)
}

// open begins or resumes.
func (s *snapshotter) open(ctx context.Context, b *connect.Batch, pos *position) error {
	if s.state.At == "" {
		if err := sleep(ctx, s.cfg.snapshot.delay); err != nil {
			return err
		}
		if err := s.place(ctx); err != nil {
			return err
		}
	}
	if s.held == nil {
		var err error
		if s.held, err = holdSnapshot(ctx, s.connect, ""); err != nil {
			return err
		}
	}
	if s.state.Kind == kindInitial && s.state.Rows == 0 {
		*pos = positionAt(s.state.LSN)
	}
	resumed := s.held.text != s.state.At
	plan, err := s.plan(ctx, resumed)
	if err != nil {
		return err
	}
	if s.cfg.snapshot.locking == lockingShared {
		if err := s.held.lock(ctx, plan.relations, s.cfg.snapshot.lockTimeout.Milliseconds()); err != nil {
			return err
		}
	}
	s.progress.start(s.now(), plan, s.state)
	s.log.Info("snapshot begins", "kind", s.state.Kind, logLSN, s.state.LSN.String(), "relations", len(plan.relations), "resumed", resumed)
	if !s.state.begun() {
		s.notices.started(b, s.state)
	}
	s.cursor = rowCursor{}
	s.reader = &pieceReader{connect: s.held.join(s.connect)}
	s.reader.start(plan, min(s.cfg.snapshot.threads, maxConnections))
	return nil
}

// maxConnections bounds the connections of a snapshot, and so its memory (I5).
const maxConnections = 64

func (s *snapshotter) plan(ctx context.Context, resumed bool) (*snapshotPlan, error) {
	tables, err := s.tables(ctx, s.held.conn, true)
	if err != nil {
		return nil, err
	}
	p := planner{cfg: s.cfg, state: s.state, added: s.added, later: &s.held.seen}
	err = s.held.conn.QueryRow(ctx, "SELECT coalesce(bool_or(pubviaroot), false) FROM pg_publication WHERE pubname = "+quoteLiteral(s.cfg.replication.publication)).Scan(&p.viaRoot)
	if err != nil {
		return nil, fmt.Errorf("read the publication: %s", errorText(err))
	}
	plan, err := p.plan(ctx, s.held.conn, tables, resumed)
	if err != nil {
		return nil, err
	}
	if err := s.checkStatements(ctx, plan); err != nil {
		return nil, err
	}
	if resumed {
		s.warn(plan)
	}
	return plan, nil
}

// checkStatements has the server parse the statements that replace tables, each as what it
// will be a part of. What is wrong with one no other attempt would change: one of the config
// is an error, and the table of a signal, which was right when it came, is left out.
func (s *snapshotter) checkStatements(ctx context.Context, plan *snapshotPlan) error {
	for _, r := range plan.relations {
		if r.override == "" {
			continue
		}
		p := piece{rel: r}
		_, err := s.held.conn.PgConn().Prepare(ctx, "", p.query(), nil)
		switch state := sqlState(err); {
		case err == nil:
		case state == "" || retriableState(state):
			return err
		case s.state.Kind == kindBlocking:
			s.log.Warn("the server refuses the statement of a signal by now: the table is left out", "table", r.name.String(), logError, errorText(err))
			s.state.Done.add(r.oid)
			return errChanged
		default:
			return &connect.ConfigError{Option: optSelectOverrides + "." + r.name.String(),
				Reason: "the server refuses the statement, which has to return all captured columns of the table: " + errorText(err)}
		}
	}
	return nil
}

// warn says which rows a resumed snapshot may repeat, which without a key nobody
// can tell apart.
func (s *snapshotter) warn(plan *snapshotPlan) {
	for _, r := range plan.relations {
		if (r.rewritten || !r.paged || !plan.exact) && !r.table.hasKey() {
			s.log.Warn("the snapshot of a table without key goes on after an interruption: rows that were written meanwhile may come twice",
				"table", r.name.String(), "rewritten", r.rewritten)
		}
	}
}

// finish ends the snapshot.
func (s *snapshotter) finish(b *connect.Batch) {
	s.log.Info("snapshot completed", "kind", s.state.Kind, "rows", s.state.Rows, "duration", s.now().Sub(s.progress.since).Round(time.Millisecond))
	s.notices.completed(b, s.state)
	s.progress.stop(s.state.Rows)
	s.release()
	s.state, s.completed = nil, true
}

// release gives up all connections.
func (s *snapshotter) release() {
	if s.reader != nil {
		s.reader.stop()
		s.reader = nil
	}
	s.held.close()
	s.held = nil
}

// close is for the end of the source.
func (s *snapshotter) close() { s.release() }

// begun tells whether anything was handed over.
func (s *snapshotState) begun() bool { return s.Rows > 0 || s.Relation != 0 || len(s.Done) > 0 }

// begin notes what the snapshot's rows belong to.
func (s *snapshotState) begin(h *heldSnapshot, lsn pgoutput.LSN) {
	s.restart()
	s.LSN, s.LSNText, s.Micros, s.At, s.seen = lsn, lsn.String(), h.micros, h.text, h.seen
}

// snapshotError explains an error of the server while tables are read.
func snapshotError(err error) error {
	switch sqlState(err) {
	case statePrivilege:
		return fmt.Errorf("snapshot: %s. Grant SELECT on the table to the connector's user (and BYPASSRLS if it has row-level security), or leave it out of the snapshot with %s",
			errorText(err), optSnapshotTables)
	case "":
		return connect.Retriable(fmt.Errorf("snapshot: %w", err))
	}
	return connect.Retriable(fmt.Errorf("snapshot: %s", errorText(err)))
}
