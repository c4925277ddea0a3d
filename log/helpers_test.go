package log

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// testTime is the clock of tests that do not move it.
var testTime = time.UnixMilli(1_700_000_000_000)

// testConfig has a fixed clock and a janitor and a cleaner that never do anything by themselves.
func testConfig(fsys vfs.FS) Config {
	return Config{
		Dir: "data", FS: fsys, Now: func() time.Time { return testTime },
		CheckpointInterval: 24 * time.Hour, RetentionInterval: 24 * time.Hour, CompactionInterval: 24 * time.Hour,
		SyncVolumeAt: 2, // so that crash tests meet both ways
	}
}

func mustOpen(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a second Close does nothing
	return l
}

func mustCreate(t testing.TB, l *Log, name string, partitions int, overrides map[string]string) *Topic {
	t.Helper()
	topic, err := l.CreateTopic(name, partitions, overrides)
	if err != nil {
		t.Fatalf("CreateTopic(%s): %v", name, err)
	}
	return topic
}

func mustPartition(t testing.TB, l *Log, name string, i int32) *Partition {
	t.Helper()
	topic, ok := l.Topic(name)
	if !ok {
		t.Fatalf("topic %s is gone", name)
	}
	p, ok := topic.Partition(i)
	if !ok {
		t.Fatalf("partition %s-%d is gone", name, i)
	}
	return p
}

// newBatch makes a batch with one record per value, timestamps from testTime on.
func newBatch(t testing.TB, values ...string) []byte {
	t.Helper()
	return build(t, &batch.Builder{}, values...)
}

func build(t testing.TB, b *batch.Builder, values ...string) []byte {
	t.Helper()
	b.Reset()
	for i, v := range values {
		b.Append(testTime.UnixMilli()+int64(i), []byte("k"), []byte(v))
	}
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// seqBatch makes an idempotent batch.
func seqBatch(t testing.TB, id int64, epoch int16, seq int32, values ...string) []byte {
	t.Helper()
	return build(t, &batch.Builder{Idempotent: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq}, values...)
}

// produce appends values as one batch and waits until it is durable.
func produce(t testing.TB, p *Partition, values ...string) AppendResult {
	t.Helper()
	return produceBatch(t, p, newBatch(t, values...))
}

func produceBatch(t testing.TB, p *Partition, b []byte) AppendResult {
	t.Helper()
	r, err := p.Append(b, AppendOptions{})
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	if err := p.WaitDurable(context.Background(), r.LastOffset); err != nil {
		t.Fatalf("WaitDurable(%d): %v", r.LastOffset, err)
	}
	return r
}

// record is what readAll returns.
type record struct {
	offset int64
	key    string
	value  string
	null   bool // the value is
	header batch.Header
	raw    []byte // the batch
}

// readAll reads the partition from the offset to the high watermark, in pieces of maxBytes.
func readAll(p *Partition, offset int64, maxBytes int) ([]record, error) {
	var out []record
	var buf []byte
	for offset < p.HighWatermark() {
		b, err := p.Read(buf[:0], offset, maxBytes, p.HighWatermark())
		if err != nil {
			return out, err
		}
		if len(b) == 0 {
			return out, fmt.Errorf("nothing at offset %d below the high watermark %d", offset, p.HighWatermark())
		}
		buf = b
		for len(b) > 0 {
			h, err := batch.Parse(b)
			if err != nil {
				return out, err
			}
			r, err := batch.NewReader(b[:h.Size()], batch.NewDecompressor(1<<20))
			if err != nil {
				return out, err
			}
			for r.Next() {
				if o := r.Record().Offset; o >= offset {
					out = append(out, record{o, string(r.Record().Key), string(r.Record().Value), r.Record().Value == nil, h, bytes.Clone(b[:h.Size()])})
				}
			}
			if r.Err() != nil {
				return out, r.Err()
			}
			offset, b = h.LastOffset()+1, b[h.Size():]
		}
	}
	return out, nil
}

func values(rs []record) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.value)
	}
	return out
}

// wantSound checks a directory that no log has open.
func wantSound(t testing.TB, fsys vfs.FS, dir string) Report {
	t.Helper()
	r, err := Check(dir, fsys)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	for _, p := range r.Problems {
		t.Errorf("Check: %s", p)
	}
	return r
}

// txnBatch makes a transactional batch.
func txnBatch(t testing.TB, id int64, epoch int16, seq int32, values ...string) []byte {
	t.Helper()
	return build(t, &batch.Builder{Idempotent: true, Transactional: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq}, values...)
}

func commitOf(id int64, epoch int16) Marker {
	return Marker{ProducerID: id, ProducerEpoch: epoch, Commit: true}
}

func abortOf(id int64, epoch int16) Marker { return Marker{ProducerID: id, ProducerEpoch: epoch} }

// mark ends a transaction and waits until that is durable.
func mark(t testing.TB, p *Partition, m Marker) AppendResult {
	t.Helper()
	r, err := p.AppendMarker(m)
	if err != nil {
		t.Fatalf("AppendMarker(%+v): %v", m, err)
	}
	if err := p.WaitDurable(context.Background(), r.LastOffset); err != nil {
		t.Fatalf("WaitDurable(%d): %v", r.LastOffset, err)
	}
	return r
}
