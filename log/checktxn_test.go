package log

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// TestCheckTransactions changes one thing about transactions below the recovery point and looks for what Check says.
func TestCheckTransactions(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 4, 0, "a"))
	produceBatch(t, p, txnBatch(t, 2, 0, 0, "b"))
	produceBatch(t, p, txnBatch(t, 3, 0, 0, "open"))
	mark(t, p, abortOf(1, 4))
	mark(t, p, abortOf(2, 0))
	mark(t, p, commitOf(1, 4))
	s := p.active()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
	entry := func(b []byte, i int, e abortedEntry) []byte {
		copy(b[i*abortedEntrySize:], appendAbortedEntry(nil, e))
		return b
	}
	snapshot := func(edit func(byID map[int64]*producer)) func([]byte) []byte {
		return func(b []byte) []byte {
			byID, err := decodeSnapshot(b, 6, 0)
			if err != nil {
				t.Fatal(err)
			}
			edit(byID)
			ps := producers{}
			ps.load(byID)
			return ps.encode()
		}
	}
	batchAt := func(n int, at int, value byte) func([]byte) []byte { // of batch n, with a right CRC
		return func(b []byte) []byte {
			rest := b
			for range n {
				h, _ := batch.Parse(rest)
				rest = rest[h.Size():]
			}
			h, _ := batch.Parse(rest)
			rest[at] = value
			binary.BigEndian.PutUint32(rest[17:], crc32.Checksum(rest[21:h.Size()], crc32.MakeTable(crc32.Castagnoli)))
			return b
		}
	}
	snapshotName := join(p.dir, offsetName(6, snapshotSuffix))
	for name, c := range map[string]struct {
		file string
		edit func([]byte) []byte
		want string
	}{
		"no entries":        {s.aborted.path, func([]byte) []byte { return nil }, "aborted transaction of producer 1 from offset 0 is missing"},
		"one entry only":    {s.aborted.path, func(b []byte) []byte { return b[:abortedEntrySize] }, "aborted transaction of producer 2 from offset 1 is missing"},
		"first offset":      {s.aborted.path, func(b []byte) []byte { return entry(b, 1, abortedEntry{2, 2, 4, 2}) }, "transaction index says"},
		"last stable":       {s.aborted.path, func(b []byte) []byte { return entry(b, 1, abortedEntry{2, 1, 4, 1}) }, "transaction index says"},
		"no marker":         {s.aborted.path, func(b []byte) []byte { return entry(b, 0, abortedEntry{1, 0, 2, 1}) }, "offset without a marker"},
		"a committed one":   {s.aborted.path, func(b []byte) []byte { return appendAbortedEntry(b, abortedEntry{1, 0, 5, 2}) }, "committed, not aborted"},
		"beyond the end":    {s.aborted.path, func(b []byte) []byte { return appendAbortedEntry(b, abortedEntry{1, 0, 9, 2}) }, "beyond the end"},
		"not rising":        {s.aborted.path, func(b []byte) []byte { return append(b[:abortedEntrySize], b[:abortedEntrySize]...) }, "does not rise"},
		"no index":          {s.aborted.path, func(b []byte) []byte { b[0] = 1; return b }, "corrupt transaction index"},
		"half an entry":     {s.aborted.path, func(b []byte) []byte { return b[:50] }, "no multiple of 34"},
		"open one missing":  {snapshotName, snapshot(func(m map[int64]*producer) { delete(m, 3) }), "open transaction from this offset on is missing"},
		"open one ended":    {snapshotName, snapshot(func(m map[int64]*producer) { m[3].txnFirst = none }), "open transaction from this offset on is missing"},
		"opens elsewhere":   {snapshotName, snapshot(func(m map[int64]*producer) { m[3].txnFirst = 1 }), "no open transaction begins at this offset"},
		"ended one is open": {snapshotName, snapshot(func(m map[int64]*producer) { m[2].txnFirst = 1 }), "no open transaction begins at this offset"},
		"marker's epoch":    {s.log.path, batchAt(5, 52, 3), "marker of producer 1 epoch 3: producer epoch is fenced"},
		"marker's key":      {s.log.path, batchAt(3, 66, 0xff), "key of control record"},
		"not transactional": {s.log.path, batchAt(2, 22, 0), "open transaction begins at this offset"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
			change(t, fsys, c.file, c.edit)
			r, err := Check("data", fsys)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, p := range r.Problems {
				all = append(all, p.String())
			}
			for _, n := range r.Notes { // what the next start makes again
				all = append(all, "note "+n.String())
			}
			if text := strings.Join(all, "\n"); !strings.Contains(text, c.want) {
				t.Errorf("problems:\n%s\nwant one that says %q", text, c.want)
			}
		})
	}
}
