package postgres

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

const (
	// slotInterval is how often the slot's state is read.
	slotInterval = 10 * time.Second
	// monitorTimeout bounds what the monitor asks of the server.
	monitorTimeout = 30 * time.Second
)

// monitor watches the slot on an SQL connection of its own, in a goroutine of its
// own, so that a slow answer never holds up the stream: what the server keeps for
// the slot, its xmin, and the heartbeat's query.
type monitor struct {
	cfg       *config
	log       *slog.Logger
	conn      *pgx.Conn
	confirmed *confirmed

	xmin  atomic.Uint32 // catalog_xmin of the slot
	state atomic.Pointer[slotNumbers]

	status  string // wal_status that was logged last
	failing bool   // an error is logged once
	cancel  context.CancelFunc
	done    chan struct{}
}

// slotNumbers is a state of the slot.
type slotNumbers struct {
	active                  bool
	walStatus               string
	walEnd, confirmed       pgoutput.LSN
	retained, safe          int64 // bytes; safe -1: no limit
	spillTxns, spillBytes   int64 // that the server wrote to its disk to decode
	streamTxns, streamBytes int64 // that it sent before they were committed
}

func startMonitor(s *Source, sc connect.SourceContext) *monitor {
	ctx, cancel := context.WithCancel(context.Background())
	m := &monitor{cfg: s.cfg, log: sc.Logger, confirmed: s.confirmed, cancel: cancel, done: make(chan struct{})}
	go m.run(ctx)
	return m
}

func (m *monitor) close() {
	m.cancel()
	<-m.done
}

// every is one thing that is done at an interval.
type every struct {
	interval time.Duration
	do       func(context.Context) error
	next     time.Time
}

func (m *monitor) run(ctx context.Context) {
	defer close(m.done)
	defer m.hangUp()
	tasks := []*every{{interval: slotInterval, do: m.readSlot}}
	if d := m.cfg.replication.xminInterval; d > 0 {
		tasks = append(tasks, &every{interval: d, do: m.readXmin})
	}
	if r := &m.cfg.replication; r.heartbeatInterval > 0 && r.heartbeatQuery != "" {
		tasks = append(tasks, &every{interval: r.heartbeatInterval, do: m.runQuery})
	}
	for {
		now, soonest := time.Now(), slotInterval
		for _, t := range tasks {
			if !now.Before(t.next) {
				m.attempt(ctx, t.do)
				t.next = now.Add(t.interval)
			}
			soonest = min(soonest, t.next.Sub(now))
		}
		if sleep(ctx, soonest) != nil {
			return
		}
	}
}

func (m *monitor) hangUp() {
	if m.conn != nil {
		closeConn(m.conn)
		m.conn = nil
	}
}

// attempt does one thing, connecting first where needed. What does not work is
// logged once and tried again.
func (m *monitor) attempt(ctx context.Context, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	err := m.connect(ctx)
	if err == nil {
		err = do(ctx)
	}
	switch {
	case err == nil:
		m.failing = false
	case ctx.Err() != nil, !m.failing:
		if ctx.Err() == nil {
			m.failing = true
			m.log.Warn("watch the replication slot", logSlot, m.cfg.replication.slot, logError, errorText(err))
		}
		m.hangUp()
	default:
		m.hangUp()
	}
}

func (m *monitor) connect(ctx context.Context) (err error) {
	if m.conn == nil {
		m.conn, err = m.cfg.connect(ctx)
	}
	return err
}

func (m *monitor) readSlot(ctx context.Context) error {
	var n slotNumbers
	var walEnd, confirmed string
	err := m.conn.QueryRow(ctx, `WITH wal AS (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn)
		SELECT r.active, coalesce(r.wal_status, ''), coalesce(r.safe_wal_size, -1), coalesce(pg_wal_lsn_diff(lsn, r.restart_lsn), 0)::bigint,
			coalesce(lsn, '0/0')::text, coalesce(r.confirmed_flush_lsn, '0/0')::text,
			coalesce(s.spill_txns, 0), coalesce(s.spill_bytes, 0), coalesce(s.stream_txns, 0), coalesce(s.stream_bytes, 0)
		FROM wal, pg_replication_slots r LEFT JOIN pg_stat_replication_slots s USING (slot_name) WHERE r.slot_name = `+quoteLiteral(m.cfg.replication.slot)).
		Scan(&n.active, &n.walStatus, &n.safe, &n.retained, &walEnd, &confirmed, &n.spillTxns, &n.spillBytes, &n.streamTxns, &n.streamBytes)
	if err == pgx.ErrNoRows {
		m.state.Store(nil)
		return nil // not made yet
	}
	if err != nil {
		return err
	}
	if n.walEnd, err = pgoutput.ParseLSN(walEnd); err != nil {
		return err
	}
	if n.confirmed, err = pgoutput.ParseLSN(confirmed); err != nil {
		return err
	}
	m.state.Store(&n)
	m.warn(&n)
	return nil
}

// warn logs when the server comes near to giving the slot up.
func (m *monitor) warn(n *slotNumbers) {
	if n.walStatus == m.status {
		return
	}
	before := m.status
	m.status = n.walStatus
	switch n.walStatus {
	case "unreserved", "lost":
		m.log.Warn("the server is about to remove WAL that the replication slot needs: raise max_slot_wal_keep_size or let the connector catch up",
			logSlot, m.cfg.replication.slot, "wal_status", n.walStatus, "retained_bytes", n.retained, "safe_bytes", n.safe)
	default:
		if before != "" {
			m.log.Info("replication slot", logSlot, m.cfg.replication.slot, "wal_status", n.walStatus, "retained_bytes", n.retained)
		}
	}
}

func (m *monitor) readXmin(ctx context.Context) error {
	var xmin int64
	err := m.conn.QueryRow(ctx, `SELECT coalesce(catalog_xmin::text, '0')::bigint FROM pg_replication_slots WHERE slot_name = `+quoteLiteral(m.cfg.replication.slot)).Scan(&xmin)
	if err == pgx.ErrNoRows {
		return nil
	}
	m.xmin.Store(uint32(xmin))
	return err
}

func (m *monitor) runQuery(ctx context.Context) error {
	_, err := m.conn.PgConn().Exec(ctx, m.cfg.replication.heartbeatQuery).ReadAll()
	return err
}
