package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// stream reads one connection's changes into batches. Read's goroutine calls it.
//
//	walConn: frames ─► blocks of transactions in progress ─► spill ─┐ at their commit
//	                 └► messages ──────────────────────────────────┴─► position, tables ─► emitter ─► batch
type stream struct {
	src      *Source
	wal      *walConn
	feedback *feedback
	dec      pgoutput.Decoder
	tables   map[uint32]*streamTable
	spill    *spill
	replay   *replay // a transaction that is read back; nil: messages come from the connection
	held     *heldMessage
	tx       openTransaction
	binary   bool // values come in binary form
}

// streamTable is what the stream knows about a relation.
type streamTable struct {
	relation *pgoutput.Relation
	info     tableInfo
	table    *table // nil: it is not captured
}

// openTransaction is the transaction that is being read.
type openTransaction struct {
	open   bool
	origin origin
	begin  pgoutput.LSN // WAL start of its Begin
	final  pgoutput.LSN // start of its commit record
	events int64        // changes and messages so far
	// skip is how many of its events the log has already; skipLSN the same in the
	// means of Debezium's offsets.
	skip    int64
	skipLSN lsnResume
	began   bool // the emitter knows of it
}

// heldMessage is a message that was taken but has to wait for a snapshot.
type heldMessage struct {
	walStart pgoutput.LSN
	data     []byte
}

// errSnapshotDue says that a snapshot comes before the next transaction.
var errSnapshotDue = errors.New("a snapshot is due")

// breather is how many messages fill handles before it lets its caller look around:
// none of them may make a record.
const breather = 4096

// fill reads until the batch is full, nothing more has come or a good while is
// over. more is false when it waits for the server.
func (s *stream) fill(ctx context.Context, b *connect.Batch) (more bool, err error) {
	for range breather {
		if b.Full() || s.describesTooMany(s.src.described) {
			break
		}
		walStart, data, err := s.next(ctx, b)
		if err != nil {
			return false, err
		}
		if data == nil {
			return false, nil
		}
		if err := s.handle(ctx, b, walStart, data); err != nil {
			return false, err
		}
	}
	return true, nil
}

// next returns the next message that is to be handled, nil when none has come yet.
func (s *stream) next(ctx context.Context, b *connect.Batch) (pgoutput.LSN, []byte, error) {
	if h := s.held; h != nil {
		s.held = nil
		return h.walStart, h.data, nil
	}
	if s.replay != nil {
		walStart, data, err := s.replay.next()
		if err != io.EOF {
			return walStart, data, err
		}
		if err := s.endReplay(ctx, b); err != nil {
			return 0, nil, err
		}
	}
	for {
		f, err := s.wal.next()
		if err != nil {
			return 0, nil, s.feedback.explain(err)
		}
		switch f.kind {
		case 0:
			return 0, nil, nil
		case pgoutput.FrameKeepalive:
			if err := s.keepalive(ctx, b, f.keep); err != nil {
				return 0, nil, err
			}
		default:
			if kept, err := s.keep(f.data); !kept || err != nil {
				return f.data.WALStart, f.data.Data, err
			}
		}
	}
}

// keep puts messages of a block aside.
func (s *stream) keep(x pgoutput.XLogData) (kept bool, err error) {
	if s.spill.current == nil || len(x.Data) == 0 {
		return false, nil
	}
	switch pgoutput.Kind(x.Data[0]) {
	case pgoutput.KindStreamStart, pgoutput.KindStreamStop, pgoutput.KindStreamAbort, pgoutput.KindStreamCommit:
		return false, nil
	}
	return true, s.spill.add(x.WALStart, x.Data)
}

// keepalive moves the position to the server's place in the WAL when there is
// nothing that the server has not sent completely: so an idle database does not
// hold the WAL that others write. Transactions in progress commit behind it.
//
// A server that wants an answer may be about to stop, which it does not before all
// that it has sent is confirmed: the position is marked soon then.
func (s *stream) keepalive(ctx context.Context, b *connect.Batch, k pgoutput.Keepalive) error {
	walEnd, p := k.ServerWALEnd, &s.src.pos
	s.received(walEnd)
	s.src.hurry = s.src.hurry || k.ReplyRequested
	if s.tx.open || p.commit >= walEnd && p.commit != 0 || walEnd <= p.end {
		return nil
	}
	p.end, p.commit, p.events = walEnd, 0, 0
	s.src.numbers.end.Store(uint64(walEnd))
	s.src.numbers.caughtUp.Store(time.Now().UnixMicro())
	s.src.dirty = true
	return s.src.boundary(ctx, b, walEnd)
}

