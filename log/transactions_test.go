package log

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// wantStable compares what read_committed readers go by.
func wantStable(t *testing.T, when string, p *Partition, stable int64, aborted ...AbortedTransaction) {
	t.Helper()
	if got := p.LastStableOffset(); got != stable {
		t.Errorf("%s: last stable offset is %d, want %d", when, got, stable)
	}
	got, err := p.AbortedTransactions(p.LogStartOffset(), p.LastStableOffset())
	if err != nil || len(got) != len(aborted) || len(got) > 0 && !reflect.DeepEqual(got, aborted) {
		t.Errorf("%s: aborted %v, %v; want %v", when, got, err, aborted)
	}
}

// TestTransactions lets two producers' transactions overlap, and restarts the log at every point.
func TestTransactions(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	restart := func() {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wantSound(t, mem, "data")
		l = mustOpen(t, testConfig(mem))
		p = mustPartition(t, l, "t", 0)
	}
	for _, s := range []struct {
		when    string
		do      func()
		stable  int64
		aborted []AbortedTransaction
	}{
		{"plain batch", func() { produce(t, p, "a", "b") }, 2, nil},
		{"1 begins", func() { produceBatch(t, p, txnBatch(t, 1, 0, 0, "c")) }, 2, nil},
		{"2 begins", func() { produceBatch(t, p, txnBatch(t, 2, 0, 0, "d", "e")) }, 2, nil},
		{"1 goes on", func() { produceBatch(t, p, txnBatch(t, 1, 0, 1, "f")) }, 2, nil},
		{"2 aborts", func() { mark(t, p, abortOf(2, 0)) }, 2, nil},
		{"1 aborts with a higher epoch", func() { mark(t, p, abortOf(1, 1)) }, 8, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"2 begins again", func() { produceBatch(t, p, txnBatch(t, 2, 0, 2, "g")) }, 8, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"2 commits", func() { mark(t, p, commitOf(2, 0)) }, 10, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"2 commits nothing", func() { mark(t, p, commitOf(2, 0)) }, 11, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"1 begins in its new epoch", func() { produceBatch(t, p, txnBatch(t, 1, 1, 0, "h")) }, 11, []AbortedTransaction{{1, 2}, {2, 3}}},
	} {
		s.do()
		wantStable(t, s.when, p, s.stable, s.aborted...)
		restart()
		wantStable(t, s.when+", restarted", p, s.stable, s.aborted...)
	}
}

// TestMarkerHoldsStableOffset holds back the sync of a marker: what it commits is not visible before the marker is durable (I7), a
// transaction that begins meanwhile is not in the way of what came before, and watchers wake.
func TestMarkerHoldsStableOffset(t *testing.T) {
	gate := make(chan struct{})
	var armed atomic.Bool
	begun := make(chan struct{}, 100)
	f := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, logSuffix) && armed.Load() {
			begun <- struct{}{}
			<-gate
		}
		return nil
	}}
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 0, "a"))
	produceBatch(t, p, txnBatch(t, 2, 0, 0, "b"))
	armed.Store(true)
	if _, err := p.Append(newBatch(t, "plain"), AppendOptions{}); err != nil { // its sync is under way when the markers come
		t.Fatal(err)
	}
	<-begun
	w := NewWatcher()
	p.Watch(w)
	defer p.Unwatch(w)
	var last AppendResult
	for _, m := range []Marker{commitOf(1, 0), abortOf(2, 0)} {
		var err error
		if last, err = p.AppendMarker(m); err != nil {
			t.Fatal(err)
		}
	}
	p.OnDurable(last.LastOffset, func(error) {}) // markers start no round by themselves
	wantStable(t, "before the sync", p, 0)
	gate <- struct{}{}
	<-w.C()
	<-begun // the next round: the one before is complete
	if p.HighWatermark() != 3 {
		t.Errorf("high watermark is %d, want 3", p.HighWatermark())
	}
	wantStable(t, "after a sync that does not cover the markers", p, 0)
	if _, err := p.Append(txnBatch(t, 3, 0, 0, "c"), AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if err := p.WaitDurable(t.Context(), last.LastOffset); err != nil {
		t.Fatal(err)
	}
	<-w.C()
	wantStable(t, "after the sync", p, 5, AbortedTransaction{2, 1})
}

