package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// Versions of the server from which something is there.
const (
	oldestVersion  = 140000
	version15      = 150000
	version16      = 160000
	version17      = 170000
	version18      = 180000
	walLevelNeeded = "logical"
)

// serverInfo is what there is to know of a server before its slot is used.
type serverInfo struct {
	version  int // server_version_num
	walLevel string
	standby  bool
	// senderTimeout is wal_sender_timeout in milliseconds, 0 for none: when the
	// server gives up a client that does not report.
	senderTimeout int64
	database      string
	// systemID and timeline tell one server's WAL from another's.
	systemID string
	timeline int32
	walEnd   pgoutput.LSN
	// history has the timelines before this one, unless it could not be read.
	history      []timelineEnd
	historyError error
}

// readServer asks an SQL connection.
func readServer(ctx context.Context, q querier) (serverInfo, error) {
	var s serverInfo
	err := q.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('wal_level'), pg_is_in_recovery(), current_database(),
		(SELECT setting::bigint FROM pg_settings WHERE name = 'wal_sender_timeout')`).
		Scan(&s.version, &s.walLevel, &s.standby, &s.database, &s.senderTimeout)
	if err != nil {
		return s, asked("ask for the server's settings", err)
	}
	return s, nil
}

// check says what a server lacks.
func (s *serverInfo) check() error {
	if s.version < oldestVersion {
		return &connect.ConfigError{Option: optHostname, Reason: fmt.Sprintf("the server is PostgreSQL %d, 14 is the oldest that is supported: upgrade it", s.version/10000)}
	}
	if s.walLevel != walLevelNeeded {
		return &connect.ConfigError{Option: optHostname, Reason: fmt.Sprintf("the server's wal_level is %s: "+
			"ALTER SYSTEM SET wal_level = logical and restart the server (rds.logical_replication=1 on Amazon RDS, cloudsql.logical_decoding=on on Cloud SQL)", s.walLevel)}
	}
	if s.standby && s.version < version16 {
		return &connect.ConfigError{Option: optHostname, Reason: fmt.Sprintf("the server is a standby of PostgreSQL %d, which decodes changes from 16 on: use the primary", s.version/10000)}
	}
	return nil
}

// identify asks a replication connection which WAL it reads.
func (s *serverInfo) identify(ctx context.Context, conn *pgconn.PgConn) error {
	row, err := oneRow(ctx, conn, "IDENTIFY_SYSTEM", 4)
	if err != nil {
		return fmt.Errorf("identify the server: %w", err)
	}
	timeline, err := strconv.ParseInt(row[1], 10, 32)
	if err != nil {
		return fmt.Errorf("identify the server: timeline %q is not a number", row[1])
	}
	s.systemID, s.timeline = row[0], int32(timeline)
	if s.walEnd, err = pgoutput.ParseLSN(row[2]); err != nil {
		return err
	}
	if s.history, s.historyError = readHistory(ctx, conn, s.timeline); conn.IsClosed() {
		return fmt.Errorf("read the history of the server's timeline: %w", s.historyError)
	}
	return nil
}

// oneRow runs a replication command that answers with one row.
func oneRow(ctx context.Context, conn *pgconn.PgConn, command string, columns int) ([]string, error) {
	results, err := conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < columns {
		return nil, fmt.Errorf("the server's answer to %s is not one row of %d columns", command, columns)
	}
	row := make([]string, len(results[0].Rows[0]))
	for i, cell := range results[0].Rows[0] {
		row[i] = string(cell)
	}
	return row, nil
}