// idle gives signals and incremental snapshots their turn while the server has
// nothing to say.
func (s *stream) idle(ctx context.Context, b *connect.Batch) error {
	if s.tx.open {
		return nil
	}
	return s.src.boundary(ctx, b, s.src.pos.end)
}

func (s *stream) received(lsn pgoutput.LSN) {
	if uint64(lsn) > s.feedback.received.Load() {
		s.feedback.received.Store(uint64(lsn))
	}
}

// handle handles one message.
func (s *stream) handle(ctx context.Context, b *connect.Batch, walStart pgoutput.LSN, data []byte) error {
	kind, err := s.dec.Decode(data)
	if err != nil {
		return err
	}
	switch kind {
	case pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete:
		return s.change(ctx, b, walStart, kind)
	case pgoutput.KindBegin:
		m := &s.dec.Begin
		return s.begin(walStart, m.FinalLSN, m.CommitTime, m.Xid, data)
	case pgoutput.KindCommit:
		return s.commit(ctx, b, s.dec.Commit.EndLSN)
	case pgoutput.KindOrigin:
		s.tx.origin.origin, s.tx.origin.originLSN = s.dec.Origin.Name, s.dec.Origin.CommitLSN
	case pgoutput.KindRelation:
		return s.relation(ctx, s.dec.Relation)
	case pgoutput.KindType: // the catalog knows it
	case pgoutput.KindTruncate:
		return s.truncate(b, walStart)
	case pgoutput.KindMessage:
		return s.message(b, walStart)
	default:
		return s.handleBlock(kind, data)
	}
	return nil
}

// handleBlock handles the messages around blocks of transactions in progress.
func (s *stream) handleBlock(kind pgoutput.Kind, data []byte) error {
	switch kind {
	case pgoutput.KindStreamStart:
		return s.spill.begin(s.dec.StreamStart.Xid, s.dec.StreamStart.First)
	case pgoutput.KindStreamStop:
		err := s.spill.end()
		s.src.numbers.spillBytes.Store(s.spill.used)
		return err
	case pgoutput.KindStreamAbort:
		return s.spill.abort(s.dec.StreamAbort.Xid, s.dec.StreamAbort.SubXid)
	case pgoutput.KindStreamCommit:
		return s.startReplay(data)
	}
	return fmt.Errorf("the server sends a message of two-phase commit (%q), which was not asked for", byte(kind))
}

// startReplay begins to read back a transaction whose commit has come. Its Begin
// was its first block, its LSN is known only now.
func (s *stream) startReplay(data []byte) error {
	m := s.dec.Commit
	r := s.spill.commit(m.Xid)
	walStart := m.CommitLSN
	if r != nil {
		if first := firstChange(r); first != 0 {
			walStart = first
		}
		r = s.spill.commit(m.Xid)
	}
	if err := s.begin(walStart, m.CommitLSN, m.CommitTime, m.Xid, data); err != nil {
		return err
	}
	if r == nil { // everything in it was rolled back
		s.tx.open = false
		s.finish(m.EndLSN)
		return nil
	}
	s.replay, s.dec.InStream = r, true
	return nil
}

// firstChange is where the first change of a kept transaction begins in the WAL; 0: it has
// none. What describes tables and types before it has no place there.
func firstChange(r *replay) pgoutput.LSN {
	for {
		walStart, data, err := r.next()
		if err != nil || len(data) == 0 {
			return 0
		}
		switch pgoutput.Kind(data[0]) {
		case pgoutput.KindRelation, pgoutput.KindType, pgoutput.KindOrigin:
		default:
			return walStart
		}
	}
}

// endReplay ends the transaction that was read back.
func (s *stream) endReplay(ctx context.Context, b *connect.Batch) error {
	end := s.dec.Commit.EndLSN
	s.spill.drop(s.replay.t)
	s.replay, s.dec.InStream = nil, false
	return s.commit(ctx, b, end)
}

// begin starts a transaction. data is the message, which is handled once more when
// a snapshot has to come first.
func (s *stream) begin(walStart, final pgoutput.LSN, commitTime int64, xid uint32, data []byte) error {
	if s.src.snapshotDue(final) {
		s.held = &heldMessage{walStart, append([]byte{}, data...)}
		return errSnapshotDue
	}
	p := &s.src.pos
	s.tx = openTransaction{open: true, begin: walStart, final: final,
		origin: origin{lsn: walStart, lastCommit: p.lastCommit, txID: xid, micros: pgoutput.UnixMicros(commitTime), xmin: s.src.xmin()}}
	switch {
	case final < p.end || final < p.commit:
		s.tx.skip = 1<<63 - 1 // it is done
	case final == p.commit:
		s.tx.skip = p.events
	case p.resume.lsn != 0 && walStart <= p.resume.lsn && p.resume.lsn < final:
		s.tx.skipLSN = p.resume
	}
	return nil
}

