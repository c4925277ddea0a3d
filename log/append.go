package log

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// AppendOptions of [Partition.Append].
type AppendOptions struct {
	// Internal marks a batch that a coordinator of this process wrote: max.message.bytes does not apply, and it may be
	// without a sequence number though it has a producer id.
	Internal bool
	// Lazy starts no sync round: the batch goes with the next one, which is soon after a wait for it ([Partition.OnDurable],
	// [Partition.WaitDurable]) or any append that is not lazy. So what is to be durable at the same time shares a round.
	Lazy bool
}

// AppendResult says where a batch is.
type AppendResult struct {
	BaseOffset      int64
	LastOffset      int64
	LogAppendTimeMs int64 // -1 when the topic keeps the producer's timestamps
	Duplicate       bool  // the batch was there already; the offsets are those of the first time
}

// Append writes one record batch v2 to the log. It sets base offset, leader epoch and, for LogAppendTime, timestamp in b,
// and does not keep b; where compression.type asks for another codec it works on a copy. The batch is neither durable nor
// readable on return: nothing may be acknowledged before [Partition.WaitDurable] or [Partition.OnDurable] say so for LastOffset (I1), and that includes duplicates.
//
// A transactional batch opens its producer's transaction here or goes on with it. Whether the producer may do so is for the caller
// to ask the transaction coordinator; [Partition.AppendMarker] ends the transaction.
//
// Errors: ErrCorruptBatch, ErrBatchTooLarge, ErrInvalidRecord (*RecordError), ErrInvalidTimestamp,
// ErrOutOfOrderSequence, ErrInvalidProducerEpoch, ErrInvalidTxnState, ErrTooManyProducers, ErrPartitionOffline (*OfflineError),
// ErrPartitionDeleted, ErrFull (nothing was written), ErrFailed, ErrClosed.
func (p *Partition) Append(b []byte, o AppendOptions) (AppendResult, error) {
	c := p.topic.config.Load()
	now := p.log.cfg.Now().UnixMilli()
	h, err := p.validate(b, c, o, now)
	if err != nil {
		return AppendResult{}, err
	}
	if c.Recompress && h.Codec() != c.Codec {
		if b, h, err = p.recompress(b, c); err != nil {
			return AppendResult{}, err
		}
	}
	res := AppendResult{LogAppendTimeMs: -1}
	if c.LogAppendTime {
		batch.SetLogAppendTime(b, now)
		h.MaxTimestamp, res.LogAppendTimeMs = now, now
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writable(); err != nil {
		return AppendResult{}, err
	}
	dup, err := p.producers.check(&h, p.end.Load() == 0)
	if err != nil {
		return AppendResult{}, err
	}
	if dup != nil {
		res.Duplicate = true
		res.BaseOffset, res.LastOffset = dup.lastOffset-int64(dup.offsetDelta), dup.lastOffset
		if c.LogAppendTime {
			res.LogAppendTimeMs = dup.timestamp
		}
		return res, nil
	}
	h.BaseOffset = p.end.Load()
	if err := p.write(b, &h, nil, c, now); err != nil {
		return AppendResult{}, p.writeError(err)
	}
	if !o.Lazy {
		p.log.syncer.poke()
	}
	res.BaseOffset, res.LastOffset = h.BaseOffset, h.LastOffset()
	return res, nil
}

// writable returns why nothing may be appended, or nil. mu is held.
func (p *Partition) writable() error {
	if err := p.Err(); err != nil {
		return err
	}
	return p.log.Err()
}

// write puts a batch that has been accepted at the end of the active segment, for the next sync round; m is what it says when it is a
// marker. mu is held.
func (p *Partition) write(b []byte, h *batch.Header, m *Marker, c *TopicConfig, now int64) error {
	s, err := p.segmentFor(c, h, now)
	if err != nil {
		return err
	}
	if err := p.use(s); err != nil {
		return err
	}
	pos := s.size.Load()
	batch.SetOffset(b, h.BaseOffset, p.LeaderEpoch())
	if _, err := p.file.WriteAt(b, pos); err != nil {
		return p.undo(s, pos, err)
	}
	if s.firstAppend == 0 {
		s.firstAppend = now
	}
	p.state.Lock()
	s.note(h, pos, c.IndexInterval)
	s.size.Store(pos + int64(len(b)))
	p.state.Unlock()
	p.noteAborted(s, p.producers.take(h, m, now))
	p.recovery.grow(int64(len(b)))
	p.end.Store(h.LastOffset() + 1)
	p.log.syncer.queue(p)
	return nil
}

// use keeps the segment's file open from the first write to the sync.
func (p *Partition) use(s *segment) error {
	if p.writing == s {
		return nil
	}
	f, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	p.writing, p.file = s, f
	return nil
}

// undo takes back a write that met an error, durably, so that its bytes can never be mistaken for part of a later batch.
func (p *Partition) undo(s *segment, size int64, cause error) error {
	if err := p.file.Truncate(size); err != nil {
		return &syncError{fmt.Errorf("truncate after %w: %w", cause, err)}
	}
	if err := p.syncLog(s); err != nil {
		return err
	}
	p.log.syncer.add(p) // what came before it is still to be acknowledged
	if !isFull(cause) {
		return &syncError{fmt.Errorf("write segment: %w", cause)}
	}
	return cause
}

// writeError turns an error of the file system into the one that callers branch on. mu may be held.
func (p *Partition) writeError(err error) error { return p.log.ioError(err) }

// segmentFor returns the active segment when the batch goes there, otherwise a new one. mu is held.
func (p *Partition) segmentFor(c *TopicConfig, h *batch.Header, now int64) (*segment, error) {
	s := p.active()
	if s == nil {
		if err := p.makeDir(); err != nil {
			return nil, err
		}
		return p.startSegment(h.BaseOffset)
	}
	if !s.fits(c, h, now) {
		return p.roll()
	}
	if len(s.offsets.pending) >= indexFlushBytes || len(s.aborted.pending) >= indexFlushBytes {
		return s, p.flushIndexes(s)
	}
	return s, nil
}

// roll closes the active segment and starts the next one. Everything in the old one is durable before the new one exists, so
// only the newest segment can have a torn end. mu is held.
func (p *Partition) roll() (*segment, error) {
	s := p.active()
	p.state.Lock()
	s.noteTime()
	p.state.Unlock()
	if err := p.seal(s); err != nil {
		return nil, err
	}
	end := p.end.Load()
	if err := p.writeSnapshot(end, p.producers.encode()); err != nil {
		return nil, err
	}
	next, err := p.startSegment(end)
	if err != nil {
		return nil, err
	}
	p.letGo()
	p.recovery.set(end, p.recovery.total())
	p.log.janitor.poke()
	return next, nil
}

// seal makes a segment and its indexes durable. mu is held.
func (p *Partition) seal(s *segment) error {
	if err := p.flushIndexes(s); err != nil {
		return err
	}
	if err := p.syncLog(s); err != nil {
		return err
	}
	return p.syncIndexes(s)
}

// makeDir creates the partition's directory with its metadata, durably. Empty partitions have none. mu is held.
func (p *Partition) makeDir() error {
	if p.made {
		return nil
	}
	fs := p.log.fs
	if err := fs.MkdirAll(p.dir); err != nil {
		return fmt.Errorf("create partition: %w", err)
	}
	old, err := listOffsets(fs, p.dir, logSuffix)
	if err != nil {
		return fmt.Errorf("create partition: %w", err)
	}
	if len(old) > 0 {
		return fmt.Errorf("create partition: %s holds segments of a deleted topic, restart to clean up", p.dir)
	}
	if err := writeFile(fs, join(p.dir, partitionFile), encodePartitionMetadata(p.topic.id)); err != nil {
		return err
	}
	if len(p.epochs) == 0 {
		p.state.Lock()
		p.epochs = []epochEntry{{0, 0}}
		p.state.Unlock()
	}
	if err := writeFile(fs, join(p.dir, epochFile), encodeEpochs(p.epochs)); err != nil {
		return err
	}
	if err := syncDir(fs, p.log.cfg.Dir); err != nil {
		return err
	}
	p.made = true
	return nil
}

// startSegment creates an empty segment. Its name is durable before anything in it can be acknowledged. mu is held.
func (p *Partition) startSegment(base int64) (*segment, error) {
	s := newSegment(p.dir, base)
	s.maxLoaded = true
	if _, err := p.log.files.acquire(&s.log, vfs.Create|vfs.Truncate); err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	p.log.files.release(&s.log)
	if err := syncDir(p.log.fs, p.dir); err != nil {
		return nil, err
	}
	p.state.Lock()
	p.segments = append(p.segments, s)
	p.state.Unlock()
	return s, nil
}

// writeSnapshot writes the producers' state as of an offset, durably, and deletes all but the two newest.
func (p *Partition) writeSnapshot(offset int64, state []byte) error {
	p.snapshots.Lock()
	defer p.snapshots.Unlock()
	if err := writeFile(p.log.fs, join(p.dir, offsetName(offset, snapshotSuffix)), state); err != nil {
		return err
	}
	offsets, err := listOffsets(p.log.fs, p.dir, snapshotSuffix)
	if err != nil {
		return err
	}
	for _, o := range offsets[:max(len(offsets)-2, 0)] {
		_ = p.log.fs.Remove(join(p.dir, offsetName(o, snapshotSuffix))) // tried again next time
	}
	return nil
}

// validate checks what can be checked before the batch has a place.
func (p *Partition) validate(b []byte, c *TopicConfig, o AppendOptions, now int64) (batch.Header, error) {
	h, err := batch.Validate(b)
	switch {
	case errors.Is(err, batch.ErrChecksum):
		return h, fmt.Errorf("%w: %w", ErrCorruptBatch, err)
	case err != nil: // sent so: the same bytes again are no better
		return h, fmt.Errorf("%w: %w", ErrInvalidRecord, err)
	}
	if int64(len(b)) > c.SegmentBytes || (!o.Internal && int64(len(b)) > c.MaxMessageBytes) {
		return h, fmt.Errorf("%w: %d bytes, max.message.bytes is %d, segment.bytes %d", ErrBatchTooLarge, len(b), c.MaxMessageBytes, c.SegmentBytes)
	}
	switch {
	case h.Count == 0:
		err = &RecordError{-1, "no records"}
	case h.LastOffsetDelta != h.Count-1:
		err = &RecordError{-1, fmt.Sprintf("%d records, but the last offset delta is %d", h.Count, h.LastOffsetDelta)}
	case h.BaseOffset != 0 && !o.Internal:
		err = &RecordError{-1, fmt.Sprintf("base offset %d from a producer", h.BaseOffset)}
	case h.Control():
		err = &RecordError{-1, "control batch from a producer"}
	case h.Transactional() && h.ProducerID < 0:
		err = &RecordError{-1, "transactional batch without a producer id"}
	case h.DeleteHorizon():
		err = &RecordError{-1, "delete horizon set by a producer"}
	case h.ProducerID >= 0 && h.BaseSequence < 0 && !o.Internal:
		err = &RecordError{-1, "producer id without a sequence number"}
	}
	if err != nil {
		return h, err
	}
	if err := checkTimestamp(&h, c, now); err != nil {
		return h, err
	}
	return h, p.checkRecords(b, &h, c)
}

// recompress returns the batch with the topic's codec. The new size has to be acceptable too.
func (p *Partition) recompress(b []byte, c *TopicConfig) ([]byte, batch.Header, error) {
	var out []byte
	var h batch.Header
	err := p.log.codecs.with(func(r *batch.Recompressor) (err error) {
		out, err = r.Recompress(nil, b, c.Codec)
		return err
	})
	if err == nil {
		h, err = batch.Parse(out)
	}
	switch {
	case errors.Is(err, batch.ErrTooLarge):
		return nil, h, fmt.Errorf("%w: %w", ErrBatchTooLarge, err)
	case err != nil:
		return nil, h, fmt.Errorf("%w: %w", ErrInvalidRecord, err)
	case int64(len(out)) > min(c.MaxMessageBytes, c.SegmentBytes):
		return nil, h, fmt.Errorf("%w: %d bytes as %s, max.message.bytes is %d, segment.bytes %d", ErrBatchTooLarge, len(out), c.Codec, c.MaxMessageBytes, c.SegmentBytes)
	}
	return out, h, nil
}

// checkTimestamp applies message.timestamp.{before,after}.max.ms to the header, which stands for the records.
func checkTimestamp(h *batch.Header, c *TopicConfig, now int64) error {
	switch {
	case c.LogAppendTime:
		return nil
	case h.LogAppendTime():
		return fmt.Errorf("%w: the batch has log append time, the topic create time", ErrInvalidTimestamp)
	case h.MaxTimestamp >= 0 && h.MaxTimestamp-now > c.TimestampAfter:
		return fmt.Errorf("%w: %d ms ahead of the clock, message.timestamp.after.max.ms is %d", ErrInvalidTimestamp, h.MaxTimestamp-now, c.TimestampAfter)
	case h.BaseTimestamp >= 0 && now-h.BaseTimestamp > c.TimestampBefore:
		return fmt.Errorf("%w: %d ms behind the clock, message.timestamp.before.max.ms is %d", ErrInvalidTimestamp, now-h.BaseTimestamp, c.TimestampBefore)
	}
	return nil
}

// checkRecords looks at the records as Kafka does, so that no consumer stumbles over them: their lengths, and every key when the
// topic is compacted.
func (p *Partition) checkRecords(b []byte, h *batch.Header, c *TopicConfig) error {
	check := batch.CountRecords
	if c.CleanupCompact {
		check = checkKeys
	}
	var err error
	if h.Codec() == batch.None {
		err = check(b, nil)
	} else {
		err = p.log.codecs.with(func(r *batch.Recompressor) error { return check(b, r.Decompressor()) })
	}
	var recordErr *RecordError
	switch {
	case err == nil || errors.As(err, &recordErr):
		return err
	case errors.Is(err, batch.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrBatchTooLarge, err)
	}
	return fmt.Errorf("%w: %w", ErrInvalidRecord, err)
}

// checkKeys returns a *RecordError for the first record without a key.
func checkKeys(b []byte, dec *batch.Decompressor) error {
	r, err := batch.NewReader(b, dec)
	if err != nil {
		return err
	}
	for i := int32(0); r.Next(); i++ {
		if r.Record().Key == nil {
			return &RecordError{i, "a compacted topic needs keys"}
		}
	}
	return r.Err()
}

func (r *recoveryPoint) grow(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.appended += n
}

// set moves the recovery point to an offset below which everything, indexes and producer state too, is durable. total is
// what had been appended then.
func (r *recoveryPoint) set(offset, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset, r.position = max(offset, r.offset), max(total, r.position)
}

// total is how many bytes were ever appended.
func (r *recoveryPoint) total() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.appended
}

// tail is the recovery point and how many bytes were appended after it.
func (r *recoveryPoint) tail() (offset, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.offset, r.appended - r.position
}
