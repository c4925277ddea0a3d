package postgres

import (
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// newTestStream is a stream without a connection, at a position.
func newTestStream(t *testing.T, p position) *stream {
	e, _ := newTestEmitter(t, minimal(optTransaction, "true"), tableInfo{oid: 1, name: tableName{"public", "t"}})
	return &stream{src: &Source{cfg: e.config, emitter: e, pos: p}, feedback: new(feedback), spill: newSpill(t.TempDir(), 1<<20)}
}

func (s *stream) place() place { return place{s.src.pos.end, s.src.pos.commit, s.src.pos.events} }

// TestKeepaliveMovesThePosition has the server show how far it has sent everything.
func TestKeepaliveMovesThePosition(t *testing.T) {
	for name, c := range map[string]struct {
		pos  place
		open bool
		end  pgoutput.LSN
		want place
	}{
		"between transactions":                   {place{100, 0, 0}, false, 200, place{200, 0, 0}},
		"where it was":                           {place{100, 0, 0}, false, 100, place{100, 0, 0}},
		"in a transaction":                       {place{100, 150, 3}, true, 200, place{100, 150, 3}},
		"before a transaction that is half done": {place{100, 250, 3}, false, 200, place{100, 250, 3}},
		"at one":                                 {place{100, 200, 3}, false, 200, place{100, 200, 3}},
		"behind one that does not come any more": {place{100, 150, 3}, false, 200, place{200, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStream(t, position{end: c.pos.end, commit: c.pos.commit, events: c.pos.events})
			s.tx.open = c.open
			if err := s.keepalive(t.Context(), newBatchOf(1), pgoutput.Keepalive{ServerWALEnd: c.end, ReplyRequested: c.open}); err != nil {
				t.Fatal(err)
			}
			if got := s.place(); got != c.want || s.src.dirty != (c.want != c.pos) || s.src.hurry != c.open {
				t.Errorf("got %+v, to be marked %t, soon %t; want %+v", got, s.src.dirty, s.src.hurry, c.want)
			}
			if got := pgoutput.LSN(s.feedback.received.Load()); got != c.end {
				t.Errorf("the server is told that %s was received, want %s", got, c.end)
			}
		})
	}
}

// TestWhatIsDoneOfATransaction begins transactions around a position: all before it is
// done, of the one that it is in as much as it says, and nothing of others, also when
// they begin or commit at the very place where the last one ended.
func TestWhatIsDoneOfATransaction(t *testing.T) {
	const all = 1<<63 - 1
	inside := position{end: 100, commit: 150, events: 3}
	debezium := position{end: 100, resume: lsnResume{lsn: 120, count: 2}}
	for name, c := range map[string]struct {
		pos          position
		begin, final pgoutput.LSN
		skip         int64
		count        int64 // of changes with Debezium's LSN
	}{
		"before":                         {pos: position{end: 100}, begin: 50, final: 99, skip: all},
		"commits where the last ended":   {pos: position{end: 100}, begin: 90, final: 100},
		"begins where the last ended":    {pos: position{end: 100}, begin: 100, final: 120},
		"before the one that is open":    {pos: inside, begin: 90, final: 149, skip: all},
		"the open one":                   {pos: inside, begin: 90, final: 150, skip: 3},
		"behind it":                      {pos: inside, begin: 90, final: 151},
		"Debezium's":                     {pos: debezium, begin: 110, final: 130, count: 2},
		"begins at Debezium's change":    {pos: debezium, begin: 120, final: 130, count: 2},
		"begins behind it":               {pos: debezium, begin: 121, final: 130},
		"commits at it":                  {pos: debezium, begin: 110, final: 120},
		"commits before it, not in all":  {pos: debezium, begin: 105, final: 110},
		"Debezium's, before all of that": {pos: debezium, begin: 50, final: 99, skip: all},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStream(t, c.pos)
			if err := s.begin(c.begin, c.final, 0, 7, nil); err != nil {
				t.Fatal(err)
			}
			if s.tx.skip != c.skip || s.tx.skipLSN.count != c.count {
				t.Errorf("%d events are done, and %d by Debezium; want %d and %d", s.tx.skip, s.tx.skipLSN.count, c.skip, c.count)
			}
		})
	}
}

