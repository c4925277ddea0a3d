package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// Keys of log attributes.
const (
	logSlot        = "slot"
	logPublication = "publication"
	logLSN         = "lsn"
	logError       = "error"
	logAttempt     = "attempt"
)

// A batch of fewer than fewRecords is followed by another after gatherTime, with what
// has come meanwhile: a batch costs a transaction of the log with its syncs, however
// little there is in it. One that nothing came before is not held up.
const (
	fewRecords = 128
	gatherTime = 5 * time.Millisecond
)

// idleMark is how often at most a position that moved without records is marked.
const idleMark = 10 * time.Second

// maxDescribed is how many tables one connection may have described (I5). The server
// describes each once and does not tell which are gone: behind so many a new connection
// begins anew, with those that change then.
const maxDescribed = 10_000

// Source reads the changes of a database. Read's goroutine has all of it, but for
// confirmed, which Commit moves, and the monitor's numbers.
type Source struct {
	cfg       *config
	log       *slog.Logger
	stored    json.RawMessage // the offset that Open found; nil: it counts no more
	found     json.RawMessage // the same, whatever became of it
	follow    func(connect.Follow) (connect.Follower, error)
	partition json.RawMessage
	emitter   *emitter
	catalog   *relations
	confirmed *confirmed
	// follower reads the topic of signals; nil: there is none. Commit uses it.
	follower  atomic.Pointer[connect.Follower]
	monitor   *monitor
	numbers   numbers
	snapshots *snapshotting
	http      *httpPoster // nil: no notices are posted

	pos   position
	dirty bool // pos has moved since the last mark
	hurry bool // a mark is wanted soon
	// fromSlot: pos is the slot's own, and nothing was read since.
	fromSlot bool
	gapped   *streamGap // of which no record was made yet
	marked   time.Time  // the last mark
	offset   []byte     // memory of marks

	server serverInfo
	stream *stream // nil: not connected
	timer  *time.Timer
	gather time.Time // no batch is read from the stream before
	// whole: large transactions are not asked for before they commit, because they
	// did not fit into the spill files.
	whole bool
	// text: values are not asked for in binary form, because a table has some that can
	// be read as text only.
	text bool
	// failed is an error that came after records, for the next Read.
	failed    error
	heartbeat time.Time // when the next one is due; zero: none is
	examined  bool      // the slot was compared with pos for the next connection
	// described is how many tables a connection may have described.
	described int
}

// Source implements connect.SourceConfig.
func (c *config) Source() connect.Source {
	return &Source{cfg: c, confirmed: new(confirmed), described: maxDescribed}
}