// event starts an event of the open transaction and tells whether it is new. The
// others count for transaction metadata all the same.
func (s *stream) event(b *connect.Batch, walStart pgoutput.LSN) (fresh bool) {
	s.tx.events++
	fresh = s.tx.events > s.tx.skip
	if r := &s.tx.skipLSN; fresh && r.count > 0 && walStart <= r.lsn {
		fresh = false
		if walStart == r.lsn {
			r.count--
		}
	}
	e := s.src.emitter
	e.replay(!fresh)
	if !s.tx.began {
		s.tx.began = true
		s.tx.origin.lsn = s.tx.begin
		e.begin(b, &s.tx.origin)
	}
	s.tx.origin.lsn = walStart
	return fresh
}

// takeBack keeps the first n records: what an event that failed has appended comes
// again with it, the BEGIN of its transaction too.
func takeBack(b *connect.Batch, n int) {
	i := 0
	b.Filter(func(*connect.Record) bool {
		i++
		return i <= n
	})
}

// done notes that an event is in the batch.
func (s *stream) done(walStart pgoutput.LSN, kind string) {
	p := &s.src.pos
	p.commit, p.events = s.tx.final, s.tx.events
	p.last.event(walStart, kind, s.tx.origin.txID, s.tx.origin.micros)
	s.src.dirty = true
}

// change handles an insert, update or delete.
func (s *stream) change(ctx context.Context, b *connect.Batch, walStart pgoutput.LSN, kind pgoutput.Kind) error {
	if err := s.inTransaction(walStart); err != nil {
		return err
	}
	c := &s.dec.Change
	t := s.tables[c.Relation]
	if t == nil {
		return fmt.Errorf("the server sends a change of relation %d, which it has not described", c.Relation)
	}
	before := b.Len()
	fresh := s.event(b, walStart)
	if t.table != nil && (fresh || s.src.cfg.records.transactions) {
		held, err := s.src.holdsBack(t.table)
		if err == nil && !held {
			err = s.emit(ctx, b, t, kind, fresh)
		}
		if err != nil {
			takeBack(b, before)
			return err
		}
	}
	if fresh {
		s.done(walStart, changeKind(kind))
	}
	return nil
}

func (s *stream) inTransaction(walStart pgoutput.LSN) error {
	if s.tx.open {
		return nil
	}
	return fmt.Errorf("the server sends a change at %s outside of a transaction", walStart)
}

func changeKind(kind pgoutput.Kind) string {
	switch kind {
	case pgoutput.KindInsert:
		return kindInsert
	case pgoutput.KindUpdate:
		return kindUpdate
	}
	return kindDelete
}

// emit gives a change to the emitter. A value of an enum that the table's version
// does not know was added later: the table is described anew then.
func (s *stream) emit(ctx context.Context, b *connect.Batch, t *streamTable, kind pgoutput.Kind, fresh bool) error {
	err := s.emitOnce(ctx, b, t.table, kind, fresh)
	if err == nil {
		return nil
	}
	var stale *pgtype.StaleEnumError
	if !errors.As(err, &stale) {
		return err
	}
	if err := s.src.catalog.refreshEnum(ctx, stale); err != nil {
		return err
	}
	t.table = nil
	if err := s.describe(ctx, t); err != nil {
		return err
	}
	return s.emitOnce(ctx, b, t.table, kind, fresh)
}

func (s *stream) emitOnce(ctx context.Context, b *connect.Batch, t *table, kind pgoutput.Kind, fresh bool) error {
	e, c, o := s.src.emitter, &s.dec.Change, &s.tx.origin
	if fresh {
		if err := s.src.observe(ctx, t, kind, o, c); err != nil {
			return err
		}
	}
	switch kind {
	case pgoutput.KindInsert:
		return e.insert(b, t, o, c.New)
	case pgoutput.KindUpdate:
		return e.update(b, t, o, c.OldKind, c.Old, c.New)
	}
	return e.delete(b, t, o, c.OldKind, c.Old)
}

// truncate handles a truncate of tables, which is one event.
func (s *stream) truncate(b *connect.Batch, walStart pgoutput.LSN) error {
	if err := s.inTransaction(walStart); err != nil {
		return err
	}
	fresh := s.event(b, walStart)
	for _, oid := range s.dec.Truncate.Relations {
		if t := s.tables[oid]; t != nil && t.table != nil {
			if fresh {
				s.src.observeTruncate(t.table, s.tx.origin.txID)
			}
			if err := s.src.emitter.truncate(b, t.table, &s.tx.origin); err != nil {
				return err
			}
		}
	}
	if fresh {
		s.done(walStart, kindTruncate)
	}
	return nil
}

