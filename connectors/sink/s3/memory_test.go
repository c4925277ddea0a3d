package s3

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// 1,000 partitions whose files do not fit in memory together: the buffers stay
// within buffer.memory.max and every record arrives.
func TestMemoryWithManyPartitions(t *testing.T) {
	const partitions, rounds, perRound, size = 1000, 2, 2, 15_000
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"buffer.memory.max": "20971520", "s3.part.size": "5242880", "rotate.max.age.ms": "1000",
		"format.class": "ByteArrayFormat", "format.bytearray.extension": ".json"})
	for p := range partitions {
		h.assign(p, 0)
	}
	for round := int64(0); round < rounds; round++ {
		for p := range partitions {
			h.write(rawBatch(p, round*perRound, (round+1)*perRound, size))
		}
	}
	h.clock = h.clock.Add(time.Second)
	h.poll("all partitions", func() bool {
		moved, err := h.sink.Prepare(t.Context())
		for _, m := range moved {
			h.offsets[m.TopicPartition] = m.Offset
		}
		done := 0
		for _, o := range h.offsets {
			if o == rounds*perRound {
				done++
			}
		}
		return err != nil || done == partitions
	})
	if got, most := h.sink.pool.peakBytes, 20971520+size; got > most {
		t.Errorf("%d bytes of buffers, want at most %d", got, most)
	}
	for at, seen := range visible(t, srv) {
		if len(seen) != rounds*perRound {
			t.Fatalf("%v has %d records", at, len(seen))
		}
	}
}

// TestTinyRecords writes a million of them in one file of several parts (53).
func TestTinyRecords(t *testing.T) {
	const n, each = 1_000_000, 10_000
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, map[string]string{"flush.size": strconv.Itoa(n), "s3.part.size": "5242880"})
	b := rawBatch(0, 0, each, 0)
	for from := int64(0); from < n; from += each {
		for i := range b.Records() {
			b.Records()[i].Offset = from + int64(i)
		}
		h.write(b)
	}
	h.commitAndApply(l, n)
	var got int
	for _, body := range srv.objects(t) {
		got += bytes.Count(body, []byte("\n"))
	}
	if got != n || srv.count("part") < 3 {
		t.Errorf("%d records in %d parts, want %d in several", got, srv.count("part"), n)
	}
}

func TestLargeRecords(t *testing.T) {
	cases := []struct {
		name string
		size int
		n    int64
	}{
		{"a part exactly", 5<<20 - 1, 2},
		{"larger than a part", 7 << 20, 2},
		{"50 MB", 50 << 20, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t)
			h := openSink(t, srv, map[string]string{"buffer.memory.max": "20971520", "s3.part.size": "5242880",
				"flush.size": fmt.Sprint(c.n + 2), "format.class": "ByteArrayFormat", "format.bytearray.extension": ".json"})
			h.assign(0, 0)
			h.write(rawBatch(0, 0, 1, 100))
			b := rawBatch(0, 1, 1+c.n, c.size)
			addRaw(b, 1+c.n, payload(1+c.n, 100))
			h.write(b)
			h.flushUntil(0, c.n+2)
			want := append(slices.Insert(lines(1, 1+c.n, c.size), 0, lines(0, 1, 100)...), lines(1+c.n, 2+c.n, 100)...)
			h.wantObjects(map[int64][]byte{0: want})
			if got, most := h.sink.pool.peakBytes, 20971520+c.size; got > most {
				t.Errorf("%d bytes of buffers, want at most %d", got, most)
			}
			if cap(h.sink.lines[0]) > 2*c.size {
				t.Errorf("the line buffer has %d bytes", cap(h.sink.lines[0]))
			}
		})
	}
}

