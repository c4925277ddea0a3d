package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// Limits of a source task: how many batches are on their way between Read and
// Commit, and how large each is (I5). Batches are many, so that a log that takes long to
// acknowledge is kept busy, and small, because they decide what memory a task takes
// under load: a batch of rows has each of them as text, as cells and as its bytes in the
// log. A log that is fast leaves most of them unused.
const (
	sourceBatches      = 8
	sourceBatchRecords = 2048
	sourceBatchBytes   = 512 << 10
)

// producer is what a source task needs of a Kafka client.
type producer interface {
	// Produce calls promise once the record is acknowledged or has failed. It may
	// block while the client's buffer is full.
	Produce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error))
}

// sourceTask runs one source. Its batches go round in a ring of goroutines:
//
//	reader: Open, Read, Close ─read─► converter: convert, produce ─sent─► committer: await, store offsets, Commit ─free─► reader
//
// A batch belongs to the goroutine that took it last.
// With exactly-once delivery the committer is a transaction, which produces too.
type sourceTask struct {
	task
	source connect.Source
	// followers are the topics that the source follows; the reader's.
	followers []*topicFollower
	producer  producer
	admin     *kadm.Client // creates topics
	offsets   *sourceOffsets
	// offsetsElsewhere: the producer of the records does not write the offsets, since
	// it goes to another cluster or is somebody else there.
	offsetsElsewhere bool
	limits           *batchLimits

	free   *freeBatches[sourceBatch]
	read   chan *sourceBatch // closed by the reader
	sent   chan *sourceBatch // closed by the converter
	halted chan struct{}     // closed when the converter takes no more batches
	// held is a batch of sent that the committer has taken too early.
	held *sourceBatch

	changed connect.Record    // the converter's: what transforms make of a record
	topics  map[string]string // topic names that outlive their batch
	topic   string            // the last of them
	tracker topicTracker
	commits commitGroup
	txn     *transaction // nil: records and offsets are written one after the other
}

// runSource runs the task's source until it stops or fails.
func runSource(t task) error {
	if err := t.prepareLetters(); err != nil {
		return stopped(t.stop, err)
	}
	transactional := t.transactional()
	limits := &batchLimits{most: int32(t.def.options.producer.maxRequestBytes)}
	cluster, err := t.openCluster(producerClient)
	if err != nil {
		return stopped(t.stop, err)
	}
	defer cluster.close()
	opts, err := t.producerOpts(transactional)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(opts, kgo.ProducerBatchMaxBytesFn(limits.of))...)
	if err != nil {
		return fmt.Errorf("make the kafka producer: %w", err)
	}
	defer client.Close()
	// After the time to stop is over, what the log has not taken is given up.
	giveUp := context.AfterFunc(t.kill, client.Close)
	defer giveUp()
	s := newSourceTask(t, client)
	s.limits = limits
	var closeAdmin func()
	if s.admin, closeAdmin, err = t.openAdmin(); err != nil {
		return err
	}
	defer closeAdmin()
	if s.offsets, err = t.openOffsets(cluster, s.admin); err != nil {
		return stopped(t.stop, err)
	}
	defer s.offsets.close()
	s.offsetsElsewhere = cluster.access.own && s.offsets.own == nil && !transactional
	if transactional {
		if err := t.fence(client); err != nil {
			return stopped(t.stop, err)
		}
		s.txn = newTransaction(s, client)
	}
	return s.run()
}

func newSourceTask(t task, p producer) *sourceTask {
	s := &sourceTask{task: t, producer: p, topics: make(map[string]string), tracker: t.newTopicTracker(),
		free: newFreeBatches(sourceBatches, func() *sourceBatch { return newSourceBatch(sourceBatchRecords, sourceBatchBytes) }), read: make(chan *sourceBatch, 1), sent: make(chan *sourceBatch, sourceBatches),
		halted: make(chan struct{})}
	return s
}

func (t *task) producerOpts(transactional bool) ([]kgo.Opt, error) {
	a, err := t.access(producerClient)
	if err != nil {
		return nil, err
	}
	// linger.ms is 0 by default: batches are made by Read already, and a source that
	// waits for the acknowledgement of a window of 20 records got 98,000 records/s
	// without and 10,000 with 1 ms (BenchmarkEmbedded).
	opts := []kgo.Opt{kgo.RecordPartitioner(newPartitioner()), kgo.MaxBufferedRecords(sourceBatches * sourceBatchRecords * 2),
		kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20)}
	if transactional {
		opts = append(opts, t.transactionOpts()...)
	}
	return a.clientOpts(fmt.Sprintf("connector-producer-%s-%d", t.id.Connector, t.id.Task),
		append(opts, t.def.options.producer.producerOpts(transactional)...)...), nil
}

