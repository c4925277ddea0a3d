package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

const (
	outputPlugin = "pgoutput"
	// createSlotTimeout bounds the creation of a slot, which waits for every
	// transaction that writes to end.
	createSlotTimeout = 90 * time.Second
	// slowSlot is when the log tells what the creation waits for.
	slowSlot = 5 * time.Second
)

// slotInfo is what pg_replication_slots has of a slot.
type slotInfo struct {
	exists            bool
	plugin, database  string
	temporary, active bool
	activePID         int
	confirmed         pgoutput.LSN // confirmed_flush_lsn
	restart           pgoutput.LSN // WAL from here on is kept
	// walStatus is reserved, extended, unreserved or lost; retained and safe are
	// bytes of WAL: kept for the slot, and left until it is lost (-1: no limit).
	walStatus        string
	retained, safe   int64
	invalidation     string // why the slot was invalidated, 17 and later
	twoPhase         bool
	failover, synced bool // 17 and later
}

// lost tells whether the server has removed WAL that the slot needs.
func (s *slotInfo) lost() bool { return s.walStatus == "lost" || s.invalidation != "" }

// readSlot reads a slot; exists is false when there is none of that name.
func readSlot(ctx context.Context, q querier, name string, version int) (slotInfo, error) {
	var s slotInfo
	var confirmed, restart string
	late := "'', false, false"
	if version >= version17 {
		late = "coalesce(invalidation_reason, ''), failover, synced"
	}
	err := q.QueryRow(ctx, `SELECT coalesce(plugin, ''), coalesce(database, ''), temporary, active, coalesce(active_pid, 0),
		coalesce(confirmed_flush_lsn, '0/0')::text, coalesce(restart_lsn, '0/0')::text, coalesce(wal_status, ''),
		coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint,
		coalesce(safe_wal_size, -1), two_phase, `+late+`
		FROM pg_replication_slots WHERE slot_name = `+quoteLiteral(name)).
		Scan(&s.plugin, &s.database, &s.temporary, &s.active, &s.activePID, &confirmed, &restart, &s.walStatus, &s.retained, &s.safe,
			&s.twoPhase, &s.invalidation, &s.failover, &s.synced)
	if errors.Is(err, pgx.ErrNoRows) {
		return slotInfo{}, nil
	}
	if err != nil {
		return s, asked("read the replication slot "+name, err)
	}
	s.exists = true
	s.twoPhase = s.twoPhase && version >= version15 // 14 has it for other plugins only
	if s.confirmed, err = pgoutput.ParseLSN(confirmed); err != nil {
		return s, err
	}
	s.restart, err = pgoutput.ParseLSN(restart)
	return s, err
}

// check says why a slot cannot be used, whoever reads it now. A slot that was kept in
// step stays marked so after the promotion, where it means nothing.
func (s *slotInfo) check(name, database string, standby bool) error {
	switch {
	case !s.exists:
		return nil
	case s.plugin == "":
		return slotError("%s is a physical replication slot: give another name, a logical slot is made under it", name)
	case s.plugin != outputPlugin:
		return slotError("the slot %s was made with the output plugin %s, this connector reads pgoutput only: "+
			"give another name, or drop the slot (SELECT pg_drop_replication_slot(%s)), which loses the changes that it holds", name, s.plugin, quoteLiteral(name))
	case s.database != database:
		return slotError("the slot %s belongs to the database %s, the connector reads %s: give another name", name, s.database, database)
	case s.twoPhase:
		return slotError("the slot %s was made with two_phase on: the server sends its transactions when they are prepared (PREPARE TRANSACTION), before it is known whether they are committed. "+
			"Give another name, or drop the slot (SELECT pg_drop_replication_slot(%s)), which loses the changes that it holds, and have it made without two_phase; "+
			"PostgreSQL 18 turns it off by ALTER_REPLICATION_SLOT %s (TWO_PHASE false) on a replication connection", name, quoteLiteral(name), name)
	case s.synced && standby:
		return slotError("the slot %s is kept in step with a primary's and cannot be read here before this standby is promoted: connect to the primary", name)
	}
	return nil
}

func slotError(format string, args ...any) error {
	return &connect.ConfigError{Option: optSlot, Reason: fmt.Sprintf(format, args...)}
}

// exported is a new slot and the snapshot of the database that belongs to it:
// what is visible in the snapshot was committed before lsn, and everything else
// comes from the slot.
type exported struct {
	slot string
	name string // for SET TRANSACTION SNAPSHOT; "" when none was asked for
	lsn  pgoutput.LSN
	conn *pgconn.PgConn // the snapshot lives as long as it is idle
}

// close gives up the snapshot, and the slot when it is a temporary one.
func (e *exported) close() {
	if e != nil && e.conn != nil {
		closeConn(e.conn)
	}
}

