package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
)

// Limits of a sink task (I5).
const (
	// sinkBatches are one that is written, one that is filled and two that wait.
	sinkBatches = 4
	// sinkBatchBytes ends a batch whose records are large; those of the usual size are max.poll.records a batch.
	sinkBatchBytes = 1 << 20
	// flushInterval is how often a connect.Flusher is asked.
	flushInterval = time.Second
	// prepareInterval is how often a connect.TwoPhase is asked that does not ask for it.
	prepareInterval = 500 * time.Millisecond
	// leaveTimeout bounds leaving the consumer group.
	leaveTimeout = 2 * time.Second
)

// errStopping ends a wait because the task stops.
var errStopping = errors.New("the task is stopping")

// sinkTask runs one sink. Two goroutines share the work:
//
//	fetcher: poll, convert ─filled─► writer: Assign, Write, Flush, commit, Revoke ─free─► fetcher
//
// The writer is the connector's goroutine. Rebalances come from the client's
// goroutines and are handed to the writer, which answers when the sink has
// followed them. A batch carries the epoch of its partition's assignment; one of
// an older assignment is dropped, since the partition's next reader reads it
// again.
type sinkTask struct {
	task
	sink     connect.Sink
	flusher  connect.Flusher  // nil: Write makes durable
	assigner connect.Assigner // may be nil
	twoPhase connect.TwoPhase // may be nil
	txn      *sinkTransaction // nil: consumer offsets are committed alone
	client   *kgo.Client

	changed    connect.Record // the fetcher's: a record before the batch has it
	free       *freeBatches[sinkBatch]
	filled     chan *sinkBatch
	rebalances chan rebalance
	ended      chan struct{} // closed when the writer is over

	tracker    topicTracker                              // the fetcher's
	partitions map[connect.TopicPartition]*sinkPartition // the writer's
	held       *sinkBatch                                // the writer's: came while the connector was paused
	writing    *sinkBatch                                // the writer's: in the hands of the sink
	letters    *deadLetters                              // nil: no dead letter queue
	cluster    *kafkaCluster                             // that the consumer reads from
	states     *sinkStates                               // there
	unapplied  bool                                      // the writer's: what was committed last is not visible yet
	stuck      bool                                      // the writer's: the last turn of a two-phase sink did not work, and comes again
	halfAdded  bool                                      // partitions were assigned to the sink and not restored yet, or never, since the task stops

	// polled is when the fetcher got something, in Unix nanoseconds; 0 while it asks.
	polled   atomic.Int64
	assigned chan struct{} // has a token when there are new partitions
	due      chan struct{} // has a token when the sink has asked for its turn

	mu     sync.Mutex // guards the fields below
	epochs map[connect.TopicPartition]uint64
	epoch  uint64 // given out last

	commitTrouble, flushTrouble *trouble
}

// sinkPartition is how far a partition that is assigned to the task has come.
// All are offsets of the next record.
type sinkPartition struct {
	written   int64 // Write returned nil
	durable   int64 // may be committed
	committed int64
}

// sinkBatch is a batch of one partition.
type sinkBatch struct {
	batch *connect.Batch
	epoch uint64
	next  int64 // the offset after its records, skipped ones included
	// originals are the records as they are in the log, skipped ones included.
	originals []*kgo.Record
}

// errTopicDeleted ends what was begun with a topic that is gone: the client does not go over to another one of its name.
var errTopicDeleted = errors.New("a topic was deleted, and may have been made again")

// runSink runs the task's sink until it stops or fails.
func runSink(t task) error {
	for {
		err := runSinkOnTopics(t)
		if !errors.Is(err, errTopicDeleted) {
			return err
		}
		t.logger.Warn("the task begins anew", logError, err)
		if sleep(t.stop, retryDelay) != nil {
			return nil
		}
	}
}

// runSinkOnTopics runs the sink as long as the topics are those that it began with.
func runSinkOnTopics(t task) error {
	s := newSinkTask(t)
	var err error
	if s.letters, err = t.openLetters(); err != nil {
		return stopped(t.stop, err)
	}
	defer s.letters.close()
	closeSink, err := s.open()
	if err != nil || closeSink == nil {
		return err
	}
	err = guard(s.consume)
	return errors.Join(err, closeSink())
}

func newSinkTask(t task) *sinkTask {
	newBatch := func() *sinkBatch {
		return &sinkBatch{batch: connect.NewBatch(t.def.options.consumer.maxPollRecords, sinkBatchBytes)}
	}
	return &sinkTask{task: t, free: newFreeBatches(sinkBatches, newBatch), filled: make(chan *sinkBatch, sinkBatches),
		tracker: t.newTopicTracker(), rebalances: make(chan rebalance), ended: make(chan struct{}), assigned: make(chan struct{}, 1), due: make(chan struct{}, 1),
		partitions: make(map[connect.TopicPartition]*sinkPartition), epochs: make(map[connect.TopicPartition]uint64),
		commitTrouble: t.trouble("commit consumer offsets"), flushTrouble: t.trouble("flush the sink")}
}

