package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// signaller handles signals while changes are streamed, and with them incremental
// snapshots. One goroutine uses it, that of Read; a file is watched by another.
type signaller struct {
	snapshotEnv
	snapshots   *snapshotter // for those that block the stream
	incremental *incremental

	waiting []signal    // in the order in which they came
	retryAt time.Time   // after an error that passes
	found   chan signal // of the file

	known struct { // the table of the last change
		table  *table
		signal bool
	}
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newSignaller(env snapshotEnv, snapshots *snapshotter) *signaller {
	return &signaller{snapshotEnv: env, snapshots: snapshots, incremental: &incremental{snapshotEnv: env, scratch: connect.NewBatch(1, 1<<20)},
		found: make(chan signal, 1)}
}

// start begins to watch the file, if the config wants it.
func (s *signaller) start() {
	if !s.channel("file") {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	f := &signalFile{path: s.cfg.signals.file, interval: s.cfg.signals.pollInterval, log: s.log, found: s.found}
	s.running.Go(func() { f.run(ctx) })
}

func (s *signaller) close() {
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	s.incremental.close()
}

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
func (s *signaller) change(ctx context.Context, t *table, xid uint32, kind pgoutput.Kind, old, r row) error {
	if t != s.known.table {
		s.known.table, s.known.signal = t, s.cfg.signals.isSignalTable(t.name) && s.channel("source")
	}
	if s.known.signal && kind == pgoutput.KindInsert {
		s.signalled(t, r)
	}
	if s.incremental.window == nil {
		return nil
	}
	return s.incremental.change(ctx, t, xid, old, r)
}

// truncated is called for each table that was truncated.
func (s *signaller) truncated(t *table, xid uint32) { s.incremental.truncated(t, xid) }

func (s *signaller) signalled(t *table, r row) {
	sig, ok := signalOf(t, r)
	if !ok {
		return
	}
	if len(s.waiting) >= maxWaiting {
		s.log.Warn("a signal is left out: too many wait", "id", sig.ID, "type", sig.Type)
		return
	}
	s.waiting = append(s.waiting, sig)
}

// boundary is called between two transactions, and when the server has shown that
// there is nothing up to lsn. Rows of snapshots have their place there.
func (s *signaller) boundary(ctx context.Context, b *connect.Batch, lsn pgoutput.LSN) error {
	for more := true; more && len(s.waiting) < maxWaiting; {
		select {
		case sig := <-s.found:
			s.waiting = append(s.waiting, sig)
		default:
			more = false
		}
	}
	for len(s.waiting) > 0 && !s.now().Before(s.retryAt) {
		if again := s.handle(ctx, b, &s.waiting[0]); again {
			break
		}
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
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
			s.log.Warn("a signal is tried again", "id", sig.ID, "type", sig.Type, "error", err)
			s.retryAt = s.now().Add(retryDelay)
		}
		return true
	}
	s.log.Warn("a signal is left out", "id", sig.ID, "type", sig.Type, "reason", err)
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
		s.log.Info(clipMessage(data.Message), "id", sig.ID)
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
	if len(text) > most {
		return text[:most]
	}
	return text
}

func (s *signaller) execute(ctx context.Context, b *connect.Batch, sig *signal, data *signalData) error {
	list, err := data.collections()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("data-collections is missing or empty")
	}
	tables, err := s.matching(ctx, list)
	if err != nil {
		return err
	}
	switch strings.ToLower(data.Type) {
	case "", "incremental":
		return s.incremental.add(b, sig, data, tables)
	case "blocking":
		return s.block(sig, data, tables)
	}
	return fmt.Errorf("there is no snapshot of type %q: incremental and blocking are known", data.Type)
}

// matching are the captured tables that the patterns name, in the order of these.
func (s *signaller) matching(ctx context.Context, list patterns) ([]*table, error) {
	conn, err := s.incremental.connection(ctx)
	if err != nil {
		return nil, &laterError{err}
	}
	all, err := s.tables(ctx, conn, false)
	if err != nil {
		return nil, &laterError{err}
	}
	var found []*table
	taken := make(map[uint32]bool)
	for i := range list {
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
func (s *signaller) block(sig *signal, data *signalData, tables []*table) error {
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
	}
	s.log.Info("blocking snapshot requested", "id", sig.ID, "tables", len(list))
	return s.snapshots.request(kindBlocking, sig.ID, list)
}