// slotMaker creates slots.
type slotMaker struct {
	cfg     *config
	log     *slog.Logger
	version int
}

// create makes a slot on a connection of its own, with a snapshot if export says
// so. A temporary slot goes when the result is closed.
func (m *slotMaker) create(ctx context.Context, name string, temporary, export bool) (*exported, error) {
	conn, err := m.cfg.connectReplication(ctx)
	if err != nil {
		return nil, err
	}
	watched := m.watch(ctx, name)
	limited, cancel := context.WithTimeout(ctx, createSlotTimeout)
	row, err := oneRow(limited, conn, m.command(name, temporary, export), 4)
	timedOut := limited.Err() != nil && ctx.Err() == nil
	cancel()
	watched()
	if err != nil {
		closeConn(conn)
		return nil, m.explain(name, err, timedOut)
	}
	e := &exported{slot: name, name: row[2], conn: conn}
	if e.lsn, err = pgoutput.ParseLSN(row[1]); err != nil {
		e.close()
		return nil, err
	}
	if !temporary && !export {
		e.close()
	}
	m.log.Info("replication slot created", logSlot, name, "temporary", temporary, logLSN, e.lsn.String(), "snapshot", e.name)
	return e, nil
}

// command is CREATE_REPLICATION_SLOT in the form that the server takes: options
// in brackets since 15, FAILOVER among them since 17.
func (m *slotMaker) command(name string, temporary, export bool) string {
	cmd := "CREATE_REPLICATION_SLOT " + quoteIdent(name)
	if temporary {
		cmd += " TEMPORARY"
	}
	cmd += " LOGICAL " + outputPlugin
	if m.version < version15 {
		if export {
			return cmd + " EXPORT_SNAPSHOT"
		}
		return cmd + " NOEXPORT_SNAPSHOT"
	}
	options := []string{"SNAPSHOT 'nothing'"}
	if export {
		options[0] = "SNAPSHOT 'export'"
	}
	if m.cfg.replication.failover && !temporary && m.version >= version17 {
		options = append(options, "FAILOVER")
	}
	return cmd + " (" + strings.Join(options, ", ") + ")"
}

func (m *slotMaker) explain(name string, err error, timedOut bool) error {
	switch sqlState(err) {
	case statePrivilege:
		return m.cfg.connection.explain(err)
	case stateTooManySlots:
		return &connect.ConfigError{Option: optSlot, Reason: "the server has no room for another replication slot: raise max_replication_slots, or drop one that nobody reads (SELECT * FROM pg_replication_slots)"}
	case stateDuplicateObject:
		return connect.Retriable(fmt.Errorf("create the replication slot %s: somebody else has just made it", name))
	}
	if timedOut {
		return connect.Retriable(fmt.Errorf("create the replication slot %s: the server waits for transactions that began earlier and has not ended within %s; "+
			"find them with SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start", name, createSlotTimeout))
	}
	return connect.Retriable(fmt.Errorf("create the replication slot %s: %s", name, errorText(err)))
}

// watch logs what a slow creation waits for. The function that it returns ends it.
func (m *slotMaker) watch(ctx context.Context, name string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if sleep(ctx, slowSlot) != nil {
			return
		}
		pid, since, err := m.oldestWriter(ctx)
		if err == nil {
			m.log.Warn("the creation of the replication slot waits for a transaction to end", logSlot, name, "pid", pid, "since", since)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (m *slotMaker) oldestWriter(ctx context.Context) (pid int, since time.Time, err error) {
	conn, err := m.cfg.connect(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	defer closeConn(conn)
	err = conn.QueryRow(ctx, `SELECT pid, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
		ORDER BY xact_start LIMIT 1`).Scan(&pid, &since)
	return pid, since, err
}

// dropPatience is how long dropSlot waits for a reader.
const dropPatience = 30 * time.Second

// dropSlot drops the slot, which may be gone already. Its reader may need a moment to
// leave it.
func (c *config) dropSlot(ctx context.Context, conn *pgx.Conn) error {
	name := c.replication.slot
	for until := time.Now().Add(dropPatience); ; {
		err := c.connection.change(ctx, conn, "SELECT pg_drop_replication_slot("+quoteLiteral(name)+")")
		switch sqlState(err) {
		case stateUndefinedObject:
			return nil
		case stateObjectInUse:
			if time.Now().Before(until) && sleep(ctx, 100*time.Millisecond) == nil {
				continue
			}
			return connect.Retriable(fmt.Errorf("drop the replication slot %s: %s; another connector or program reads it", name, errorText(err)))
		}
		return asked("drop the replication slot "+name, err)
	}
}

// sleep waits, or returns the error of a context that ends earlier.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
