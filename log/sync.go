package log

import (
	"sync"
	"time"
)

// syncer is the group commit: one goroutine that syncs all partitions that were appended to since the last round, and then
// moves their high watermarks (I1). A round syncs several files at a time, or the whole volume at once.
type syncer struct {
	parallel int
	volume   volume        // used by the goroutine only
	wake     chan struct{} // has a token when something is to do
	stop     chan struct{}

	mu    sync.Mutex // guards dirty
	dirty []*Partition
}

func newSyncer(parallel int) *syncer {
	return &syncer{parallel: parallel, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// add puts a partition into the next round and asks for one.
func (s *syncer) add(p *Partition) {
	s.queue(p)
	s.poke()
}

// queue puts a partition into the next round.
func (s *syncer) queue(p *Partition) {
	if !p.queued.CompareAndSwap(false, true) {
		return
	}
	s.mu.Lock()
	s.dirty = append(s.dirty, p)
	s.mu.Unlock()
}

// poke asks for a round.
func (s *syncer) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run syncs until stop is closed; it then does a last round.
func (s *syncer) run(l *Log) {
	for {
		select {
		case <-s.wake:
			s.round(l)
		case <-s.stop:
			s.round(l)
			s.volume.close()
			return
		}
	}
}

// round syncs what is dirty now. After the log has failed it only tells the waiters (I1).
func (s *syncer) round(l *Log) {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = nil
	s.mu.Unlock()
	if len(dirty) > 0 {
		l.stats.SyncRounds.Add(1)
	}
	switch {
	case len(dirty) == 1:
		s.sync(dirty[0])
	case s.volume.pays(len(dirty)):
		s.syncVolume(l, dirty)
	case len(dirty) > 1:
		start := time.Now()
		s.syncAll(dirty)
		s.volume.noteFiles(time.Since(start), len(dirty))
	}
	if err := l.Err(); err != nil {
		l.eachPartition(func(p *Partition) { p.wait.fail(err) })
	}
}

// syncAll syncs up to parallel partitions at the same time.
func (s *syncer) syncAll(dirty []*Partition) {
	var wg sync.WaitGroup
	next := make(chan *Partition)
	for range min(s.parallel, len(dirty)) {
		wg.Go(func() {
			for p := range next {
				s.sync(p)
			}
		})
	}
	for _, p := range dirty {
		next <- p
	}
	close(next)
	wg.Wait()
}

// syncVolume syncs the partitions by syncing all files of the volume. An error of that may be about a file of somebody else, so
// the sync of each of our own decides.
func (s *syncer) syncVolume(l *Log, dirty []*Partition) {
	syncs := make([]partitionSync, len(dirty))
	for i, p := range dirty {
		syncs[i] = p.beginSync()
	}
	start := time.Now()
	err := s.volume.Sync()
	took := time.Since(start)
	s.volume.noteWhole(took)
	l.stats.SyncTime.Observe(took)
	l.stats.VolumeSyncs.Add(1)
	if err != nil {
		l.cfg.Logger.Warn("sync volume; syncing file by file", "dir", l.cfg.Dir, "error", err)
		s.volume.close()
	}
	for _, ps := range syncs {
		ps.end(err == nil)
	}
}

// sync makes what a partition has appended durable.
func (s *syncer) sync(p *Partition) {
	ps := p.beginSync()
	ps.end(false)
}

// partitionSync is the sync of what a partition has appended so far.
type partitionSync struct {
	p      *Partition
	target int64    // the end that becomes durable
	stable int64    // the last stable offset that it then has
	seg    *segment // whose file was written to and is held open; nil: a roll has synced it
}

func (p *Partition) beginSync() partitionSync {
	p.queued.Store(false) // before the end is read: a later append queues again
	p.mu.Lock()
	defer p.mu.Unlock()
	end := p.end.Load()
	ps := partitionSync{p, end, p.producers.lastStable(end), p.writing}
	if ps.seg != nil {
		_, _ = p.log.files.acquire(&ps.seg.log, 0) // it is open; this keeps it so when a roll lets go of it
	}
	return ps
}

// end syncs the file unless that was done, and moves the high watermark. The descriptor is the one that was written to.
func (ps *partitionSync) end(done bool) {
	p := ps.p
	if ps.seg != nil {
		defer p.log.files.release(&ps.seg.log)
	}
	if ps.seg != nil && !done {
		if err := p.syncLog(ps.seg); err != nil {
			p.log.fail(err)
			return
		}
	}
	if p.log.Err() == nil { // nothing is acknowledged after a failure (I1)
		p.wait.advance(p, ps.target, ps.stable)
	}
	if ps.seg != nil {
		p.synced(ps.seg, ps.target)
	}
}

// synced lets go of the file when nothing was appended since.
func (p *Partition) synced(seg *segment, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writing == seg && p.end.Load() == end {
		p.letGo()
	}
}

// letGo ends the use of the file that was written to. mu is held.
func (p *Partition) letGo() {
	if p.writing != nil {
		p.log.files.release(&p.writing.log)
		p.writing, p.file = nil, nil
	}
}