// TestMessagesBetweenTransactions: one outside of a transaction is a position of its own,
// unless a transaction is open or one before it is done in part.
func TestMessagesBetweenTransactions(t *testing.T) {
	for name, c := range map[string]struct {
		pos  place
		open bool
		lsn  pgoutput.LSN
		want place
		new  bool
	}{
		"done":                     {place{100, 0, 0}, false, 99, place{100, 0, 0}, false},
		"the one that ended there": {place{100, 0, 0}, false, 100, place{100, 0, 0}, false},
		"new":                      {place{100, 0, 0}, false, 101, place{101, 0, 0}, true},
		"in an open transaction":   {place{100, 0, 0}, true, 130, place{100, 0, 0}, true},
		"before the one in work":   {place{100, 150, 3}, false, 150, place{100, 150, 3}, false},
		"behind it":                {place{100, 150, 3}, false, 160, place{160, 0, 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStream(t, position{end: c.pos.end, commit: c.pos.commit, events: c.pos.events})
			s.tx.open = c.open
			s.dec.Message = pgoutput.Message{LSN: c.lsn, Prefix: []byte("p")}
			b := newBatchOf(1)
			if err := s.message(b, c.lsn); err != nil {
				t.Fatal(err)
			}
			if got := s.place(); got != c.want || (b.Len() == 1) != c.new || s.src.dirty != c.new {
				t.Errorf("got %+v with %d records, to be marked %t; want %+v", got, b.Len(), s.src.dirty, c.want)
			}
			if c.new && s.src.pos.lastCommit != c.lsn {
				t.Errorf("the next event follows %s, want %s", s.src.pos.lastCommit, c.lsn)
			}
		})
	}
}

// TestFinishedTransactions end at the place that the server names, but never before what
// was shown to be complete.
func TestFinishedTransactions(t *testing.T) {
	s := newTestStream(t, position{end: 300, commit: 150, events: 3, resume: lsnResume{lsn: 120, count: 1}})
	s.finish(200)
	if got := s.place(); got != (place{300, 0, 0}) || s.src.pos.lastCommit != 200 || s.src.pos.resume != (lsnResume{}) || !s.src.dirty {
		t.Errorf("got %+v behind %s, %+v", got, s.src.pos.lastCommit, s.src.pos.resume)
	}
	s.finish(400)
	if got := s.place(); got != (place{400, 0, 0}) || s.feedback.received.Load() != 400 {
		t.Errorf("got %+v, received %d", got, s.feedback.received.Load())
	}
}

// TestDoneTransactionChangesNothing: one that comes again although it is done leaves the
// position in the transaction behind it alone.
func TestDoneTransactionChangesNothing(t *testing.T) {
	s := newTestStream(t, position{end: 100, commit: 150, events: 3, lastCommit: 100})
	if err := s.begin(90, 149, 0, 7, nil); err != nil {
		t.Fatal(err)
	}
	b := newBatchOf(1)
	if err := s.commit(t.Context(), b, 149); err != nil {
		t.Fatal(err)
	}
	if got := s.place(); got != (place{100, 150, 3}) || s.src.pos.lastCommit != 100 || s.src.dirty || b.Len() > 0 || s.tx.open {
		t.Errorf("got %+v behind %s, %d records", got, s.src.pos.lastCommit, b.Len())
	}
}

// TestStreamedTransactionThatIsGone: of one that was sent while it ran nothing is left at
// its commit, which is a place all the same.
func TestStreamedTransactionThatIsGone(t *testing.T) {
	s := newTestStream(t, position{end: 100})
	s.dec.Commit = pgoutput.Commit{Xid: 9, CommitLSN: 150, EndLSN: 160}
	if err := s.startReplay(nil); err != nil {
		t.Fatal(err)
	}
	if got := s.place(); got != (place{160, 0, 0}) || s.tx.open || s.replay != nil {
		t.Errorf("got %+v, open %t", got, s.tx.open)
	}
}

