package s3

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3/partitioner"
)

const (
	// trimInterval is how long a buffer that nobody needs is kept: longer than a file takes to fill at a good rate, since new memory costs page faults.
	trimInterval = 5 * time.Second
	// maxLineBytes is what the line buffer keeps from one record to the next.
	maxLineBytes = 1 << 20
)

// limits are how long the sink waits for the server before it goes on, or away, without.
type limits struct {
	// stall is how long Write waits for an upload to end, and Apply for all, before they
	// give the caller a chance to do something else.
	stall time.Duration
	// drop is for taking leave of files: for requests that make objects visible to end,
	// for uploads to be aborted.
	drop  time.Duration
	leave time.Duration // for files that end since their partition is given up
	abort time.Duration // for taking one upload away, or one object of our own
	list  time.Duration // for finding what former owners have left
}

// usualLimits are the limits but in tests.
var usualLimits = limits{stall: 5 * time.Second, drop: 3 * time.Second, leave: 10 * time.Second, abort: 5 * time.Second, list: 30 * time.Second}

// Sink writes records to S3. Config.Sink makes it.
type Sink struct {
	config   *Config
	rotation rotation
	logger   *slog.Logger
	now      func() time.Time
	limits   limits

	ctx      context.Context // ends the workers' requests; not a caller's, since those go on between calls
	cancel   context.CancelFunc
	store    *store
	retrier  *retrier
	uploader *uploader
	pool     *pool
	report   func(*connect.Record, error) error
	due      func()      // asks for Prepare
	alarm    *time.Timer // calls due at alarmAt; nil before the first
	alarmAt  time.Time   // zero: never, as far as is known

	stateBytes  int  // of a state in a record, about: maxStateBytes but in tests
	exactlyOnce bool // the engine commits our states: nothing is visible before
	conditional bool // completing an upload must not replace an object

	connector   string
	parts       []part
	partitioner partitioner.Partitioner
	partitions  map[connect.TopicPartition]*partition
	leaving     map[connect.TopicPartition]bool // whose files end at the next Prepare
	schemas     schemaNumbers
	packing     packing

	// The record in hand.
	place   place
	lines   [][]byte // as bytes of its objects, one for each part
	scratch *connect.Batch

	steps     int       // ops on their way
	sentBytes int       // buffers that ops on their way own
	err       error     // why no more records can be taken
	trimmed   time.Time // when the pool was
}

var (
	_ connect.TwoPhase   = (*Sink)(nil)
	_ connect.Leaver     = (*Sink)(nil)
	_ connect.Withdrawer = (*Sink)(nil)
	_ connect.Pinger     = (*Config)(nil)
)

func newSink(c *Config) *Sink {
	return &Sink{config: c, rotation: newRotation(c), now: time.Now, due: func() {}, limits: usualLimits, stateBytes: maxStateBytes, pool: newPool(c.bufferMaxBytes),
		partitions: make(map[connect.TopicPartition]*partition), leaving: make(map[connect.TopicPartition]bool), scratch: connect.NewBatch(1, 1)}
}

