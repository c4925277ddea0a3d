package log

import (
	"errors"
	"fmt"
	"time"
)

// How much is looked at after a crash: recovery points move when the bytes after them, over all partitions, could pass
// recoveryBytes, and once in a while anyway.
const (
	recoveryBytes    = 256 << 20
	minRecoveryBytes = 1 << 20
	idleCheckpoint   = time.Minute
)

// janitor is the goroutine for what need not happen at once: retention, recovery points, expiry of producers.
type janitor struct {
	wake chan struct{} // has a token when a recovery point moved
	stop chan struct{}
}

func newJanitor() *janitor {
	return &janitor{wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// poke asks for the recovery points to be written soon.
func (j *janitor) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run works until stop is closed.
func (j *janitor) run(l *Log) {
	points := time.NewTicker(l.cfg.CheckpointInterval)
	defer points.Stop()
	idle := time.NewTicker(idleCheckpoint)
	defer idle.Stop()
	retention := time.NewTicker(l.cfg.RetentionInterval)
	defer retention.Stop()
	for {
		var err error
		select {
		case <-j.stop:
			return
		case <-j.wake:
			err = l.writeRecoveryPoints()
		case <-points.C:
			l.syncer.poke() // for lazy appends that nobody waits for
			err = l.checkpoint(false)
		case <-idle.C:
			err = l.checkpoint(true)
		case <-retention.C:
			err = l.retain(l.cfg.Now())
		}
		if err = l.ioError(err); err != nil && l.Err() == nil {
			l.cfg.Logger.Warn("log maintenance, tried again later", "err", err)
		}
	}
}

// checkpoint moves the recovery points of partitions with a long tail, or of all that have one.
func (l *Log) checkpoint(all bool) error {
	var tails []*Partition
	l.eachPartition(func(p *Partition) {
		if _, n := p.recovery.tail(); n > 0 && p.Err() == nil {
			tails = append(tails, p)
		}
	})
	limit := int64(max(recoveryBytes/max(len(tails), 1), minRecoveryBytes))
	moved := false
	for _, p := range tails {
		if _, n := p.recovery.tail(); n < limit && !all {
			continue
		}
		if err := p.checkpoint(); err != nil {
			return fmt.Errorf("checkpoint %s: %w", p.dir, err)
		}
		moved = true
	}
	if !moved {
		return nil
	}
	return l.writeRecoveryPoints()
}

// checkpoint makes everything that recovery needs durable up to the end of the log, and moves the recovery point there.
// Appends go on meanwhile.
func (p *Partition) checkpoint() error {
	p.mu.Lock()
	s, end := p.active(), p.end.Load()
	_, appended := p.recovery.tail()
	if s == nil || appended == 0 || (p.Err() != nil && !errors.Is(p.Err(), ErrClosed)) {
		p.mu.Unlock()
		return nil
	}
	err := p.flushIndexes(s)
	snapshot := p.producers.encode()
	total := p.recovery.total()
	p.mu.Unlock()
	if err != nil {
		return err
	}
	err = p.syncLog(s)
	if err == nil {
		err = p.syncIndexes(s)
	}
	if errors.Is(err, errGone) {
		return nil // it was rolled and then deleted or cleaned: roll has moved the recovery point beyond it
	}
	if err != nil {
		return err
	}
	if err := p.writeSnapshot(end, snapshot); err != nil {
		return err
	}
	p.recovery.set(end, total)
	return nil
}

// writeRecoveryPoints writes the checkpoint file of the data directory.
func (l *Log) writeRecoveryPoints() error {
	return l.writeOffsets(recoveryPointFile, func(p *Partition) int64 {
		offset, _ := p.recovery.tail()
		return offset
	})
}

// writeLogStarts writes the log start offsets of the data directory.
func (l *Log) writeLogStarts() error {
	return l.writeOffsets(logStartFile, (*Partition).LogStartOffset)
}

// writeCleaned writes the cleaner's offsets of the data directory.
func (l *Log) writeCleaned() error {
	return l.writeOffsets(cleanerFile, func(p *Partition) int64 { return p.clean.Load() })
}

// writeHoles writes the offsets below which compaction may have left holes.
func (l *Log) writeHoles() error {
	return l.writeOffsets(holesFile, func(p *Partition) int64 { return p.holes.Load() })
}

// writeOffsets writes one checkpoint file; zeros are left out.
func (l *Log) writeOffsets(name string, value func(*Partition) int64) error {
	l.checkpoints.Lock()
	defer l.checkpoints.Unlock()
	offsets := map[string]map[int32]int64{}
	l.eachPartition(func(p *Partition) {
		if v := value(p); v > 0 {
			if offsets[p.topic.name] == nil {
				offsets[p.topic.name] = map[int32]int64{}
			}
			offsets[p.topic.name][p.index] = v
		}
	})
	return writeFile(l.fs, join(l.cfg.Dir, name), encodeOffsets(offsets))
}

// retain deletes segments that are too old or too many, and forgets idle producers.
func (l *Log) retain(now time.Time) error {
	var errs []error
	l.eachPartition(func(p *Partition) {
		if l.Err() == nil && p.Err() == nil {
			if err := p.retain(now.UnixMilli()); err != nil {
				errs = append(errs, fmt.Errorf("retention of %s: %w", p.dir, err))
			}
		}
	})
	return errors.Join(errs...)
}

// retain applies the topic's retention to one partition.
func (p *Partition) retain(now int64) error {
	c := p.topic.config.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writable(); err != nil {
		return nil
	}
	p.producers.expire(now - p.log.cfg.ProducerExpiration.Milliseconds())
	start := p.logStart.Load()
	if c.CleanupDelete {
		if err := p.rollExpired(c, now); err != nil {
			return err
		}
		var err error
		if start, err = p.retainFrom(c, now); err != nil {
			return err
		}
	}
	return p.deleteBelow(start)
}

// rollExpired rolls the active segment when all of it is older than retention.ms. mu is held.
func (p *Partition) rollExpired(c *TopicConfig, now int64) error {
	s := p.active()
	if s == nil || s.size.Load() == 0 {
		return nil
	}
	if old, err := p.expired(s, c, now); err != nil || !old {
		return err
	}
	if _, err := p.roll(); err != nil {
		return err
	}
	p.log.syncer.add(p) // moves the high watermark, all of it is durable now
	return nil
}

// retainFrom returns the log start offset that the topic's limits ask for. mu is held.
func (p *Partition) retainFrom(c *TopicConfig, now int64) (int64, error) {
	start, total := p.logStart.Load(), p.Size()
	for i, s := range p.segments {
		if i+1 == len(p.segments) || p.segments[i+1].base > p.LastStableOffset() {
			break
		}
		old, err := p.expired(s, c, now)
		if err != nil {
			return start, err
		}
		if !old && (c.RetentionBytes < 0 || total-s.size.Load() < c.RetentionBytes) {
			break
		}
		total -= s.size.Load()
		start = max(start, p.segments[i+1].base)
	}
	return start, nil
}

// expired reports whether every record of a segment is older than retention.ms. Without timestamps the file's time counts.
func (p *Partition) expired(s *segment, c *TopicConfig, now int64) (bool, error) {
	if c.RetentionMs < 0 {
		return false, nil
	}
	e, err := p.maxTime(s)
	if err != nil {
		return false, err
	}
	newest := e.timestamp
	if newest < 0 {
		info, err := p.log.fs.Stat(s.log.path)
		if err != nil {
			return false, err
		}
		newest = info.ModTime.UnixMilli()
	}
	return now-newest > c.RetentionMs, nil
}

// DeleteRecords moves the log start offset up to the given offset, or to the high watermark for -1 (KIP-107), durably, and
// deletes the segments that are then wholly below it. ErrOffsetOutOfRange above the high watermark.
func (p *Partition) DeleteRecords(before int64) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writable(); err != nil {
		return -1, err
	}
	high := p.HighWatermark()
	if before == -1 {
		before = high
	}
	if before < 0 || before > high {
		return -1, fmt.Errorf("%w: %d is above the high watermark %d", ErrOffsetOutOfRange, before, high)
	}
	if err := p.deleteBelow(before); err != nil {
		return -1, p.log.ioError(err)
	}
	return p.LogStartOffset(), nil
}

// deleteBelow makes a log start offset durable and then deletes the segments below it, unless the cleaner is at work. mu is held.
func (p *Partition) deleteBelow(start int64) error {
	if start > p.logStart.Load() {
		p.logStart.Store(start)
		if err := p.log.writeLogStarts(); err != nil {
			return err
		}
	}
	if !p.cleaning.TryLock() {
		return nil // the cleaner reads the files, and deletes them when it is done
	}
	defer p.cleaning.Unlock()
	n := 0
	for n+1 < len(p.segments) && p.segments[n+1].base <= p.logStart.Load() {
		n++
	}
	if n == 0 {
		return nil
	}
	p.state.Lock()
	gone := p.segments[:n]
	p.segments = append([]*segment(nil), p.segments[n:]...) // readers may hold the old slice
	p.state.Unlock()
	p.log.cfg.Logger.Info("deleted segments", keyTopic, p.topic.name, keyPartition, p.index, "count", n, "log_start_offset", p.logStart.Load())
	var errs []error
	for _, s := range gone {
		errs = append(errs, p.dropSegment(s))
	}
	return errors.Join(errs...)
}
