package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// signaller handles signals while changes are streamed, and with them incremental
// snapshots. One goroutine uses it, that of Read; others watch a file or a topic and
// put what they find into the inbox.
type signaller struct {
	snapshotEnv
	snapshots   *snapshotter // for those that block the stream
	incremental *incremental
	// offset is the source's as it is now, for the messages of signals.
	offset func() []byte

	waiting []signal  // in the order in which they came
	retryAt time.Time // after an error that passes
	inbox   *inbox
	passed  int64 // where the topic is read on, behind the waiting ones; 0: it was not read
	// changed: what appendOffset says is another thing since the last mark.
	changed bool

	known struct { // the table of the last change
		table  *table
		signal bool
	}
	follower connect.Follower // nil: there is no topic
	stop     context.CancelFunc
	running  sync.WaitGroup
}

func newSignaller(env snapshotEnv, snapshots *snapshotter, pos *position) *signaller {
	return &signaller{snapshotEnv: env, snapshots: snapshots, inbox: newInbox(),
		incremental: &incremental{snapshotEnv: env, pos: pos, scratch: connect.NewBatch(1, 1<<20)}}
}

// signalMembers are the members of an offset about signals that wait.
type signalMembers struct {
	Waiting []signal `json:"sluice_signals"`
}

// load takes over what the stored offset says.
func (s *signaller) load(stored json.RawMessage) (err error) {
	var m signalMembers
	if err := json.Unmarshal(stored, &m); err != nil {
		return fmt.Errorf("offset of signals: %w", err)
	}
	for i := range m.Waiting {
		m.Waiting[i].topicOffset = -1
	}
	s.waiting = m.Waiting
	s.incremental.state, err = loadIncremental(stored)
	return err
}

// appendOffset appends the members of an offset, each after a comma: the signals that
// wait and cannot be read again, the incremental snapshot, and where the topic is read
// on.
func (s *signaller) appendOffset(dst []byte) []byte {
	var kept []signal
	passed := s.passed
	for i := len(s.waiting) - 1; i >= 0; i-- {
		if at := s.waiting[i].topicOffset; at >= 0 {
			passed = at
		} else {
			kept = append(kept, s.waiting[i])
		}
	}
	if len(kept) > 0 {
		slices.Reverse(kept)
		dst = appendMember(dst, "sluice_signals", kept)
	}
	dst = s.incremental.appendOffset(dst)
	if s.follower != nil && passed > 0 {
		dst = appendMember(dst, memberTopic, s.cfg.signals.topic)
		dst = appendNumber(dst, memberOffset, passed)
	}
	return dst
}

// start begins to watch the file and the topic, if the config wants them. stored is
// the offset that says where the topic is read on.
func (s *signaller) start(follow func(connect.Follow) (connect.Follower, error), stored json.RawMessage) error {
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	if s.channel("file") {
		f := &signalFile{path: s.cfg.signals.file, interval: s.cfg.signals.pollInterval, log: s.log, inbox: s.inbox}
		s.running.Go(func() { f.run(ctx) })
	}
	if !s.channel("kafka") {
		return nil
	}
	from, err := signalOffset(stored, s.cfg.signals.topic)
	if err != nil {
		return err
	}
	if s.follower, err = s.cfg.followSignals(follow, from); err != nil {
		return err
	}
	s.passed = max(0, from)
	s.inbox.passed = s.passed
	s.log.Info("signals are read from a topic", optSignalTopic, s.cfg.signals.topic, "offset", from)
	t := &signalTopic{follower: s.follower, key: []byte(s.cfg.topics.prefix), log: s.log, inbox: s.inbox}
	s.running.Go(func() { t.run(ctx) })
	return nil
}

func (s *signaller) close() {
	if s.stop != nil {
		s.stop()
	}
	if s.follower != nil {
		s.follower.Close()
	}
	s.running.Wait()
	s.incremental.close()
}

