package postgres

import (
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// numbers are what metrics show of a source, written by Read's goroutine.
type numbers struct {
	end        atomic.Uint64 // of the last finished transaction that was read
	commitTime atomic.Int64  // of it, in Unix microseconds
	caughtUp   atomic.Int64  // when the server had nothing more, in Unix microseconds
	spillBytes atomic.Int64  // in spill files and buffers
	streams    atomic.Int64  // connections that were made for the stream
	gaps       atomic.Int64  // times that changes were missing
	snapshot   snapshotNumbers
}

// gauges are the metrics in order, each with what reads it; ok is false where it is
// not known.
var gauges = []struct {
	connect.Metric
	read func(*numbers, *monitor) (v float64, ok bool)
}{
	{connect.Metric{Name: "postgres_lag_bytes", Help: "Bytes of WAL between what is confirmed, so durable in the log, and the server's end, which is asked for every 10 seconds."}, lagBytes},
	{connect.Metric{Name: "postgres_lag_seconds", Help: "Seconds since the commit of the last transaction that was read, or since nothing was left to read; 0 when nothing is."}, lagSeconds},
	{connect.Metric{Name: "postgres_retained_wal_bytes", Help: "Bytes of WAL that the server keeps for the replication slot."},
		ofSlot(func(n *slotNumbers) float64 { return float64(n.retained) })},
	{connect.Metric{Name: "postgres_safe_wal_bytes", Help: "Bytes of WAL that can be written until the replication slot is in danger of being lost (safe_wal_size); not there without max_slot_wal_keep_size."}, safeBytes},
	{connect.Metric{Name: "postgres_slot_active", Help: "1 while a connection reads the replication slot."},
		ofSlot(func(n *slotNumbers) float64 { return oneIf(n.active) })},
	{connect.Metric{Name: "postgres_slot_wal_status", Help: "State of the slot's WAL: 0 reserved, 1 extended, 2 unreserved (about to be removed), 3 lost."},
		ofSlot(func(n *slotNumbers) float64 { return float64(walStatuses[n.walStatus]) })},
	{connect.Metric{Name: "postgres_server_spilled_transactions_total", Counter: true, Help: "Transactions that the server wrote to its disk to decode them, because they outgrew logical_decoding_work_mem."},
		ofSlot(func(n *slotNumbers) float64 { return float64(n.spillTxns) })},
	{connect.Metric{Name: "postgres_server_spilled_bytes_total", Counter: true, Help: "Bytes of such transactions."},
		ofSlot(func(n *slotNumbers) float64 { return float64(n.spillBytes) })},
	{connect.Metric{Name: "postgres_server_streamed_transactions_total", Counter: true, Help: "Transactions that the server sent before they were committed."},
		ofSlot(func(n *slotNumbers) float64 { return float64(n.streamTxns) })},
	{connect.Metric{Name: "postgres_server_streamed_bytes_total", Counter: true, Help: "Bytes of such transactions."},
		ofSlot(func(n *slotNumbers) float64 { return float64(n.streamBytes) })},
	{connect.Metric{Name: "postgres_spill_bytes", Help: "Bytes of transactions in progress that the connector keeps in temporary files and buffers."},
		ofNumbers(func(n *numbers) int64 { return n.spillBytes.Load() })},
	{connect.Metric{Name: "postgres_streams_total", Counter: true, Help: "Connections that were made for the stream: more than one are reconnects."},
		ofNumbers(func(n *numbers) int64 { return n.streams.Load() })},
	{connect.Metric{Name: "postgres_gaps_total", Counter: true, Help: "Times that changes were missing in the stream and slot.lost.policy went on."},
		ofNumbers(func(n *numbers) int64 { return n.gaps.Load() })},
	{connect.Metric{Name: "postgres_snapshot_running", Help: "1 while a snapshot hands rows over before the stream goes on."},
		ofNumbers(func(n *numbers) int64 { return n.snapshot.running.Load() })},
	{connect.Metric{Name: "postgres_snapshot_tables", Help: "Tables that the snapshot had to read when it was begun or resumed."},
		ofNumbers(func(n *numbers) int64 { return n.snapshot.tables.Load() })},
	{connect.Metric{Name: "postgres_snapshot_tables_remaining", Help: "Tables of them that are not done."},
		ofNumbers(func(n *numbers) int64 { return n.snapshot.tablesLeft.Load() })},
	{connect.Metric{Name: "postgres_snapshot_rows", Help: "Rows that the snapshot has handed over, before it was resumed too."},
		ofNumbers(func(n *numbers) int64 { return n.snapshot.rows.Load() })},
	{connect.Metric{Name: "postgres_snapshot_rows_estimated", Help: "Rows that the snapshot will have in the end, as the server's planner estimates."},
		ofNumbers(func(n *numbers) int64 { return n.snapshot.total.Load() })},
	{connect.Metric{Name: "postgres_snapshot_seconds_remaining", Help: "Seconds that the snapshot will take yet at its rate so far; not there before its first thousand rows."}, secondsLeft},
	{connect.Metric{Name: "postgres_incremental_snapshot_rows_total", Counter: true, Help: "Rows that incremental snapshots have read."},
		ofNumbers(func(n *numbers) int64 { return n.snapshot.incremental.Load() })},
}

var walStatuses = map[string]int{"reserved": 0, "extended": 1, "unreserved": 2, "lost": 3}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func ofSlot(f func(*slotNumbers) float64) func(*numbers, *monitor) (float64, bool) {
	return func(_ *numbers, m *monitor) (float64, bool) {
		if s := m.state.Load(); s != nil {
			return f(s), true
		}
		return 0, false
	}
}

func ofNumbers(f func(*numbers) int64) func(*numbers, *monitor) (float64, bool) {
	return func(n *numbers, _ *monitor) (float64, bool) { return float64(f(n)), true }
}

func secondsLeft(n *numbers, _ *monitor) (float64, bool) {
	left := n.snapshot.secondsLeft.Load()
	return float64(left), left != unknownSeconds
}

func safeBytes(_ *numbers, m *monitor) (float64, bool) {
	s := m.state.Load()
	if s == nil || s.safe < 0 {
		return 0, false
	}
	return float64(s.safe), true
}

// lagBytes counts from what is confirmed now to where the server was lately.
func lagBytes(_ *numbers, m *monitor) (float64, bool) {
	s := m.state.Load()
	if s == nil {
		return 0, false
	}
	return float64(s.walEnd - min(s.walEnd, max(s.confirmed, m.confirmed.load()))), true
}

func lagSeconds(n *numbers, m *monitor) (float64, bool) {
	s := m.state.Load()
	switch {
	case s == nil:
		return 0, false
	case pgoutput.LSN(n.end.Load()) >= s.walEnd:
		return 0, true
	}
	since := max(n.commitTime.Load(), n.caughtUp.Load())
	return max(0, float64(time.Now().UnixMicro()-since)/1e6), since != 0
}

// metricList is the list of a Spec.
func metricList() []connect.Metric {
	list := make([]connect.Metric, len(gauges))
	for i := range gauges {
		list[i] = gauges[i].Metric
	}
	return list
}

// measure gives the engine what reads the source's metrics.
func (s *Source) measure(sc connect.SourceContext) {
	if sc.Measure == nil {
		return
	}
	m := s.monitor
	sc.Measure(func(values []float64) {
		for i := range gauges {
			if v, ok := gauges[i].read(&s.numbers, m); ok {
				values[i] = v
			}
		}
	})
}
