package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

func onePartition(t *testing.T, overrides map[string]string) (*Log, *Partition) {
	t.Helper()
	l := mustOpen(t, testConfig(vfs.NewMem()))
	mustCreate(t, l, "t", 1, overrides)
	return l, mustPartition(t, l, "t", 0)
}

func TestAppendRefuses(t *testing.T) {
	good := newBatch(t, "a", "b")
	edit := func(at int, b ...byte) []byte { return edited(good, at, b...) }
	flipped := append([]byte(nil), good...)
	flipped[70] ^= 1
	future := batch.Builder{}
	future.Append(testTime.Add(2*time.Hour).UnixMilli(), nil, nil)
	late, _ := future.Build(nil)
	for name, c := range map[string]struct {
		b         []byte
		overrides map[string]string
		want      error
	}{
		"empty":              {nil, nil, ErrInvalidRecord},
		"bad CRC":            {flipped, nil, ErrCorruptBatch},
		"two batches":        {append(append([]byte(nil), good...), good...), nil, ErrInvalidRecord},
		"magic 1":            {edit(16, 1), nil, ErrInvalidRecord},
		"base offset":        {edit(7, 5), nil, ErrInvalidRecord},
		"too large":          {good, map[string]string{"max.message.bytes": "50"}, ErrBatchTooLarge},
		"no records":         {edit(57, 0, 0, 0, 0), nil, ErrInvalidRecord},
		"wrong count":        {edit(57, 0, 0, 0, 9), nil, ErrInvalidRecord},
		"wrong delta":        {edit(23, 0, 0, 0, 9), nil, ErrInvalidRecord},
		"wrong lengths":      {edit(61, 2), nil, ErrInvalidRecord},
		"transactional":      {edit(22, 0x10), nil, ErrInvalidRecord},
		"control":            {edit(22, 0x20), nil, ErrInvalidRecord},
		"future":             {late, nil, ErrInvalidTimestamp},
		"log append time":    {edit(22, 0x08), nil, ErrInvalidTimestamp},
		"not in its codec":   {edit(22, byte(batch.Zstd)), nil, ErrInvalidRecord},
		"unknown codec":      {edit(22, 7), nil, ErrInvalidRecord},
		"compressed count":   {miscounted(t), nil, ErrInvalidRecord},
		"compacted, no key":  {keyless(t), map[string]string{"cleanup.policy": "compact"}, ErrInvalidRecord},
		"id without a start": {edit(43, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0), nil, ErrInvalidRecord},
	} {
		_, p := onePartition(t, c.overrides)
		if _, err := p.Append(c.b, AppendOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if p.EndOffset() != 0 {
			t.Errorf("%s: the end offset moved", name)
		}
	}
	_, p := onePartition(t, map[string]string{"max.message.bytes": "50"})
	if _, err := p.Append(good, AppendOptions{Internal: true}); err != nil {
		t.Errorf("internal batch: %v", err)
	}
}

// edited is a copy of a batch with other bytes at a place and a right CRC.
func edited(b []byte, at int, other ...byte) []byte {
	c := append([]byte(nil), b...)
	copy(c[at:], other)
	binary.BigEndian.PutUint32(c[17:], batch.Checksum(c))
	return c
}

// miscounted is a batch with one compressed record that says it has two.
func miscounted(t *testing.T) []byte {
	b := batch.Builder{Codec: batch.LZ4}
	b.Append(testTime.UnixMilli(), nil, []byte("one"))
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return edited(edited(out, 57, 0, 0, 0, 2), 23, 0, 0, 0, 1)
}

func keyless(t *testing.T) []byte {
	b := batch.Builder{Codec: batch.Zstd}
	b.Append(testTime.UnixMilli(), []byte("k"), nil)
	b.Append(testTime.UnixMilli(), nil, []byte("v"))
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLogAppendTime(t *testing.T) {
	_, p := onePartition(t, map[string]string{"message.timestamp.type": "LogAppendTime"})
	b := batch.Builder{}
	b.Append(5, nil, []byte("v"))
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := produceBatch(t, p, raw); r.LogAppendTimeMs != testTime.UnixMilli() {
		t.Errorf("append time is %d, want %d", r.LogAppendTimeMs, testTime.UnixMilli())
	}
	if r := mark(t, p, commitOf(1, 0)); r.LogAppendTimeMs != testTime.UnixMilli() {
		t.Errorf("append time of a marker is %d, want %d", r.LogAppendTimeMs, testTime.UnixMilli())
	}
	rs, err := readAll(p, 0, 1000)
	if err != nil || len(rs) != 2 {
		t.Fatalf("stored: %+v, %v", rs, err)
	}
	for _, r := range rs {
		if !r.header.LogAppendTime() || r.header.MaxTimestamp != testTime.UnixMilli() {
			t.Errorf("stored: %+v", r.header)
		}
	}
}

// TestProducerRules is the table of KIP-98 and KAFKA-15591: what a producer sends after five batches with sequences 0 to 4.
func TestProducerRules(t *testing.T) {
	for name, c := range map[string]struct {
		epoch int16
		seq   int32
		dup   int64 // offset, -1 for none
		want  error
	}{
		"next":                    {1, 6, -1, nil},
		"newest again":            {1, 5, 5, nil},
		"fifth newest again":      {1, 1, 1, nil},
		"sixth newest again":      {1, 0, -1, ErrOutOfOrderSequence},
		"gap":                     {1, 7, -1, ErrOutOfOrderSequence},
		"old epoch":               {0, 6, -1, ErrInvalidProducerEpoch},
		"new epoch from 0":        {2, 0, -1, nil},
		"new epoch in the middle": {2, 6, -1, ErrOutOfOrderSequence},
	} {
		_, p := onePartition(t, nil)
		for i := range 6 {
			produceBatch(t, p, seqBatch(t, 9, 1, int32(i), "v"))
		}
		r, err := p.Append(seqBatch(t, 9, c.epoch, c.seq, "v"), AppendOptions{})
		if !errors.Is(err, c.want) || (err != nil) != (c.want != nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err == nil && (r.Duplicate != (c.dup >= 0) || r.Duplicate && r.BaseOffset != c.dup) {
			t.Errorf("%s: %+v, want duplicate of %d", name, r, c.dup)
		}
	}
	_, p := onePartition(t, nil)
	if _, err := p.Append(seqBatch(t, 9, 0, 5, "v"), AppendOptions{}); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Errorf("sequence 5 first in an empty partition: %v", err)
	}
	produce(t, p, "someone else")
	if _, err := p.Append(seqBatch(t, 9, 0, math.MaxInt32, "v"), AppendOptions{}); err != nil {
		t.Errorf("unknown producer in a partition with records: %v", err)
	}
	if _, err := p.Append(seqBatch(t, 9, 0, 0, "v"), AppendOptions{}); err != nil {
		t.Errorf("sequence 0 after 2^31-1: %v", err)
	}
}

func TestProducersAreBounded(t *testing.T) {
	ps := producers{max: 64}
	for i := range int64(1000) {
		ps.add(&batch.Header{ProducerID: i}, i)
		if len(ps.byID) > 64 {
			t.Fatalf("%d producers, want at most 64", len(ps.byID))
		}
	}
	if ps.byID[999] == nil {
		t.Error("the newest producer is forgotten")
	}
}

func TestRetention(t *testing.T) {
	mem := vfs.NewMem()
	now := testTime
	cfg := testConfig(mem)
	cfg.Now = func() time.Time { return now }
	l := mustOpen(t, cfg)
	mustCreate(t, l, "size", 1, map[string]string{"segment.bytes": "1024", "retention.bytes": "2000", "retention.ms": "-1"})
	mustCreate(t, l, "time", 1, map[string]string{"segment.bytes": "1024", "retention.ms": "60000"})
	mustCreate(t, l, "compact", 1, map[string]string{"segment.bytes": "1024", "cleanup.policy": "compact", "retention.ms": "1", "retention.bytes": "1"})
	for _, name := range []string{"size", "time", "compact"} {
		for i := range 20 {
			produce(t, mustPartition(t, l, name, 0), fmt.Sprintf("%0100d", i))
		}
	}
	steps := []struct {
		after               time.Duration
		size, time, compact int64 // log start offsets
	}{
		{0, 5, 0, 0},
		{30 * time.Second, 5, 0, 0},
		{31 * time.Second, 5, 20, 0},
	}
	for _, s := range steps {
		now = now.Add(s.after)
		if err := l.retain(now); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int64{"size": s.size, "time": s.time, "compact": s.compact} {
			p := mustPartition(t, l, name, 0)
			if p.LogStartOffset() != want {
				t.Errorf("after %s: log start offset of %s is %d, want %d", s.after, name, p.LogStartOffset(), want)
			}
			if want > 0 {
				if _, err := p.Read(nil, want-1, 100, 100); !errors.Is(err, ErrOffsetOutOfRange) {
					t.Errorf("read below the log start offset of %s: %v", name, err)
				}
			}
		}
	}
	if r := produce(t, mustPartition(t, l, "time", 0), "next"); r.BaseOffset != 20 {
		t.Errorf("next offset is %d, want 20", r.BaseOffset)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
	l = mustOpen(t, cfg)
	if got := mustPartition(t, l, "time", 0).LogStartOffset(); got != 20 {
		t.Errorf("log start offset after a restart is %d, want 20", got)
	}
}

func TestDeleteRecords(t *testing.T) {
	l, p := onePartition(t, map[string]string{"segment.bytes": "1024"})
	for i := range 12 {
		produce(t, p, fmt.Sprintf("%0100d", i))
	}
	size := p.Size()
	for _, c := range []struct{ before, want int64 }{{7, 7}, {3, 7}, {-1, 12}} {
		if got, err := p.DeleteRecords(c.before); got != c.want || err != nil {
			t.Errorf("DeleteRecords(%d) = %d, %v; want %d", c.before, got, err, c.want)
		}
	}
	if _, err := p.DeleteRecords(13); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("above the end: %v", err)
	}
	if p.Size() >= size {
		t.Errorf("size is %d, was %d: no segment went", p.Size(), size)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTimestamps(t *testing.T) {
	l, p := onePartition(t, map[string]string{"segment.bytes": "1024", "index.interval.bytes": "100"})
	stamps := []int64{100, 300, 200, 300, 500, 400, 450, 600, 550, 700}
	for i, ts := range stamps {
		b := batch.Builder{Codec: batch.Codec(i % 5)}
		b.Append(ts, nil, []byte(strings.Repeat("x", 100)))
		b.Append(ts-50, nil, nil)
		raw, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		produceBatch(t, p, raw)
	}
	check := func() {
		t.Helper()
		for _, c := range [][3]int64{{-5, 0, 100}, {100, 0, 100}, {101, 2, 300}, {300, 2, 300}, {301, 8, 500}, {501, 14, 600}, {601, 18, 700}, {701, -1, -1}} {
			if o, ts, err := p.OffsetForTime(c[0]); o != c[1] || ts != c[2] || err != nil {
				t.Errorf("OffsetForTime(%d) = %d, %d, %v; want %d, %d", c[0], o, ts, err, c[1], c[2])
			}
		}
		if o, ts, err := p.MaxTimestamp(); o != 18 || ts != 700 || err != nil {
			t.Errorf("MaxTimestamp = %d, %d, %v; want 18, 700", o, ts, err)
		}
	}
	check()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, l.cfg)
	p = mustPartition(t, l, "t", 0)
	check()
	if _, err := p.DeleteRecords(3); err != nil {
		t.Fatal(err)
	}
	if o, ts, err := p.OffsetForTime(100); o != 3 || ts != 250 || err != nil {
		t.Errorf("after DeleteRecords(3): %d, %d, %v; want 3, 250", o, ts, err)
	}
}

func TestReadBounds(t *testing.T) {
	_, p := onePartition(t, nil)
	if b, err := p.Read(nil, 0, 100, 100); len(b) > 0 || err != nil {
		t.Errorf("empty partition: %d bytes, %v", len(b), err)
	}
	size := len(newBatch(t, "a", "b"))
	for range 10 {
		produce(t, p, "a", "b")
	}
	for _, c := range []struct {
		offset   int64
		maxBytes int
		upTo     int64
		batches  int
	}{
		{0, 1, 20, 1},          // the first batch, whatever the limit
		{0, 3 * size, 20, 3},   // whole batches
		{0, 4*size - 1, 20, 3}, // and no part of one
		{1, 1, 20, 1},          // the batch that contains the offset
		{0, 1 << 20, 7, 3},     // only batches wholly below upTo
		{0, 1 << 20, 99, 10},
		{20, 1 << 20, 99, 0}, // the end is no error
		{6, 1 << 20, 6, 0},
	} {
		b, err := p.Read([]byte("prefix"), c.offset, c.maxBytes, c.upTo)
		if err != nil || len(b) != 6+c.batches*size || string(b[:6]) != "prefix" {
			t.Errorf("Read(%d, %d, %d): %d bytes, %v; want %d batches", c.offset, c.maxBytes, c.upTo, len(b), err, c.batches)
		}
	}
	for _, offset := range []int64{-1, 21} {
		if _, err := p.Read(nil, offset, 100, 100); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Errorf("Read(%d): %v, want ErrOffsetOutOfRange", offset, err)
		}
	}
}

func TestEndOffsetForEpoch(t *testing.T) {
	_, p := onePartition(t, nil)
	produce(t, p, "a", "b")
	p.epochs = []epochEntry{{2, 0}, {5, 1}}
	for epoch, want := range map[int32][2]int64{1: {1, 0}, 2: {2, 1}, 3: {2, 1}, 5: {5, 2}, 6: {-1, -1}, -1: {-1, -1}} {
		if e, o := p.EndOffsetForEpoch(epoch); int64(e) != want[0] || o != want[1] {
			t.Errorf("epoch %d: %d, %d; want %v", epoch, e, o, want)
		}
	}
}

func TestTopics(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "a.b", 1, map[string]string{"retention.ms": "5"})
	var config *ConfigError
	for name, c := range map[string]struct {
		topic      string
		partitions int
		overrides  map[string]string
		want       error
	}{
		"exists":    {"a.b", 1, nil, ErrTopicExists},
		"collision": {"a_b", 1, nil, ErrInvalidTopic},
		"empty":     {"", 1, nil, ErrInvalidTopic},
		"dots":      {"..", 1, nil, ErrInvalidTopic},
		"slash":     {"../x", 1, nil, ErrInvalidTopic},
		"long":      {strings.Repeat("x", 250), 1, nil, ErrInvalidTopic},
		"none":      {"n", 0, nil, ErrInvalidPartitions},
		"many":      {"n", 10_001, nil, ErrInvalidPartitions},
	} {
		if _, err := l.CreateTopic(c.topic, c.partitions, c.overrides); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for k, v := range map[string]string{"retention.ms": "x", "segment.bytes": "1", "cleanup.policy": "nothing", "no.such": "1", "min.cleanable.dirty.ratio": "NaN"} {
		if _, err := l.CreateTopic("n", 1, map[string]string{k: v}); !errors.As(err, &config) || config.Name != k {
			t.Errorf("%s=%s: %v, want *ConfigError", k, v, err)
		}
	}
	lags := map[string]string{"min.compaction.lag.ms": "11", "max.compaction.lag.ms": "10"}
	if err := CheckTopicConfig(lags); !errors.As(err, &config) || config.Name != "min.compaction.lag.ms" {
		t.Errorf("%v: %v, want *ConfigError", lags, err)
	}
	if err := errors.Join(l.CreatePartitions("a.b", 3), l.AlterTopic("a.b", map[string]string{"retention.ms": "7", "cleanup.policy": "compact,delete"})); err != nil {
		t.Fatal(err)
	}
	if err := l.CreatePartitions("a.b", 3); !errors.Is(err, ErrInvalidPartitions) {
		t.Errorf("CreatePartitions to the same: %v", err)
	}
	if err := l.DeleteTopic("none"); !errors.Is(err, ErrTopicNotFound) {
		t.Errorf("DeleteTopic: %v", err)
	}
	l = mustOpen(t, testConfig(mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0))) // all of it was durable
	topic, ok := l.Topic("a.b")
	if !ok || topic.Partitions() != 3 || !reflect.DeepEqual(topic.Overrides(), map[string]string{"retention.ms": "7", "cleanup.policy": "compact,delete"}) {
		t.Fatalf("after a crash: %+v", topic)
	}
	if c := topic.Config(); c.RetentionMs != 7 || !c.CleanupCompact || !c.CleanupDelete {
		t.Errorf("config is %+v", c)
	}
}