// Open implements connect.Source.
func (s *Source) Open(ctx context.Context, sc connect.SourceContext) error {
	s.log = sc.Logger
	if plugin := s.cfg.replication.plugin; plugin != outputPlugin {
		s.log.Info("the output plugin is pgoutput, whatever plugin.name says", "plugin.name", plugin)
	}
	var err error
	if s.emitter, err = newEmitter(s.cfg, sc, time.Now); err != nil {
		return err
	}
	s.catalog = &relations{cfg: s.cfg, types: pgtype.NewCatalog()}
	s.partition = sourcePartition(s.cfg.topics.prefix)
	if s.stored, err = sc.Offset(ctx, s.partition); err != nil {
		return fmt.Errorf("read the stored offset: %w", err)
	}
	s.found, s.follow = s.stored, sc.Follow
	if o := &s.cfg.signals.http; o.address != nil {
		s.http = newHTTPPoster(o, s.log)
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.marked = time.Now()
	if s.cfg.replication.heartbeatInterval > 0 {
		s.heartbeat = s.marked.Add(s.cfg.replication.heartbeatInterval)
	}
	s.monitor = startMonitor(s, sc)
	s.measure(sc)
	return nil
}

// sourcePartition is the source partition, in Debezium's form.
func sourcePartition(prefix string) json.RawMessage {
	name, _ := json.Marshal(prefix) // of a string
	return append(append([]byte(`{"server":`), name...), '}')
}

// prepare brings the publication, the slot and the position in order before the
// first Read.
func (s *Source) prepare(ctx context.Context) error {
	st, err := s.examine(ctx)
	if err != nil {
		return err
	}
	s.server = st.server
	if err := s.prepareTables(ctx, &st); err != nil {
		return err
	}
	again, err := s.load(ctx, &st)
	if err != nil {
		return err
	}
	return s.startFrom(ctx, &st, again)
}

// prepareTables makes sure of types, replica identities and publication.
func (s *Source) prepareTables(ctx context.Context, st *slotState) error {
	if err := s.catalog.ask(ctx, s.catalog.loadTypes); err != nil {
		return err
	}
	tables, err := s.catalog.captured(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(s.cfg.guard(len(tables), s.log), s.cfg.warnUnmatched(tables, s.log)); err != nil {
		return err
	}
	return s.catalog.with(ctx, func(conn *pgx.Conn) error {
		if err := s.setIdentities(ctx, conn, tables); err != nil {
			return err
		}
		created, err := (&publisher{s.cfg, s.log, st.server.version}).ensure(ctx, conn, publishable(tables))
		if created && st.slot.exists {
			s.log.Warn("the publication was made after the replication slot: what was written before cannot be read through it", logPublication, s.cfg.replication.publication, logSlot, s.cfg.replication.slot)
		}
		return err
	})
}

// load takes over the stored offset. again tells that the tables have to be read
// again, because slot.lost.policy says so.
func (s *Source) load(ctx context.Context, st *slotState) (again bool, err error) {
	s.pos = position{}
	if s.stored == nil {
		if st.slot.lost() {
			return s.gap(ctx, st, "the server has removed the WAL that it needs"+reasonOf(&st.slot))
		}
		return false, nil
	}
	p, err := parsePosition(s.stored)
	if err != nil {
		return false, err
	}
	s.pos = p
	if p.inSnapshot {
		s.log.Warn("the stored offset is of a snapshot by Debezium that was not finished: it begins again")
		s.pos, s.stored = position{}, nil
		return false, nil
	}
	if !s.cfg.snapshot.streams() {
		return false, nil
	}
	var gap string
	if s.pos, gap = resolve(s.cfg.replication.mismatch, p, &st.slot, &st.server); gap != "" {
		return s.gap(ctx, st, gap)
	}
	return false, nil
}

// gap does what slot.lost.policy says about changes that are missing.
func (s *Source) gap(ctx context.Context, st *slotState, gap string) (again bool, err error) {
	policy := s.cfg.replication.slotLost
	if s.cfg.snapshotWhenLost() {
		policy = slotLostSnapshot
	}
	if policy == slotLostFail {
		return false, gapError(s.cfg, &s.pos, gap)
	}
	s.numbers.gaps.Add(1)
	s.log.Warn("changes are missing in the stream", logSlot, s.cfg.replication.slot, "after", s.pos.start().String(), "reason", gap, "policy", policy)
	if st.slot.exists && (st.slot.lost() || policy == slotLostSnapshot) {
		if err := s.catalog.with(ctx, func(conn *pgx.Conn) error { return s.cfg.dropSlot(ctx, conn) }); err != nil {
			return false, err
		}
		st.slot = slotInfo{}
	}
	switch {
	case policy == slotLostSnapshot:
		s.stored = nil // nothing of it counts any more
	case s.stored != nil:
		s.gapped = &streamGap{from: s.pos, reason: gap}
	}
	s.pos = position{}
	return policy == slotLostSnapshot, nil
}

// startFrom decides about a snapshot, and makes the slot if the snapshot does not.
func (s *Source) startFrom(ctx context.Context, st *slotState, again bool) error {
	if err := s.startSnapshots(ctx, st, again); err != nil {
		return err
	}
	if s.snapshots.state != nil && s.snapshots.state.Kind == kindInitial {
		s.gapped = nil // the snapshot has what is missing
	}
	if s.snapshotActive() && s.gapped == nil {
		return nil
	}
	if !st.slot.exists {
		made, err := s.slots().create(ctx, s.cfg.replication.slot, false, false)
		if err != nil {
			return err
		}
		s.pos = positionAt(made.lsn)
	} else if s.pos.start() == 0 {
		s.pos, s.fromSlot = positionAt(st.slot.confirmed), true
	}
	s.pos.on(&s.server)
	if s.stored != nil {
		s.confirmed.advance(s.pos.end) // it is durable
	}
	s.dirty, s.examined = true, true
	return nil
}

func (s *Source) slots() *slotMaker { return &slotMaker{s.cfg, s.log, s.server.version} }

// Read implements connect.Source. What was appended before an error is good and
// marked, so the error waits for the next call.
func (s *Source) Read(ctx context.Context, b *connect.Batch) error {
	if err := s.failed; err != nil {
		s.failed = nil
		return err
	}
	s.tellGap(b)
	err := s.read(ctx, b)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = ctx.Err() // whatever it looks like where it was noticed
	default:
		s.disconnect()
		err = s.explain(err)
	}
	if err != nil && b.Len() == 0 {
		return err
	}
	s.beat(b)
	if s.dirty && (b.Len() > 0 || s.markDue(time.Now())) {
		s.mark(b)
	}
	if ctx.Err() == nil {
		s.failed = err
	}
	return nil
}

// tellGap appends the record of a gap, before anything that comes behind it.
func (s *Source) tellGap(b *connect.Batch) {
	if s.gapped == nil {
		return
	}
	s.snapshots.notices.gap(b, s.gapped, &s.pos)
	s.gapped, s.dirty = nil, true
}

// read fills the batch from the snapshot or the stream.
func (s *Source) read(ctx context.Context, b *connect.Batch) error {
	for {
		s.emitter.waited()
		if s.snapshotActive() {
			return s.readSnapshot(ctx, b)
		}
		if s.stream == nil {
			if err := s.connect(ctx); err != nil {
				return err
			}
			s.tellGap(b)
			if s.stream == nil { // a snapshot comes first: the slot was lost
				continue
			}
		}
		if err := s.gatherMore(ctx, b); err != nil {
			return err
		}
		more, err := s.stream.fill(ctx, b)
		if s.takesText(err) {
			s.disconnect()
			if b.Len() > 0 {
				return nil
			}
			continue
		}
		if err != nil && !errors.Is(err, errSnapshotDue) {
			s.disconnect() // the message that failed was taken
			return err
		}
		if s.stream.describesTooMany(s.described) {
			s.log.Info("the stream begins anew, to forget tables that may be gone", "tables", len(s.stream.tables))
			s.disconnect()
			if b.Len() > 0 {
				return nil
			}
			continue
		}
		now := time.Now()
		switch {
		case errors.Is(err, errSnapshotDue):
			if b.Len() > 0 {
				return nil
			}
			continue
		case more && b.Full() && b.Len() > 0, !more && b.Len() > 0, s.dirty && s.markDue(now), s.beatDue(now):
			s.gathered(b.Len(), now)
			return nil
		case more:
			if b.Len() == 0 {
				b.Reset() // events that are done already have used memory
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		if err := s.await(ctx, now); err != nil {
			return err
		}
		if err := s.stream.idle(ctx, b); err != nil && !errors.Is(err, errSnapshotDue) || b.Len() > 0 {
			return err
		}
	}
}

// gathered notes that a batch of so many records ends.
func (s *Source) gathered(records int, now time.Time) {
	if records < fewRecords {
		s.gather = now.Add(gatherTime)
	}
}

// gatherMore waits until it is time for another batch.
func (s *Source) gatherMore(ctx context.Context, b *connect.Batch) error {
	d := time.Until(s.gather)
	if d <= 0 || b.Len() > 0 {
		return nil
	}
	s.setTimer(d)
	select {
	case <-s.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Source) setTimer(d time.Duration) {
	if s.timer == nil {
		s.timer = time.NewTimer(d)
		return
	}
	s.timer.Reset(d)
}

// await waits for the server, or until a mark or heartbeat is due.
func (s *Source) await(ctx context.Context, now time.Time) error {
	until := idleMark
	if s.dirty {
		until = s.marked.Add(s.markInterval()).Sub(now)
	}
	if !s.heartbeat.IsZero() {
		until = min(until, s.heartbeat.Sub(now))
	}
	if poll := s.signalPoll(); poll > 0 {
		until = min(until, poll)
	}
	s.setTimer(until)
	return s.stream.wal.feed.wait(ctx, s.timer.C)
}

func (s *Source) markInterval() time.Duration {
	if s.hurry {
		return 0
	}
	return min(idleMark, s.cfg.replication.statusUpdateInterval)
}

func (s *Source) markDue(now time.Time) bool { return now.Sub(s.marked) >= s.markInterval() }

// mark says where reading can go on. Its token is what the server may forget when
// the mark is durable: whole transactions only.
func (s *Source) mark(b *connect.Batch) {
	s.offset = s.pos.appendJSON(s.offset[:0], s.snapshotOffset())
	b.Mark(connect.Mark{Partition: s.partition, Offset: s.offset, Token: uint64(s.pos.end)})
	s.dirty, s.hurry, s.fromSlot, s.marked = false, false, false, time.Now()
}

// Commit implements connect.Committer.
func (s *Source) Commit(m connect.Mark) {
	s.confirmed.advance(pgoutput.LSN(m.Token))
	if f := s.follower.Load(); f != nil {
		if next, ok := committedSignals(m.Offset); ok {
			(*f).Commit(next)
		}
	}
}

// beatDue tells whether a heartbeat is due.
func (s *Source) beatDue(now time.Time) bool {
	return !s.heartbeat.IsZero() && !now.Before(s.heartbeat)
}

// beat appends a heartbeat when one is due.
func (s *Source) beat(b *connect.Batch) {
	now := time.Now()
	if !s.beatDue(now) {
		return
	}
	s.heartbeat = now.Add(s.cfg.replication.heartbeatInterval)
	s.emitter.heartbeat(b)
	s.dirty = true
}

func (s *Source) disconnect() {
	if s.stream != nil {
		s.stream.close()
		s.stream = nil
	}
}

// Close implements connect.Source. The last report has all that was committed.
func (s *Source) Close() error {
	s.closeSnapshots()
	s.disconnect()
	s.http.close()
	var err error
	if s.cfg.replication.dropOnStop && s.catalog != nil && s.server.version != 0 {
		err = s.dropOnStop()
	}
	if s.monitor != nil {
		s.monitor.close()
	}
	if s.catalog != nil {
		s.catalog.close()
	}
	return err
}

func (s *Source) dropOnStop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.catalog.with(ctx, func(conn *pgx.Conn) error { return s.cfg.dropSlot(ctx, conn) })
}
