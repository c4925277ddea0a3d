package postgres

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestSlotThatIsLost lets the server remove WAL that the slot needs.
func TestSlotThatIsLost(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"max_slot_wal_keep_size": "1MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}})
	r := newRigOn(t, server, oneTable)
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'before')`)
	r.want(`public.t c - (1 "before")`)
	r.stop()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'lost')`)
	for range 4 {
		r.db.Exec(t, `SELECT pg_switch_wal()`)
		r.db.Exec(t, `CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 15000)`)
		r.db.Exec(t, `DROP TABLE filler`)
		r.db.Exec(t, `CHECKPOINT`)
	}
	if status := r.db.Text(t, `SELECT wal_status FROM pg_replication_slots WHERE slot_name = '`+r.settings["slot.name"]+`'`); status != "lost" {
		t.Fatalf("the slot is %s, want lost", status)
	}
	err := r.tryOpen()
	if err == nil || !strings.Contains(err.Error(), "max_slot_wal_keep_size") || !strings.Contains(err.Error(), optSlotLost) {
		t.Errorf("got error %v, want one with a remedy", err)
	}
	r.stop()
	r.settings[optSlotLost] = slotLostSnapshot
	r.open()
	r.want(`public.t r - (1 "before")`, `public.t r - (2 "lost")`)
	r.db.Exec(t, `INSERT INTO t VALUES (3, 'after')`)
	r.want(`public.t c - (3 "after")`)
}

// TestMetricsTellTheTruth compares the metrics with what the server says.
func TestMetricsTellTheTruth(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	var read func([]float64)
	r.measure = func(f func([]float64)) { read = f }
	r.open()
	value := func(name string) float64 {
		values := make([]float64, len(Spec.Metrics))
		for i := range values {
			values[i] = math.NaN()
		}
		read(values)
		for i, m := range Spec.Metrics {
			if m.Name == name {
				return values[i]
			}
		}
		t.Fatalf("there is no metric %s", name)
		return 0
	}
	sample := func() { // what the monitor does every 10 seconds
		conn, err := r.source.cfg.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer closeConn(conn)
		m := &monitor{cfg: r.source.cfg, log: r.source.log, conn: conn}
		if err := m.readSlot(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.source.monitor.state.Store(m.state.Load())
	}
	r.db.Exec(t, `INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 64) i`)
	r.store = false // behind, with nothing durable
	for n := 0; n < 64; n += r.batch.Len() {
		r.mustRead(t.Context(), "rows")
	}
	<-time.After(50 * time.Millisecond)
	sample()
	behind := float64(r.walEnd() - r.confirmedLSN())
	if got := value("postgres_lag_bytes"); math.Abs(got-behind) > 4096 || got < 64*100 {
		t.Errorf("postgres_lag_bytes is %v, the server says %v", got, behind)
	}
	if got := value("postgres_slot_active"); got != 1 {
		t.Errorf("postgres_slot_active is %v", got)
	}
	if got := value("postgres_retained_wal_bytes"); got < behind {
		t.Errorf("postgres_retained_wal_bytes is %v, less than the %v behind", got, behind)
	}
	if got := value("postgres_safe_wal_bytes"); !math.IsNaN(got) {
		t.Errorf("postgres_safe_wal_bytes is %v without a limit", got)
	}
	r.store = true
	r.db.Exec(t, `INSERT INTO t VALUES (100, 'more')`)
	r.readFor("all is confirmed", func() bool {
		sample()
		return value("postgres_lag_bytes") == 0 && value("postgres_lag_seconds") == 0
	})
	if got := value("postgres_streams_total"); got != 1 {
		t.Errorf("postgres_streams_total is %v", got)
	}
	for _, m := range Spec.Metrics {
		if got := value(m.Name); m.Counter && (math.IsNaN(got) || got < 0) {
			t.Errorf("%s is %v", m.Name, got)
		}
	}
}

// TestStrayAbort has a server that takes back what it has not sent, as one of
// version 18 does without being asked to stream.
func TestStrayAbort(t *testing.T) {
	s := &stream{src: &Source{}, spill: newSpill(t.TempDir(), 1<<20)}
	abort := []byte{'A', 0, 0, 0, 9, 0, 0, 0, 9}
	if err := s.handle(t.Context(), connect.NewBatch(1, 1), 0, abort); err != nil {
		t.Error(err)
	}
}