// TestTransactionRules is what a partition takes from producer 9 after its epoch 1 wrote sequences 0 and 1 in a transaction.
func TestTransactionRules(t *testing.T) {
	old := Marker{ProducerID: 9, ProducerEpoch: 1, CoordinatorEpoch: 4}
	for name, c := range map[string]struct {
		markers []Marker // in front
		batch   []byte
		marker  Marker
		want    error
		dup     bool
		open    int64
	}{
		"goes on":                          {batch: txnBatch(t, 9, 1, 2, "v"), open: 0},
		"outside the transaction":          {batch: seqBatch(t, 9, 1, 2, "v"), want: ErrInvalidTxnState, open: 0},
		"retry":                            {batch: txnBatch(t, 9, 1, 1, "v"), dup: true, open: 0},
		"older epoch":                      {batch: txnBatch(t, 9, 0, 2, "v"), want: ErrInvalidProducerEpoch, open: 0},
		"newer epoch goes on":              {batch: txnBatch(t, 9, 2, 0, "v"), open: 0},
		"marker":                           {marker: abortOf(9, 1), open: none},
		"marker of an older epoch":         {marker: abortOf(9, 0), want: ErrInvalidProducerEpoch, open: 0},
		"marker of a newer epoch":          {marker: abortOf(9, 5), open: none},
		"marker of somebody else":          {marker: abortOf(8, 0), open: 0},
		"marker without a producer":        {marker: abortOf(-1, -1), want: ErrInvalidRecord, open: 0},
		"marker again":                     {markers: []Marker{old}, marker: old, open: none},
		"marker of an old coordinator":     {markers: []Marker{old}, marker: abortOf(9, 1), want: ErrCoordinatorFenced, open: none},
		"next transaction":                 {markers: []Marker{old}, batch: txnBatch(t, 9, 1, 2, "v"), open: 3},
		"plain after the transaction":      {markers: []Marker{old}, batch: seqBatch(t, 9, 1, 2, "v"), open: none},
		"sequence of an ended transaction": {markers: []Marker{old}, batch: txnBatch(t, 9, 1, 1, "v"), want: ErrOutOfOrderSequence, open: none},
		"late batch after an epoch bump":   {markers: []Marker{commitOf(9, 2)}, batch: txnBatch(t, 9, 1, 2, "v"), want: ErrInvalidProducerEpoch, open: none},
		"next epoch from 0":                {markers: []Marker{commitOf(9, 2)}, batch: txnBatch(t, 9, 2, 0, "v"), open: 3},
		"next epoch in the middle":         {markers: []Marker{commitOf(9, 2)}, batch: txnBatch(t, 9, 2, 2, "v"), want: ErrOutOfOrderSequence, open: none},
		"first seen in a marker, from 0":   {markers: []Marker{commitOf(7, 2)}, batch: txnBatch(t, 7, 2, 0, "v"), open: 0},
		"first seen in a marker, from 3":   {markers: []Marker{commitOf(7, 2)}, batch: txnBatch(t, 7, 2, 3, "v"), want: ErrOutOfOrderSequence, open: 0},
		"transactional without a producer": {batch: build(t, &batch.Builder{Transactional: true}, "v"), want: ErrInvalidRecord, open: 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, p := onePartition(t, nil)
			produceBatch(t, p, txnBatch(t, 9, 1, 0, "v"))
			produceBatch(t, p, txnBatch(t, 9, 1, 1, "v"))
			for _, m := range c.markers {
				mark(t, p, m)
			}
			var r AppendResult
			var err error
			if c.batch != nil {
				r, err = p.Append(c.batch, AppendOptions{})
			} else {
				r, err = p.AppendMarker(c.marker)
			}
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || r.Duplicate != c.dup {
				t.Errorf("got %+v, %v; want %v, duplicate %t", r, err, c.want, c.dup)
			}
			first := int64(none)
			if open := p.OpenTransactions(); len(open) > 0 {
				first = open[0].FirstOffset
			}
			if first != c.open {
				t.Errorf("open transaction from %d, want %d", first, c.open)
			}
		})
	}
}

