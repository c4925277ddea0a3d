package log

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// TestCompact runs the scripts of testdata/compact: a command for each line, and what it says in the lines after it that start
// with ">". Check looks at the files at every restart and at the end.
//
//	config NAME=VALUE ...    topic config, before anything else
//	put KEY=VALUE ...        a batch; a value of - is a tombstone, *N is N bytes; a key of 1..9 is nine
//	                         records; @gzip and the like in front of it is its codec
//	pid ID KEY=VALUE ...     a batch of an idempotent producer
//	txn ID KEY=VALUE ...     a batch of the producer's transaction
//	commit ID, abort ID      its marker
//	expire                   all producers
//	roll                     starts a new segment
//	wait MS                  moves the clock
//	trim OFFSET              DeleteRecords
//	retain                   retention
//	restart                  closes and opens the log
//	memory BYTES             for the keys of a pass
//	clean                    one cycle of the cleaner; says the first dirty offset
//	pass                     one pass, whatever is due
//	show                     lists segments, batches and records
//	aborted                  lists the aborted transactions
func TestCompact(t *testing.T) {
	files, err := filepath.Glob("testdata/compact/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			r := &compactRun{t: t, fs: vfs.NewMem(), now: testTime, config: map[string]string{"cleanup.policy": "compact"}, seq: map[int64]int32{}}
			got := r.script(string(text))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("run with -update and look at the difference\n--- got\n%s\n--- want\n%s", got, text)
			}
		})
	}
}

// compactRun runs a script.
type compactRun struct {
	t      *testing.T
	fs     *vfs.Mem
	now    time.Time
	config map[string]string
	memory int
	log    *Log
	p      *Partition
	seq    map[int64]int32
}

func (r *compactRun) open() {
	cfg := testConfig(r.fs)
	cfg.Now = func() time.Time { return r.now }
	cfg.CompactionMemory = r.memory
	r.log = mustOpen(r.t, cfg)
	if _, ok := r.log.Topic("t"); !ok {
		mustCreate(r.t, r.log, "t", 1, r.config)
	}
	r.p = mustPartition(r.t, r.log, "t", 0)
}

// script returns the script with what its commands say now.
func (r *compactRun) script(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line + "\n")
		command, _, _ := strings.Cut(line, "#")
		if f := strings.Fields(command); len(f) > 0 {
			for said := range strings.Lines(r.command(f[0], f[1:])) {
				out.WriteString("> " + said)
			}
		}
	}
	if err := r.log.Close(); err != nil {
		r.t.Fatal(err)
	}
	wantSound(r.t, r.fs, "data")
	return out.String()
}

func (r *compactRun) command(name string, args []string) string {
	if name == "config" {
		for _, a := range args {
			k, v, _ := strings.Cut(a, "=")
			r.config[k] = v
		}
		return ""
	}
	if name == "memory" {
		r.memory = int(r.number(args[0]))
		return ""
	}
	if r.log == nil {
		r.open()
	}
	switch name {
	case "put":
		r.produce(&batch.Builder{}, args)
	case "pid", "txn":
		id := r.number(args[0])
		r.produce(&batch.Builder{Idempotent: true, Transactional: name == "txn", ProducerID: id, BaseSequence: r.seq[id]}, args[1:])
		r.seq[id] += int32(len(args) - 1)
	case "commit", "abort":
		res, err := r.p.AppendMarker(Marker{ProducerID: r.number(args[0]), Commit: name == "commit"})
		r.check(err)
		r.check(r.p.WaitDurable(r.t.Context(), res.LastOffset))
	case "expire":
		r.p.mu.Lock()
		r.p.producers.expire(r.now.UnixMilli())
		r.p.mu.Unlock()
	case "roll":
		r.p.mu.Lock()
		_, err := r.p.roll()
		r.p.mu.Unlock()
		r.check(err)
	case "wait":
		r.now = r.now.Add(time.Duration(r.number(args[0])) * time.Millisecond)
	case "trim":
		_, err := r.p.DeleteRecords(r.number(args[0]))
		r.check(err)
	case "retain":
		r.check(r.log.retain(r.now))
	case "restart":
		r.check(r.log.Close())
		wantSound(r.t, r.fs, "data")
		r.open()
	default:
		return r.clean(name)
	}
	return ""
}

