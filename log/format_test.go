package log

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: run with -update and look at the difference\n--- got\n%s\n--- want\n%s", name, got, want)
	}
}

// dump shows a directory: text files as they are, binary ones in hex. Random ids are replaced.
func dump(t *testing.T, fsys vfs.FS, dir string, ids *strings.Replacer) string {
	t.Helper()
	var out strings.Builder
	infos, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		name := filepath.Join(dir, info.Name)
		if info.Dir {
			out.WriteString(dump(t, fsys, name, ids))
			continue
		}
		b, err := readFile(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "-- %s --\n", name)
		switch filepath.Ext(name) {
		case logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix, snapshotSuffix:
			out.WriteString(hex.Dump(b))
		default:
			out.WriteString(strings.TrimSuffix(ids.Replace(string(b)), "\n") + "\n")
		}
	}
	return out.String()
}

// TestFiles pins every file of a data directory: they are Kafka's formats, so a change here is a break.
func TestFiles(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	topic := mustCreate(t, l, "readings", 2, map[string]string{"segment.bytes": "1024", "index.interval.bytes": "100"})
	p := mustPartition(t, l, "readings", 1)
	for i := range 8 {
		produceBatch(t, p, seqBatch(t, 5, 1, int32(i), strings.Repeat("v", 100)))
	}
	if _, err := p.DeleteRecords(3); err != nil {
		t.Fatal(err)
	}
	other := mustPartition(t, l, "readings", 0)
	produceBatch(t, other, txnBatch(t, 6, 2, 0, "aborted"))
	produceBatch(t, other, txnBatch(t, 7, 0, 0, "open"))
	mark(t, other, Marker{ProducerID: 6, ProducerEpoch: 3, CoordinatorEpoch: 9})
	id, cluster := topicID(topic.ID()).String(), l.ClusterID()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
	got := dump(t, mem, "data", strings.NewReplacer(id, "TOPIC-ID", cluster, "CLUSTER-ID"))
	lines := strings.Split(got, "\n")
	for i, line := range lines {
		if at := strings.Index(line, `"crc32c":"`); at >= 0 { // depends on the id
			lines[i] = line[:at+10] + "CRC" + line[at+18:]
		}
	}
	golden(t, "files.txt", strings.Join(lines, "\n"))
}

func TestSnapshotRoundTrip(t *testing.T) {
	ps := producers{max: 100}
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	for i := range 7 {
		produceBatch(t, p, seqBatch(t, 9, 0, int32(2*i), "a", "b"))
	}
	produceBatch(t, p, seqBatch(t, 3, 4, 0, "c"))
	b := p.producers.encode()
	byID, err := decodeSnapshot(b, p.EndOffset(), testTime.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range p.producers.byID {
		if got := byID[id]; got == nil || *got != *want {
			t.Errorf("producer %d: got %+v, want %+v", id, got, want)
		}
	}
	ps.byID = byID
	if string(ps.encode()) != string(b) {
		t.Error("encoding what was decoded gives other bytes")
	}
	for i := range b {
		c := append([]byte(nil), b...)
		c[i] ^= 0x10
		if _, err := decodeSnapshot(c, p.EndOffset(), 0); err == nil {
			t.Errorf("flipped byte %d: no error", i)
		}
	}
}

func TestTopicConfigDefaults(t *testing.T) {
	var out strings.Builder
	for _, k := range TopicConfigKeys() {
		fmt.Fprintf(&out, "%s = %s\n", k.Name, k.Default)
	}
	fmt.Fprintf(&out, "\n%+v\n", DefaultTopicConfig())
	golden(t, "topicconfig.txt", out.String())
}

func FuzzSnapshot(f *testing.F) {
	ps := producers{max: 10, byID: map[int64]*producer{}}
	f.Add(ps.encode())
	p := newProducer(0)
	p.add(producerBatch{1, 2, 0, 3})
	p.add(producerBatch{2, 3, 0, 3})
	ps.byID[7] = p
	f.Add(ps.encode())
	ps.byID[8] = &producer{epoch: 3, coordinatorEpoch: 4, txnFirst: 2, timestamp: 5}
	f.Add(ps.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		byID, err := decodeSnapshot(b, 1000, 0)
		if err != nil {
			return
		}
		ps := producers{max: 10}
		ps.load(byID)
		again, err := decodeSnapshot(ps.encode(), 1000, 0)
		if err != nil || !maps.EqualFunc(again, byID, func(a, b *producer) bool { return *a == *b }) {
			t.Errorf("encoded and decoded again: %v, %v; want %v", again, err, byID)
		}
	})
}

