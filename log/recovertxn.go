package log

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/sluice-data/sluice/log/batch"
)

// takeReplayed takes a batch of a scan into producers' state. It returns the transaction that it aborts, if any.
func (p *Partition) takeReplayed(ps *producers, h *batch.Header, b []byte) *abortedEntry {
	now := p.log.cfg.Now().UnixMilli()
	if !h.Control() {
		return ps.take(h, nil, now)
	}
	m, err := batch.ReadMarker(b)
	switch {
	case err == nil:
		return ps.take(h, &m, now)
	case !errors.Is(err, batch.ErrNoMarker): // its CRC is right, so it was written like that: not by us
		p.log.cfg.Logger.Warn("control batch is not readable, it ends no transaction", keyTopic, p.topic.name,
			keyPartition, p.index, keyOffset, h.BaseOffset, "err", err)
	}
	return nil
}

// keepAborted cuts the transaction index to the transactions that ended before the producer snapshot: they were durable before that was
// written. The others are added again by the replay.
func (r *replayer) keepAborted(s *segment) error {
	info, err := r.p.log.fs.Stat(s.aborted.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	keep, _, err := r.p.durableAborted(s, r.snapshot)
	if err != nil || keep == info.Size {
		return err
	}
	if err := s.aborted.truncate(r.p.log.files, keep); err != nil {
		return err
	}
	// Synced now: what was cut off must not come back below a later snapshot, about offsets that others have by then (I7).
	return r.p.log.ioError(s.aborted.sync(r.p.log.files))
}

// durableAborted returns how many bytes of a transaction index are about transactions that ended below an offset. damaged says that
// others follow that are: then entries in between are not what they were.
func (p *Partition) durableAborted(s *segment, below int64) (bytes int64, damaged bool, err error) {
	last, whole := s.base-1, true
	all := func([]byte) bool { return false }
	err = s.aborted.view().each(p.log.files, all, func(b []byte) (bool, error) {
		e, err := decodeAbortedEntry(b)
		good := err == nil && e.lastOffset > last && e.lastOffset < below
		switch {
		case !good:
			whole = false
		case whole:
			bytes, last = bytes+abortedEntrySize, e.lastOffset
		default:
			damaged = true
		}
		return !damaged, nil
	})
	return bytes, damaged, err
}

// repairAborted looks for damage in the transaction indexes that were durable at a producer snapshot. If there is some it makes the
// indexes of all segments below the snapshot again from the log. Damage in that takes the partition offline.
func (p *Partition) repairAborted(snapshot int64) error {
	file, err := p.damagedAborted(snapshot)
	if err != nil || file == "" {
		return err
	}
	p.log.cfg.Logger.Warn("transaction index is damaged, making those of the partition again", keyTopic, p.topic.name,
		keyPartition, p.index, "file", file)
	ps := producers{max: p.producers.max}
	for _, s := range p.segments {
		if s.base >= snapshot {
			break
		}
		index, err := p.scanAborted(s, &ps, snapshot)
		var d *damageError
		if errors.As(err, &d) {
			_ = p.quarantine(s.log.path, d.damage)
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.replaceAborted(s, index); err != nil {
			return err
		}
	}
	return nil
}

// damagedAborted returns the name of the first transaction index that is damaged, "" when none is.
func (p *Partition) damagedAborted(snapshot int64) (string, error) {
	for i, s := range p.segments {
		if s.aborted.flushed == 0 {
			continue
		}
		next := int64(math.MaxInt64)
		if i+1 < len(p.segments) {
			next = p.segments[i+1].base
		}
		kept, damaged, err := p.durableAborted(s, min(next, snapshot))
		if err != nil {
			return "", err
		}
		if damaged || next <= snapshot && kept < s.aborted.flushed { // nothing was added to it after the snapshot
			return s.aborted.path, nil
		}
	}
	return "", nil
}

// scanAborted returns the transaction index of a segment up to the snapshot, as its batches say.
func (p *Partition) scanAborted(s *segment, ps *producers, snapshot int64) ([]byte, error) {
	f, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer p.log.files.release(&s.log)
	var index []byte
	sc := newScanner(f, 0, s.size.Load(), true)
	for {
		at := sc.pos
		err := sc.next()
		switch {
		case err == io.EOF || err == nil && sc.h.BaseOffset >= snapshot:
			return index, nil
		case errors.Is(err, batch.ErrCorrupt):
			return nil, &damageError{damage{position: at, offset: -1, reason: err.Error()}}
		case err != nil:
			return nil, err
		}
		if e := p.takeReplayed(ps, &sc.h, sc.b); e != nil {
			index = appendAbortedEntry(index, *e)
		}
	}
}

// replaceAborted replaces a transaction index durably: after a crash in between the old one is still there, damaged as it was.
func (p *Partition) replaceAborted(s *segment, index []byte) error {
	if err := writeFile(p.log.fs, s.aborted.path, index); err != nil {
		return p.log.ioError(err)
	}
	p.log.files.drop(&s.aborted.handle) // of the old one
	s.aborted.handle = handle{path: s.aborted.path}
	return s.aborted.load(p.log.fs)
}