// open opens a sink, each attempt a new one, and returns what closes it; nil when
// the task was stopped before a sink was open.
func (s *sinkTask) open() (closeSink func() error, err error) {
	err = s.retryForever(s.stop, "open the sink", func() error {
		sink := s.def.config.(connect.SinkConfig).Sink()
		err := guard(func() error { return sink.Open(s.kill, s.context()) })
		closeSink = func() error { return s.closed(guard(sink.Close)) }
		if err != nil {
			_ = closeSink()
			closeSink = nil
			return fmt.Errorf("open the sink: %w", err)
		}
		s.sink = sink
		s.flusher, _ = sink.(connect.Flusher)
		s.assigner, _ = sink.(connect.Assigner)
		s.twoPhase, _ = sink.(connect.TwoPhase)
		s.meter.Opened()
		return nil
	})
	if err != nil && s.stop.Err() != nil {
		return nil, nil
	}
	return closeSink, err
}

func (s *sinkTask) context() connect.SinkContext {
	return connect.SinkContext{Connector: s.id.Connector, Task: s.id.Task, Logger: s.logger, Report: s.report,
		ExactlyOnce: s.cfg.ExactlyOnceSink == ExactlyOnceEnabled, Due: s.askForTurn}
}

// consume joins the group, writes what comes and leaves the group.
func (s *sinkTask) consume() error {
	lifetime, end := context.WithCancel(s.kill)
	defer end()
	var err error
	if s.cluster, err = s.openCluster(consumerClient); err != nil {
		return stopped(s.stop, err)
	}
	defer s.cluster.close()
	states, endStates := s.stores.statesAt(s.cluster)
	defer endStates()
	s.states = states
	// Before the task is in the group: what an earlier run of it has open ends.
	endTransactions, err := s.beginTransactions()
	if err != nil {
		return stopped(s.stop, err)
	}
	defer endTransactions()
	opts, err := s.consumerOpts(lifetime)
	if err != nil {
		return err
	}
	if s.client, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("make the kafka consumer: %w", err)
	}
	fetching, stopFetching := context.WithCancel(lifetime)
	var fetchErr, topicsErr error
	var fetcher sync.WaitGroup
	fetcherOver := make(chan struct{})
	fetcher.Go(func() {
		fetchErr = guard(func() error { return s.fetchAll(fetching) })
		close(fetcherOver)
	})
	fetcher.Go(func() { s.watchLag(fetching) })
	if s.def.options.backtracks() {
		fetcher.Go(func() {
			defer stopFetching()
			topicsErr = guard(func() error { return s.watchTopics(fetching) })
		})
	}
	err = guard(func() error { return s.writeAll(fetcherOver) })
	stopFetching()
	err = firstError(err, s.awaitFetcher(fetcherOver))
	fetcher.Wait()
	err = firstError(firstError(fetchErr, topicsErr), err)
	err = firstError(err, guard(func() error { return s.finish(err == nil || errors.Is(err, errTopicDeleted)) }))
	close(s.ended)
	s.leave(end)
	return err
}

// awaitFetcher waits for the fetcher, which may wait for a rebalance, which waits
// for the writer.
func (s *sinkTask) awaitFetcher(over <-chan struct{}) (err error) {
	for {
		select {
		case <-over:
			return err
		case rb := <-s.rebalances:
			err = firstError(err, guard(func() error { return s.rebalance(rb) }))
		}
	}
}

// leave leaves the group, within bounds when the cluster does not answer. The
// client itself never does so for a static member. The member id is told too, so
// that a task that was abandoned cannot throw out the one that took its place. One
// that stops while it still joins has none: then the instance id has to do.
func (s *sinkTask) leave(end context.CancelFunc) {
	ctx, cancel := context.WithTimeout(s.kill, leaveTimeout)
	defer cancel()
	id, _ := s.client.GroupMetadata()
	_ = s.client.LeaveGroupContext(ctx) // it does not join any more
	if id != "" || s.kill.Err() == nil {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID, member.InstanceID = id, kmsg.StringPtr(s.instanceID())
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group, req.Members = s.group(), []kmsg.LeaveGroupRequestMember{member}
		_, _ = req.RequestWith(ctx, s.client) // otherwise the session ends by its timeout
	}
	end()
	s.client.CloseAllowingRebalance()
	s.client.AllowRebalance() // closing polls once more, which the client's own goroutines may wait for
}

