package log

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/log/batch"
)

// rollBytes is the size in bytes beyond which the cleaner closes the active segment of a compacted topic when most of the partition
// would be dirty with it. Without that a topic of a few live records grows to segment.bytes, or for segment.ms, before anything goes.
const rollBytes = 1 << 20

// cleaner is the goroutine that compacts the topics with cleanup.policy=compact: of every key it leaves the latest record.
type cleaner struct {
	stop     chan struct{}
	throttle throttle
}

func newCleaner(cfg *Config) *cleaner {
	return &cleaner{stop: make(chan struct{}), throttle: throttle{rate: cfg.CompactionBytesPerSecond}}
}

// run works until stop is closed.
func (c *cleaner) run(l *Log) {
	tick := time.NewTicker(l.cfg.CompactionInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			c.cycle(l)
		}
	}
}

// errInterrupted ends a cleaning because the log is closing or the partition has gone.
var errInterrupted = errors.New("cleaning was interrupted")

// cycle cleans, the dirtiest partition first, until none is dirty enough. One that cannot be cleaned is left for the next cycle.
func (c *cleaner) cycle(l *Log) {
	tried := map[*Partition]bool{}
	for l.Err() == nil {
		d := c.filthiest(l, tried)
		if d == nil {
			return
		}
		before := d.p.clean.Load()
		err := l.ioError(c.clean(d))
		if errors.Is(err, errInterrupted) && l.closing.Load() {
			return
		}
		l.stats.cleaned(d, err)
		tried[d.p] = err != nil || d.p.clean.Load() <= before
		c.report(d.p, err)
	}
}

// report logs why a partition could not be cleaned now, unless that has been told already or is no trouble.
func (c *cleaner) report(p *Partition, err error) {
	if err == nil || errors.Is(err, errInterrupted) || errors.Is(err, errGone) || p.Err() != nil || p.log.Err() != nil {
		return
	}
	p.log.cfg.Logger.Warn("compaction, tried again later", keyTopic, p.topic.name, keyPartition, p.index, "err", err)
}

// filthiest returns the partition with the largest share of dirty bytes that is due, or nil.
func (c *cleaner) filthiest(l *Log, tried map[*Partition]bool) *dirt {
	now := l.cfg.Now().UnixMilli()
	var best *dirt
	left := 0.0
	defer func() {
		l.stats.CleanerRunMs.Store(now)
		l.stats.DirtyPercent.Store(int64(100 * left))
	}()
	l.eachPartition(func(p *Partition) {
		if tried[p] || p.Err() != nil || !p.topic.config.Load().CleanupCompact {
			return
		}
		d, err := p.dirt(now)
		if err != nil {
			tried[p] = true
			c.report(p, l.ioError(err))
			return
		}
		left = max(left, d.ratio())
		if d.due && (best == nil || d.ratio() > best.ratio()) {
			best = d
		}
	})
	return best
}

// dirt is what there is to clean in a partition.
type dirt struct {
	p        *Partition
	segments []*segment // all that are cleaned, clean ones too
	from     int64      // first dirty offset
	upTo     int64      // first offset that is not to be cleaned: the base of a segment
	clean    int64      // bytes below from
	dirty    int64      // bytes between from and upTo
	due      bool       // by min.cleanable.dirty.ratio or max.compaction.lag.ms
}

// ratio is the share of dirty bytes.
func (d *dirt) ratio() float64 { return float64(d.dirty) / float64(max(d.clean+d.dirty, 1)) }

// dirt looks for what can be cleaned: whole segments below the last stable offset, never the active one, none with a record younger
// than min.compaction.lag.ms. It closes the active segment when its time has come.
func (p *Partition) dirt(now int64) (*dirt, error) {
	c := p.topic.config.Load()
	if err := p.rollDirty(c, now); err != nil && !isFull(err) { // on a full disk, cleaning may make room
		return nil, err
	}
	segments, err := p.readable()
	if err != nil {
		return nil, err
	}
	d := &dirt{p: p, from: p.firstDirty()}
	d.upTo = d.from
	stable, overdue := p.LastStableOffset(), false
	for i := 0; i+1 < len(segments); i++ {
		s, next := segments[i], segments[i+1].base
		if next <= d.from {
			d.clean += s.size.Load()
			continue
		}
		young, err := p.youngerThan(s, now-c.MinCompactionLagMs)
		if err != nil {
			return nil, err
		}
		if next > stable || c.MinCompactionLagMs > 0 && young {
			break
		}
		first, err := p.firstTime(s)
		if err != nil {
			return nil, err
		}
		overdue = overdue || first > 0 && now-first > c.MaxCompactionLagMs
		d.dirty += s.size.Load()
		d.upTo, d.segments = next, segments[:i+1]
	}
	d.due = d.dirty > 0 && (overdue || d.ratio() > c.DirtyRatio)
	return d, nil
}

