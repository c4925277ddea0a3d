package log

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// setting is a way to run a history that clients must not notice.
type setting struct {
	name      string
	overrides map[string]string
	change    func(*Config)
	between   func(*settingRun) // after some steps of the history
}

// settingRun is a history under a setting.
type settingRun struct {
	t    *testing.T
	rnd  *rand.Rand
	mem  *vfs.Mem
	cfg  Config
	log  *Log
	part *Partition
}

func (r *settingRun) create(overrides map[string]string) {
	r.cfg.FS = r.mem
	l := mustOpen(r.t, r.cfg)
	mustCreate(r.t, l, "t", 1, overrides)
	if err := l.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

func (r *settingRun) open() {
	r.cfg.FS = r.mem
	var err error
	if r.log, err = Open(r.cfg); err != nil {
		r.t.Fatal(err)
	}
	r.part = mustPartition(r.t, r.log, "t", 0)
}

func (r *settingRun) close() {
	if err := r.log.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *settingRun) restart() {
	r.close()
	r.open()
}

// kill goes on with what is on disk before the log is closed: everything, as every step is durable.
func (r *settingRun) kill() {
	left := r.mem.CrashClone(r.rnd, 0.5)
	r.close()
	r.mem = left
	r.open()
}

func (r *settingRun) compact() { r.log.cleaner.cycle(r.log) }

func settings() []setting {
	small := map[string]string{"segment.bytes": "1024", "index.interval.bytes": "0"}
	return []setting{
		{name: "defaults"},
		{name: "small segments", overrides: small},
		{name: "few descriptors", overrides: small, change: func(c *Config) { c.MaxOpenFiles, c.SyncVolumeAt = 1, -1 }},
		{name: "sparse index, restarts", overrides: map[string]string{"segment.bytes": "4000", "index.interval.bytes": "2000"}, between: (*settingRun).restart},
		{name: "small segments, kills", overrides: small, between: (*settingRun).kill},
		{name: "checkpoints and kills", overrides: small, between: func(r *settingRun) {
			if err := r.log.checkpoint(true); err != nil {
				r.t.Fatal(err)
			}
			r.kill()
		}},
		{name: "compaction", overrides: small, between: (*settingRun).compact},
		{name: "compaction in small passes, restarts", overrides: small, change: func(c *Config) { c.CompactionMemory = 1 }, between: func(r *settingRun) {
			r.compact()
			r.restart()
		}},
		{name: "compaction without delay", overrides: map[string]string{"segment.bytes": "1024", "delete.retention.ms": "0"}, between: func(r *settingRun) {
			r.compact()
			r.kill()
		}},
	}
}

// history is what producers and coordinators do, in order; each step is durable before the next one.
func history(t *testing.T, seed uint64) []func(*Partition) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	type producer struct {
		epoch int16
		seq   int32
	}
	var steps []func(*Partition)
	producers := make([]producer, 5)
	for n := range 150 {
		id := rnd.IntN(len(producers))
		pr := &producers[id]
		if rnd.IntN(4) == 0 {
			if bump := rnd.IntN(2) == 0; bump {
				pr.epoch, pr.seq = pr.epoch+1, 0
			}
			m := Marker{ProducerID: int64(id), ProducerEpoch: pr.epoch, Commit: rnd.IntN(2) == 0}
			steps = append(steps, func(p *Partition) { mark(t, p, m) })
			continue
		}
		w := batch.Builder{Codec: batch.Codec(rnd.IntN(5)), Idempotent: true, Transactional: true, ProducerID: int64(id), ProducerEpoch: pr.epoch, BaseSequence: pr.seq}
		if id == 0 {
			w = batch.Builder{Codec: w.Codec}
		}
		for range 1 + rnd.IntN(3) {
			w.Append(testTime.UnixMilli()+rnd.Int64N(1000), fmt.Appendf(nil, "k%d", rnd.IntN(8)), fmt.Appendf(nil, "%0*d", rnd.IntN(100), n))
			pr.seq++
		}
		b, err := w.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, func(p *Partition) { produceBatch(t, p, slices.Clone(b)) })
	}
	return steps
}

