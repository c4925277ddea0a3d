package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// snapshotting is what a source has of snapshots.
type snapshotting struct {
	*snapshotter
	signals *signaller
	// only: there is no stream after the snapshot.
	only bool
	// skipped: a notice that there is no snapshot is due.
	skipped bool
	// streamAt is when the stream begins after a snapshot (streaming.delay.ms).
	streamAt time.Time
}

// snapshotWhenLost tells whether the mode makes up for changes that are gone with a
// snapshot.
func (c *config) snapshotWhenLost() bool {
	o := &c.snapshot
	return o.mode == snapshotWhenNeeded || o.mode == snapshotConfigurationBased && o.basedOn.onDataError
}

// streams tells whether changes follow the snapshot.
func (o *snapshotOptions) streams() bool {
	return o.mode != snapshotInitialOnly && (o.mode != snapshotConfigurationBased || o.basedOn.stream)
}

// takes tells whether the mode wants a snapshot at a start. stored: there is an
// offset, of a snapshot that is not finished if unfinished says so.
func (o *snapshotOptions) takes(stored, unfinished bool) bool {
	switch o.mode {
	case snapshotAlways:
		return true
	case snapshotNoData:
		return false
	case snapshotConfigurationBased:
		return o.basedOn.data
	}
	return !stored || unfinished
}

// startSnapshots decides whether there is a snapshot. again: changes are gone, and
// everything has to be read again.
func (s *Source) startSnapshots(ctx context.Context, st *slotState, again bool) error {
	env := s.snapshotEnv()
	sn := &snapshotter{snapshotEnv: env, progress: snapshotProgress{snapshotNumbers: env.numbers}}
	s.closeSnapshots() // of before the slot was found to be another one
	s.snapshots = &snapshotting{snapshotter: sn, signals: newSignaller(env, sn, &s.pos), only: !s.cfg.snapshot.streams()}
	s.snapshots.signals.offset = func() []byte { return s.pos.appendJSON(nil, s.snapshotOffset()) }
	if s.stored != nil {
		if err := s.loadSnapshots(); err != nil {
			return err
		}
	}
	unfinished := sn.state != nil
	switch takes := again || s.cfg.snapshot.takes(s.stored != nil, unfinished); {
	case unfinished && takes:
		s.resumeSnapshot(st)
	case takes && s.stored != nil && !again && !s.snapshots.only:
		sn.state = nil
		if err := sn.request(kindAlways, "", nil); err != nil {
			return err
		}
	case takes:
		sn.state = nil
		if err := sn.request(kindInitial, "", nil); err != nil {
			return err
		}
	default:
		if unfinished {
			s.log.Warn("the snapshot that was not finished is given up: "+optSnapshotMode+" wants none", optSnapshotMode, s.cfg.snapshot.mode)
			sn.state = nil
		}
		s.snapshots.skipped = true
		if s.cfg.snapshot.newTables && s.stored != nil && !s.snapshots.only {
			if err := s.requestAdded(ctx); err != nil {
				return err
			}
		}
	}
	if err := s.snapshots.signals.start(s.follow, s.found); err != nil {
		return err
	}
	if f := s.snapshots.signals.follower; f != nil {
		s.follower.Store(&f)
	}
	return nil
}

// loadSnapshots takes over what the offset says about snapshots.
func (s *Source) loadSnapshots() error {
	if err := s.snapshots.load(s.stored); err != nil {
		return err
	}
	return s.snapshots.signals.load(s.stored)
}

// resumeSnapshot goes on with an unfinished snapshot. The stream has to bring what
// has changed since: without a slot that has kept it the snapshot begins again.
func (s *Source) resumeSnapshot(st *slotState) {
	state := s.snapshots.state
	if state.At == "" || state.Kind != kindInitial || st.slot.exists && st.slot.confirmed <= state.LSN {
		return
	}
	s.log.Warn("the snapshot that was not finished begins again: the replication slot has not kept what has changed since", logSlot, s.cfg.replication.slot)
	*state = snapshotState{Kind: kindInitial}
}

func (s *Source) snapshotEnv() snapshotEnv {
	slots := s.slots()
	export := func(ctx context.Context) (*exported, error) { return exportSnapshot(ctx, slots, s.snapshots.only) }
	return snapshotEnv{cfg: s.cfg, log: s.log, now: time.Now, connect: s.cfg.connect, emitter: s.emitter, export: export,
		tables: s.snapshotTables, refreshEnum: s.catalog.refreshEnum, notices: &notifier{s.cfg, s.log, time.Now, s.http}, numbers: &s.numbers.snapshot}
}

// exportSnapshot makes the slot, or a temporary one where that is there already
// or is not wanted, with the snapshot of its start.
func exportSnapshot(ctx context.Context, slots *slotMaker, temporary bool) (*exported, error) {
	name := slots.cfg.replication.slot
	if !temporary {
		conn, err := slots.cfg.connect(ctx)
		if err != nil {
			return nil, err
		}
		slot, err := readSlot(ctx, conn, name, slots.version)
		closeConn(conn)
		if err != nil {
			return nil, err
		}
		if !slot.exists {
			return slots.create(ctx, name, false, true)
		}
	}
	const longest = 63 - len("_snap_12345678")
	return slots.create(ctx, name[:min(len(name), longest)]+"_snap_"+randomUUID()[:8], true, true)
}

