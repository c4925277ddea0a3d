package postgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// confirmedLSN is what the server has been told.
func (r *rig) confirmedLSN() pgoutput.LSN {
	r.t.Helper()
	lsn, err := pgoutput.ParseLSN(r.db.Text(r.t, `SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '`+r.settings["slot.name"]+`'`))
	if err != nil {
		r.t.Fatal(err)
	}
	return lsn
}

func (r *rig) walEnd() pgoutput.LSN {
	r.t.Helper()
	lsn, err := pgoutput.ParseLSN(r.db.Text(r.t, `SELECT pg_current_wal_lsn()`))
	if err != nil {
		r.t.Fatal(err)
	}
	return lsn
}

// TestConfirmsOnlyWhatIsDurable reads without committing: the server keeps all of
// it, through reports and in the end; then commits in the middle of a transaction,
// which confirms the one before.
func TestConfirmsOnlyWhatIsDurable(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.commit = false
	r.batch = newBatchOf(1)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	start := r.source.pos.end
	r.until(1)
	r.readFor("the commit", func() bool { return r.source.pos.end > start })
	end := r.source.pos.end
	if start = r.confirmedLSN(); start >= end {
		t.Fatalf("the slot is at %s, beyond the transaction's end %s, before anything was committed", start, end)
	}
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'b'), (3, 'c')`)
	r.until(2)
	<-time.After(3 * r.source.markInterval()) // of several reports
	if got := r.confirmedLSN(); got != start {
		t.Errorf("the slot moved from %s to %s without a commit", start, got)
	}
	r.source.Commit(r.marks[0])
	waitFor(t, func() bool { return r.confirmedLSN() > start })
	if got := r.confirmedLSN(); got != end {
		t.Errorf("the slot is at %s, want the end of the first transaction %s", got, end)
	}
	r.stop()
	if got := r.confirmedLSN(); got != end {
		t.Errorf("the slot is at %s after the end, want %s", got, end)
	}
}

// TestConfirmsOnClose commits right before the close, which is the last chance.
func TestConfirmsOnClose(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "status.update.interval.ms", "60000")
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.until(1)
	end := r.source.pos.end
	r.stop()
	if got := r.confirmedLSN(); got != end {
		t.Errorf("the slot is at %s, want %s", got, end)
	}
}

func TestManualFlushConfirmsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, optFlushMode, flushManual)
	r.open()
	start := r.confirmedLSN()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.until(1)
	<-time.After(3 * r.source.markInterval())
	r.stop()
	if got := r.confirmedLSN(); got != start {
		t.Errorf("the slot moved from %s to %s", start, got)
	}
}

// TestIdleDatabaseHoldsNoWAL writes to another database only: the slot follows
// without heartbeats.
func TestIdleDatabaseHoldsNoWAL(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	busy := newRig(t, oneTable)
	r.open()
	busy.db.Exec(t, `INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 2000) i`)
	wrote := r.walEnd()
	r.pumpFor("the slot follows", func() bool { return r.confirmedLSN() >= wrote }) // the report comes after the last read that brings something
	r.stop()
	r.open() // the stored offset has kept up with what was confirmed
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.want(`public.t c - (1 "a")`)
}

// TestReportsWhileNobodyReads lets the server's patience run out several times
// while Read is not called and more waits than the feed holds.
func TestReportsWhileNobodyReads(t *testing.T) {
	r := newRig(t, oneTable, "status.update.interval.ms", "10000")
	r.db.Exec(t, `ALTER DATABASE `+r.db.Name+` SET wal_sender_timeout = '2s'`)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (0, 'a')`)
	r.until(1)
	r.events = nil
	const rows = 30000
	r.db.Exec(t, fmt.Sprintf(`INSERT INTO t SELECT i, repeat('x', 300) FROM generate_series(1, %d) i`, rows))
	pid := r.walsender()
	<-time.After(6 * time.Second) // three times the timeout
	if now := r.walsender(); now != pid {
		t.Errorf("the server has ended the connection: %s became %s", pid, now)
	}
	r.batch = newBatchOf(5000)
	r.until(rows)
}

func (r *rig) walsender() string {
	return r.db.Text(r.t, `SELECT active_pid FROM pg_replication_slots WHERE slot_name = '`+r.settings["slot.name"]+`'`)
}