func FuzzCheckpoints(f *testing.F) {
	f.Add([]byte("0\n1\ntopic 0 42\n"))
	f.Add([]byte("0\n2\n0 0\n3 17\n"))
	f.Add([]byte(`{"version":0,"crc32c":"00000000","catalog":{"topics":[]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeOffsets(b)
		_, _ = decodeEpochs(b)
		_, _ = decodeCatalog(b)
		_, _ = decodePartitionMetadata(b)
		decodeMeta(b)
	})
}

// FuzzTxnIndex reads any bytes as a transaction index: what is taken is what would be written.
func FuzzTxnIndex(f *testing.F) {
	f.Add(appendAbortedEntry(appendAbortedEntry(nil, abortedEntry{1, 0, 2, 3}), abortedEntry{2, 3, 5, 3}), int64(0), int64(9))
	f.Add(make([]byte, 3*abortedEntrySize+1), int64(1), int64(2))
	f.Fuzz(func(t *testing.T, b []byte, from, upTo int64) {
		if len(b) >= abortedEntrySize {
			if e, err := decodeAbortedEntry(b); err == nil && !bytes.Equal(appendAbortedEntry(nil, e), b[:abortedEntrySize]) {
				t.Errorf("%+v is written as other bytes than %x", e, b[:abortedEntrySize])
			}
		}
		mem := vfs.NewMem()
		if err := writeFile(mem, "x", b); err != nil {
			t.Fatal(err)
		}
		x := index{handle: handle{path: "x"}, entrySize: abortedEntrySize}
		if err := x.load(mem); err != nil {
			t.Fatal(err)
		}
		p := Partition{log: &Log{files: newFDCache(mem, 5)}}
		var found []AbortedTransaction
		_, err := p.collectAborted(x.view(), from, upTo, &found)
		for _, a := range found {
			if a.FirstOffset >= upTo || a.ProducerID < 0 || err == nil && len(found) > len(b)/abortedEntrySize {
				t.Errorf("found %v", found)
			}
		}
		if kept, _, err := p.durableAborted(&segment{aborted: x}, upTo); err != nil || kept > int64(len(b)) {
			t.Errorf("kept %d of %d bytes, %v", kept, len(b), err)
		}
	})
}

// rightSums puts the right checksums into what may be batches and a producer snapshot, so that the fuzzer gets beyond them.
func rightSums(log, snapshot []byte) {
	for len(log) > 0 {
		h, err := batch.Parse(log)
		if err != nil || h.Size() > len(log) {
			break
		}
		binary.BigEndian.PutUint32(log[17:], batch.Checksum(log[:h.Size()]))
		log = log[h.Size():]
	}
	if len(snapshot) >= snapshotHead {
		binary.BigEndian.PutUint32(snapshot[2:], crc32.Checksum(snapshot[6:], crc32.MakeTable(crc32.Castagnoli)))
	}
}

// FuzzSegment opens a partition whose files hold any bytes: no panic, and once every transaction is ended all of it is stable.
func FuzzSegment(f *testing.F) {
	good := newBatch(f, "a", "b")
	f.Add(good, []byte{}, []byte{}, []byte{}, []byte{})
	f.Add(append(append([]byte(nil), good...), good[:40]...), []byte{0, 0, 0, 1, 0, 0, 0, 0}, make([]byte, 12), make([]byte, 40), []byte{0, 1})
	f.Add(make([]byte, 600), make([]byte, 16), []byte{1}, []byte{}, []byte{})
	txn, index := transactionBytes(f)
	ps := producers{byID: map[int64]*producer{1: newProducer(0)}}
	f.Add(txn, []byte{}, []byte{}, index, ps.encode())
	f.Fuzz(func(t *testing.T, log, index, times, aborted, snapshot []byte) {
		mem := vfs.NewMem()
		cfg := testConfig(mem)
		cfg.Now = func() time.Time { return testTime }
		l := mustOpen(t, cfg)
		mustCreate(t, l, "t", 1, map[string]string{"segment.bytes": "1048576"})
		p := mustPartition(t, l, "t", 0)
		produce(t, p, "x")
		dir := p.dir
		crashed := mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		log, snapshot = bytes.Clone(log), bytes.Clone(snapshot)
		rightSums(log, snapshot)
		for name, b := range map[string][]byte{
			offsetName(0, logSuffix): log, offsetName(0, indexSuffix): index, offsetName(0, timeIndexSuffix): times,
			offsetName(0, txnIndexSuffix): aborted, offsetName(2, snapshotSuffix): snapshot,
		} {
			if err := writeFile(crashed, join(dir, name), b); err != nil {
				t.Fatal(err)
			}
		}
		cfg.FS = crashed
		l = mustOpen(t, cfg)
		p = mustPartition(t, l, "t", 0)
		if p.Err() != nil {
			return
		}
		_, _ = readAll(p, 0, 100)
		_, _, _ = p.OffsetForTime(testTime.UnixMilli())
		_, _, _ = p.MaxTimestamp()
		_, _ = p.AbortedTransactions(0, p.LastStableOffset())
		if p.LastStableOffset() > p.HighWatermark() {
			t.Errorf("last stable offset is %d, high watermark %d", p.LastStableOffset(), p.HighWatermark())
		}
		if p.Err() != nil {
			return
		}
		for _, o := range p.OpenTransactions() {
			mark(t, p, Marker{ProducerID: o.ProducerID, ProducerEpoch: o.ProducerEpoch, CoordinatorEpoch: math.MaxInt32})
		}
		produce(t, p, "y")
		if p.LastStableOffset() != p.EndOffset() {
			t.Errorf("last stable offset is %d, want %d: every transaction has ended", p.LastStableOffset(), p.EndOffset())
		}
		if _, err := p.AbortedTransactions(0, p.EndOffset()); err != nil && p.Err() == nil {
			t.Errorf("aborted transactions: %v", err)
		}
	})
}

// transactionBytes are the files of two transactions.
func transactionBytes(t testing.TB) (log, aborted []byte) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 0, "a"))
	produceBatch(t, p, txnBatch(t, 2, 0, 0, "b"))
	mark(t, p, abortOf(1, 0))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := p.segments[0]
	log, err1 := readFile(mem, s.log.path)
	aborted, err2 := readFile(mem, s.aborted.path)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return log, aborted
}