// snapshotTables are the captured tables as the catalog has them now.
func (s *Source) snapshotTables(ctx context.Context, q querier, generated bool) ([]*table, error) {
	infos, err := capturedTables(ctx, q, s.cfg)
	if err != nil {
		return nil, err
	}
	tables := make([]*table, len(infos))
	for i, info := range infos {
		if !generated {
			info = info.withoutGenerated()
		}
		tables[i], err = s.catalog.build(ctx, func() (*table, error) { return newTable(s.cfg, s.catalog.types, info) })
		if err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// snapshotActive tells whether Read has to call readSnapshot, and not the stream.
func (s *Source) snapshotActive() bool {
	sn := s.snapshots
	return sn != nil && (sn.active() || sn.only || time.Now().Before(sn.streamAt))
}

// readSnapshot reads the next rows of the snapshot.
func (s *Source) readSnapshot(ctx context.Context, b *connect.Batch) error {
	sn := s.snapshots
	switch {
	case sn.active():
	case sn.only: // nothing comes after it
		<-ctx.Done()
		return ctx.Err()
	default:
		return sleep(ctx, time.Until(sn.streamAt))
	}
	s.dirty = true
	err := sn.read(ctx, b, &s.pos)
	s.pos.on(&s.server)
	if !sn.active() {
		sn.streamAt = time.Now().Add(s.cfg.replication.streamingDelay)
	}
	return err
}

// snapshotDue tells whether a snapshot comes before the transaction that commits
// at lsn.
func (s *Source) snapshotDue(lsn pgoutput.LSN) bool {
	return s.snapshots != nil && s.snapshots.due(lsn)
}

// boundary is called between transactions: lsn is where the last one ends, or what
// the server has shown to have nothing before it.
func (s *Source) boundary(ctx context.Context, b *connect.Batch, lsn pgoutput.LSN) error {
	sn := s.snapshots
	if sn == nil {
		return nil
	}
	before := b.Len()
	if sn.skipped {
		sn.skipped = false
		sn.notices.skipped(b)
	}
	err := sn.signals.boundary(ctx, b, lsn)
	if b.Len() > before || sn.signals.changed { // also when it was interrupted
		s.dirty, sn.signals.changed = true, false
	}
	if err != nil {
		return err
	}
	if sn.due(lsn) {
		return errSnapshotDue
	}
	return nil
}

// holdsBack tells whether a change is left out, because a snapshot that is still to
// come has it.
func (s *Source) holdsBack(t *table) (bool, error) {
	if s.snapshots == nil {
		return false, nil
	}
	return s.snapshots.holdsBack(t)
}

// observe shows a change to a running incremental snapshot and to the signals,
// before it becomes a record.
func (s *Source) observe(ctx context.Context, t *table, kind pgoutput.Kind, o *origin, c *pgoutput.Change) error {
	if s.snapshots == nil {
		return nil
	}
	return s.snapshots.signals.change(ctx, t, o, kind, c.Old, c.New)
}

func (s *Source) observeTruncate(t *table, xid uint32) {
	if s.snapshots != nil {
		s.snapshots.signals.truncated(t, xid)
	}
}

// signalPoll is how long the source may wait at most when nothing happens; 0: as
// long as it likes.
func (s *Source) signalPoll() time.Duration {
	sn := s.snapshots
	switch {
	case sn == nil:
		return 0
	case sn.signals.incremental.ready(s.pos.end):
		return time.Millisecond
	case sn.signals.incremental.state != nil, sn.state != nil:
		return min(s.cfg.signals.pollInterval, time.Second)
	case sn.signals.watches():
		return s.cfg.signals.pollInterval
	}
	return 0
}

// snapshotOffset are the members of an offset about snapshots.
func (s *Source) snapshotOffset() []byte {
	sn := s.snapshots
	if sn == nil {
		return nil
	}
	extra := sn.appendOffset(nil)
	if s.cfg.snapshot.newTables {
		extra = appendMember(extra, "sluice_captured", s.cfg.capturedNow())
	}
	return sn.signals.appendOffset(extra)
}

func (s *Source) closeSnapshots() {
	if s.snapshots != nil {
		s.snapshots.close()
		s.snapshots.signals.close()
	}
}

// staleEnum reads an enum anew that a row has an unknown label of. It tells whether
// the error was about that.
func (e *snapshotEnv) staleEnum(ctx context.Context, err error) (bool, error) {
	var stale *pgtype.StaleEnumError
	if !errors.As(err, &stale) {
		return false, err
	}
	if err := e.refreshEnum(ctx, stale); err != nil {
		return false, fmt.Errorf("read an enum anew: %w", err)
	}
	return true, nil
}