// proxy is a network between source and server that can be cut or go silent.
type proxy struct {
	listener net.Listener
	target   string
	silent   atomic.Bool
	muted    atomic.Int64 // so many of the first connections are silent
	left     atomic.Int64 // so many pieces come through until all are silent, if it is above 0
	wait     sync.WaitGroup
	mu       sync.Mutex // guards conns
	conns    []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target}
	p.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.connect(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.silent.Store(false)
		p.cut()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) connect(c net.Conn) {
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		c.Close()
		return
	}
	p.mu.Lock()
	number := int64(len(p.conns) / 2)
	p.conns = append(p.conns, c, up)
	p.mu.Unlock()
	dead := func() bool { return p.silent.Load() || number < p.muted.Load() }
	for _, way := range [][2]net.Conn{{c, up}, {up, c}} {
		p.wait.Go(func() {
			buf := make([]byte, 32<<10)
			for {
				n, err := way[0].Read(buf)
				if err != nil {
					break
				}
				if p.left.Add(-1) == 0 {
					p.silent.Store(true)
				}
				if dead() {
					continue // a black hole
				}
				if _, err := way[1].Write(buf[:n]); err != nil {
					break
				}
			}
			if !dead() {
				way[1].Close()
			}
		})
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) port() string { return strconv.Itoa(p.listener.Addr().(*net.TCPAddr).Port) }

func throughProxy(t *testing.T, r *rig) *proxy {
	p := newProxy(t, "127.0.0.1:"+r.settings["database.port"])
	r.settings["database.port"] = p.port()
	return p
}

