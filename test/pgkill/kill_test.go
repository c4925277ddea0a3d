package pgkill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

const (
	defaultRounds = 10
	writers       = 4
	prefix        = "shop"
	database      = "postgres"
)

var topics = []string{prefix + ".public.account", prefix + ".public.history", prefix + ".public.done", prefix + ".transaction"}

// torture is one run of the test.
type torture struct {
	t      *testing.T
	pg     *pgtest.Server
	proxy  *proxy
	worker *worker
	random *rand.Rand
	faults map[string]int // by name
	waited time.Duration  // for records to come
	broken time.Duration  // until what was broken was there again
}

func TestKillPostgres(t *testing.T) {
	rounds := number(t, "SLUICE_POSTGRES_KILL_ROUNDS", defaultRounds)
	seed := number(t, "SLUICE_KILL_SEED", int(time.Now().UnixNano()))
	pg := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"logical_decoding_work_mem": "64kB", "max_wal_size": "1GB"}})
	pg.Exec(t, tables)
	tt := &torture{t: t, pg: pg, proxy: startProxy(t, pg.Port), worker: newWorker(t), random: rand.New(rand.NewPCG(uint64(seed), 0)), faults: make(map[string]int)}
	tt.worker.put(t, "shop", config(tt.proxy.port()))

	begin := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l := &load{connString: pg.ConnString(database)}
	l.start(ctx, writers, uint64(seed))
	for n := range rounds {
		tt.fault()
		if (n+1)%10 == 0 {
			fmt.Printf("pgkill: %d faults after %v, of which %v waiting for records and %v starting what was killed\n",
				n+1, time.Since(begin).Round(time.Second), tt.waited.Round(time.Second), tt.broken.Round(time.Second))
		}
	}
	stop()
	l.wg.Wait()
	tt.drain()
	took := time.Since(begin)

	j := newJudge(t, prefix)
	j.readAll(tt.worker.clientOpts(), topics...)
	conn := pg.Connect(t, database)
	n := j.compare(tt.worker.clientOpts(), conn, "account") + j.compare(tt.worker.clientOpts(), conn, "history")
	j.transactions()
	fmt.Printf("pgkill: %d faults %v in %v (seed %d): %d transactions, %d connections of the load broken; %d events, %d rows, %d ends of transactions; faults found %v\n",
		rounds, tt.faults, took.Round(time.Second), seed, l.committed.Load(), l.failed.Load(), j.read, n, len(j.ends), j.faults)
}

func config(port int) map[string]string {
	return map[string]string{
		"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput", "topic.prefix": prefix,
		"database.hostname": "127.0.0.1", "database.port": strconv.Itoa(port), "database.user": pgtest.User, "database.password": pgtest.Password,
		"database.dbname": database, "database.sslmode": "disable", "provide.transaction.metadata": "true",
		"table.include.list":        "public.account,public.history,public.done",
		"status.update.interval.ms": "100", "retriable.restart.connector.wait.ms": "100", "slot.retry.delay.ms": "100", "slot.max.retries": "1000",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
	}
}

func number(t *testing.T, env string, otherwise int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", env, text, err)
	}
	return n
}

// fault lets some records come and then breaks something.
func (tt *torture) fault() {
	begin := time.Now()
	tt.progress()
	tt.waited += time.Since(begin)
	rest(tt.t.Context(), time.Duration(tt.random.IntN(700))*time.Millisecond)
	begin = time.Now()
	defer func() { tt.broken += time.Since(begin) }()
	switch n := tt.random.IntN(10); {
	case n < 5:
		tt.faults["server killed"]++
		tt.worker.Kill()
		tt.worker.start(tt.t)
	case n < 6:
		tt.faults["both killed"]++
		tt.worker.Kill()
		tt.pg.Kill(tt.t)
		tt.pg.Restart(tt.t)
		tt.worker.start(tt.t)
	case n < 7:
		tt.faults["PostgreSQL killed"]++
		tt.pg.Kill(tt.t)
		tt.pg.Restart(tt.t)
	case n < 8:
		tt.faults["immediate shutdown"]++
		tt.pg.Stop(pgtest.Immediate)
		tt.pg.Restart(tt.t)
	default:
		tt.faults["connections cut"]++
		tt.proxy.cut()
	}
}

// progress waits until there are more records in the log than before.
func (tt *torture) progress() {
	tt.t.Helper()
	first := int64(-1)
	until(tt.t, "progress", func() error {
		end, err := tt.end()
		if err != nil {
			return err
		}
		if first < 0 {
			first = end
		}
		if end <= first {
			return fmt.Errorf("there are %d records, as before", end)
		}
		return nil
	})
}

// end is the sum of the end offsets.
func (tt *torture) end() (int64, error) {
	var sum int64
	ends, err := listed(tt.t.Context(), tt.worker.clientOpts(), (*kadm.Client).ListEndOffsets)
	for _, topic := range topics {
		sum += max(0, ends[topic][0].Offset)
	}
	return sum, err
}

// drain waits until a last row is in the log: everything before it is, too. That may
// take as long as it goes on.
func (tt *torture) drain() {
	tt.t.Helper()
	tt.pg.Exec(tt.t, "INSERT INTO done VALUES (1, 1, 'done')")
	var moved time.Time
	var last int64
	left := errors.New("it was not looked for")
	for left != nil {
		until(tt.t, "the end of the log", func() error {
			end, err := tt.end()
			if end > last {
				last, moved = end, time.Now()
			}
			return err
		})
		if time.Since(moved) > patience {
			tt.t.Fatalf("nothing has come for %v, and the end is not there: %v", patience, left)
		}
		rest(tt.t.Context(), 50*time.Millisecond)
		left = ended(tt.t.Context(), tt.worker.clientOpts(), prefix+".public.done", topics...)
	}
}