// readCommitted reads as a client does: in pieces, each with its list of aborted transactions (KIP-98).
func readCommitted(p *Partition, maxBytes int) (rs []record, err error) {
	upTo := p.LastStableOffset()
	for offset := p.LogStartOffset(); offset < upTo; {
		b, err := p.Read(nil, offset, maxBytes, upTo)
		if err != nil || len(b) == 0 {
			return rs, fmt.Errorf("%d bytes at offset %d below %d: %w", len(b), offset, upTo, err)
		}
		next, err := lastOffset(b)
		if err != nil {
			return rs, err
		}
		aborted, err := p.AbortedTransactions(offset, next+1)
		if err != nil {
			return rs, err
		}
		if rs, err = dropAborted(rs, b, offset, aborted); err != nil {
			return rs, err
		}
		offset = next + 1
	}
	return rs, nil
}

func lastOffset(b []byte) (last int64, err error) {
	for len(b) > 0 {
		h, err := batch.Parse(b)
		if err != nil {
			return 0, err
		}
		last, b = h.LastOffset(), b[h.Size():]
	}
	return last, nil
}

// dropAborted appends the records of batches that are neither aborted nor control records.
func dropAborted(rs []record, b []byte, offset int64, aborted []AbortedTransaction) ([]record, error) {
	dec := batch.NewDecompressor(1 << 20)
	dropping := map[int64]bool{}
	for len(b) > 0 {
		h, err := batch.Parse(b)
		if err != nil {
			return rs, err
		}
		for len(aborted) > 0 && aborted[0].FirstOffset <= h.LastOffset() {
			dropping[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		switch {
		case h.Control():
			if m, err := batch.ReadMarker(b[:h.Size()]); err == nil && !m.Commit {
				delete(dropping, m.ProducerID)
			}
		case h.Transactional() && dropping[h.ProducerID]:
		default:
			r, err := batch.NewReader(b[:h.Size()], dec)
			if err != nil {
				return rs, err
			}
			for r.Next() {
				if rec := r.Record(); rec.Offset >= offset {
					rs = append(rs, record{offset: rec.Offset, key: string(rec.Key), value: string(rec.Value)})
				}
			}
			if r.Err() != nil {
				return rs, r.Err()
			}
		}
		b = b[h.Size():]
	}
	return rs, nil
}

// visible is what a reader of committed data can know: where it ends, what is in it, and the latest of each key. Compaction
// leaves of the records only the latest ones for sure.
func (r *settingRun) visible(compacted bool) (string, map[string]string) {
	rs, err := readCommitted(r.part, 1+r.rnd.IntN(3000))
	if err != nil {
		r.t.Fatal(err)
	}
	text := fmt.Sprintf("end %d, stable %d", r.part.EndOffset(), r.part.LastStableOffset())
	latest := map[string]string{}
	for _, rec := range rs {
		latest[rec.key] = fmt.Sprintf("%s at %d", rec.value, rec.offset)
		if !compacted {
			text += fmt.Sprintf("\n%d %s=%s", rec.offset, rec.key, rec.value)
		}
	}
	return text, latest
}

// TestSettingsAreNotVisible runs the same histories under many settings: readers see the same.
func TestSettingsAreNotVisible(t *testing.T) {
	for seed := range uint64(4) {
		var want [2]string // kept, compacted
		var wantLatest map[string]string
		for _, s := range settings() {
			for i, policy := range []string{"delete", "compact"} {
				r := &settingRun{t: t, rnd: rand.New(rand.NewPCG(seed, 8)), mem: vfs.NewMem(), cfg: testConfig(nil)}
				if s.change != nil {
					s.change(&r.cfg)
				}
				overrides := map[string]string{"cleanup.policy": policy, "min.cleanable.dirty.ratio": "0.01"}
				for k, v := range s.overrides {
					overrides[k] = v
				}
				r.create(overrides)
				for _, step := range history(t, seed) {
					step(r.part)
					if s.between != nil && r.rnd.IntN(8) == 0 {
						s.between(r)
					}
				}
				text, latest := r.visible(i == 1)
				if want[i] == "" {
					want[i] = text
				}
				if wantLatest == nil {
					wantLatest = latest
				}
				if text != want[i] || fmt.Sprint(latest) != fmt.Sprint(wantLatest) {
					t.Fatalf("seed %d, %s, cleanup.policy=%s: readers of committed data see\n%s\n%v\nwith other settings\n%s\n%v", seed, s.name, policy, text, latest, want[i], wantLatest)
				}
				r.close()
				wantSound(t, r.mem, "data")
			}
		}
	}
}