// TestConnectionsThatBreak cuts the network, then lets it go silent: a peer that is
// gone without a word is found out.
func TestConnectionsThatBreak(t *testing.T) {
	r := newRig(t, oneTable, "connection.validation.timeout.ms", "2000")
	r.db.Exec(t, `ALTER DATABASE `+r.db.Name+` SET wal_sender_timeout = '900ms'`)
	p := throughProxy(t, r)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.until(1)
	p.cut()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'b')`)
	r.until(2)

	p.silent.Store(true)
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	for err == nil {
		_, err = r.read(ctx)
	}
	if !connect.IsRetriable(err) || !strings.Contains(err.Error(), "has not answered") && !strings.Contains(err.Error(), "report to the server") {
		t.Errorf("got error %v after %s, want one that says that the server is silent", err, time.Since(began))
	}
	p.silent.Store(false)
	p.cut()
	r.db.Exec(t, `INSERT INTO t VALUES (3, 'c')`)
	r.want(`public.t c - (1 "a")`, `public.t c - (2 "b")`, `public.t c - (3 "c")`)
}

// TestCatalogThatIsSilent loses the connection that tables are described with, without a
// word, while that of the stream goes on: the source finds out and takes another.
func TestCatalogThatIsSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "connection.validation.timeout.ms", "2000", "database.query.timeout.ms", "1000")
	p := throughProxy(t, r)
	r.open()
	p.mu.Lock()
	p.muted.Store(int64(len(p.conns) / 2)) // the stream's comes with the first Read
	p.mu.Unlock()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.want(`public.t c - (1 "a")`)
}

// TestSilentWhileOpening has the server accept connections and fall silent after more and more
// of the pieces of which the talk of Open consists, a question and its answer each time: it
// ends, and says that it may be tried again.
func TestSilentWhileOpening(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "connection.validation.timeout.ms", "200", "database.query.timeout.ms", "200", "publication.autocreate.mode", "filtered",
		"replica.identity.autoset.values", "public.t:FULL", "database.initial.statements", "SET search_path = public")
	r.db.Exec(t, `SELECT pg_create_logical_replication_slot('`+r.settings["slot.name"]+`', 'pgoutput')`) // which waits for others, longer than a test may
	p := throughProxy(t, r)
	for pieces := int64(1); ; pieces += 2 {
		p.cut()
		p.silent.Store(false)
		p.left.Store(pieces)
		r.source = r.config().Source().(*Source)
		ctx, cancel := context.WithTimeout(t.Context(), patience/4)
		err := r.source.Open(ctx, r.sourceContext())
		if ctx.Err() != nil {
			t.Fatalf("silent after %d pieces: Open goes on for %s", pieces, patience/4)
		}
		cancel()
		open := err == nil && !p.silent.Load()
		p.left.Store(0)
		p.silent.Store(false)
		p.cut()
		r.stop()
		if open {
			t.Logf("%d pieces", pieces)
			return
		}
		if err != nil && !connect.IsRetriable(err) {
			t.Fatalf("silent after %d pieces: got %v, want an error that may pass", pieces, err)
		}
	}
}

// TestCatalogThatIsLocked has questions to the catalog wait for a lock until a limit of the
// server ends them, while a table of the stream is described and when a source opens: they
// come again.
func TestCatalogThatIsLocked(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"statement_timeout", "lock_timeout"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			r := newRigOn(t, pgtest.Start(t, pgtest.Options{}), oneTable, "database.initial.statements", "SET "+limit+" = '100ms'",
				"publication.autocreate.mode", "filtered", "replica.identity.autoset.values", "public.t:FULL")
			r.open()
			other := r.db.Connect(t)
			run := func(script string) { // each statement by itself
				t.Helper()
				for sql := range strings.SplitSeq(script, ";") {
					if _, err := other.Exec(t.Context(), sql); err != nil {
						t.Fatal(err)
					}
				}
			}
			refused := func(err error, what string) {
				t.Helper()
				if !connect.IsRetriable(err) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), strings.Replace(limit, "_", " ", 1)) {
					t.Errorf("got error %v, want a retriable one that says %s and %s", err, what, limit)
				}
			}
			// Comments: only who describes a table reads them.
			run("INSERT INTO t VALUES (1, 'a'); BEGIN; LOCK pg_description IN ACCESS EXCLUSIVE MODE")
			var err error
			for err == nil { // a mark may come first
				_, err = r.read(t.Context())
			}
			refused(err, "describe table public.t: read the catalog")
			run("COMMIT")
			r.want(`public.t c - (1 "a")`)

			r.stop()
			run("ALTER TABLE t REPLICA IDENTITY DEFAULT; BEGIN; LOCK t IN ACCESS SHARE MODE")
			refused(r.tryOpen(), "ALTER TABLE")
			run("COMMIT; BEGIN; LOCK pg_description IN ACCESS EXCLUSIVE MODE")
			r.stop()
			refused(r.tryOpen(), "read the catalog")
			run("COMMIT; CREATE TABLE u (id int PRIMARY KEY); BEGIN; LOCK u IN ACCESS EXCLUSIVE MODE")
			r.stop()
			refused(r.tryOpen(), "alter the publication")
			run("COMMIT")
			r.restart()
		})
	}
}

// TestServerThatCrashes kills the server in the middle of transactions.
func TestServerThatCrashes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	r := newRigOn(t, server, oneTable, "connection.validation.timeout.ms", "2000", "status.update.interval.ms", "10000")
	littleMemory(t, r)
	r.open()
	r.batch = newBatchOf(10)
	var want []string
	for round, stop := range []func(){func() { server.Stop(pgtest.Immediate) }, func() { server.Kill(t) }} {
		id := 1000 * round
		r.db.Exec(t, fmt.Sprintf(`INSERT INTO t SELECT %d + i, repeat('x', 100) FROM generate_series(1, 700) i`, id))
		for i := range 700 {
			want = append(want, fmt.Sprintf("public.t c - (%d %q)", id+1+i, strings.Repeat("x", 100)))
		}
		before := len(r.events)
		r.readFor("some events", func() bool { return len(r.events) >= before+15 })
		stop()
		server.Restart(t)
	}
	r.readFor("all events", func() bool { return len(r.events) >= len(want) })
	stopped := make(chan struct{})
	go func() { // an orderly stop waits until the stream is read and confirmed
		defer close(stopped)
		server.Stop(pgtest.Fast)
	}()
	for began := time.Now(); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, _ = r.read(ctx)
		cancel()
		select {
		case <-stopped:
		default:
			if time.Since(began) < idleMark-time.Second {
				continue
			}
			t.Error("the source keeps the server from stopping: it marks only when it would have anyway")
		}
		break
	}
	<-stopped
	r.until(len(want))
	if i := firstOther(r.events, want); i >= 0 {
		t.Errorf("event %d: got %s, want %s", i, r.events[i], want[i])
	}
}

// TestSlotInUse opens a second source on the slot of the first.
func TestSlotInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.until(1)
	second := &rig{t: t, db: r.db, settings: r.settings, batch: newBatchOf(10), show: showRecord}
	second.settings["slot.max.retries"], second.settings["slot.retry.delay.ms"] = "2", "10"
	defer second.stop()
	second.open()
	_, err := second.read(t.Context())
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "is active for PID "+r.walsender()) || !strings.Contains(err.Error(), optSlot) {
		t.Errorf("got error %v, want one that names the option and the process", err)
	}
	r.stop()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'b')`)
	if _, err := second.read(t.Context()); err != nil && err != io.EOF {
		t.Errorf("after the first is gone: %v", err)
	}
}

func TestDropsTheSlotOnStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable, "slot.drop.on.stop", "true")
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.want(`public.t c - (1 "a")`)
	r.stop()
	if n := r.db.Text(t, `SELECT count(*) FROM pg_replication_slots WHERE database = '`+r.db.Name+`'`); n != "0" {
		t.Errorf("%s slots are left", n)
	}
}
