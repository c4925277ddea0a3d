package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-data/sluice/connect"
)

// connect starts the stream at the position. Before each connection but the first,
// for which Open did it, the slot is compared with the position again: in the
// meantime another server may have taken the name, or somebody made the slot anew.
func (s *Source) connect(ctx context.Context) error {
	if s.examined {
		s.examined = false
	} else if err := s.compare(ctx); err != nil || s.snapshotActive() {
		return err
	}
	wal, err := s.startStream(ctx)
	if err != nil {
		return err
	}
	interval := reportInterval(s.cfg.replication.statusUpdateInterval, s.server.senderTimeout)
	f := &feedback{conn: wal, confirmed: s.confirmed, manual: s.cfg.replication.flushMode == flushManual,
		interval: interval, silence: allowedSilence(interval, s.server.senderTimeout)}
	f.start()
	s.stream = &stream{src: s, wal: wal, feedback: f, binary: s.binary(), tables: make(map[uint32]*streamTable),
		spill: newSpill(s.cfg.replication.spillDirectory, s.cfg.replication.spillMaxBytes)}
	s.numbers.streams.Add(1)
	s.log.Info("streaming", logSlot, s.cfg.replication.slot, logPublication, s.cfg.replication.publication, logLSN, s.pos.start().String())
	return nil
}

// compare compares slot and position once more.
func (s *Source) compare(ctx context.Context) error {
	st, err := s.examine(ctx)
	if err != nil {
		return err
	}
	strategy := s.cfg.replication.mismatch
	if strategy == mismatchTrustSlot {
		strategy = mismatchTrustGreater // what was read is not read twice
	}
	s.server = st.server
	if s.fromSlot && st.slot.exists {
		s.pos = positionAt(st.slot.confirmed)
	}
	var gap string
	if s.pos, gap = resolve(strategy, s.pos, &st.slot, &st.server); gap == "" {
		s.pos.on(&st.server)
		return nil
	}
	// The source begins anew from where it is, as after a restart.
	s.found = s.pos.appendJSON(nil, s.snapshotOffset())
	s.stored = s.found
	again, err := s.gap(ctx, &st, gap)
	if err != nil {
		return err
	}
	if err := s.startFrom(ctx, &st, again); err != nil {
		return err
	}
	// What was confirmed is of another WAL then, and this server must not hear of it.
	if at := s.confirmed.load(); at > st.server.walEnd || s.pos.end != 0 && at > s.pos.end {
		return fmt.Errorf("the connector has to be started again: %s", gap)
	}
	return nil
}

// startStream opens the connection. A slot that another connection reads may be
// left soon: that of a task that has just been stopped, or whose end the server has
// not noticed.
func (s *Source) startStream(ctx context.Context) (*walConn, error) {
	start := streamStart{slot: s.cfg.replication.slot, publication: s.cfg.replication.publication, from: s.pos.start(),
		inProgress: s.cfg.replication.inProgress && !s.whole, binary: s.binary(), params: s.cfg.replication.streamParams}
	for attempt := 1; ; attempt++ {
		pc, err := s.cfg.connectReplication(ctx)
		if err != nil {
			return nil, err
		}
		wal, err := startStream(ctx, pc, start)
		if sqlState(err) != stateObjectInUse {
			return wal, err
		}
		if attempt > s.cfg.replication.maxRetries {
			return nil, slotError("%s. Another connector or program reads the slot: stop it, or give this connector another %s; "+
				"if it is a dead connection, SELECT pg_terminate_backend(pid) ends it", errorText(err), optSlot)
		}
		if attempt == 1 {
			s.log.Warn("the replication slot is in use, trying again", logSlot, start.slot, logError, errorText(err))
		}
		if err := sleep(ctx, s.retryDelay(attempt)); err != nil {
			return nil, err
		}
	}
}

// retryDelay is short at first: a connection that was closed is gone in a moment.
func (s *Source) retryDelay(attempt int) time.Duration {
	return min(s.cfg.replication.retryDelay, 100*time.Millisecond<<min(attempt, 20))
}

// explain tells errors that may pass from those that will not, and says what to do
// about the latter.
func (s *Source) explain(err error) error {
	if errors.Is(err, errSpillFull) {
		s.whole = true
		return connect.Retriable(fmt.Errorf("%w (streaming.spill.max.bytes is %d): reading on without streaming.in.progress, so that the server keeps them",
			err, s.cfg.replication.spillMaxBytes))
	}
	var pe *pgconn.PgError
	if connect.IsRetriable(err) || !errors.As(err, &pe) {
		return err
	}
	switch {
	case pe.Code == stateUndefinedObject && strings.Contains(pe.Message, "publication"):
		return publicationError("%s. It was made after the changes that come next in the slot, or was dropped: a slot cannot read what was written before its publication existed. "+
			"If those changes may be lost, move the slot behind them with SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn()) while the connector is stopped, and set %s to %s for its next start",
			errorText(err), quoteLiteral(s.cfg.replication.slot), optMismatch, mismatchTrustGreater)
	case passing(pe.Code):
		return connect.Retriable(fmt.Errorf("the server has ended the stream: %s", errorText(err)))
	}
	return fmt.Errorf("the server cannot send the changes after %s: %s", s.pos.start(), errorText(err))
}

// passing tells whether a server's error is one that time or a look at the slot may
// mend: connections, resources, shutdowns, and slots that changed meanwhile.
func passing(code string) bool {
	switch code {
	case stateNotInState, stateObjectInUse, "58P01", stateQueryCanceled:
		return true
	}
	for _, class := range []string{"08", "53", "57", "40"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// lostConnection marks an error of the connection as passing.
func lostConnection(err error) error {
	return connect.Retriable(fmt.Errorf("the connection to the server is lost: %w", err))
}

func (s *Source) xmin() uint32 {
	if s.monitor == nil {
		return 0
	}
	return s.monitor.xmin.Load()
}

// Ping implements connect.Pinger.
func (c *config) Ping(ctx context.Context) error {
	s := &Source{cfg: c, catalog: &relations{cfg: c}}
	defer s.catalog.close()
	st, err := s.examine(ctx)
	if err == nil && !st.slot.exists && c.replication.autocreate == autocreateDisabled {
		err = s.pingPublication(ctx)
	}
	var ce *connect.ConfigError
	if err == nil || errors.As(err, &ce) {
		return err
	}
	return &connect.ConfigError{Option: optHostname, Reason: err.Error()}
}

func (s *Source) pingPublication(ctx context.Context) error {
	p, err := readPublication(ctx, s.catalog.conn, s.cfg.replication.publication)
	if err == nil && !p.exists {
		return publicationError("there is no publication of this name and %s is disabled", optAutocreate)
	}
	return err
}

var _ connect.Committer = (*Source)(nil)
