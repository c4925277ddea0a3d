package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

const (
	pgPrefix = "bench"
	pgDone   = "zz_done" // its row comes last
)

// mixedTable has twelve columns of different types, about 290 bytes of text.
const mixedTable = `CREATE TABLE mixed (id bigint PRIMARY KEY, customer int NOT NULL, product text, quantity smallint, price numeric(12,2), paid boolean,
	created timestamptz, shipped timestamp, due date, note varchar(120), weight double precision, token uuid)`

const mixedRows = `SELECT i, i %% 1000, 'product number ' || i %% 5000, i %% 100, (i %% 100000)::numeric / 100, i %% 2 = 0,
	now(), now(), now(), 'a note of some length for order ' || i || ', as people write them', i * 0.1, gen_random_uuid() FROM generate_series(%d, %d) i`

const smallTable = `CREATE TABLE small (id bigint PRIMARY KEY, a int, b text)`

// pgWorkload is a backlog that a connector drains.
type pgWorkload struct {
	name   string
	rows   int
	before []string // before the slots are made
	load   func(ctx context.Context, conn *pgx.Conn, rows int) error
}

var pgWorkloads = []pgWorkload{
	{"12 columns, 100-row transactions", 300_000, []string{mixedTable}, inTransactions(mixedRows, "mixed", 100)},
	{"12 columns, one transaction", 300_000, []string{mixedTable}, inTransactions(mixedRows, "mixed", 300_000)},
	{"3 columns, 1-row transactions", 150_000, []string{smallTable}, inTransactions(smallRows, "small", 1)},
	{"3 columns, 100-row transactions", 400_000, []string{smallTable}, inTransactions(smallRows, "small", 100)},
	{"12 columns, updates under REPLICA IDENTITY FULL", 150_000,
		[]string{mixedTable, "ALTER TABLE mixed REPLICA IDENTITY FULL", "INSERT INTO mixed " + fmt.Sprintf(mixedRows, 1, 150_000)}, updates},
}

const smallRows = `SELECT i, i %% 1000, 'row ' || i FROM generate_series(%d, %d) i`

// inTransactions inserts rows, so many in each transaction.
func inTransactions(query, table string, each int) func(context.Context, *pgx.Conn, int) error {
	return func(ctx context.Context, conn *pgx.Conn, rows int) error {
		batch := &pgx.Batch{}
		for first := 1; first <= rows; first += each {
			batch.Queue("BEGIN")
			batch.Queue("INSERT INTO " + table + " " + fmt.Sprintf(query, first, first+each-1))
			batch.Queue("COMMIT")
			if batch.Len() >= 3000 {
				if err := send(ctx, conn, batch); err != nil {
					return err
				}
				batch = &pgx.Batch{}
			}
		}
		return send(ctx, conn, batch)
	}
}

func send(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch) error {
	return conn.SendBatch(ctx, batch).Close()
}

func updates(ctx context.Context, conn *pgx.Conn, rows int) error {
	for first := 1; first <= rows; first += 1000 {
		if _, err := conn.Exec(ctx, "UPDATE mixed SET quantity = quantity + 1 WHERE id BETWEEN $1 AND $2", first, first+999); err != nil {
			return err
		}
	}
	return nil
}

// postgres is a server with a connection.
type postgres struct {
	*pgtest.Server
	conn *pgx.Conn
}

func startPostgres(ctx context.Context) (*postgres, error) {
	s, err := pgtest.Open(pgtest.Options{Settings: map[string]string{"shared_buffers": "512MB", "max_wal_size": "8GB", "wal_sender_timeout": "5min", "autovacuum": "off"}})
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.ConnString(pgtest.User))
	if err != nil {
		s.Close()
		return nil, err
	}
	return &postgres{s, conn}, nil
}

func (p *postgres) stop() {
	p.conn.Close(context.Background())
	p.Close()
}

func (p *postgres) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := p.conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%.60s: %w", s, err)
		}
	}
	return nil
}

// backlog makes the tables, slots that start before the load, and the load.
func (p *postgres) backlog(ctx context.Context, w *pgWorkload, slots ...string) error {
	if err := p.exec(ctx, w.before...); err != nil {
		return err
	}
	if err := p.exec(ctx, "CREATE TABLE "+pgDone+" (id int PRIMARY KEY)", "CREATE PUBLICATION dbz_publication FOR ALL TABLES"); err != nil {
		return err
	}
	for _, slot := range slots {
		if err := p.exec(ctx, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')"); err != nil {
			return err
		}
	}
	if err := w.load(ctx, p.conn, w.rows); err != nil {
		return err
	}
	return p.exec(ctx, "INSERT INTO "+pgDone+" VALUES (1)", "CHECKPOINT")
}