// A sequence that was used in a transaction which has ended is no duplicate in the next one: acknowledging it would
// acknowledge a record that was aborted.
func TestSequenceOfAnEndedTransaction(t *testing.T) {
	l := mustOpen(t, testConfig(vfs.NewMem()))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 0, "a"))
	produceBatch(t, p, txnBatch(t, 1, 0, 1, "unanswered"))
	if again := produceBatch(t, p, txnBatch(t, 1, 0, 1, "unanswered")); !again.Duplicate || again.BaseOffset != 1 {
		t.Errorf("resent in its transaction: %+v, want the duplicate of offset 1", again)
	}
	mark(t, p, abortOf(1, 0))
	for _, when := range []string{"between two transactions", "in the next transaction"} {
		if got, err := p.Append(txnBatch(t, 1, 0, 1, "another"), AppendOptions{}); !errors.Is(err, ErrOutOfOrderSequence) {
			t.Errorf("%s: %+v, %v, want %v", when, got, err, ErrOutOfOrderSequence)
		}
		produceBatch(t, p, txnBatch(t, 1, 0, 2, "b")) // the second time a duplicate
	}
}

// TestAbortedAcrossSegments lets transactions run through several segments and asks for every range: the answer is that of a search
// through all of them.
func TestAbortedAcrossSegments(t *testing.T) {
	l, p := onePartition(t, map[string]string{"segment.bytes": "1024"})
	mp := newModelPartition(false)
	rnd := rand.New(rand.NewPCG(1, 1))
	seq := map[int64]int32{}
	for range 300 {
		pid := rnd.Int64N(12)
		var r AppendResult
		mb := modelBatch{marker: true, pid: pid, txn: true, commit: rnd.IntN(4) == 0}
		if rnd.IntN(3) > 0 {
			mb.marker, mb.value, mb.seq = false, "v", seq[pid]
			r = produceBatch(t, p, txnBatch(t, pid, 0, mb.seq, mb.value))
			seq[pid]++
		} else {
			r = mark(t, p, Marker{ProducerID: pid, Commit: mb.commit})
		}
		mp.placed[r.BaseOffset] = mb
	}
	s := mp.state()
	check := func(when string) {
		if p.LastStableOffset() != s.lastStable() {
			t.Errorf("%s: last stable offset is %d, want %d", when, p.LastStableOffset(), s.lastStable())
		}
		for upTo := int64(0); upTo <= p.LastStableOffset(); upTo++ {
			for from := int64(0); from <= upTo; from += 1 + rnd.Int64N(5) {
				got, err := p.AbortedTransactions(from, upTo)
				if want := s.abortedIn(from, upTo); err != nil || !slices.Equal(got, want) {
					t.Fatalf("%s: aborted in [%d, %d): %v, %v; want %v", when, from, upTo, got, err, want)
				}
			}
		}
	}
	check("running")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, l.cfg)
	p = mustPartition(t, l, "t", 0)
	check("restarted")
	for _, at := range []int64{-1, p.EndOffset() + 1} {
		if _, err := p.AbortedTransactions(at, at+1); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Errorf("from %d: %v, want ErrOffsetOutOfRange", at, err)
		}
	}
}

