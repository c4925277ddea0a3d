package debezium

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Postgres is where the scripts run; both connectors see the same names.
type Postgres struct {
	Host    string
	Port    int
	Version int
	// ConnString is the URL of a database.
	ConnString func(db string) string
}

const (
	database = "judge"
	slot     = "judge"
	// marker is the table that says how far the log is: its rows are inserted where
	// a script waits.
	marker = "zz_marker"
)

// Run plays a scenario and returns what came out, in the order of each topic.
func (s *Scenario) Run(ctx context.Context, w *Worker, pg *Postgres, testdata string) ([]Record, error) {
	r := &run{scenario: s, worker: w, pg: pg, sessions: make(map[string]*pgx.Conn)}
	if err := r.load(testdata); err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.play(ctx); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	return r.log.records, nil
}

// A run is a scenario while it is played.
type run struct {
	scenario *Scenario
	worker   *Worker
	pg       *Postgres
	scripts  []*Script
	sessions map[string]*pgx.Conn
	log      *logReader
	markers  int
	stream   int // process id of the server's end of the last stream
}

func (r *run) load(testdata string) error {
	for _, name := range r.scenario.Scripts {
		text, err := os.ReadFile(filepath.Join(testdata, name))
		if err != nil {
			return err
		}
		script, err := ParseScript(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.scripts = append(r.scripts, script)
	}
	return nil
}

func (r *run) close() {
	ctx := context.Background()
	for _, c := range r.sessions {
		c.Close(ctx)
	}
	if r.log != nil {
		r.log.close(ctx)
	}
}

func (r *run) play(ctx context.Context) error {
	if err := r.freshDatabase(ctx); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	for i, script := range r.scripts {
		if err := r.steps(ctx, r.scenario.Scripts[i], script.Before); err != nil {
			return err
		}
	}
	var err error
	if r.log, err = newLogReader(r.worker.Kafka, r.scenario, r.avro()); err != nil {
		return err
	}
	if err := r.worker.put(ctx, r.scenario.Name, r.config()); err != nil {
		return err
	}
	defer r.worker.delete(ctx, r.scenario.Name)
	if r.scenario.Ends {
		return r.ended(ctx)
	}
	if err := r.streaming(ctx); err != nil {
		return err
	}
	for i, script := range r.scripts {
		if err := r.steps(ctx, r.scenario.Scripts[i], script.Stream); err != nil {
			return err
		}
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	return r.settled(ctx) // what comes after the last marker on other topics, and what should not
}

// config is the scenario's over what all have.
func (r *run) config() map[string]string {
	c := map[string]string{
		"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": "1",
		"plugin.name": "pgoutput", "slot.name": slot, "topic.prefix": r.scenario.Name,
		"database.hostname": r.pg.Host, "database.port": strconv.Itoa(r.pg.Port), "database.user": "postgres",
		"database.password": "postgres", "database.dbname": database, "database.sslmode": "disable",
		"status.update.interval.ms": "100", "poll.interval.ms": "20",
	}
	for option, value := range r.scenario.Config {
		c[option] = strings.ReplaceAll(value, "{name}", r.scenario.Name)
	}
	if strings.Contains(c["signal.enabled.channels"], "kafka") {
		c["signal.kafka.bootstrap.servers"] = r.worker.Kafka
	}
	for _, side := range []string{"key.converter", "value.converter"} {
		if r.scenario.Avro {
			for option, value := range r.worker.Avro {
				c[side+option] = value
			}
			continue
		}
		c[side] = "org.apache.kafka.connect.json.JsonConverter"
		if c[side+".schemas.enable"] == "" {
			c[side+".schemas.enable"] = "false"
		}
	}
	return c
}

func (r *run) avro() *avroReader {
	if !r.scenario.Avro {
		return nil
	}
	return newAvroReader(r.worker.Schema)
}

// freshDatabase drops what the last scenario has left and starts over.
func (r *run) freshDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, r.pg.ConnString("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	err = until(ctx, func() error {
		if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
		return err
	})
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return err
	}
	if err := r.exec(ctx, Step{SQL: "CREATE TABLE " + marker + " (id int PRIMARY KEY)"}); err != nil || !r.scenario.Ends {
		return err
	}
	return r.insertMarker(ctx)
}