// TestStreamedTransactionBegins where its first message is, as if it had come whole: there
// is its BEGIN, and what Debezium has done of it counts.
func TestStreamedTransactionBegins(t *testing.T) {
	s := newTestStream(t, position{end: 100, resume: lsnResume{lsn: 120, count: 1}})
	if err := s.spill.begin(9, true); err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"O", "Y\x00\x00\x00\x09", "R\x00\x00\x00\x09"} { // they have no place in the WAL
		if _, err := s.keep(pgoutput.XLogData{Data: []byte(message)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.keep(pgoutput.XLogData{WALStart: 110, Data: []byte("M\x00\x00\x00\x09")}); err != nil {
		t.Fatal(err)
	}
	if err := s.handleBlock(pgoutput.KindStreamStop, nil); err != nil {
		t.Fatal(err)
	}
	if kept := s.src.numbers.spillBytes.Load(); kept != 4*spillHeader+1+3*5 {
		t.Errorf("the metrics have %d bytes of it", kept)
	}
	s.dec.Commit = pgoutput.Commit{Xid: 9, CommitLSN: 150, EndLSN: 160}
	if err := s.startReplay(nil); err != nil {
		t.Fatal(err)
	}
	if s.tx.begin != 110 || s.tx.skipLSN.count != 1 {
		t.Errorf("it begins at %d and %d of its events are done; want 110 and 1", s.tx.begin, s.tx.skipLSN.count)
	}
	for range 3 {
		if _, _, err := s.replay.next(); err != nil {
			t.Fatal(err)
		}
	}
	if first, _, err := s.replay.next(); first != 110 || err != nil {
		t.Errorf("its first change is at %d, %v; want it at 110 still", first, err)
	}
	b := newBatchOf(2)
	if err := s.endReplay(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if id := b.Records()[0].Value.Cells()[1].Text(); id != "9:110" || s.src.numbers.spillBytes.Load() != 0 {
		t.Errorf("its BEGIN is that of %s, want 9:110; the metrics have %d bytes in the end", id, s.src.numbers.spillBytes.Load())
	}
}

// TestPlaceBehindDebeziums counts the events that Debezium has done too: they come again
// with the transaction.
func TestPlaceBehindDebeziums(t *testing.T) {
	s := newTestStream(t, position{end: 100, resume: lsnResume{lsn: 120, count: 1}})
	if err := s.begin(110, 130, 0, 7, nil); err != nil {
		t.Fatal(err)
	}
	b := newBatchOf(1)
	for _, e := range []struct {
		lsn   pgoutput.LSN
		fresh bool
	}{{110, false}, {120, false}, {125, true}} {
		if fresh := s.event(b, e.lsn); fresh != e.fresh {
			t.Errorf("the event at %d is new: %t", e.lsn, fresh)
		}
	}
	s.done(125, kindInsert)
	if got := s.place(); got != (place{100, 130, 3}) {
		t.Errorf("got %+v, want three events of the transaction to be done", got)
	}
}

// TestNoticeOfNoSnapshotIsMarked, also when nothing else has moved since the last mark.
func TestNoticeOfNoSnapshotIsMarked(t *testing.T) {
	s := newTestStream(t, position{end: 100})
	env := snapshotEnv{cfg: s.src.cfg, log: slog.New(slog.DiscardHandler), now: time.Now}
	env.cfg.signals.notifications, env.cfg.signals.notificationsTo = []string{"sink"}, "notices"
	env.notices = &notifier{cfg: env.cfg, log: env.log, now: env.now}
	sn := &snapshotter{snapshotEnv: env}
	s.src.snapshots = &snapshotting{snapshotter: sn, signals: newSignaller(env, sn, &s.src.pos), skipped: true}
	for _, records := range []int{1, 0} {
		b := newBatchOf(2)
		s.src.dirty = false
		if err := s.src.boundary(t.Context(), b, 100); err != nil {
			t.Fatal(err)
		}
		if b.Len() != records || s.src.dirty != (records > 0) {
			t.Errorf("%d records, to be marked: %t; want %d", b.Len(), s.src.dirty, records)
		}
	}
}

// TestSnapshotComesBeforeTheNextTransaction that commits at its place or behind it. The
// message waits, and comes again when the snapshot is done.
func TestSnapshotComesBeforeTheNextTransaction(t *testing.T) {
	s := newTestStream(t, position{end: 100})
	sn := &snapshotter{state: &snapshotState{Kind: kindBlocking, LSN: 120}, waiting: true, held: new(heldSnapshot)}
	s.src.snapshots = &snapshotting{snapshotter: sn}
	if err := s.begin(105, 119, 0, 7, []byte("before")); err != nil || !s.tx.open {
		t.Errorf("a transaction that commits before the snapshot: %v, open %t", err, s.tx.open)
	}
	s.tx.open = false
	data := []byte("at it")
	if err := s.begin(106, 120, 0, 8, data); err != errSnapshotDue || s.tx.open {
		t.Errorf("a transaction that commits where the snapshot is: %v, open %t", err, s.tx.open)
	}
	copy(data, "xxxxx") // the feed's memory
	if walStart, again, err := s.next(t.Context(), newBatchOf(1)); walStart != 106 || string(again) != "at it" || err != nil {
		t.Errorf("at %d comes %q, %v", walStart, again, err)
	}
}