// TestDeleteRecordsOfOpenTransaction deletes the start of an open transaction, and then its segment, as a client may ask for.
func TestDeleteRecordsOfOpenTransaction(t *testing.T) {
	l, p := onePartition(t, map[string]string{"segment.bytes": "1024"})
	for i := range 12 {
		produceBatch(t, p, txnBatch(t, 1, 0, int32(i), fmt.Sprintf("%0200d", i)))
	}
	wantStable(t, "open", p, 0)
	if _, err := p.DeleteRecords(2); err != nil {
		t.Fatal(err)
	}
	wantStable(t, "deleted its first records", p, 2)
	if start, err := p.DeleteRecords(-1); err != nil || start != 12 {
		t.Fatalf("DeleteRecords(-1) = %d, %v; want the high watermark 12", start, err)
	}
	wantStable(t, "deleted all of it", p, 12)
	produceBatch(t, p, txnBatch(t, 1, 0, 12, "more"))
	wantStable(t, "goes on", p, 12)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, l.fs, "data")
	l = mustOpen(t, l.cfg)
	p = mustPartition(t, l, "t", 0)
	wantStable(t, "restarted", p, 12)
	mark(t, p, abortOf(1, 0))
	wantStable(t, "aborted", p, 14, AbortedTransaction{1, 0})
}

// TestOpenTransactionsStay fills a partition with producers, lets retention find them idle, and asks for room when all of them are in a
// transaction (I5).
func TestOpenTransactionsStay(t *testing.T) {
	now := testTime
	cfg := testConfig(vfs.NewMem())
	cfg.MaxProducers, cfg.Now = 20, func() time.Time { return now }
	l := mustOpen(t, cfg)
	mustCreate(t, l, "t", 1, map[string]string{"retention.ms": "1", "segment.bytes": "1024"})
	p := mustPartition(t, l, "t", 0)
	produce(t, p, "first")
	for id := range int64(10) {
		produceBatch(t, p, txnBatch(t, id, 0, 0, "v"))
	}
	for id := range int64(100) { // idle ones make room
		produceBatch(t, p, seqBatch(t, 100+id, 0, 0, "v"))
	}
	if n := len(p.OpenTransactions()); n != 10 {
		t.Errorf("%d open transactions, want 10", n)
	}
	now = now.Add(48 * time.Hour)
	if err := l.retain(now); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Producers()); n != 10 {
		t.Errorf("%d producers after a day, want 10", n)
	}
	if p.LogStartOffset() > 1 {
		t.Errorf("retention deleted up to %d, the last stable offset is 1", p.LogStartOffset())
	}
	for id := int64(10); id < 20; id++ {
		produceBatch(t, p, txnBatch(t, id, 0, 0, "v"))
	}
	if _, err := p.Append(txnBatch(t, 20, 0, 0, "v"), AppendOptions{}); !errors.Is(err, ErrTooManyProducers) {
		t.Errorf("one more: %v, want ErrTooManyProducers", err)
	}
	produce(t, p, "plain")
	mark(t, p, abortOf(20, 0)) // a marker is never refused for that
	mark(t, p, commitOf(3, 0))
	produceBatch(t, p, txnBatch(t, 21, 0, 0, "v"))
}

