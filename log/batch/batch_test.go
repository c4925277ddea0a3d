package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func sample(t testing.TB, c Codec) []byte {
	t.Helper()
	b := Builder{Codec: c, Idempotent: true, ProducerID: 7, ProducerEpoch: 2, BaseSequence: 40}
	b.Append(1000, []byte("k1"), []byte("v1"), RecordHeader{[]byte("h"), []byte("x")}, RecordHeader{[]byte(""), nil})
	b.Append(1005, nil, bytes.Repeat([]byte("long "), 200))
	b.Append(990, []byte{}, nil)
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFormat pins the bytes of a batch.
func TestFormat(t *testing.T) {
	b := Builder{}
	b.Append(1700000000000, []byte("k"), []byte("v"), RecordHeader{[]byte("h"), nil})
	got, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"0000000000000000", "0000003d", "ffffffff", "02", hex.EncodeToString(got[17:21]), "0000", "00000000",
		"0000018bcfe56800", "0000018bcfe56800", "ffffffffffffffff", "ffff", "ffffffff", "00000001",
		"16", "00", "00", "00", "02", "6b", "02", "76", "02", "02", "68", "01",
	}, "")
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
	// kmsg is the independent reader of the header, its Records field the rest.
	var k kmsg.RecordBatch
	if err := k.ReadFrom(got); err != nil {
		t.Fatal(err)
	}
	if k.NumRecords != 1 || k.Magic != 2 || uint32(k.CRC) != Checksum(got) || k.ProducerID != -1 {
		t.Errorf("kmsg reads %+v", k)
	}
}

func TestRoundTrip(t *testing.T) {
	type rec struct {
		off, ts    int64
		key, value string
		null       string
		headers    string
	}
	want := []rec{
		{100, 1000, "k1", "v1", "", "h=x =null "},
		{101, 1005, "", strings.Repeat("long ", 200), "k", ""},
		{102, 990, "", "", "v", ""},
	}
	dec := NewDecompressor(1 << 20)
	for c := None; c <= Zstd; c++ {
		b := sample(t, c)
		SetOffset(b, 100, 3)
		h, err := Validate(b)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		if h.Codec() != c || h.LastOffset() != 102 || h.LastSequence() != 42 || h.LeaderEpoch != 3 || h.MaxTimestamp != 1005 || h.Size() != len(b) {
			t.Errorf("%s: header %+v", c, h)
		}
		r, err := NewReader(b, dec)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		var got []rec
		for r.Next() {
			m := r.Record()
			g := rec{off: m.Offset, ts: m.Timestamp, key: string(m.Key), value: string(m.Value)}
			if m.Key == nil {
				g.null += "k"
			}
			if m.Value == nil {
				g.null += "v"
			}
			for _, h := range m.Headers(nil) {
				v := string(h.Value)
				if h.Value == nil {
					v = "null"
				}
				g.headers += fmt.Sprintf("%s=%s ", h.Key, v)
			}
			got = append(got, g)
		}
		if r.Err() != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", c, got, r.Err())
		}
		if err := CountRecords(b, dec); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestLogAppendTime(t *testing.T) {
	b := sample(t, Gzip)
	SetLogAppendTime(b, 5555)
	if _, err := Validate(b); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(b, NewDecompressor(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		if r.Record().Timestamp != 5555 {
			t.Errorf("timestamp is %d, want 5555", r.Record().Timestamp)
		}
	}
}

func TestSequenceWraps(t *testing.T) {
	h := Header{BaseSequence: math.MaxInt32 - 1, LastOffsetDelta: 2}
	if got := h.LastSequence(); got != 0 {
		t.Errorf("last sequence is %d, want 0", got)
	}
}

// TestEveryBitCounts flips each bit behind the leader epoch: the CRC, or an earlier check, must see it.
func TestEveryBitCounts(t *testing.T) {
	b := sample(t, None)
	for i := posLeaderEpoch + 4; i < len(b); i++ {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if _, err := Validate(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("byte %d bit %d: %v", i, bit, err)
			}
			b[i] ^= 1 << bit
		}
	}
}

// TestMarker pins the bytes of a transaction marker; kmsg reads its record too.
func TestMarker(t *testing.T) {
	for _, m := range []Marker{
		{ProducerID: 7, ProducerEpoch: 2, CoordinatorEpoch: 9, Commit: true},
		{ProducerID: 1 << 40, ProducerEpoch: 32767, CoordinatorEpoch: -1},
	} {
		b, err := m.Build(nil, 1700000000000)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Validate(b)
		if err != nil || !h.Control() || !h.Transactional() || h.BaseSequence != -1 || h.LastSequence() != -1 || h.MaxTimestamp != 1700000000000 {
			t.Errorf("header %+v, %v", h, err)
		}
		got, err := ReadMarker(b)
		if err != nil || got != m {
			t.Errorf("got %+v, %v; want %+v", got, err, m)
		}
		r, err := NewReader(b, nil)
		if err != nil || !r.Next() {
			t.Fatal(err, r.Err())
		}
		var key kmsg.ControlRecordKey
		var value kmsg.EndTxnMarker
		if err := errors.Join(key.ReadFrom(r.Record().Key), value.ReadFrom(r.Record().Value)); err != nil {
			t.Fatal(err)
		}
		if (key.Type == kmsg.ControlRecordKeyTypeCommit) != m.Commit || value.CoordinatorEpoch != m.CoordinatorEpoch || key.Version != 0 || value.Version != 0 {
			t.Errorf("kmsg reads %+v, %+v", key, value)
		}
	}
}

// TestReadMarker are control batches that are none of ours.
func TestReadMarker(t *testing.T) {
	control := func(key, value string) []byte {
		b := Builder{Idempotent: true, ProducerID: 7, BaseSequence: -1, Transactional: true, control: true}
		b.Append(0, []byte(key), []byte(value))
		out, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	compressed := Builder{Codec: Gzip, Idempotent: true, Transactional: true, control: true}
	compressed.Append(0, []byte("\x00\x00\x00\x00"), nil)
	zipped, _ := compressed.Build(nil)
	empty := control("\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00")[:HeaderSize]
	empty[posLength+3], empty[posCount+3] = HeaderSize-overhead, 0
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"later versions with more fields": {control("\x00\x01\x00\x01more", "\x00\x01\x00\x00\x00\x05more"), nil},
		"leader change":                   {control("\x00\x00\x00\x02", "any"), ErrNoMarker},
		"emptied by compaction":           {empty, ErrNoMarker},
		"data":                            {sample(t, None), ErrNoMarker},
		"short key":                       {control("\x00\x00\x00", "\x00\x00\x00\x00\x00\x00"), ErrCorrupt},
		"negative version":                {control("\xff\xff\x00\x01", "\x00\x00\x00\x00\x00\x00"), ErrCorrupt},
		"short value":                     {control("\x00\x00\x00\x01", "\x00\x00\x00"), ErrCorrupt},
		"compressed":                      {zipped, ErrCorrupt},
		"short":                           {empty[:20], ErrCorrupt},
	} {
		m, err := ReadMarker(c.b)
		if !errors.Is(err, c.want) || c.want == nil && (m != Marker{ProducerID: 7, CoordinatorEpoch: 5, Commit: true}) {
			t.Errorf("%s: %+v, %v; want %v", name, m, err, c.want)
		}
	}
}

func FuzzMarker(f *testing.F) {
	for _, commit := range []bool{false, true} {
		b, err := Marker{ProducerID: 1, Commit: commit}.Build(nil, 5)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadMarker(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNoMarker) {
				t.Errorf("unexpected error: %v", err)
			}
			return
		}
		out, err := m.Build(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadMarker(out); err != nil || got != m {
			t.Errorf("read %+v, built and read again %+v, %v", m, got, err)
		}
	})
}