// instanceID makes the task a static member of its group (KIP-345): after kill -9
// the next run takes the partitions over at once, instead of after the session
// timeout, and fences a task of the same number that still hangs.
func (s *sinkTask) instanceID() string {
	return fmt.Sprintf("%s-%d", s.id.Connector, s.id.Task)
}

func (s *sinkTask) consumerOpts(lifetime context.Context) ([]kgo.Opt, error) {
	o := &s.def.options
	a, err := s.access(consumerClient)
	if err != nil {
		return nil, err
	}
	opts := a.clientOpts(fmt.Sprintf("connector-consumer-%s-%d", s.id.Connector, s.id.Task), o.consumer.consumerOpts()...)
	opts = append(opts, kgo.WithContext(lifetime),
		kgo.ConsumerGroup(s.group()), kgo.InstanceID(s.instanceID()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.WithPools(new(recordPool)),
		kgo.KeepControlRecords(), // they tell how far reading is; fetched drops them
		kgo.AdjustFetchOffsetsFn(s.onAssigned), kgo.OnPartitionsRevoked(s.onRevoked), kgo.OnPartitionsLost(s.onLost))
	if o.topicsRegexPattern != nil {
		if pattern, ok := o.topicsRegexPattern.RE2(); ok {
			return append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics(pattern), kgo.ConsumeExcludeTopics(s.cfg.internalTopicsRegex())), nil
		}
		return opts, nil // watchTopics names the topics
	}
	if o.consumer.createTopics {
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	return append(opts, kgo.ConsumeTopics(o.topics...)), nil
}

func (s *sinkTask) group() string {
	if g := s.def.options.consumer.groupID; g != "" {
		return g
	}
	return "connect-" + s.id.Connector
}

// writeAll is the writer's loop. It ends with nil when the task stops or the
// fetcher has failed.
func (s *sinkTask) writeAll(fetcherOver <-chan struct{}) error {
	turns := newTurns(s.flushInterval(), s.due)
	defer turns.stop()
	for {
		resumed := s.gate.whenResumed()
		filled := s.filled
		// What waits for a commit or for Apply has a limit, as long as nothing is added to it (I5).
		waits := resumed != nil || s.unapplied || s.stuck
		if waits || s.held != nil {
			filled = nil
		}
		var err error
		if b := s.held; b != nil && !waits {
			s.held = nil
			err = s.writeBatch(b)
		} else {
			err = s.writeNext(filled, resumed, turns, fetcherOver)
		}
		if errors.Is(err, errStopping) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *sinkTask) flushInterval() time.Duration {
	switch {
	case s.twoPhase != nil:
		return min(prepareInterval, s.cfg.OffsetFlushInterval)
	case s.flusher != nil:
		return flushInterval
	}
	return s.cfg.OffsetFlushInterval
}

// writeNext waits for the next thing to do and does it.
func (s *sinkTask) writeNext(filled <-chan *sinkBatch, resumed <-chan struct{}, t *turns, fetcherOver <-chan struct{}) error {
	select {
	case <-s.stop.Done():
		return errStopping
	case <-fetcherOver:
		return errStopping
	case <-resumed:
		return nil
	case rb := <-s.rebalances:
		return s.rebalance(rb)
	case b := <-filled:
		if s.gate.paused() {
			s.held = b // until the connector is resumed
			return nil
		}
		return s.writeBatch(b)
	case <-t.regular.C:
		return t.take(func() error { return s.flushAndCommit(s.kill) })
	case <-t.asked():
		return t.take(func() error { return s.flushAndCommit(s.kill) })
	case <-t.rest.C:
		t.resting = false
		return nil
	}
}

// finish makes durable and commits what was written, before the sink is closed.
// After a failure the sink is not asked any more. Half of the time that the task
// has is left for the group, which waits for its session otherwise.
func (s *sinkTask) finish(healthy bool) error {
	if !healthy {
		return s.commit(s.kill)
	}
	trying, cancel := context.WithTimeout(s.kill, s.cfg.TaskShutdownTimeout/2)
	defer cancel()
	retry := backoff{limit: time.Second}
	for {
		err := s.flushLast(s.kill)
		if err == nil || !connect.IsRetriable(err) || s.kill.Err() != nil {
			return firstError(err, s.commit(s.kill))
		}
		if sleep(trying, retry.next()) != nil {
			return s.commit(s.kill)
		}
	}
}

func (s *sinkTask) flushLast(ctx context.Context) error {
	if s.twoPhase != nil {
		s.announce(slices.Collect(maps.Keys(s.partitions)))
		return s.lastPhases(ctx)
	}
	return s.flush(ctx)
}