// watches tells whether signals come by other ways than the stream.
func (s *signaller) watches() bool { return s.channel("file") || s.follower != nil }

func (s *signaller) channel(name string) bool {
	for _, c := range s.cfg.signals.channels {
		if strings.EqualFold(c, name) {
			return true
		}
	}
	return false
}

// change is called for each change of a row before it becomes a record. It may
// complete r, the new row. kind is that of the message: pgoutput's Insert, Update
// or Delete; old is nil when there is none.
func (s *signaller) change(ctx context.Context, t *table, o *origin, kind pgoutput.Kind, old, r row) error {
	if t != s.known.table {
		s.known.table, s.known.signal = t, s.cfg.signals.isSignalTable(t.name) && s.channel("source")
	}
	if s.known.signal && kind == pgoutput.KindInsert {
		s.signalled(t, r)
	}
	if s.incremental.window == nil {
		return nil
	}
	return s.incremental.change(ctx, t, o, kind, old, r)
}

// truncated is called for each table that was truncated.
func (s *signaller) truncated(t *table, xid uint32) { s.incremental.truncated(t, xid) }

func (s *signaller) signalled(t *table, r row) {
	sig, ok := signalOf(t, r)
	known := func(w signal) bool { return w.same(&sig) }
	if !ok || slices.ContainsFunc(s.waiting, known) { // a change may be seen twice, after an error
		return
	}
	size := sig.size()
	for i := range s.waiting {
		size += s.waiting[i].size()
	}
	if err := sig.check(); err != nil || len(s.waiting) >= maxWaiting || size > maxWaitingSize {
		s.log.Warn("a signal is left out: it is too long, or too many wait", "id", clip(sig.ID), "type", clip(sig.Type), "waiting", len(s.waiting))
		return
	}
	s.waiting = append(s.waiting, sig)
	s.changed = true
}

// boundary is called between two transactions, and when the server has shown that
// there is nothing up to lsn. Rows of snapshots have their place there.
func (s *signaller) boundary(ctx context.Context, b *connect.Batch, lsn pgoutput.LSN) error {
	if len(s.waiting) == 0 { // otherwise those of the inbox wait there
		var passed int64
		s.waiting, passed = s.inbox.take(s.waiting)
		s.changed = s.changed || passed != s.passed || len(s.waiting) > 0
		s.passed = passed
	}
	for len(s.waiting) > 0 && !s.now().Before(s.retryAt) {
		if again := s.handle(ctx, b, &s.waiting[0]); again {
			break
		}
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		s.changed = true
	}
	return s.incremental.boundary(ctx, b, lsn)
}

// handle does what a signal says. again: it has to wait, for another snapshot to
// end or for the database to answer.
func (s *signaller) handle(ctx context.Context, b *connect.Batch, sig *signal) (again bool) {
	err := s.do(ctx, b, sig)
	var later *laterError
	switch {
	case err == nil:
		return false
	case errors.Is(err, errBusy):
		return true
	case errors.As(err, &later):
		s.incremental.disconnect()
		if ctx.Err() == nil {
			s.log.Warn("a signal is tried again", "id", clip(sig.ID), "type", clip(sig.Type), "error", err)
			s.retryAt = s.now().Add(retryDelay)
		}
		return true
	}
	s.log.Warn("a signal is left out", "id", clip(sig.ID), "type", clip(sig.Type), "reason", err)
	return false
}

// errBusy puts a signal off.
var errBusy = errors.New("another snapshot is not finished yet")

// laterError is an error that is not the signal's fault.
type laterError struct{ err error }

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

