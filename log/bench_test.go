package log

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log/batch"
)

// The benchmarks use the real disk, below the directory for temporary files, and real fdatasync. One operation is one
// batch; at most 64 batches wait for a sync, as with a client that has a few requests in flight per partition.
func BenchmarkAppend100B(b *testing.B) { benchmarkAppend(b, 100, 160, 4) }
func BenchmarkAppend1KB(b *testing.B)  { benchmarkAppend(b, 1000, 64, 4) }

// BenchmarkAppendOne is one producer that waits for every record.
func BenchmarkAppendOne(b *testing.B) { benchmarkWait(b, 1) }

// BenchmarkAppend64Dirty is one record to each of 64 partitions per round.
func BenchmarkAppend64Dirty(b *testing.B) { benchmarkWait(b, 64) }

// BenchmarkFdatasync is the disk's own time for a small append, to compare with.
func BenchmarkFdatasync(b *testing.B) {
	fs := testConfig(nil).withDefaults().FS
	f, err := fs.OpenFile(join(b.TempDir(), "f"), 1)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, 170)
	for i := 0; b.Loop(); i++ {
		if _, err := f.WriteAt(data, int64(i*len(data))); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkAppend(b *testing.B, size, perBatch, partitions int) {
	l := mustOpen(b, Config{Dir: b.TempDir()})
	topic := mustCreate(b, l, "t", partitions, nil)
	var bb batch.Builder
	value := bytes.Repeat([]byte("x"), size)
	for range perBatch {
		bb.Append(time.Now().UnixMilli(), nil, value)
	}
	data, err := bb.Build(nil)
	if err != nil {
		b.Fatal(err)
	}
	slots := make(chan struct{}, 64)
	var failed atomic.Pointer[error]
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		slots <- struct{}{}
		p, _ := topic.Partition(int32(i % partitions))
		r, err := p.Append(data, AppendOptions{})
		if err != nil {
			b.Fatal(err)
		}
		p.OnDurable(r.LastOffset, func(err error) {
			if err != nil {
				failed.Store(&err)
			}
			<-slots
		})
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	b.ReportMetric(float64(b.N*perBatch)/b.Elapsed().Seconds(), "records/s")
}

func benchmarkWait(b *testing.B, partitions int) {
	l := mustOpen(b, Config{Dir: b.TempDir()})
	topic := mustCreate(b, l, "t", partitions, nil)
	data := newBatch(b, fmt.Sprintf("%0100d", 1))
	round := func() {
		done := make(chan error, partitions)
		for i := range partitions {
			p, _ := topic.Partition(int32(i))
			r, err := p.Append(data, AppendOptions{})
			if err != nil {
				b.Fatal(err)
			}
			p.OnDurable(r.LastOffset, func(err error) { done <- err })
		}
		for range partitions {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
	}
	round() // makes the directories
	for b.Loop() {
		round()
	}
}

func BenchmarkRead(b *testing.B) {
	l := mustOpen(b, Config{Dir: b.TempDir()})
	mustCreate(b, l, "t", 1, nil)
	p := mustPartition(b, l, "t", 0)
	var bb batch.Builder
	for range 160 {
		bb.Append(time.Now().UnixMilli(), nil, make([]byte, 100))
	}
	data, err := bb.Build(nil)
	if err != nil {
		b.Fatal(err)
	}
	for range 2000 {
		if _, err := p.Append(data, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.WaitDurable(b.Context(), p.EndOffset()-1); err != nil {
		b.Fatal(err)
	}
	var buf []byte
	records, offset := int64(0), int64(0)
	for b.Loop() {
		if buf, err = p.Read(buf[:0], offset, 1<<20, p.HighWatermark()); err != nil {
			b.Fatal(err)
		}
		n := int64(len(buf)/len(data)) * 160
		records += n
		if offset += n; offset >= p.HighWatermark() {
			offset = 0
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
