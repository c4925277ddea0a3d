package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// snapshotSettings are for the sessions that read: no limit of time, no rows that
// a policy hides, rows in the order of their places. They are set only where the
// server knows them.
const snapshotSettings = `
SELECT set_config(s.name, v.value, false) FROM pg_settings s JOIN (VALUES
	('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
	('row_security', 'off'), ('synchronize_seqscans', 'off'), ('max_parallel_workers_per_gather', '0'), ('jit', 'off')
) v (name, value) USING (name)`

// heldSnapshot is a transaction that keeps a snapshot for other connections.
type heldSnapshot struct {
	conn   *pgx.Conn
	name   string     // for SET TRANSACTION SNAPSHOT
	text   string     // as pg_current_snapshot has it
	seen   visibility // text, parsed
	micros int64      // when the transaction began, Unix
}

// holdSnapshot begins a transaction with the exported snapshot of that name, or
// with a new one.
func holdSnapshot(ctx context.Context, connect func(context.Context) (*pgx.Conn, error), exported string) (*heldSnapshot, error) {
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	h := &heldSnapshot{conn: conn}
	if err := h.begin(ctx, exported); err != nil {
		h.close()
		return nil, fmt.Errorf("begin the transaction of the snapshot: %s", errorText(err))
	}
	return h, nil
}

func (h *heldSnapshot) begin(ctx context.Context, exported string) error {
	if err := beginSnapshot(ctx, h.conn.PgConn(), exported); err != nil {
		return err
	}
	err := h.conn.QueryRow(ctx, `SELECT pg_current_snapshot()::text, pg_export_snapshot(), (extract(epoch FROM now()) * 1000000)::bigint`).
		Scan(&h.text, &h.name, &h.micros)
	if err != nil {
		return err
	}
	h.seen, err = parseVisibility(h.text)
	return err
}

// beginSnapshot begins a transaction that reads in a snapshot: an exported one,
// or one of its own. Whatever snapshot.isolation.mode says, anything weaker would
// lose rows.
func beginSnapshot(ctx context.Context, conn *pgconn.PgConn, exported string) error {
	// On its own: statements that are sent together are one transaction, which has
	// a snapshot from the first on.
	if _, err := conn.Exec(ctx, snapshotSettings).ReadAll(); err != nil {
		return err
	}
	sql := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	if exported != "" {
		sql += "; SET TRANSACTION SNAPSHOT " + quoteLiteral(exported)
	}
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

// join opens a connection that reads in the same snapshot.
func (h *heldSnapshot) join(connect func(context.Context) (*pgx.Conn, error)) func(context.Context) (*pgconn.PgConn, error) {
	return func(ctx context.Context) (*pgconn.PgConn, error) {
		conn, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		if err := beginSnapshot(ctx, conn.PgConn(), h.name); err != nil {
			closeConn(conn)
			return nil, fmt.Errorf("join the snapshot: %s", errorText(err))
		}
		return conn.PgConn(), nil
	}
}

// lock keeps the structure of the tables as it is until the snapshot ends.
func (h *heldSnapshot) lock(ctx context.Context, relations []*relation, timeoutMillis int64) error {
	if _, err := h.conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", timeoutMillis)); err != nil {
		return fmt.Errorf("set the lock timeout: %s", errorText(err))
	}
	for _, r := range relations {
		if _, err := h.conn.Exec(ctx, "LOCK TABLE ONLY "+quoteTable(r.name.schema, r.name.name)+" IN ACCESS SHARE MODE"); err != nil {
			return fmt.Errorf("lock %s for the snapshot (%s, snapshot.lock.timeout.ms): %s", r.name, optSnapshotLocking, errorText(err))
		}
	}
	return nil
}

func (h *heldSnapshot) close() {
	if h != nil && h.conn != nil {
		closeConn(h.conn)
	}
}