// firstDirty is the offset from which there are records that the cleaner has not seen.
func (p *Partition) firstDirty() int64 {
	clean, start := p.clean.Load(), p.LogStartOffset()
	if clean > p.EndOffset() { // a checkpoint of another log
		return start
	}
	return max(clean, start)
}

// youngerThan reports whether a segment has a record with a later timestamp in ms.
func (p *Partition) youngerThan(s *segment, ms int64) (bool, error) {
	e, err := p.maxTime(s)
	return e.timestamp > ms, err
}

// firstTime is the largest timestamp in ms of the first batch of a segment, which tells how long the segment is there; -1 when it
// has none.
func (p *Partition) firstTime(s *segment) (int64, error) {
	p.state.RLock()
	t := s.firstTime
	p.state.RUnlock()
	if t != 0 {
		return t, nil
	}
	f, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return -1, fmt.Errorf("open segment: %w", err)
	}
	defer p.log.files.release(&s.log)
	t = -1
	if sc := newScanner(f, 0, min(s.size.Load(), batch.HeaderSize), false); sc.fill(batch.HeaderSize) == nil {
		if h, err := batch.Parse(sc.have); err == nil && h.MaxTimestamp > 0 { // damage is found when the segment is read
			t = h.MaxTimestamp
		}
	}
	p.state.Lock()
	defer p.state.Unlock()
	s.firstTime = t
	return t, nil
}

// rollDirty starts a new segment when the active one is as old as segment.ms or max.compaction.lag.ms say, so that a topic that is
// seldom written to is compacted too; and when it makes most of the partition dirty, see rollBytes.
func (p *Partition) rollDirty(c *TopicConfig, now int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.active()
	if err := p.writable(); err != nil || s == nil || s.size.Load() == 0 {
		return err
	}
	old, err := p.outOfTime(s, c, now)
	if err != nil || !old && !p.mostlyDirty(s, c, now) {
		return err
	}
	if _, err := p.roll(); err != nil {
		return err
	}
	p.log.syncer.add(p) // moves the high watermark, all of it is durable now
	return nil
}

// outOfTime reports whether the active segment has been there for long enough. After a restart the time of its first batch counts.
func (p *Partition) outOfTime(s *segment, c *TopicConfig, now int64) (bool, error) {
	first, err := s.firstAppend, error(nil)
	if first == 0 {
		first, err = p.firstTime(s)
	}
	return err == nil && first > 0 && now-first >= min(c.SegmentMs, c.MaxCompactionLagMs), err
}

// mostlyDirty reports whether closing the active segment gives the cleaner something to do.
func (p *Partition) mostlyDirty(s *segment, c *TopicConfig, now int64) bool {
	if s.size.Load() < rollBytes || c.MinCompactionLagMs > 0 && s.maxTime.timestamp > now-c.MinCompactionLagMs {
		return false
	}
	var clean, dirty int64
	from := p.firstDirty()
	for i, s := range p.segments {
		if i+1 < len(p.segments) && p.segments[i+1].base <= from {
			clean += s.size.Load()
		} else {
			dirty += s.size.Load()
		}
	}
	return float64(dirty) > c.DirtyRatio*float64(clean+dirty)
}

// throttle keeps the cleaner from taking the disk from appends.
type throttle struct {
	rate  int // bytes per second
	bytes int
	since time.Time
}

// throttleStep is how many bytes are let through at once.
const throttleStep = 1 << 20

// take waits until n more bytes may be read or written, or returns errInterrupted when stop is closed.
func (t *throttle) take(n int, stop <-chan struct{}) error {
	select {
	case <-stop:
		return errInterrupted
	default:
	}
	if t.bytes == 0 {
		t.since = time.Now()
	}
	if t.bytes += n; t.bytes < throttleStep {
		return nil
	}
	wait := time.Duration(float64(t.bytes)/float64(t.rate)*float64(time.Second)) - time.Since(t.since)
	t.bytes = 0
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-stop:
		return errInterrupted
	case <-timer.C:
		return nil
	}
}
