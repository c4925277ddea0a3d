package log

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// DumpOptions of [Dump].
type DumpOptions struct {
	// FS is the file system. Default: the operating system's.
	FS vfs.FS
	// JSON writes an object for each line, otherwise names and values.
	JSON bool
	// Records writes the records of batches too.
	Records bool
	// Decode says what key and value of a record mean. Where it is nil or returns an error they are written as they are.
	Decode func(key, value []byte) (k, v []DumpField, err error)
	// MaxDecompressed is the limit in bytes for the records of one compressed batch. Default 64 MiB (I5).
	MaxDecompressed int
}

// DumpField is a name with a value of a line: a number, string, bool, []byte, []DumpField, [][]DumpField, or nil.
type DumpField struct {
	Name  string
	Value any
}

// Dump writes what a .log, .index, .timeindex, .txnindex or .snapshot file holds, one line for each entry. Where bytes are damaged it
// says so in a line of its own and goes on with what it finds after them; damaged is how many such lines there are. The error is
// one of reading or writing, or about a file that is none of these.
func Dump(w io.Writer, name string, o DumpOptions) (damaged int, err error) {
	def(&o.FS, vfs.FS(vfs.OS))
	def(&o.MaxDecompressed, 64<<20)
	d := &dumper{w: w, o: o, dec: batch.NewDecompressor(o.MaxDecompressed)}
	err = d.file(name)
	return d.damaged, err
}

// dumper writes the lines of one file.
type dumper struct {
	w       io.Writer
	o       DumpOptions
	dec     *batch.Decompressor
	damaged int
}

// file chooses the format by the name.
func (d *dumper) file(name string) error {
	plain := filepath.Base(name)
	for _, suffix := range []string{cleanedSuffix, swapSuffix, ".deleted"} {
		plain = strings.TrimSuffix(plain, suffix)
	}
	formats := map[string]func(name string, base int64) error{
		logSuffix: d.segment, indexSuffix: d.offsetIndex, timeIndexSuffix: d.timeIndex, txnIndexSuffix: d.txnIndex, snapshotSuffix: d.snapshot,
	}
	for suffix, dump := range formats {
		if base, ok := parseOffsetName(plain, suffix); ok {
			return dump(name, base)
		}
	}
	return fmt.Errorf("dump %s: want a name of 20 digits and .log, .index, .timeindex, .txnindex or .snapshot", name)
}

// damage writes a line about bytes that are not what they should be.
func (d *dumper) damage(position int64, reason string, more ...DumpField) error {
	d.damaged++
	return d.line("damage", append([]DumpField{{"position", position}, {"reason", reason}}, more...)...)
}

// segment dumps a .log file.
func (d *dumper) segment(name string, _ int64) error {
	f, err := d.o.FS.OpenFile(name, vfs.ReadOnly)
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("dump %s: %w", name, err)
	}
	last := int64(-1)
	sc := newScanner(f, 0, size, true)
	for {
		err := sc.next()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, batch.ErrCorrupt):
			if sc, err = d.skip(sc, last, err); err != nil || sc == nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("dump %s: %w", name, err)
		}
		if sc.h.BaseOffset <= last {
			err = d.damage(sc.start(), fmt.Sprintf("base offset is %d, the batch before ends at %d", sc.h.BaseOffset, last))
		}
		if err == nil {
			err = d.batch(sc)
		}
		if err != nil {
			return err
		}
		last = sc.h.LastOffset()
	}
}

