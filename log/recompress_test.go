package log

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// TestCompressionType stores batches with the topic's codec, whatever came; a retry is recognised; producer keeps what was sent.
func TestCompressionType(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	value := strings.Repeat("compress me ", 200)
	for _, to := range []string{"uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"} {
		mustCreate(t, l, to, 1, map[string]string{"compression.type": to})
		p := mustPartition(t, l, to, 0)
		seq := int32(0)
		for from := batch.None; from <= batch.Zstd; from++ {
			b := build(t, &batch.Builder{Codec: from, Idempotent: true, ProducerID: 1, BaseSequence: seq}, value, value)
			if r := produceBatch(t, p, slices.Clone(b)); r.BaseOffset != int64(seq) || r.Duplicate {
				t.Errorf("%s to %s: %+v", from, to, r)
			}
			if r := produceBatch(t, p, b); r.BaseOffset != int64(seq) || !r.Duplicate {
				t.Errorf("%s to %s again: %+v, want a duplicate", from, to, r)
			}
			seq += 2
		}
		rs, err := readAll(p, 0, 1<<20)
		if err != nil || len(rs) != int(seq) {
			t.Fatalf("%s: %d records, %v", to, len(rs), err)
		}
		for i, r := range rs {
			want, ok := batch.ParseCodec(to)
			if !ok {
				want = batch.Codec(i / 2)
			}
			if r.value != value || r.header.Codec() != want || r.offset != int64(i) {
				t.Errorf("%s: record %d has codec %s, want %s", to, i, r.header.Codec(), want)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
}

// TestCompressionTypeLimits has a batch that fits only as the producer compressed it.
func TestCompressionTypeLimits(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	cfg.MaxDecompressed = 100_000
	l := mustOpen(t, cfg)
	mustCreate(t, l, "t", 1, map[string]string{"compression.type": "uncompressed", "max.message.bytes": "1000"})
	p := mustPartition(t, l, "t", 0)
	for _, size := range []int{5000, 200_000} { // above max.message.bytes, above MaxDecompressed (I5)
		b := build(t, &batch.Builder{Codec: batch.Zstd}, strings.Repeat("x", size))
		if _, err := p.Append(b, AppendOptions{}); !errors.Is(err, ErrBatchTooLarge) {
			t.Errorf("%d bytes sent as %d: %v, want ErrBatchTooLarge", size, len(b), err)
		}
	}
	produce(t, p, "small")
}
