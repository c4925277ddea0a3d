package pgkill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// The tables. A row's ver counts its changes, which is how a missing one is seen.
const tables = `
CREATE TABLE account (id bigint PRIMARY KEY, ver bigint NOT NULL, note text);
ALTER TABLE account REPLICA IDENTITY FULL;
CREATE TABLE history (id bigint PRIMARY KEY, ver bigint NOT NULL DEFAULT 1, note text);
CREATE TABLE done (id bigint PRIMARY KEY, ver bigint NOT NULL DEFAULT 1, note text);
CREATE SEQUENCE ids START 1000000;
INSERT INTO account SELECT g, 1, 'first' FROM generate_series(1, 1000) g;
INSERT INTO history SELECT g, 1, repeat('x', 50) FROM generate_series(1, 40000) g;`

const accounts = 1000

// load is what changes the tables until it is told to stop.
type load struct {
	connString string
	committed  atomic.Int64 // transactions
	failed     atomic.Int64 // connections that broke
	wg         sync.WaitGroup
}

func (l *load) start(ctx context.Context, writers int, seed uint64) {
	for w := range writers {
		l.wg.Go(func() { l.write(ctx, rand.New(rand.NewPCG(seed, uint64(w)))) })
	}
}

// write makes transactions, on a new connection when the last one broke.
func (l *load) write(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		conn, err := pgx.Connect(ctx, l.connString)
		if err != nil {
			rest(ctx, 20*time.Millisecond)
			continue
		}
		for ctx.Err() == nil {
			if err = transaction(ctx, conn, r); err != nil {
				break
			}
			l.committed.Add(1)
			rest(ctx, time.Duration(r.IntN(12))*time.Millisecond)
		}
		if err != nil {
			l.failed.Add(1)
		}
		conn.Close(context.Background())
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// transaction makes one of several kinds of transactions.
func transaction(ctx context.Context, conn *pgx.Conn, r *rand.Rand) error {
	switch n := r.IntN(100); {
	case n < 45:
		return run(ctx, conn, update(r))
	case n < 60:
		return run(ctx, conn, "BEGIN", update(r), insert, update(r), "COMMIT")
	case n < 75:
		return run(ctx, conn, "BEGIN", update(r), "SAVEPOINT a", update(r), insert, "ROLLBACK TO a", update(r), "SAVEPOINT b", insert, "RELEASE b", "COMMIT")
	case n < 80:
		return run(ctx, conn, "BEGIN", update(r), insert, "ROLLBACK")
	case n < 88:
		return run(ctx, conn, "BEGIN", fmt.Sprintf("DELETE FROM account WHERE id = %d", key(r)), fmt.Sprintf("INSERT INTO account VALUES (%d, 1, 'again') ON CONFLICT DO NOTHING", key(r)), "COMMIT")
	case n < 92:
		return run(ctx, conn, fmt.Sprintf("UPDATE account SET id = nextval('ids'), ver = ver + 1 WHERE id = %d", key(r)))
	case n < 98:
		return copyRows(ctx, conn, 1+r.IntN(200))
	default:
		return large(ctx, conn, r)
	}
}

// large is more than logical_decoding_work_mem, with a part that is undone.
func large(ctx context.Context, conn *pgx.Conn, r *rand.Rand) error {
	rows := 300 + r.IntN(1200)
	many := fmt.Sprintf("INSERT INTO history SELECT nextval('ids'), 1, repeat('y', 60) FROM generate_series(1, %d)", rows)
	return run(ctx, conn, "BEGIN", many, "SAVEPOINT a", many, "ROLLBACK TO a", update(r), many, "COMMIT")
}

func key(r *rand.Rand) int { return 1 + r.IntN(accounts) }

func update(r *rand.Rand) string {
	return fmt.Sprintf("UPDATE account SET ver = ver + 1, note = '%d' WHERE id = %d", r.IntN(1000), key(r))
}

const insert = "INSERT INTO history VALUES (nextval('ids'), 1, 'one')"

// run runs statements one by one. One that loses against another transaction ends
// with a rollback, which is as good.
func run(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			if conn.IsClosed() || ctx.Err() != nil {
				return err
			}
			_, err = conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
			return err
		}
	}
	return nil
}

func copyRows(ctx context.Context, conn *pgx.Conn, n int) error {
	var first int64
	if err := conn.QueryRow(ctx, "SELECT nextval('ids')").Scan(&first); err != nil {
		return err
	}
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "%d\t1\tcopied\n", 1_000_000_000_000+first*1000+int64(i))
	}
	_, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(rows.String()), "COPY history FROM STDIN")
	return err
}