func TestXerialSnappy(t *testing.T) {
	framed := append([]byte(nil), xerial...)
	for _, part := range []string{"hello ", "world"} {
		z := s2.EncodeSnappy(nil, []byte(part))
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(z))), z...)
	}
	got, err := NewDecompressor(100).Decompress(Snappy, framed)
	if err != nil || string(got) != "hello world" {
		t.Errorf("got %q, %v", got, err)
	}
	for n := 8; n < len(framed); n++ {
		if out, err := NewDecompressor(100).Decompress(Snappy, framed[:n]); err == nil && string(out) == "hello world" {
			t.Errorf("cut at %d: no error", n)
		}
	}
}

// TestBomb checks the limit that keeps a small batch from growing without bound (I5).
func TestBomb(t *testing.T) {
	for c := Gzip; c <= Zstd; c++ {
		z, err := new(compressor).compress(nil, c, make([]byte, 10<<20))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewDecompressor(1<<20).Decompress(c, z); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d bytes: %v, want ErrTooLarge", c, len(z), err)
		}
		if out, err := NewDecompressor(10<<20).Decompress(c, z); err != nil || len(out) != 10<<20 {
			t.Errorf("%s: exactly the limit: %d bytes, %v", c, len(out), err)
		}
	}
}

func FuzzBatch(f *testing.F) {
	for c := None; c <= Zstd; c++ {
		f.Add(sample(f, c))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if err != nil {
			return
		}
		if _, err := Validate(b); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("Validate: %v", err)
		}
		dec := NewDecompressor(1 << 16)
		r, err := NewReader(b, dec)
		if err != nil {
			return
		}
		n := int32(0)
		for r.Next() {
			n++
			r.Record().Headers(nil)
		}
		if r.Err() == nil && n != h.Count {
			t.Errorf("read %d records of %d", n, h.Count)
		}
		if err := CountRecords(b[:h.Size()], dec); r.Err() == nil && err != nil {
			t.Errorf("Reader accepts what CountRecords does not: %v", err)
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for c := Gzip; c <= Zstd; c++ {
		z, err := new(compressor).compress(nil, c, []byte("hello hello hello"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(c), z)
	}
	f.Add(uint8(Snappy), append([]byte(nil), xerial...))
	f.Fuzz(func(t *testing.T, c uint8, b []byte) {
		out, err := NewDecompressor(1<<16).Decompress(Codec(c), b)
		if err == nil && c != uint8(None) && len(out) > 1<<16 {
			t.Errorf("%d bytes are above the limit", len(out))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("unexpected error: %v", err)
		}
	})
}