// TestRowGroupGivesBack: the object that a row group becomes has the memory that the rows had.
func TestRowGroupGivesBack(t *testing.T) {
	const rows, size = 6000, 1000
	h := openSink(t, newServer(t), map[string]string{"format.class": "ParquetFormat", "flush.size": strconv.Itoa(rows)})
	h.assign(0, 0)
	b := connect.NewBatch(rows, 1<<30)
	b.From = tp(0)
	schema := connect.MustStruct("row", connect.Field{Name: "text", Schema: connect.BytesSchema})
	random := rand.NewChaCha8([32]byte{})
	for n := range int64(rows) {
		r := b.Append()
		r.Topic, r.Offset, r.ValueSchema = b.From.Topic, n, schema
		cells := b.Cells(1)
		text := make([]byte, size)
		_, _ = random.Read(text[:size/3]) // the rest is small when it is compressed
		cells[0] = connect.BytesValue(text)
		r.Value = connect.StructValue(cells)
	}
	h.write(b)
	if got, most := h.sink.pool.peakBytes, rows*size+2*chunkBytes; got > most {
		t.Errorf("%d bytes of buffers for rows of %d", got, rows*size)
	}
}

// Memory that is not needed any more goes back.
func TestIdlePoolIsTrimmed(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"flush.size": "10"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 10, 1<<20))
	h.flushUntil(0, 10)
	for range 2 {
		h.clock = h.clock.Add(trimInterval)
		h.flush()
	}
	if got := h.sink.pool.heldBytes; got != 0 {
		t.Errorf("an idle sink holds %d bytes of buffers", got)
	}
}

func TestPartSizes(t *testing.T) {
	srv := newServer(t)
	cases := []struct {
		partSize, memory string
		parts            int
		want             int
	}{
		{"5242880", "134217728", 0, 5 << 20},
		{"5242880", "134217728", 999, 5 << 20},
		{"5242880", "134217728", 1000, 10 << 20},
		{"5242880", "134217728", 2500, 20 << 20},
		{"5242880", "134217728", 9000, 32 << 20}, // a quarter of the memory
		{"26214400", "134217728", 0, 25 << 20},
		{"26214400", "134217728", 1000, 32 << 20},
		{"104857600", "134217728", 0, 32 << 20},
		{"2147483647", "9223372036854775807", 9000, maxPartBytes},
	}
	for _, c := range cases {
		config := newConfig(t, srv, map[string]string{"s3.part.size": c.partSize, "buffer.memory.max": c.memory})
		if got := config.partBytes(c.parts); got != c.want {
			t.Errorf("part %d of s3.part.size=%s, buffer.memory.max=%s has %d bytes, want %d", c.parts+1, c.partSize, c.memory, got, c.want)
		}
	}
	// However a file is filled, its parts fit in S3's 10,000, and make
	// a large object.
	config := newConfig(t, srv, map[string]string{"s3.part.size": "5242880", "buffer.memory.max": "107374182400"})
	total := 0
	for n := range maxParts {
		total += config.partBytes(n)
	}
	if total < 3<<40 {
		t.Errorf("an object has at most %d bytes, want 3 TiB", total)
	}
}

func TestFileWithTooManyPartsIsFull(t *testing.T) {
	r := newRotation(newConfig(t, newServer(t), nil))
	full := func(f *file) bool { return r.full(newGroup(time.Time{}), []*file{f}, new(packing)) }
	if !full(&file{up: &upload{parts: make([]*sentPart, maxParts)}}) {
		t.Error("a file with 9,500 parts takes more records")
	}
	if !full(&file{up: &upload{}, bytes: maxObjectBytes}) {
		t.Error("a file of 5 TiB takes more records")
	}
}

func TestPoolCounts(t *testing.T) {
	p := newPool(1 << 20)
	defer p.close()
	a, b := p.get(64<<10), p.get(512<<10)
	if p.fits(512<<10) || !p.fits(448<<10) {
		t.Errorf("held %d of %d", p.heldBytes, p.maxBytes)
	}
	p.put(a)
	p.put(b)
	if c := p.get(512 << 10); &c[:1][0] != &b[:1][0] {
		t.Error("a free buffer of the size is not used")
	}
	if p.get(1 << 20); p.heldBytes != 1<<20+512<<10 {
		t.Errorf("held %d: free buffers of other sizes have to make room", p.heldBytes)
	}
	if got := p.grow(make([]byte, 10), 100, 64<<10); len(got) != 10 || cap(got) != 4<<10 {
		t.Errorf("grow: %d of %d bytes", len(got), cap(got))
	}
}
