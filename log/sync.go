package log

import (
	"sync"
)

// syncer is the group commit: one goroutine that syncs all partitions that were appended to since the last round, several
// files at a time, and then moves their high watermarks (I1).
type syncer struct {
	parallel int
	wake     chan struct{} // has a token when something is to do
	stop     chan struct{}

	mu    sync.Mutex // guards dirty
	dirty []*Partition
}

func newSyncer(parallel int) *syncer {
	return &syncer{parallel: parallel, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// add puts a partition into the next round.
func (s *syncer) add(p *Partition) {
	if !p.queued.CompareAndSwap(false, true) {
		return
	}
	s.mu.Lock()
	s.dirty = append(s.dirty, p)
	s.mu.Unlock()
	s.poke()
}

// poke wakes the goroutine.
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
	if len(dirty) == 1 {
		s.sync(l, dirty[0])
	} else if len(dirty) > 1 {
		s.syncAll(l, dirty)
	}
	if err := l.Err(); err != nil {
		l.eachPartition(func(p *Partition) { p.wait.fail(err) })
	}
}

// syncAll syncs up to parallel partitions at the same time.
func (s *syncer) syncAll(l *Log, dirty []*Partition) {
	var wg sync.WaitGroup
	next := make(chan *Partition)
	for range min(s.parallel, len(dirty)) {
		wg.Go(func() {
			for p := range next {
				s.sync(l, p)
			}
		})
	}
	for _, p := range dirty {
		next <- p
	}
	close(next)
	wg.Wait()
}

// sync makes what a partition has appended durable. The descriptor is the one that was written to.
func (s *syncer) sync(l *Log, p *Partition) {
	p.queued.Store(false) // before the end is read: a later append queues again
	p.mu.Lock()
	target, seg := p.end.Load(), p.writing
	if seg != nil {
		_, _ = l.files.acquire(&seg.log, 0) // it is open; this keeps it so when a roll lets go of it
		defer l.files.release(&seg.log)
	}
	p.mu.Unlock()
	if seg != nil { // otherwise a roll has synced it
		if err := p.syncLog(seg); err != nil {
			l.fail(err)
			return
		}
	}
	if l.Err() == nil { // nothing is acknowledged after a failure (I1)
		p.wait.advance(p, target)
	}
	if seg != nil {
		p.synced(seg, target)
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
