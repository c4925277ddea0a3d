package log

import (
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Partition is an ordered sequence of records on disk. All methods may be called concurrently.
//
// Lock order in this package: Log.changes, Partition.cleaning, Partition.mu, segment.syncing or Log.checkpoints or Partition.snapshots, Partition.state, then the
// small ones (Log.mu, waitList.mu, recoveryPoint.mu, Partition.hints, syncer.mu, fdCache.mu), of which one is held at a time.
type Partition struct {
	log   *Log
	topic *Topic
	index int32
	dir   string

	// mu serialises everything that changes the log: append, roll, delete. It is held during writes and, when a segment
	// is rolled, during syncs. It guards the fields up to state.
	mu        sync.Mutex
	made      bool // the directory exists and is durable
	producers producers
	// writing is the active segment while it has bytes that are not synced; its handle is then acquired.
	writing *segment
	file    vfs.File // of writing

	// state guards the fields up to hints against readers. It is never held during input or output.
	state    sync.RWMutex
	segments []*segment // by base offset; the last one is active. Empty before the first append.
	epochs   []epochEntry
	err      error // set when the partition is offline, deleted or closed

	// hints guards hintAt.
	hints  sync.Mutex
	hintAt [8]hint
	hintN  int

	wait waitList

	logStart atomic.Int64
	end      atomic.Int64 // log end offset
	durable  atomic.Int64 // high watermark: everything below is synced (I1, I7)
	clean    atomic.Int64 // first dirty offset: the cleaner has been through everything below
	holes    atomic.Int64 // the cleaner may have left holes between batches below this offset, never above
	stable   atomic.Int64 // last stable offset, as far as the log was not cut at its start
	queued   atomic.Bool  // waits for a sync round

	// cleaning is held while the cleaner works on the files. Who wants to rename the directory waits for it.
	cleaning sync.Mutex

	recovery  recoveryPoint
	snapshots sync.Mutex // serialises the writing of producer snapshots
}

// recoveryPoint is the offset from which the files have to be looked at after a crash. The janitor owns it, roll moves it.
type recoveryPoint struct {
	mu       sync.Mutex // guards the fields
	offset   int64
	position int64 // bytes ever appended when it was set
	appended int64 // bytes ever appended
}

func newPartition(t *Topic, index int32) *Partition {
	key := partitionKey{t.name, index}
	p := &Partition{log: t.log, topic: t, index: index, dir: filepath.Join(t.log.cfg.Dir, key.dirName())}
	p.producers.max = t.log.cfg.MaxProducers
	return p
}

// Topic is the topic that the partition belongs to.
func (p *Partition) Topic() *Topic { return p.topic }

// Index is the number of the partition in its topic, from 0.
func (p *Partition) Index() int32 { return p.index }

// Err says why the partition cannot be used: an [*OfflineError], [ErrPartitionDeleted] or [ErrClosed]. nil otherwise.
func (p *Partition) Err() error {
	p.state.RLock()
	defer p.state.RUnlock()
	return p.err
}

// LogStartOffset is the first offset that can be read.
func (p *Partition) LogStartOffset() int64 { return p.logStart.Load() }

// HighWatermark is the offset below which everything is durable: consumers never see what a crash can take back (I7).
func (p *Partition) HighWatermark() int64 { return p.durable.Load() }

// EndOffset is the offset that the next record gets. Records from HighWatermark on are not durable yet.
func (p *Partition) EndOffset() int64 { return p.end.Load() }

// Size is the bytes of all .log files.
func (p *Partition) Size() int64 {
	p.state.RLock()
	defer p.state.RUnlock()
	var n int64
	for _, s := range p.segments {
		n += s.size.Load()
	}
	return n
}

// LeaderEpoch is the current leader epoch. It stays 0 unless the directory came from elsewhere: one node never changes its
// leader. A crash that cuts the tail does not raise it either, although a new leader in Kafka would: the epoch tells consumers
// that offsets they have seen may hold other records now (KIP-320), and here they see nothing that a crash can take back (I7).
func (p *Partition) LeaderEpoch() int32 {
	p.state.RLock()
	defer p.state.RUnlock()
	if n := len(p.epochs); n > 0 {
		return p.epochs[n-1].epoch
	}
	return 0
}

// EndOffsetForEpoch returns the largest leader epoch that is not above the given one, and the offset where it ends
// (KIP-279). -1, -1 when the epoch is not known.
func (p *Partition) EndOffsetForEpoch(epoch int32) (int32, int64) {
	p.state.RLock()
	epochs := p.epochs
	p.state.RUnlock()
	if len(epochs) == 0 {
		epochs = []epochEntry{{0, 0}}
	}
	last := len(epochs) - 1
	if epoch < 0 || epoch > epochs[last].epoch {
		return -1, -1
	}
	if epoch == epochs[last].epoch {
		return epoch, p.HighWatermark()
	}
	for i := last - 1; i >= 0; i-- {
		if epochs[i].epoch <= epoch {
			return epochs[i].epoch, epochs[i+1].start
		}
	}
	return epoch, epochs[0].start
}

// active is the segment that is written to, or nil. The caller holds mu or state.
func (p *Partition) active() *segment {
	if len(p.segments) == 0 {
		return nil
	}
	return p.segments[len(p.segments)-1]
}

// shut makes the partition unusable and returns the error that it now has. Waiters get it; an earlier error stays.
func (p *Partition) shut(err error) error {
	p.state.Lock()
	if p.err == nil {
		p.err = err
	}
	err = p.err
	p.state.Unlock()
	p.wait.fail(err)
	return err
}

// quarantine takes the partition offline: its files stay as they are, other partitions are served.
func (p *Partition) quarantine(file string, d damage) error {
	e := &OfflineError{
		Topic: p.topic.name, Partition: p.index, File: file,
		Offset: d.offset, Position: d.position, Reason: d.reason,
	}
	p.log.cfg.Logger.Error("partition is offline", keyTopic, p.topic.name, keyPartition, p.index, "err", e)
	return p.shut(e)
}