// pgConnector is the config of a connector that reads changes from a slot.
func pgConnector(port int, slot string, more map[string]string) map[string]string {
	config := map[string]string{
		"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput", "topic.prefix": pgPrefix, "slot.name": slot,
		"database.hostname": "127.0.0.1", "database.port": strconv.Itoa(port), "database.user": pgtest.User, "database.password": pgtest.Password, "database.dbname": pgtest.User,
		"database.sslmode": "disable", "snapshot.mode": "no_data", "max.batch.size": "16384", "max.queue.size": "65536", "tombstones.on.delete": "false",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
	}
	for k, v := range more {
		config[k] = v
	}
	return config
}

// pgDrain compares how fast the connector and a bare reader of frames drain the same
// backlog. The bare one goes before and after, and the faster of the two counts: what
// else the machine does can only slow it down.
func pgDrain(w *pgWorkload) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		p, err := startPostgres(ctx)
		if err != nil {
			return result{}, err
		}
		defer p.stop()
		if err := p.backlog(ctx, w, "bare_1", "bare_2", "drain"); err != nil {
			return result{}, err
		}
		s, err := b.start(ctx)
		if err != nil {
			return result{}, err
		}
		defer s.stop()
		if b.debezium != "" {
			if s, err = b.startDebezium(ctx, s); err != nil {
				return result{}, err
			}
			defer s.stop()
		}
		return p.compare(ctx, s, w)
	}
}

func (p *postgres) compare(ctx context.Context, s *server, w *pgWorkload) (result, error) {
	first, err := p.bare(ctx, "bare_1", w.rows)
	if err != nil {
		return result{}, err
	}
	cpu := s.cpu()
	took, err := p.drain(ctx, s)
	if err != nil {
		return result{}, err
	}
	cpu = s.cpu() - cpu
	second, err := p.bare(ctx, "bare_2", w.rows)
	if err != nil {
		return result{}, err
	}
	rate := float64(w.rows) / took.Seconds()
	limit := float64(w.rows) / min(first, second).Seconds()
	return result{
		figure: fmt.Sprintf("%.0f rows/s, %.1f µs of CPU a row, peak %d MB", rate, float64(cpu.Microseconds())/float64(w.rows), s.peakMemory()>>20),
		limit:  fmt.Sprintf("%.0f rows/s", limit),
		ratio:  fmt.Sprintf("%.2f", rate/limit),
	}, nil
}

// drain runs the connector until the last row is in the log.
func (p *postgres) drain(ctx context.Context, s *server) (time.Duration, error) {
	begin := time.Now()
	if err := s.create("drain", pgConnector(p.Port, "drain", nil)); err != nil {
		return 0, err
	}
	err := s.waitForEnd(ctx, pgPrefix+".public."+pgDone, 1)
	return time.Since(begin), err
}

// pgSnapshot compares a snapshot of so many rows with a COPY of the same table to
// nowhere, before and after.
func pgSnapshot(rows int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) { return snapshotOf(ctx, b, rows) }
}

func snapshotOf(ctx context.Context, b *bench, rows int) (result, error) {
	p, err := startPostgres(ctx)
	if err != nil {
		return result{}, err
	}
	defer p.stop()
	if err := p.exec(ctx, mixedTable, "INSERT INTO mixed "+fmt.Sprintf(mixedRows, 1, rows), "VACUUM ANALYZE mixed", "CHECKPOINT"); err != nil {
		return result{}, err
	}
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	if b.debezium != "" {
		if s, err = b.startDebezium(ctx, s); err != nil {
			return result{}, err
		}
		defer s.stop()
	}
	before, err := p.copyToNull(ctx)
	if err != nil {
		return result{}, err
	}
	cpu, begin := s.cpu(), time.Now()
	if err := s.create("snapshot", pgConnector(p.Port, "snapshot", map[string]string{"snapshot.mode": "initial"})); err != nil {
		return result{}, err
	}
	if err := s.waitForEnd(ctx, pgPrefix+".public.mixed", int64(rows)); err != nil {
		return result{}, err
	}
	took := time.Since(begin)
	cpu = s.cpu() - cpu
	after, err := p.copyToNull(ctx)
	if err != nil {
		return result{}, err
	}
	rate, limit := float64(rows)/took.Seconds(), float64(rows)/min(before, after).Seconds()
	return result{
		figure: fmt.Sprintf("%.0f rows/s, %.1f µs of CPU a row, peak %d MB", rate, float64(cpu.Microseconds())/float64(rows), s.peakMemory()>>20),
		limit:  fmt.Sprintf("%.0f rows/s", limit),
		ratio:  fmt.Sprintf("%.2f", rate/limit),
	}, nil
}