// TestKafkaSnapshot reads a snapshot as Kafka writes it: the newest batch of each producer, and none after a marker that raised the epoch.
func TestKafkaSnapshot(t *testing.T) {
	b, err := hex.DecodeString("0001" + "00000000" + "00000002" +
		"0000000000000007" + "0003" + "00000029" + "0000000000000064" + "00000004" + "0000018bcfe56800" + "00000002" + "0000000000000060" +
		"0000000000000008" + "0001" + "ffffffff" + "ffffffffffffffff" + "00000000" + "0000018bcfe56801" + "00000005" + "ffffffffffffffff")
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)))
	var p Partition
	byID, err := decodeSnapshot(b, 0x65, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.producers.load(byID)
	want := []ProducerState{{7, 3, 0x29, 1700000000000, 2, 0x60}, {8, 1, -1, 1700000000001, 5, -1}}
	if got := p.Producers(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := p.producers.lastStable(1000); got != 0x60 {
		t.Errorf("last stable offset is %d, want %d", got, 0x60)
	}
	// What follows Kafka's entries is ours; its reader ignores it.
	if ours := p.producers.encode(); !bytes.Equal(ours[6:len(b)], b[6:]) {
		t.Errorf("written again:\n%x\n%x", ours[6:len(b)], b[6:])
	}
}

// TestTxnIndexIsMadeAgain damages transaction indexes below the recovery point: the next start finds that and makes them again from the
// log, and forgets nothing else.
func TestTxnIndexIsMadeAgain(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, map[string]string{"segment.bytes": "1024"})
	p := mustPartition(t, l, "t", 0)
	var aborted []AbortedTransaction
	produceBatch(t, p, seqBatch(t, 55, 0, 0, "deleted later"))
	for i := range 30 {
		if i == 29 {
			produceBatch(t, p, txnBatch(t, 77, 0, 0, "open"))
		}
		r := produceBatch(t, p, txnBatch(t, int64(i), 0, 0, "v"))
		mark(t, p, abortOf(int64(i), 0))
		aborted = append(aborted, AbortedTransaction{int64(i), r.BaseOffset})
	}
	if _, err := p.DeleteRecords(p.segments[1].base); err != nil {
		t.Fatal(err)
	}
	aborted = slices.DeleteFunc(aborted, func(a AbortedTransaction) bool { return a.FirstOffset < p.segments[0].base })
	stable := p.LastStableOffset()
	aborted = aborted[:len(aborted)-1] // the last one begins above it
	sealed, active := p.segments[1].aborted.path, p.active().aborted.path
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]struct {
		file string
		edit func([]byte) []byte
	}{
		"zeros":             {sealed, func(b []byte) []byte { clear(b[abortedEntrySize : 2*abortedEntrySize]); return b }},
		"zeros at the end":  {sealed, func(b []byte) []byte { clear(b[len(b)-abortedEntrySize:]); return b }},
		"not rising":        {sealed, func(b []byte) []byte { copy(b, b[abortedEntrySize:2*abortedEntrySize]); return b }},
		"of another":        {sealed, func(b []byte) []byte { b[18] = 1; return b }},
		"version":           {active, func(b []byte) []byte { b[1] = 1; return b }},
		"active, first one": {active, func(b []byte) []byte { clear(b[:abortedEntrySize]); return b }},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
			change(t, fsys, damage.file, damage.edit)
			l := mustOpen(t, testConfig(fsys))
			p := mustPartition(t, l, "t", 0)
			wantStable(t, "opened", p, stable, aborted...)
			if r, err := p.Append(seqBatch(t, 5, 0, 0, "deleted later"), AppendOptions{}); err != nil || !r.Duplicate {
				t.Errorf("retry of a batch that was deleted: %+v, %v; want a duplicate", r, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, fsys, "data")
		})
	}
	fsys := mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0) // damage that comes while it runs
	l = mustOpen(t, testConfig(fsys))
	p = mustPartition(t, l, "t", 0)
	f, err := fsys.OpenFile(sealed, 0) // in place: the log has it open
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0, 1}, 0); err != nil {
		t.Fatal(err)
	}
	var off *OfflineError
	if _, err := p.AbortedTransactions(p.LogStartOffset(), stable); !errors.As(err, &off) || off.File != sealed {
		t.Errorf("damaged while open: %v, want the partition offline for %s", err, sealed)
	}
}

// TestTxnEntryOfLostMarker has the entry of an aborted transaction reach the disk, but not its marker, and cuts the power again after
// another batch took the marker's offset: the entry must not come back.
func TestTxnEntryOfLostMarker(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 0, "a"))
	entry := appendAbortedEntry(nil, abortedEntry{1, 0, 1, 2})
	mem = mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
	if err := writeFile(mem, p.active().aborted.path, entry); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, testConfig(mem))
	p = mustPartition(t, l, "t", 0)
	wantStable(t, "marker lost", p, 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 1, "b"))
	mark(t, p, commitOf(1, 0))
	if err := l.checkpoint(true); err != nil {
		t.Fatal(err)
	}
	mem = mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
	l = mustOpen(t, testConfig(mem))
	wantStable(t, "after another power cut", mustPartition(t, l, "t", 0), 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
}