// run is the reader's goroutine and starts the other two.
func (s *sourceTask) run() error {
	closeSource, err := s.open()
	if err != nil || closeSource == nil {
		return err
	}
	reading, stopReading := context.WithCancel(s.stop)
	defer stopReading()
	var produceErr, commitErr error
	var others sync.WaitGroup
	others.Go(func() {
		defer close(s.sent)
		defer close(s.halted)
		defer stopReading()
		produceErr = guard(s.produceAll)
	})
	s.commits.init()
	others.Go(func() {
		defer stopReading()
		if s.txn != nil {
			commitErr = guard(s.txn.run)
		} else {
			commitErr = guard(s.commitAll)
		}
	})
	readErr := guard(func() error { return s.readAll(reading) })
	close(s.read)
	others.Wait() // Commit comes before Close
	closeErr := closeSource()
	return errors.Join(firstError(commitErr, produceErr, readErr), closeErr)
}

// firstError returns the error that explains the others.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// open opens a source, each attempt a new one, and returns what closes it; nil
// when the task was stopped before a source was open.
func (s *sourceTask) open() (closeSource func() error, err error) {
	err = s.retryForever(s.stop, "open the source", func() error {
		s.source = s.def.config.(connect.SourceConfig).Source()
		source := s.source
		closeSource = func() error {
			defer s.closeFollowers()
			return s.closed(guard(source.Close))
		}
		err := guard(func() error { return source.Open(s.stop, s.context()) })
		if err != nil {
			_ = closeSource()
			closeSource = nil
			return fmt.Errorf("open the source: %w", err)
		}
		s.meter.Opened()
		return nil
	})
	if err != nil && s.stop.Err() != nil {
		return nil, nil
	}
	return closeSource, err
}

// closed reports a Close that went wrong. It fails no task: everything that had
// to be durable is.
func (t *task) closed(err error) error {
	if err != nil {
		t.logger.Warn("close the connector", logError, t.hideSecrets(err))
	}
	return nil
}

func (s *sourceTask) context() connect.SourceContext {
	return connect.SourceContext{Connector: s.id.Connector, Task: s.id.Task, Logger: s.logger,
		Measure: func(read func([]float64)) { s.meter.Measure(s.def.spec.Metrics, read) },
		Follow:  s.follow,
		Offset: func(ctx context.Context, partition json.RawMessage) (json.RawMessage, error) {
			return s.offsets.offset(ctx, partition)
		}}
}

// readAll reads batches until ctx ends or the source fails.
func (s *sourceTask) readAll(ctx context.Context) error {
	empty := 0
	for {
		if s.gate.pass(ctx) != nil {
			return nil
		}
		b := s.free.take(ctx)
		if b == nil {
			return nil
		}
		b.batch.Reset()
		began := time.Now()
		if err := s.readInto(ctx, b); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if b.batch.Len() == 0 && len(b.batch.Marks()) == 0 {
			s.free.put(b)
			empty++
			if restFor(ctx, empty) != nil {
				return nil
			}
			continue
		}
		empty, b.full = 0, b.batch.Full()
		s.meter.Polled(b.batch.Len(), time.Since(began), b.newest())
		// What was read while the connector was paused waits here. After a stop it
		// is dropped: no mark of it is committed, so it is read again.
		if s.gate.paused() && s.gate.pass(ctx) != nil {
			return nil
		}
		select {
		case s.read <- b:
		case <-s.halted:
			return nil
		}
	}
}

// restFor keeps a source that returns empty batches at once from burning a CPU.
func restFor(ctx context.Context, empty int) error {
	if empty < 4 {
		return ctx.Err()
	}
	return sleep(ctx, min(time.Millisecond<<min(empty-4, 10), 50*time.Millisecond))
}

// readInto reads one batch, again after a retriable error.
func (s *sourceTask) readInto(ctx context.Context, b *sourceBatch) error {
	err := s.source.Read(ctx, b.batch)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && connect.IsRetriable(err) {
		trouble := s.trouble("read from the source")
		trouble.note(err)
		err = s.retryRead(ctx, b, trouble)
	}
	if err != nil {
		return fmt.Errorf("read from the source: %w", err)
	}
	return nil
}

func (s *sourceTask) retryRead(ctx context.Context, b *sourceBatch, trouble *trouble) error {
	retry := backoff{limit: s.def.options.retryDelayMax}
	for {
		if err := sleep(ctx, retry.next()); err != nil {
			return err
		}
		b.batch.Reset()
		s.meter.Retried()
		err := s.source.Read(ctx, b.batch)
		if err == nil {
			trouble.over()
			return nil
		}
		if !connect.IsRetriable(err) || ctx.Err() != nil {
			return err
		}
		trouble.note(err)
	}
}
