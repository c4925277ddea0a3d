package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
)

// recordBytes is the records of a batch as bytes without a codec.
func recordBytes(t testing.TB, b []byte) []byte {
	t.Helper()
	h, err := Validate(b)
	if err != nil {
		t.Fatal(err)
	}
	records, err := NewDecompressor(1<<20).Decompress(h.Codec(), b[HeaderSize:])
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(records)
}

// TestRecompress turns every codec into every other: records are the same bytes, and of the header only codec, length and CRC change.
func TestRecompress(t *testing.T) {
	r := NewRecompressor(1 << 20)
	for from := None; from <= Zstd; from++ {
		for to := None; to <= Zstd; to++ {
			b := sample(t, from)
			binary.BigEndian.PutUint16(b[posAttributes:], uint16(from)|transactionalBit)
			binary.BigEndian.PutUint32(b[posCRC:], Checksum(b))
			out, err := r.Recompress([]byte("before"), b, to)
			if err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			out = out[len("before"):]
			if got, want := recordBytes(t, out), recordBytes(t, b); !bytes.Equal(got, want) {
				t.Errorf("%s to %s: records differ", from, to)
			}
			want, _ := Parse(b)
			got, err := Validate(out)
			if err != nil || got.Codec() != to || !got.Transactional() {
				t.Errorf("%s to %s: header %+v, %v", from, to, got, err)
			}
			got.Attributes, got.Length, got.CRC = want.Attributes, want.Length, want.CRC
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s to %s: header %+v, want %+v", from, to, got, want)
			}
		}
	}
}

// TestRecompressRefuses has what a broker that looks at the records must not let pass.
func TestRecompressRefuses(t *testing.T) {
	r := NewRecompressor(100)
	if _, err := r.Recompress(nil, sample(t, Gzip), Zstd); !errors.Is(err, ErrTooLarge) { // I5
		t.Errorf("beyond the limit: %v, want ErrTooLarge", err)
	}
	r = NewRecompressor(1 << 20)
	lying := sample(t, LZ4)
	binary.BigEndian.PutUint32(lying[posCount:], 2)
	if _, err := r.Recompress(nil, lying, Zstd); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a count that is wrong: %v, want ErrCorrupt", err)
	}
	if _, err := r.Recompress(nil, sample(t, None)[:70], Zstd); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut off: %v, want ErrCorrupt", err)
	}
}

func FuzzRecompress(f *testing.F) {
	for c := None; c <= Zstd; c++ {
		f.Add(uint8(Zstd-c), sample(f, c))
	}
	f.Fuzz(func(t *testing.T, c uint8, b []byte) {
		r := NewRecompressor(1 << 16)
		codec := Codec(c % 5)
		out, err := r.Recompress(nil, b, codec)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("unexpected error: %v", err)
			}
			return
		}
		if h, err := Validate(out); err != nil || h.Codec() != codec {
			t.Errorf("the result is not valid: %v", err)
		}
	})
}

// TestLZ4Blocks wants frames that name blocks of 64 KiB: readers, this one and Java's, make buffers of that size for each batch, however small it is.
func TestLZ4Blocks(t *testing.T) {
	const blockDescriptor = 5 // after the magic number and the flags
	if got := sample(t, LZ4)[HeaderSize+blockDescriptor] >> 4; got != 4 {
		t.Errorf("block size %d of lz4's frame descriptor, want 4, which is 64 KiB", got)
	}
}