// Open connects and sees that the bucket exists.
func (s *Sink) Open(ctx context.Context, sc connect.SinkContext) error {
	s.connector, s.logger, s.report = sc.Connector, sc.Logger, sc.Report
	if sc.Due != nil {
		s.due = sc.Due
	}
	s.exactlyOnce = sc.ExactlyOnce && s.config.exactlyOnce == onceLedger
	if err := s.setUp(); err != nil {
		return err
	}
	var err error
	if s.store, err = newStore(ctx, s.config); err != nil {
		return err
	}
	s.retrier = newRetrier(s.config, s.logger)
	if err := s.checkBucket(ctx); err != nil {
		return err
	}
	if s.conditional, err = s.canRefuse(ctx, sc); err != nil {
		return err
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.uploader = newUploader(s.due)
	s.logger.Info("writing to S3", "bucket", s.config.bucket, "endpoint", s.store.endpoint(), "region", s.store.region,
		"flush.size", s.config.flushSize, "rotate.max.age.ms", s.config.age().Milliseconds(),
		"s3.part.size", s.config.firstPartBytes(), "exactly_once", s.exactlyOnce)
	return nil
}

// setUp makes what needs no server.
func (s *Sink) setUp() (err error) {
	if s.parts, err = newParts(s.config); err != nil {
		return err
	}
	s.lines = make([][]byte, len(s.parts))
	s.partitioner, err = s.config.partitioner(func() time.Time { return s.now() })
	return err
}

// checkBucket fails when the bucket does not exist. Credentials that may only
// write are refused the question (403), which does not hinder them.
func (s *Sink) checkBucket(ctx context.Context) error {
	err := s.retrier.once(ctx, requestTimeout(0), s.store.headBucket)
	switch {
	case err == nil, statusCode(err) == http.StatusForbidden:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case transient(err):
		return connect.Retriable(s.store.remedy(err))
	}
	return s.store.remedy(err)
}

// Assign adds partitions. Whatever is left of an earlier assignment is dropped.
func (s *Sink) Assign(ctx context.Context, added []connect.PartitionOffset) error {
	tps := make([]connect.TopicPartition, len(added))
	for i, a := range added {
		tps[i] = a.TopicPartition
	}
	if err := s.Revoke(ctx, tps); err != nil {
		return err
	}
	for _, a := range added {
		s.partitions[a.TopicPartition] = newPartition(a.TopicPartition, a.Offset)
	}
	if s.exactlyOnce {
		s.findUploads(ctx, added)
		s.findLists(ctx, added)
	}
	return nil
}

// Leave lets the files of partitions end at the next Prepare (flush.on.close).
func (s *Sink) Leave(removed []connect.TopicPartition) {
	for _, tp := range removed {
		s.leaving[tp] = s.config.flushOnClose
	}
}

// Revoke drops what is not complete of the partitions, but for what is prepared.
func (s *Sink) Revoke(ctx context.Context, removed []connect.TopicPartition) error {
	var files []*file
	for _, tp := range removed {
		if p := s.partitions[tp]; p != nil {
			files = append(files, p.files()...)
			delete(s.partitions, tp)
		}
		delete(s.leaving, tp)
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.drop)
	defer cancel()
	s.drop(ctx, files)
	return nil
}

// Close drops what is not complete, but for what is prepared, and waits for the
// workers to end.
func (s *Sink) Close() error {
	if s.alarm != nil {
		s.alarm.Stop()
	}
	if s.uploader != nil {
		var files []*file
		for _, p := range s.partitions {
			files = append(files, p.files()...)
		}
		clear(s.partitions)
		ctx, cancel := context.WithTimeout(s.ctx, s.limits.drop)
		s.drop(ctx, files)
		s.settle(ctx, func() bool { return s.steps == 0 }) // aborts that Revoke left behind
		cancel()
		s.cancel()
		s.uploader.close()
		s.collect()
		s.pool.close()
	}
	if s.store != nil {
		s.store.idle()
	}
	return nil
}

// drop gives files up. Requests that make objects visible may end first: one
// that arrives after the next owner's would replace a newer object. The uploads of
// files that were offered stay, since their commit may have happened: then the
// partition's next owner completes them (I3).
func (s *Sink) drop(ctx context.Context, files []*file) {
	if len(files) == 0 {
		return
	}
	s.settle(ctx, func() bool { return !slices.ContainsFunc(files, (*file).appearing) })
	for _, f := range files {
		f.up.cancel()
		s.pool.release(&f.buf)
		s.pool.releaseBlock(&f.block)
		if !f.offered {
			s.abort(f)
		}
	}
	s.settle(ctx, func() bool { return !slices.ContainsFunc(files, (*file).busy) })
}

// settle collects results until done says so or ctx ends.
func (s *Sink) settle(ctx context.Context, done func() bool) {
	for s.collect(); !done(); s.collect() {
		select {
		case <-s.uploader.ready:
		case <-ctx.Done():
			return
		}
	}
}

// submit hands a step of a file's upload to the uploader.
func (s *Sink) submit(o *op) {
	o.file.steps++
	s.steps++
	s.sentBytes += o.body.capacity()
	if o.counted = s.exactlyOnce && !o.shows && o.file.group != nil; o.counted {
		o.file.group.sending.Add(1)
	}
	// What was committed does not wait for the parts of later files.
	s.uploader.submit(o, o.file.offered)
}

// collect takes the results of ops that have ended.
func (s *Sink) collect() {
	for _, o := range s.uploader.take() {
		o.file.steps--
		s.steps--
		s.sentBytes -= o.body.capacity()
		s.pool.release(&o.body)
		s.result(o)
	}
}

func (s *Sink) result(o *op) {
	dropped := o.file.up.ctx.Err() != nil
	if o.shows {
		o.file.showing = false
	}
	o.file.failed = o.file.failed || o.err != nil && !o.shows
	switch {
	case o.err == nil && o.shows:
		o.file.complete = true
		o.file.up.cancel()
	case o.err == nil, dropped, errors.Is(o.err, errStepMissing):
	case s.err == nil:
		s.err = s.store.fatal(o.file.up.key, o.err)
	}
}
