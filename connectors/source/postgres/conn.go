package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// querier is an SQL connection or a transaction on one.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// connect opens an SQL connection: the session settings that values are read
// with, the time limit of statements, then the user's initial statements.
func (c *config) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.connection.connectTimeout)
	defer cancel()
	cfg, err := c.connection.dialConfig(map[string]string{"statement_timeout": milliseconds(c.connection.queryTimeout)})
	if err != nil {
		return nil, err
	}
	// Statements are few, and a pooler between may not keep prepared ones.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, c.connection.explain(err)
	}
	for i, sql := range c.connection.initialStatements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			closeConn(conn)
			reason := fmt.Sprintf("statement %d: %s", i+1, errorText(err))
			if state := sqlState(err); state == "" || inTheWay(state) {
				return nil, connect.Retriable(fmt.Errorf("%s: %s", optInitialStatements, reason))
			}
			return nil, &connect.ConfigError{Option: optInitialStatements, Reason: reason}
		}
	}
	return conn, nil
}

// connectReplication opens a connection of the replication protocol.
func (c *config) connectReplication(ctx context.Context) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.connection.connectTimeout)
	defer cancel()
	cfg, err := c.connection.dialConfig(map[string]string{"replication": "database", "statement_timeout": "0"})
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return nil, c.connection.explain(err)
	}
	return conn, nil
}

// closeConn closes a connection without waiting long for the server.
func closeConn(conn interface{ Close(context.Context) error }) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// dialConfig is how to connect, with parameters of the session besides those
// that the text of values depends on. Nothing comes from the environment or from
// the files of libpq: a connector's config says it all.
func (o *connectionOptions) dialConfig(params map[string]string) (*pgx.ConnConfig, error) {
	tlsConfigs, err := o.tlsConfigs()
	if err != nil {
		return nil, err
	}
	cfg, err := blankConfig()
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Port = o.hostname, uint16(o.port)
	cfg.User, cfg.Password, cfg.Database = o.user, o.password.Reveal(), o.database
	cfg.ConnectTimeout = o.connectTimeout
	cfg.TLSConfig = tlsConfigs[0]
	cfg.Fallbacks, cfg.ValidateConnect, cfg.AfterConnect = nil, nil, nil
	for _, t := range tlsConfigs[1:] {
		cfg.Fallbacks = append(cfg.Fallbacks, &pgconn.FallbackConfig{Host: o.hostname, Port: uint16(o.port), TLSConfig: t})
	}
	cfg.DialFunc = o.dialer().DialContext
	cfg.LookupFunc = lookupHost
	cfg.RuntimeParams = map[string]string{"application_name": "sluice", "idle_in_transaction_session_timeout": "0"}
	for _, s := range pgtype.Settings {
		cfg.RuntimeParams[s.Name] = s.Value
	}
	for k, v := range params {
		cfg.RuntimeParams[k] = v
	}
	return cfg, nil
}

// dialer finds dead connections after about a minute, which the system's own
// settings take two hours for.
func (o *connectionOptions) dialer() *net.Dialer {
	d := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: o.keepAlive, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	if !o.keepAlive {
		d.KeepAlive = -1
	}
	return d
}

// lookupHost resolves names where they are connected to, so that every address
// of a name is tried.
func lookupHost(ctx context.Context, host string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, host)
}

// SQLSTATEs that are told apart.
const (
	stateInvalidPassword = "28P01"
	stateInvalidAuth     = "28000"
	stateUnknownDatabase = "3D000"
	statePrivilege       = "42501"
	stateUndefinedObject = "42704"
	stateDuplicateObject = "42710"
	stateObjectInUse     = "55006"
	stateNotInState      = "55000"
	stateTooManySlots    = "53400"
	stateTooManyConns    = "53300"
	stateQueryCanceled   = "57014"
	stateLockTimeout     = "55P03"
	stateDeadlock        = "40P01"
	stateUndefinedTable  = "42P01"
	stateUndefinedColumn = "42703"
)

// sqlState is the SQLSTATE of a server's error, "" for others.
func sqlState(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// errorText is what a server said, without what the client puts around it.
func errorText(err error) string {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return err.Error()
	}
	text := pe.Message
	for _, more := range []string{pe.Detail, pe.Hint} {
		if more != "" {
			text += ". " + more
		}
	}
	return text + " (SQLSTATE " + pe.Code + ")"
}

// asked says what the server was asked for when it answered with an error, and marks one
// that may pass: the question comes again after a backoff.
func asked(what string, err error) error {
	if err == nil {
		return nil
	}
	text := fmt.Errorf("%s: %s", what, errorText(err))
	if retriableState(sqlState(err)) {
		return connect.Retriable(text)
	}
	return text
}

// inTheWay tells whether an SQLSTATE says that a statement had to wait for others, longer
// than it may. Of a change of the database the rest of what may pass is about what it is.
func inTheWay(state string) bool {
	return state == stateQueryCanceled || state == stateLockTimeout || state == stateDeadlock
}

// explain says which option is to be looked at when connecting fails, and
// whether to try again: a server that does not answer may come back.
func (o *connectionOptions) explain(err error) error {
	switch sqlState(err) {
	case stateInvalidPassword, stateInvalidAuth:
		return &connect.ConfigError{Option: optUser, Reason: "the server refuses the login: " + errorText(err) + ". Check " + optUser + ", " + optPassword + ", " + optSSLMode +
			" and the server's pg_hba.conf"}
	case stateUnknownDatabase:
		return &connect.ConfigError{Option: optDatabase, Reason: errorText(err)}
	case statePrivilege:
		return &connect.ConfigError{Option: optUser, Reason: errorText(err) + ". Give the user the right to replicate: ALTER ROLE " +
			quoteIdent(o.user) + " REPLICATION (GRANT rds_replication on Amazon RDS)"}
	}
	// With other modes a connection without TLS was tried too: its error counts.
	if reason := tlsFailure(err); reason != "" && o.sslMode != "prefer" && o.sslMode != "allow" {
		return &connect.ConfigError{Option: optSSLMode, Reason: reason}
	}
	return connect.Retriable(fmt.Errorf("connect to %s: %s", net.JoinHostPort(o.hostname, strconv.Itoa(o.port)), withoutConfig(err)))
}

// withoutConfig is the cause of an error of connecting without pgconn's own
// summary of how it connects.
func withoutConfig(err error) string {
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) && ce.Unwrap() != nil {
		err = ce.Unwrap()
	}
	return strings.ReplaceAll(errorText(err), "\n", "; ")
}
