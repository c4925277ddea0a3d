package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

const (
	// maxRefreshes bounds how many unknown types one table may have.
	maxRefreshes = 2000
	// catalogTimeout is how long the server has at most to answer a question to the catalog.
	// The stream, or Open, waits meanwhile, and who watches the connection of the stream
	// alone does not see that nothing moves.
	catalogTimeout = time.Minute
	// changeTimeout is how long it has for a change of the database, which may wait for
	// locks, when database.query.timeout.ms does not say.
	changeTimeout = 10 * time.Minute
)

// relations describes tables from the catalog, on an SQL connection beside the
// stream that is opened when it is needed.
type relations struct {
	cfg   *config
	types *pgtype.Catalog
	conn  *pgx.Conn // nil: none is open
}

// sql returns the connection. After an error close it, so that the next call opens
// another.
func (r *relations) sql(ctx context.Context) (*pgx.Conn, error) {
	if r.conn != nil && !r.conn.IsClosed() {
		return r.conn, nil
	}
	conn, err := r.cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	r.conn = conn
	return conn, nil
}

func (r *relations) close() {
	if r.conn != nil {
		closeConn(r.conn)
		r.conn = nil
	}
}

// with runs f on the connection. One that broke since it was used is replaced; an
// error that is not the server's may pass, and so may one about its state.
func (r *relations) with(ctx context.Context, f func(*pgx.Conn) error) error {
	reused := r.conn != nil
	for {
		conn, err := r.sql(ctx)
		if err != nil {
			return err
		}
		err = f(conn)
		switch {
		case err == nil:
			return nil
		case !conn.IsClosed() && retriableState(sqlState(err)):
			return connect.Retriable(err)
		case !conn.IsClosed():
			return err
		}
		r.close()
		if !reused || ctx.Err() != nil {
			return connect.Retriable(err)
		}
		reused = false
	}
}

// ask runs f on the connection with a limit of time, as often as with does: a connection
// that is silent since something between it and the server has forgotten it is replaced.
func (r *relations) ask(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	return r.with(ctx, func(conn *pgx.Conn) error {
		return within(ctx, r.cfg.connection.catalogTimeout(), func(ctx context.Context) error { return f(ctx, conn) })
	})
}

// within runs f with a limit of time.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("the server has not answered within %s: %w", limit, err)
	}
	return err
}

func (o *connectionOptions) catalogTimeout() time.Duration {
	if o.queryTimeout > 0 {
		return min(catalogTimeout, o.queryTimeout)
	}
	return catalogTimeout
}

// change runs a statement that changes the database, with a limit of time.
func (o *connectionOptions) change(ctx context.Context, conn *pgx.Conn, sql string) error {
	return within(ctx, cmp.Or(o.queryTimeout, changeTimeout), func(ctx context.Context) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

func (r *relations) loadTypes(ctx context.Context, conn *pgx.Conn) error {
	return r.types.Load(ctx, conn)
}

// captured describes the tables that the config captures.
func (r *relations) captured(ctx context.Context) (tables []tableInfo, err error) {
	err = r.ask(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		tables, err = capturedTables(ctx, conn, r.cfg)
		return err
	})
	return tables, err
}

// table describes a relation of the stream. Of a table that is gone the relation
// says what there is: its replica identity stands for its key.
func (r *relations) table(ctx context.Context, rel *pgoutput.Relation) (info tableInfo, err error) {
	err = r.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var ok bool
		if info, ok, err = readTable(ctx, conn, rel.OID); err == nil && !ok {
			info = tableInfo{oid: rel.OID, name: tableName{rel.Namespace, rel.Name}, kind: 'r', identity: rel.Identity, primaryKey: identityColumns(rel)}
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("describe table %s: %w", tableName{rel.Namespace, rel.Name}, err)
	}
	return info, err
}

func identityColumns(rel *pgoutput.Relation) []string {
	if rel.Identity == pgoutput.IdentityFull {
		return nil
	}
	var names []string
	for _, c := range rel.Columns {
		if c.Key {
			names = append(names, c.Name)
		}
	}
	return names
}

// build makes a version of a table. Types that were made after the catalog was read
// are read now.
func (r *relations) build(ctx context.Context, make func() (*table, error)) (*table, error) {
	for range maxRefreshes {
		t, err := make()
		var unknown *pgtype.UnknownTypeError
		if !errors.As(err, &unknown) {
			return t, err
		}
		if err := r.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error { return r.types.Refresh(ctx, conn, unknown.OID) }); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a table has more than %d types that are not in the catalog", maxRefreshes)
}

// refreshEnum reads an enum that got a new label.
func (r *relations) refreshEnum(ctx context.Context, stale *pgtype.StaleEnumError) error {
	return r.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error { return r.types.RefreshEnum(ctx, conn, stale) })
}

func sameRelation(a, b *pgoutput.Relation) bool {
	return a.OID == b.OID && a.Namespace == b.Namespace && a.Name == b.Name && a.Identity == b.Identity && slices.Equal(a.Columns, b.Columns)
}

// sameInfo tells whether the catalog says the same as before; it is asked once for
// each relation message.
func sameInfo(a, b *tableInfo) bool { return reflect.DeepEqual(a, b) }