func (r *compactRun) clean(name string) string {
	switch name {
	case "clean":
		r.log.cleaner.cycle(r.log)
		return fmt.Sprintf("dirty from %d\n", r.p.firstDirty())
	case "pass":
		d, err := r.p.dirt(r.now.UnixMilli())
		r.check(err)
		if d.dirty > 0 {
			r.check(r.log.cleaner.clean(d))
		}
		return fmt.Sprintf("dirty from %d\n", r.p.firstDirty())
	case "show":
		return r.show()
	case "aborted":
		var out string
		found, err := r.p.AbortedTransactions(r.p.LogStartOffset(), r.p.LastStableOffset())
		r.check(err)
		for _, a := range found {
			out += fmt.Sprintf("producer %d from %d\n", a.ProducerID, a.FirstOffset)
		}
		return out
	}
	r.t.Fatalf("unknown command %s", name)
	return ""
}

func (r *compactRun) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	r.check(err)
	return n
}

func (r *compactRun) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *compactRun) produce(b *batch.Builder, args []string) {
	for _, a := range args {
		if codec, ok := strings.CutPrefix(a, "@"); ok {
			for b.Codec = batch.None; b.Codec.String() != codec; b.Codec++ {
			}
			continue
		}
		k, v, _ := strings.Cut(a, "=")
		if from, to, ok := strings.Cut(k, ".."); ok {
			for i := r.number(from); i <= r.number(to); i++ {
				b.Append(r.now.UnixMilli(), fmt.Append(nil, i), []byte(v))
			}
			continue
		}
		value := []byte(v)
		if n, ok := strings.CutPrefix(v, "*"); ok {
			value = bytes.Repeat([]byte("x"), int(r.number(n)))
		}
		if v == "-" {
			value = nil
		}
		b.Append(r.now.UnixMilli(), []byte(k), value)
	}
	raw, err := b.Build(nil)
	r.check(err)
	produceBatch(r.t, r.p, raw)
}

// show lists what a reader gets, with the segment that it comes from.
func (r *compactRun) show() string {
	var out strings.Builder
	segments, err := r.p.readable()
	r.check(err)
	for i, s := range segments {
		end := r.p.EndOffset()
		if i+1 < len(segments) {
			end = segments[i+1].base
		}
		fmt.Fprintf(&out, "segment %d\n", s.base)
		for offset := max(s.base, r.p.LogStartOffset()); offset < end; {
			b, err := r.p.Read(nil, offset, 1, r.p.HighWatermark())
			r.check(err)
			h, err := batch.Validate(b)
			r.check(err)
			fmt.Fprintf(&out, "  %d-%d%s\n", h.BaseOffset, h.LastOffset(), r.describe(&h, b))
			offset = h.LastOffset() + 1
		}
	}
	return out.String()
}

func (r *compactRun) describe(h *batch.Header, b []byte) string {
	var out string
	if h.Codec() != batch.None {
		out += " @" + h.Codec().String()
	}
	if h.ProducerID >= 0 {
		out += fmt.Sprintf(" pid %d seq %d", h.ProducerID, h.BaseSequence)
	}
	if h.Transactional() {
		out += " txn"
	}
	if h.DeleteHorizon() {
		out += fmt.Sprintf(" horizon %d", h.BaseTimestamp-testTime.UnixMilli())
	}
	if h.Count == 0 {
		return out + ": empty"
	}
	if m, err := batch.ReadMarker(b); err == nil {
		return out + fmt.Sprintf(": marker commit=%t", m.Commit)
	}
	out += ":"
	rd, err := batch.NewReader(b, batch.NewDecompressor(1<<20))
	r.check(err)
	latest := int64(0)
	for rd.Next() {
		rec := rd.Record()
		v := string(rec.Value)
		switch {
		case rec.Value == nil:
			v = "-"
		case len(v) > 10:
			v = fmt.Sprintf("*%d", len(v))
		}
		latest = max(latest, rec.Timestamp)
		if h.Count > 9 && rec.Offset > h.BaseOffset && rec.Offset < h.LastOffset() {
			out = strings.TrimSuffix(out, " ...") + " ..."
			continue
		}
		out += fmt.Sprintf(" %d:%s=%s", rec.Offset, rec.Key, v)
	}
	r.check(rd.Err())
	if latest != h.MaxTimestamp {
		r.t.Errorf("largest timestamp of the batch at %d is %d, its header says %d", h.BaseOffset, latest, h.MaxTimestamp)
	}
	return out
}