// message handles a logical decoding message. One that is not transactional comes
// between transactions and is a position of its own.
func (s *stream) message(b *connect.Batch, walStart pgoutput.LSN) error {
	m, p := &s.dec.Message, &s.src.pos
	if m.Transactional {
		if err := s.inTransaction(walStart); err != nil {
			return err
		}
		before := b.Len()
		fresh := s.event(b, walStart)
		if err := s.src.emitter.message(b, &s.tx.origin, m); err != nil {
			takeBack(b, before)
			return err
		}
		if fresh {
			s.done(walStart, kindMessage)
		}
		return nil
	}
	// Its LSN is where its record ends, which can be where a commit record starts
	// that was not read yet; the server compares where it begins.
	if m.LSN <= p.start() {
		return nil
	}
	s.src.emitter.replay(false)
	p.lastCommit = walStart // in Debezium's sequence a message of its own counts as a commit
	o := origin{lsn: walStart, lastCommit: walStart, micros: p.last.micros, xmin: s.src.xmin()}
	if err := s.src.emitter.message(b, &o, m); err != nil {
		return err
	}
	if !s.tx.open && (p.commit == 0 || m.LSN > p.commit) {
		p.end, p.commit, p.events = max(p.end, m.LSN), 0, 0
	}
	p.last.event(walStart, kindMessage, 0, p.last.micros)
	s.src.dirty = true
	return nil
}

// commit ends the open transaction.
func (s *stream) commit(ctx context.Context, b *connect.Batch, end pgoutput.LSN) error {
	if !s.tx.open {
		return fmt.Errorf("the server ends a transaction at %s that it has not begun", end)
	}
	e := s.src.emitter
	done := s.tx.skip == 1<<63-1
	e.replay(done)
	if !s.tx.began {
		s.tx.origin.lsn = s.tx.begin
		e.begin(b, &s.tx.origin)
	}
	s.tx.origin.lsn = end
	e.commit(b, &s.tx.origin)
	e.replay(false)
	s.tx.open = false
	if done {
		return nil
	}
	s.finish(end)
	return s.src.boundary(ctx, b, end)
}

// finish moves the position behind a transaction.
func (s *stream) finish(end pgoutput.LSN) {
	p := &s.src.pos
	p.end, p.commit, p.events, p.lastCommit, p.resume = max(p.end, end), 0, 0, end, lsnResume{}
	s.src.dirty = true
	s.src.numbers.end.Store(uint64(p.end))
	s.src.numbers.commitTime.Store(s.tx.origin.micros)
	s.src.numbers.spillBytes.Store(s.spill.used)
	s.received(end)
}

// relation notes what a table looks like from here on.
func (s *stream) relation(ctx context.Context, r *pgoutput.Relation) error {
	t := &streamTable{relation: r}
	captured, err := s.src.cfg.captures(tableName{r.Namespace, r.Name})
	if err != nil {
		return err
	}
	if captured {
		if before := s.tables[r.OID]; before != nil {
			t.info, t.table = before.info, before.table
			if !sameRelation(before.relation, r) {
				t.table = nil
			}
		}
		if err := s.describe(ctx, t); err != nil {
			return err
		}
	}
	s.tables[r.OID] = t
	return nil
}

// describesTooMany tells whether more tables than that are known, where the stream can begin
// anew: in the middle of a transaction it would come to the same place again.
func (s *stream) describesTooMany(most int) bool { return len(s.tables) > most && !s.tx.open }

// describe reads the catalog for a table and makes its version. When nothing has
// changed the version stays, and with it the schemas that converters know.
func (s *stream) describe(ctx context.Context, t *streamTable) error {
	defer s.src.emitter.waited()
	info, err := s.src.catalog.table(ctx, t.relation)
	if err != nil {
		return err
	}
	if t.table != nil && sameInfo(&t.info, &info) {
		return nil
	}
	made, err := s.src.catalog.build(ctx, func() (*table, error) {
		return newStreamTable(s.src.cfg, s.src.catalog.types, info, t.relation)
	})
	if err != nil {
		return err
	}
	if s.binary {
		if err := made.readsBinary(); err != nil {
			return err
		}
	}
	t.info, t.table = info, made
	return nil
}

// close frees what the connection took.
func (s *stream) close() {
	s.feedback.close()
	s.wal.close()
	s.spill.close()
}
