package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestLargeValue reads a value of 100 MB in a snapshot and in the stream.
func TestLargeValue(t *testing.T) {
	const size = 100 << 20
	r := newRig(t, oneTable, "snapshot.mode", "initial")
	r.show = func(rec *connect.Record) string {
		after := rec.Value.Cells()[envelopeAfter].Cells()
		return fmt.Sprintf("%s %d bytes", rec.Value.Cells()[envelopeOp].Text(), len(after[1].Text()))
	}
	r.db.Exec(t, fmt.Sprintf(`INSERT INTO t VALUES (1, repeat('x', %d))`, size))
	r.open()
	r.want(fmt.Sprintf("r %d bytes", size))
	r.db.Exec(t, fmt.Sprintf(`INSERT INTO t VALUES (2, repeat('y', %d)), (3, 'z')`, size))
	r.want(fmt.Sprintf("c %d bytes", size), "c 1 bytes")
}

// TestStandbyAsSource reads a standby, whose slot the primary has to help along, and
// goes on with it when it is promoted while it is read.
func TestStandbyAsSource(t *testing.T) {
	t.Parallel()
	for _, version := range []int{16, 18} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			primary := pgtest.Start(t, pgtest.Options{Version: version})
			standby := primary.Standby(t, nil)
			r := newRigOn(t, primary, oneTable+`; CREATE PUBLICATION dbz_publication FOR ALL TABLES; INSERT INTO t VALUES (1, 'before')`,
				"snapshot.mode", "initial", optAutocreate, autocreateDisabled, "database.port", strconv.Itoa(standby.Port), optReadOnly, "true")
			onStandby := &pgtest.Database{Server: &pgtest.Server{Server: standby.Server}, Name: r.db.Name}
			end := r.db.Text(t, `SELECT pg_current_wal_lsn()`)
			every := &pgtest.Database{Server: standby, Name: pgtest.User}
			waitFor(t, func() bool { return every.Text(t, `SELECT pg_last_wal_replay_lsn() >= '`+end+`'`) == "true" })
			helped := make(chan struct{})
			opened := make(chan struct{})
			go func() { // the standby's slot begins at the primary's next record of running transactions
				defer close(helped)
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-opened:
						return
					case <-tick.C:
						_ = primary.Statement(`SELECT pg_log_standby_snapshot()`)
					}
				}
			}()
			r.open()
			r.until(1)
			close(opened)
			<-helped
			r.db.Exec(t, `INSERT INTO t VALUES (2, 'streamed')`)
			r.want(`public.t r - (1 "before")`, `public.t c - (2 "streamed")`)
			primary.Stop(pgtest.Fast)
			if err := standby.Promote(); err != nil {
				t.Fatal(err)
			}
			onStandby.Exec(t, `INSERT INTO t VALUES (3, 'promoted')`)
			r.want(`public.t c - (3 "promoted")`)
			r.restart() // beyond the end of the timeline that the offset was begun on
			onStandby.Exec(t, `INSERT INTO t VALUES (4, 'again')`)
			r.want(`public.t c - (4 "again")`)
			primary.Restart(t) // for the end of the test
		})
	}
}

// TestSlotWaitsForTransactions has a transaction that writes when the slot is made: the
// start waits for it, and its rows come once.
func TestSlotWaitsForTransactions(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "snapshot.mode", "initial")
	long := r.db.Connect(t)
	if _, err := long.Exec(t.Context(), `BEGIN; INSERT INTO t VALUES (1, 'long')`); err != nil {
		t.Fatal(err)
	}
	const waits = "waits for a transaction to end"
	committed := make(chan error, 1)
	go func() {
		for until := time.Now().Add(patience); !strings.Contains(r.log.String(), waits) && time.Now().Before(until); {
			<-time.After(5 * time.Millisecond)
		}
		_, err := long.Exec(t.Context(), `INSERT INTO t VALUES (2, 'long'); COMMIT`)
		committed <- err
	}()
	r.open()
	r.completed()
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	r.want(`public.t r - (1 "long")`, `public.t r - (2 "long")`)
	if !strings.Contains(r.log.String(), waits) {
		t.Error("the log does not say what the start waits for")
	}
}

// TestServerTimeouts reads slowly on a server that ends statements and idle
// transactions soon.
func TestServerTimeouts(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable+`; INSERT INTO t VALUES (1, 'slow')`, "snapshot.mode", "initial",
		"snapshot.select.statement.overrides", "public.t", "snapshot.select.statement.overrides.public.t", "SELECT t.* FROM t, pg_sleep(0.4)")
	r.db.Exec(t, `ALTER DATABASE `+r.db.Name+` SET statement_timeout = '200ms'; ALTER DATABASE `+r.db.Name+` SET idle_in_transaction_session_timeout = '200ms'`)
	r.open()
	<-time.After(300 * time.Millisecond) // nobody reads: the snapshot's transaction is idle
	r.want(`public.t r - (1 "slow")`)
}

// TestManyTables starts on 1,000 tables.
func TestManyTables(t *testing.T) {
	t.Parallel()
	const tables = 1000
	r := newRig(t, fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP
		EXECUTE format('CREATE TABLE t%%s (id int PRIMARY KEY, v text, n numeric(5,2))', i); EXECUTE format('INSERT INTO t%%s VALUES (1)', i); END LOOP; END $$`, tables), "snapshot.mode", "initial")
	start := time.Now()
	r.open()
	opened := time.Since(start)
	r.until(tables)
	t.Logf("open after %.2f s, %d tables read after %.2f s", opened.Seconds(), tables, time.Since(start).Seconds())
	r.events = nil
	r.db.Exec(t, `UPDATE t1000 SET v = 'x'`)
	r.want(`public.t1000 u - (1 "x" null)`)
}