// skip tells of bytes that are no batch and returns a scanner from the next one on, nil when there is none.
func (d *dumper) skip(sc *scanner, last int64, cause error) (*scanner, error) {
	next, err := findBatch(sc.f, sc.pos+1, sc.end, last, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	end := next
	if next < 0 {
		end = sc.end
	}
	if err := d.damage(sc.pos, cause.Error(), DumpField{"bytes", end - sc.pos}); err != nil || next < 0 {
		return nil, err
	}
	return newScanner(sc.f, next, sc.end, true), nil
}

// batch writes a batch and, when they are wanted, its records.
func (d *dumper) batch(sc *scanner) error {
	h := &sc.h
	timestamps := "CreateTime"
	if h.LogAppendTime() {
		timestamps = "LogAppendTime"
	}
	fields := []DumpField{
		{"position", sc.start()}, {"size", h.Size()}, {"baseOffset", h.BaseOffset}, {"lastOffset", h.LastOffset()}, {"count", h.Count},
		{"codec", h.Codec().String()}, {"timestampType", timestamps}, {"maxTimestamp", h.MaxTimestamp}, {"leaderEpoch", h.LeaderEpoch},
		{"crc", fmt.Sprintf("%08x", h.CRC)},
	}
	if h.ProducerID >= 0 {
		fields = append(fields, DumpField{"producerId", h.ProducerID}, DumpField{"producerEpoch", h.ProducerEpoch},
			DumpField{"baseSequence", h.BaseSequence}, DumpField{"lastSequence", h.LastSequence()})
	}
	if h.Transactional() {
		fields = append(fields, DumpField{"transactional", true})
	}
	if h.Control() {
		fields = append(fields, DumpField{"control", true})
	}
	if h.DeleteHorizon() {
		fields = append(fields, DumpField{"deleteHorizon", h.BaseTimestamp})
	}
	if err := d.line("batch", fields...); err != nil || !d.o.Records || h.Count == 0 {
		return err
	}
	if m, err := batch.ReadMarker(sc.b); err == nil {
		return d.line("marker", DumpField{"offset", h.BaseOffset}, DumpField{"commit", m.Commit}, DumpField{"coordinatorEpoch", m.CoordinatorEpoch})
	}
	return d.records(sc)
}

// records writes the records of a batch.
func (d *dumper) records(sc *scanner) error {
	r, err := batch.NewReader(sc.b, d.dec)
	if err != nil {
		return d.damage(sc.start(), err.Error())
	}
	for r.Next() {
		if err := d.record(r.Record(), sc.h.Control()); err != nil {
			return err
		}
	}
	if r.Err() != nil {
		return d.damage(sc.start(), r.Err().Error())
	}
	return nil
}

func (d *dumper) record(r *batch.Record, control bool) error {
	var key, value any = r.Key, r.Value
	var why error
	if d.o.Decode != nil && !control {
		var k, v []DumpField
		if k, v, why = d.o.Decode(r.Key, r.Value); why == nil {
			key, value = k, v
		}
	}
	fields := []DumpField{{"offset", r.Offset}, {"timestamp", r.Timestamp}, {"key", key}, {"value", value}}
	if why != nil {
		fields = append(fields, DumpField{"notDecoded", why.Error()})
	}
	if r.HeaderCount() > 0 {
		var headers [][]DumpField // names may repeat
		for _, h := range r.Headers(nil) {
			headers = append(headers, []DumpField{{"key", h.Key}, {"value", h.Value}})
		}
		fields = append(fields, DumpField{"headers", headers})
	}
	return d.line("record", fields...)
}

// entries calls one for every entry of an index file, and tells of a piece of one at the end.
func (d *dumper) entries(name string, size int, one func(at int64, b []byte) error) error {
	b, err := readFile(d.o.FS, name)
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	at := int64(0)
	for ; len(b) >= size; b = b[size:] {
		if err := one(at, b[:size]); err != nil {
			return err
		}
		at += int64(size)
	}
	if len(b) > 0 {
		return d.damage(at, fmt.Sprintf("%d bytes are no entry of %d", len(b), size))
	}
	return nil
}

func (d *dumper) offsetIndex(name string, base int64) error {
	prev := offsetEntry{offset: base - 1, position: -1}
	return d.entries(name, offsetEntrySize, func(at int64, b []byte) error {
		e := decodeOffsetEntry(b, base)
		if e.offset <= prev.offset || e.position <= prev.position {
			return d.damage(at, "the entry does not rise", DumpField{"offset", e.offset}, DumpField{"batchPosition", e.position})
		}
		prev = e
		return d.line("index", DumpField{"offset", e.offset}, DumpField{"batchPosition", e.position})
	})
}

func (d *dumper) timeIndex(name string, base int64) error {
	prev := timeEntry{offset: base - 1, timestamp: -1}
	return d.entries(name, timeEntrySize, func(at int64, b []byte) error {
		e := decodeTimeEntry(b, base)
		if e.offset <= prev.offset || e.timestamp <= prev.timestamp {
			return d.damage(at, "the entry does not rise", DumpField{"timestamp", e.timestamp}, DumpField{"offset", e.offset})
		}
		prev = e
		return d.line("timeindex", DumpField{"timestamp", e.timestamp}, DumpField{"offset", e.offset})
	})
}

func (d *dumper) txnIndex(name string, _ int64) error {
	last := int64(-1)
	return d.entries(name, abortedEntrySize, func(at int64, b []byte) error {
		e, err := decodeAbortedEntry(b)
		if err == nil && e.lastOffset <= last {
			err = fmt.Errorf("the entry for the marker at offset %d does not rise", e.lastOffset)
		}
		if err != nil {
			return d.damage(at, err.Error())
		}
		last = e.lastOffset
		return d.line("aborted", DumpField{"producerId", e.producerID}, DumpField{"firstOffset", e.firstOffset},
			DumpField{"lastOffset", e.lastOffset}, DumpField{"lastStableOffset", e.lastStable})
	})
}

func (d *dumper) snapshot(name string, offset int64) error {
	b, err := readFile(d.o.FS, name)
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	byID, err := decodeSnapshot(b, offset, 0)
	if err != nil {
		return d.damage(0, err.Error())
	}
	ps := producers{byID: byID}
	for _, id := range ps.ids() {
		p := byID[id]
		window := [][]DumpField{}
		for _, e := range p.window[:p.n] {
			window = append(window, []DumpField{
				{"firstSequence", e.firstSequence()}, {"lastSequence", e.lastSequence}, {"lastOffset", e.lastOffset}, {"timestamp", e.timestamp},
			})
		}
		err := d.line("producer", DumpField{"producerId", id}, DumpField{"producerEpoch", p.epoch}, DumpField{"lastSequence", p.lastSequence()},
			DumpField{"lastTimestamp", p.timestamp}, DumpField{"coordinatorEpoch", p.coordinatorEpoch}, DumpField{"txnFirstOffset", p.txnFirst},
			DumpField{"window", window})
		if err != nil {
			return err
		}
	}
	return nil
}
