package log

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// dumped makes a partition with something for each kind of line.
func dumped(t testing.TB) *vfs.Mem {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, map[string]string{"cleanup.policy": "compact", "index.interval.bytes": "200", "min.cleanable.dirty.ratio": "0"})
	p := mustPartition(t, l, "t", 0)
	for i, pairs := range [][]string{{"a", "1", "b", ""}, {"a", "2"}, {"c", "\x1b[31m \xff", "d", "two words"}, {"a", "3"}} {
		b := batch.Builder{Codec: batch.Codec(i), Idempotent: true, Transactional: i > 1, ProducerID: int64(3 + i), BaseSequence: 5}
		for k := 0; k < len(pairs); k += 2 {
			var value []byte
			if pairs[k+1] != "" {
				value = []byte(pairs[k+1])
			}
			b.Append(testTime.UnixMilli()+int64(10*i), []byte(pairs[k]), value, batch.RecordHeader{Key: []byte("h 1"), Value: nil}, batch.RecordHeader{Key: []byte("i"), Value: []byte("j")})
		}
		raw, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		p.mu.Lock() // an untouched partition wants sequences from 0
		p.producers.add(&batch.Header{ProducerID: int64(3 + i), BaseSequence: 4}, 0)
		p.mu.Unlock()
		produceBatch(t, p, raw)
	}
	for id := range int64(2) {
		r, err := p.AppendMarker(Marker{ProducerID: 5 + id, CoordinatorEpoch: 9, Commit: id == 0})
		if err == nil {
			err = p.WaitDurable(t.Context(), r.LastOffset)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	_, err := p.roll()
	p.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return mem
}

// TestDump pins the lines of every kind of file, as text and as JSON.
func TestDump(t *testing.T) {
	mem := dumped(t)
	var out strings.Builder
	dump := func(name string, o DumpOptions) {
		o.FS = mem
		fmt.Fprintf(&out, "-- %s records=%t json=%t --\n", name, o.Records, o.JSON)
		damaged, err := Dump(&out, "data/t-0/"+name, o)
		if err != nil {
			t.Error(err)
		}
		if damaged > 0 {
			fmt.Fprintf(&out, "%d damaged\n", damaged)
		}
	}
	const first = "00000000000000000000"
	for _, json := range []bool{false, true} {
		for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix} {
			dump(first+suffix, DumpOptions{JSON: json, Records: json})
		}
		dump("00000000000000000008.snapshot", DumpOptions{JSON: json})
	}
	dump(first+logSuffix, DumpOptions{Records: true})
	dump(first+logSuffix, DumpOptions{Records: true, Decode: func(key, _ []byte) (k, v []DumpField, err error) {
		if string(key) != "a" {
			return nil, nil, errors.New("not an a")
		}
		return []DumpField{{"letter", "a"}}, nil, nil
	}})
	// The second batch is damaged, the file ends in the last one; each index has a wrong entry and a piece of one.
	size := map[string]int64{}
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix} {
		f, err := mem.OpenFile("data/t-0/"+first+suffix, 0)
		if err != nil {
			t.Fatal(err)
		}
		size[suffix], _ = f.Size()
		for _, err := range []error{f.Truncate(size[suffix] - 3), overwrite(f, suffix, 0xee)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		dump(first+suffix, DumpOptions{})
	}
	f, err := mem.OpenFile("data/t-0/00000000000000000008.snapshot", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{9}, 20); err != nil {
		t.Fatal(err)
	}
	dump("00000000000000000008.snapshot", DumpOptions{})
	golden(t, "dump.txt", out.String())
}

// overwrite puts a byte where it does harm.
func overwrite(f vfs.File, suffix string, b byte) error {
	at := map[string]int64{logSuffix: 240, indexSuffix: 0, timeIndexSuffix: 0, txnIndexSuffix: 1}[suffix]
	_, err := f.WriteAt([]byte{b}, at)
	return err
}

func TestDumpErrors(t *testing.T) {
	for name, want := range map[string]string{
		"data/t-0/partition.metadata":            "want a name of 20 digits",
		"data/t-0/00000000000000000099.log":      "not exist",
		"data/t-0/00000000000000000099.snapshot": "not exist",
	} {
		if _, err := Dump(io.Discard, name, DumpOptions{FS: vfs.NewMem()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	// The cleaner's files are read by the name that they will have.
	mem := dumped(t)
	if err := mem.Rename("data/t-0/00000000000000000000.log", "data/t-0/00000000000000000000.log.swap"); err != nil {
		t.Fatal(err)
	}
	if _, err := Dump(io.Discard, "data/t-0/00000000000000000000.log.swap", DumpOptions{FS: mem}); err != nil {
		t.Error(err)
	}
	full := errors.New("pipe is closed")
	if _, err := Dump(failingWriter{full}, "data/t-0/00000000000000000000.log.swap", DumpOptions{FS: mem}); !errors.Is(err, full) {
		t.Errorf("writer that fails: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// FuzzDump dumps arbitrary bytes as each kind of file: it ends, and writes a line for each thing only once.
func FuzzDump(f *testing.F) {
	suffixes := []string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix, snapshotSuffix}
	mem := dumped(f)
	for i, suffix := range suffixes {
		name := "00000000000000000000" + suffix
		if suffix == snapshotSuffix {
			name = "00000000000000000008" + suffix
		}
		b, err := readFile(mem, filepath.Join("data/t-0", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		mem := vfs.NewMem()
		name := "00000000000000000008" + suffixes[int(kind)%len(suffixes)]
		file, err := mem.OpenFile(name, vfs.Create)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		for _, json := range []bool{false, true} {
			var out strings.Builder
			if _, err := Dump(&out, name, DumpOptions{FS: mem, Records: true, JSON: json, MaxDecompressed: 1 << 16}); err != nil {
				t.Fatal(err)
			}
			for _, c := range []byte(out.String()) {
				if c < ' ' && c != '\n' {
					t.Fatalf("control character %x in %q", c, out.String())
				}
			}
		}
	})
}
