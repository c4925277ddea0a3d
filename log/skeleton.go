package log

import (
	"context"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Log is a directory of topics.
type Log struct{}

// Open recovers the directory.
func Open(cfg Config) (*Log, error) { _ = cfg.withDefaults(); return nil, ErrClosed }

func (l *Log) Close() error            { return nil }
func (l *Log) Failed() <-chan struct{} { return nil }
func (l *Log) Err() error              { return nil }
func (l *Log) ClusterID() string       { return "" }
func (l *Log) CreateTopic(name string, partitions int, overrides map[string]string) (*Topic, error) {
	return nil, ErrClosed
}
func (l *Log) DeleteTopic(name string) error                             { return ErrClosed }
func (l *Log) CreatePartitions(name string, total int) error             { return ErrClosed }
func (l *Log) AlterTopic(name string, overrides map[string]string) error { return ErrClosed } // replaces all overrides
func (l *Log) Topic(name string) (*Topic, bool)                          { return nil, false }
func (l *Log) TopicByID(id [16]byte) (*Topic, bool)                      { return nil, false }
func (l *Log) Topics() []*Topic                                          { return nil }

// Topic is one topic.
type Topic struct{}

func (t *Topic) Name() string                         { return "" }
func (t *Topic) ID() [16]byte                         { return [16]byte{} }
func (t *Topic) Internal() bool                       { return false }
func (t *Topic) Partitions() int                      { return 0 }
func (t *Topic) Partition(i int32) (*Partition, bool) { return nil, false }
func (t *Topic) Config() TopicConfig                  { return TopicConfig{} }
func (t *Topic) Overrides() map[string]string         { return nil }

// Partition is one partition.
type Partition struct{}

// AppendOptions of [Partition.Append].
type AppendOptions struct {
	// Internal marks a batch that a coordinator of this process wrote: max.message.bytes does not apply.
	Internal bool
}

// AppendResult says where a batch went.
type AppendResult struct {
	BaseOffset, LastOffset int64
	LogAppendTimeMs        int64 // -1 for CreateTime
	Duplicate              bool
}

func (p *Partition) Topic() *Topic { return nil }
func (p *Partition) Index() int32  { return 0 }
func (p *Partition) Append(batch []byte, o AppendOptions) (AppendResult, error) {
	return AppendResult{}, ErrClosed
}
func (p *Partition) WaitDurable(ctx context.Context, lastOffset int64) error { return ErrClosed }
func (p *Partition) OnDurable(lastOffset int64, done func(error))            {}
func (p *Partition) Read(dst []byte, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	return dst, ErrClosed
}
func (p *Partition) Err() error              { return nil } // why the partition is offline or deleted
func (p *Partition) LogStartOffset() int64   { return 0 }
func (p *Partition) HighWatermark() int64    { return 0 }
func (p *Partition) EndOffset() int64        { return 0 }
func (p *Partition) LastStableOffset() int64 { return 0 }
func (p *Partition) LeaderEpoch() int32      { return 0 }
func (p *Partition) OffsetForTime(ts int64) (offset, timestamp int64, err error) {
	return -1, -1, ErrClosed
}
func (p *Partition) MaxTimestamp() (offset, timestamp int64, err error)     { return -1, -1, ErrClosed }
func (p *Partition) EndOffsetForEpoch(epoch int32) (int32, int64)           { return -1, -1 }
func (p *Partition) DeleteRecords(before int64) (logStart int64, err error) { return 0, ErrClosed }
func (p *Partition) Size() int64                                            { return 0 }
func (p *Partition) Watch(w *Watcher)                                       {}
func (p *Partition) Unwatch(w *Watcher)                                     {}

// Watcher gets a token when the high watermark of a watched partition moves or the partition goes away.
type Watcher struct{ c chan struct{} }

// NewWatcher makes a watcher for any number of partitions.
func NewWatcher() *Watcher { return &Watcher{c: make(chan struct{}, 1)} }

// C has a token when something happened since the last receive.
func (w *Watcher) C() <-chan struct{} { return w.c }

// Report of [Check].
type Report struct{}

// Check reads the directory without changing it.
func Check(dir string, fs vfs.FS) (Report, error) { return Report{}, ErrClosed }