func (s *signaller) do(ctx context.Context, b *connect.Batch, sig *signal) error {
	data, err := sig.parse()
	if err != nil {
		return err
	}
	switch sig.Type {
	case signalLog:
		if data.Message == "" {
			return fmt.Errorf("its data have no message")
		}
		s.log.Info(clipMessage(strings.Replace(data.Message, "{}", string(s.offset()), 1)), "id", sig.ID)
	case signalExecute:
		return s.execute(ctx, b, sig, &data)
	case signalStop:
		list, err := data.collections()
		if err != nil {
			return err
		}
		return s.incremental.halt(b, sig.ID, list)
	case signalPause:
		s.incremental.pause(b, true)
	case signalResume:
		s.incremental.pause(b, false)
	default:
		return fmt.Errorf("its type is not known")
	}
	return nil
}

// clipMessage makes a signal's text fit for a line of the log.
func clipMessage(text string) string {
	const most = 4096
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

func (s *signaller) execute(ctx context.Context, b *connect.Batch, sig *signal, data *signalData) error {
	list, err := data.collections()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("data-collections is missing or empty")
	}
	kind := strings.ToLower(data.Type)
	if kind != "" && kind != "incremental" && kind != "blocking" {
		return fmt.Errorf("there is no snapshot of type %q: incremental and blocking are known", clip(data.Type))
	}
	tables, err := s.matching(ctx, list, kind == "blocking")
	if err != nil {
		return err
	}
	if kind == "blocking" {
		return s.block(ctx, sig, data, tables)
	}
	return s.incremental.add(b, sig, data, tables)
}

// matchTime is how long a signal's regular expressions may take together.
const matchTime = 5 * time.Second

// matching are the captured tables that the patterns name, in the order of these.
func (s *signaller) matching(ctx context.Context, list patterns, generated bool) ([]*table, error) {
	conn, err := s.incremental.connection(ctx)
	if err != nil {
		return nil, &laterError{err}
	}
	all, err := s.tables(ctx, conn, generated)
	if err != nil {
		return nil, &laterError{err}
	}
	var found []*table
	taken := make(map[uint32]bool)
	until := s.now().Add(matchTime)
	for i := range list {
		if s.now().After(until) { // I5: the stream waits
			return nil, fmt.Errorf("its regular expressions take more than %s: name the tables", matchTime)
		}
		for _, t := range all {
			ok, err := list[i].matches(t.name.String())
			if err != nil {
				return nil, err
			}
			if ok && !taken[t.oid] {
				taken[t.oid] = true
				found = append(found, t)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("data-collections names no captured table")
	}
	return found, nil
}

// block asks for a snapshot that the stream waits for.
func (s *signaller) block(ctx context.Context, sig *signal, data *signalData, tables []*table) error {
	if s.snapshots.state != nil {
		return errBusy
	}
	list := make([]snapshotTable, len(tables))
	for i, t := range tables {
		statement, err := data.condition(t.name)
		if err != nil {
			return err
		}
		list[i] = snapshotTable{Name: t.name.String(), Select: strings.TrimRight(statement, "; \n\t")}
		if err := s.checkStatement(ctx, t, list[i].Select); err != nil {
			return err
		}
	}
	if err := fitsOffset(list, len(list)); err != nil {
		return err
	}
	s.log.Info("blocking snapshot requested", "id", sig.ID, "tables", len(list))
	return s.snapshots.request(kindBlocking, sig.ID, list)
}

// checkStatement has the server parse the statement that replaces a table, as the one
// statement that it will be a part of: it can be neither wrong, which would keep the
// stream waiting for ever, nor end there and begin another.
func (s *signaller) checkStatement(ctx context.Context, t *table, statement string) error {
	if statement == "" {
		return nil
	}
	conn, err := s.incremental.connection(ctx)
	if err != nil {
		return &laterError{err}
	}
	p := piece{rel: &relation{name: t.name, columns: t.selected(), override: statement}}
	_, err = conn.PgConn().Prepare(ctx, "", p.query(), nil)
	if state := sqlState(err); state != "" && !retriableState(state) {
		return fmt.Errorf("the server refuses the statement for %s: %s", t.name, errorText(err))
	}
	if err != nil {
		return &laterError{err}
	}
	return nil
}