// streaming waits until the connector has its snapshot behind it and reads changes.
func (r *run) streaming(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, r.pg.ConnString(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	err = until(ctx, func() error {
		var pid int
		err := conn.QueryRow(ctx, "SELECT coalesce(max(pid), 0) FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE r.state = 'streaming'").Scan(&pid)
		if err == nil && (pid == 0 || pid == r.stream) { // the same is that of before a restart
			err = fmt.Errorf("the connector does not stream")
			if failure := r.alive(ctx); failure != nil {
				err = failure
			}
			return err
		}
		r.stream = pid
		return err
	})
	if err != nil {
		return err
	}
	return r.settled(ctx)
}

// ended waits until the connector has read a snapshot, whose last table is the
// marker's.
func (r *run) ended(ctx context.Context) error {
	if err := r.log.has(ctx, r.scenario.topic(marker), r.markers, func() error { return r.alive(ctx) }); err != nil {
		return err
	}
	return r.settled(ctx)
}

// settled waits until nothing more comes of what was done so far, and reads all of it.
func (r *run) settled(ctx context.Context) error {
	if r.worker.Quiet > 0 {
		return r.log.quiet(ctx, r.worker.Quiet)
	}
	end, err := r.writtenTo(ctx)
	if err != nil {
		return err
	}
	err = until(ctx, func() error {
		at, err := r.worker.offset(ctx, r.scenario.Name)
		if err == nil && at.behind(end) {
			return nil
		}
		if failure := r.alive(ctx); failure != nil {
			return failure
		}
		return cmp.Or(err, fmt.Errorf("the committed offset %+v is not behind %d, where the server is", at, end))
	})
	if err != nil {
		return err
	}
	return r.log.rest(ctx)
}

// writtenTo is how far the server has written its log of changes; 0 where the connector
// does not read it.
func (r *run) writtenTo(ctx context.Context) (lsn int64, err error) {
	if r.scenario.Ends {
		return 0, nil
	}
	conn, err := pgx.Connect(ctx, r.pg.ConnString(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&lsn)
	return lsn, err
}

func (r *run) alive(ctx context.Context) error { return r.worker.failure(ctx, r.scenario.Name) }

// sync waits until everything that is committed is in the log.
func (r *run) sync(ctx context.Context) error {
	if err := r.insertMarker(ctx); err != nil {
		return err
	}
	return r.log.has(ctx, r.scenario.topic(marker), r.markers, func() error { return r.alive(ctx) })
}

func (r *run) insertMarker(ctx context.Context) error {
	r.markers++
	return r.exec(ctx, Step{SQL: fmt.Sprintf("INSERT INTO public.%s VALUES (%d)", marker, r.markers)})
}

func (r *run) steps(ctx context.Context, file string, steps []Step) error {
	for _, step := range steps {
		if err := r.step(ctx, step); err != nil {
			return fmt.Errorf("%s:%d: %w", file, step.Line, err)
		}
	}
	return nil
}

func (r *run) step(ctx context.Context, step Step) error {
	switch {
	case step.Since > r.pg.Version:
		return nil
	case step.Sync:
		return r.sync(ctx)
	case step.Restart:
		if err := r.sync(ctx); err != nil {
			return err
		}
		if err := r.worker.restart(ctx, r.scenario.Name); err != nil {
			return err
		}
		return r.streaming(ctx)
	case step.Records > 0:
		if err := r.log.holds(ctx, step.Records, func() error { return r.alive(ctx) }); err != nil {
			return err
		}
		return r.settled(ctx)
	case step.Signal != "":
		return r.signal(ctx, step.Signal)
	case step.Stop:
		return r.stop(ctx)
	case step.Resume:
		if err := r.worker.set(ctx, r.scenario.Name, "resume"); err != nil {
			return err
		}
		return r.streaming(ctx)
	default:
		return r.exec(ctx, step)
	}
}

// signal sends a signal by the topic that has it by default.
func (r *run) signal(ctx context.Context, text string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.worker.Kafka), kgo.AllowAutoTopicCreation())
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: r.scenario.Name + "-signal", Key: []byte(r.scenario.Name), Value: []byte(text)}).FirstErr()
}

// stop returns when nobody reads the slot any more.
func (r *run) stop(ctx context.Context) error {
	if err := r.sync(ctx); err != nil {
		return err
	}
	if err := r.worker.set(ctx, r.scenario.Name, "stop"); err != nil {
		return err
	}
	return until(ctx, func() error {
		var active int
		err := r.sessions[""].QueryRow(ctx, "SELECT count(*) FROM pg_replication_slots WHERE active").Scan(&active)
		if err == nil && active > 0 {
			err = errors.New("the connector does not stop")
		}
		return err
	})
}

// exec runs a statement on its session's connection.
func (r *run) exec(ctx context.Context, step Step) error {
	conn := r.sessions[step.Session]
	if conn == nil {
		var err error
		if conn, err = pgx.Connect(ctx, r.pg.ConnString(database)); err != nil {
			return err
		}
		r.sessions[step.Session] = conn
	}
	err := execute(ctx, conn.PgConn(), step)
	if step.Fails || err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step.SQL, err)
}

func execute(ctx context.Context, conn *pgconn.PgConn, step Step) error {
	if step.Data != "" {
		_, err := conn.CopyFrom(ctx, strings.NewReader(step.Data), step.SQL)
		return err
	}
	_, err := conn.Exec(ctx, step.SQL).ReadAll()
	return err
}
