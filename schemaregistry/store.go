package schemaregistry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/dialpause"
	"github.com/sluice-data/sluice/internal/topicend"
)

// store is the topic: one client reads it from its beginning and hands its records to the state, another writes.
type store struct {
	cfg   *Settings
	state *state
	admin *kadm.Client

	client *kgo.Client // of admin
	reader *kgo.Client
	// writer is nil until this registry owns the topic, and again after a write that failed. It belongs to whoever has the registry's
	// write token, and is changed under mu.
	writer *kgo.Client

	mu      sync.Mutex     // guards the fields below
	closed  bool           // the clients are, or no new one may be made
	next    int64          // the offset after the last record that was applied
	changed chan struct{}  // closed and replaced when next moves
	applied map[int64]bool // the offsets of records that were applied during a write; nil when there is none
}

// errFenced is a write that did not take place, mostly because another registry wrote: the state may be another.
var errFenced = errors.New("the write did not take place; another registry may have written to the topic")

func newStore(cfg *Settings, s *state) *store {
	return &store{cfg: cfg, state: s, changed: make(chan struct{})}
}

// open makes the clients and the topic. It may be called again after an error.
func (s *store) open(ctx context.Context) error {
	var err error
	if s.client == nil {
		if s.client, err = kgo.NewClient(s.options("schema-registry-admin")...); err != nil {
			return fmt.Errorf("make the kafka client of the schema registry: %w", err)
		}
		s.admin = kadm.NewClient(s.client)
	}
	if err := s.prepareTopic(ctx); err != nil {
		return err
	}
	starts, err := s.admin.ListStartOffsets(ctx, s.cfg.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("list the start offset of %s: %w", s.cfg.Topic, err)
	}
	start, _ := starts.Lookup(s.cfg.Topic, 0)
	s.next = start.Offset
	from := map[string]map[int32]kgo.Offset{s.cfg.Topic: {0: kgo.NewOffset().At(start.Offset)}}
	s.reader, err = kgo.NewClient(s.options("schema-registry-reader", kgo.ConsumePartitions(from), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(time.Second))...)
	if err != nil {
		return fmt.Errorf("make the kafka client of the schema registry: %w", err)
	}
	return nil
}

func (s *store) options(id string, more ...kgo.Opt) []kgo.Opt {
	opts := append([]kgo.Opt{kgo.ClientID(id), kgo.MetadataMinAge(250 * time.Millisecond), kgo.DisableClientMetrics(), dialpause.Opt()}, s.cfg.ClientOpts...)
	return append(opts, more...)
}

// ErrPermanent is a topic that cannot be used however often it is tried.
var ErrPermanent = errors.New("the topic cannot be used")

// prepareTopic creates the topic, and refuses one that would forget schemas. One that is there may be used also without the right to create it.
func (s *store) prepareTopic(ctx context.Context) error {
	compact := "compact"
	_, err := s.admin.CreateTopic(ctx, 1, s.cfg.ReplicationFactor, map[string]*string{"cleanup.policy": &compact}, s.cfg.Topic)
	if err == nil {
		return nil
	}
	n, unknown := s.partitions(ctx)
	switch {
	case unknown != nil && errors.Is(err, kerr.TopicAlreadyExists):
		return fmt.Errorf("look up topic %s: %w", s.cfg.Topic, unknown)
	case unknown != nil:
		return fmt.Errorf("create topic %s: %w", s.cfg.Topic, err)
	case n > 1:
		return fmt.Errorf("%w: %s has %d partitions and must have 1; name another with kafkastore.topic", ErrPermanent, s.cfg.Topic, n)
	}
	configs, err := s.admin.DescribeTopicConfigs(ctx, s.cfg.Topic)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", s.cfg.Topic, err)
	}
	for _, rc := range configs {
		for _, c := range rc.Configs {
			if c.Key == "cleanup.policy" && c.Value != nil && *c.Value != compact {
				return fmt.Errorf("%w: %s has cleanup.policy=%s; set it to compact", ErrPermanent, s.cfg.Topic, *c.Value)
			}
		}
	}
	return nil
}

// partitions counts those of the topic.
func (s *store) partitions(ctx context.Context) (int, error) {
	topics, err := s.admin.ListTopics(ctx, s.cfg.Topic)
	if err != nil {
		return 0, err
	}
	t, ok := topics[s.cfg.Topic]
	if !ok {
		return 0, kerr.UnknownTopicOrPartition
	}
	return len(t.Partitions), t.Err
}

// follow applies what comes until ctx ends.
func (s *store) follow(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := s.reader.PollFetches(ctx)
		failed := false
		fetches.EachError(func(_ string, _ int32, err error) {
			if failed = ctx.Err() == nil; failed {
				s.cfg.Logger.Warn("follow the schemas: it is tried again until it works", slog.String("topic", s.cfg.Topic), slog.Any("error", err))
			}
		})
		fetches.EachRecord(s.apply)
		if failed {
			_ = sleep(ctx, time.Second)
		}
	}
}

func (s *store) apply(r *kgo.Record) {
	if !r.Attrs.IsControl() {
		if err := s.state.apply(r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value); err != nil {
			s.cfg.Logger.Warn("a record of the schema registry is left alone", slog.String("topic", r.Topic), slog.Int64("offset", r.Offset), slog.Any("error", err))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = r.Offset + 1
	if s.applied != nil && !r.Attrs.IsControl() {
		s.applied[r.Offset] = true
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// await returns when the records before an offset have been applied.
func (s *store) await(ctx context.Context, offset int64) error {
	for {
		s.mu.Lock()
		next, changed := s.next, s.changed
		s.mu.Unlock()
		if next >= offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("read %s back: %w", s.cfg.Topic, context.Cause(ctx))
		}
	}
}

// readAll waits until all that is in the topic now has been applied.
func (s *store) readAll(ctx context.Context) error {
	ends, err := s.admin.ListCommittedOffsets(ctx, s.cfg.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list the end offset of %s: %w", s.cfg.Topic, err)
	}
	end, _ := ends.Lookup(s.cfg.Topic, 0)
	s.mu.Lock()
	next := s.next
	s.mu.Unlock()
	last, err := topicend.Last(ctx, s.client, s.cfg.Topic, 0, next, end.Offset)
	if err != nil {
		return fmt.Errorf("look for the last record of %s: %w", s.cfg.Topic, err)
	}
	return s.await(ctx, last)
}

// own makes this registry the one that may write, and the state that of the topic's end. Whoever wrote before is fenced, and what it
// has not committed never is.
func (s *store) own(ctx context.Context) error {
	if s.writer != nil {
		return nil
	}
	w, err := kgo.NewClient(s.options("schema-registry-writer", kgo.TransactionalID("schema-registry-"+s.cfg.Topic), kgo.TransactionTimeout(writeTimeout),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(maxRecordBytes),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(writeTimeout))...)
	if err != nil {
		return fmt.Errorf("make the kafka client of the schema registry: %w", err)
	}
	if _, _, err = w.ProducerID(ctx); err == nil {
		err = s.readAll(ctx)
	}
	if err != nil {
		w.Close()
		return fmt.Errorf("begin to write %s: %w", s.cfg.Topic, err)
	}
	s.setWriter(w)
	return nil
}

// setWriter closes the writer that there is in favour of another, nil for none. One that comes after close is closed too.
func (s *store) setWriter(w *kgo.Client) {
	s.mu.Lock()
	old, closed := s.writer, s.closed
	s.writer = w
	s.mu.Unlock()
	switch {
	case closed && w != nil:
		w.Close()
	case !closed && old != nil:
		old.Close()
	}
}

// Limits of a write.
const (
	writeTimeout = 30 * time.Second
	// maxRecordBytes is what brokers take by default (message.max.bytes).
	maxRecordBytes = 1 << 20
	// recordOverhead is what a batch of one record has besides key and value, and the mark of a soft delete.
	recordOverhead = 256
)

// write stores records, all or none, and returns when they are durable (I1) and have been applied. It is called after own. After
// errFenced the state has to be looked at again; after another error nobody knows whether the records are there.
func (s *store) write(ctx context.Context, records []record) error {
	s.note(true)
	defer s.note(false)
	last, err := s.transact(ctx, records)
	if err == nil {
		err = s.readBack(ctx, last)
	}
	if err == nil {
		return nil
	}
	s.setWriter(nil) // the next own ends what it left open
	if errors.Is(err, errFenced) || lostTransaction(err) {
		return errFenced
	}
	return fmt.Errorf("write %s: %w", s.cfg.Topic, err)
}

// note begins or ends to remember which records are applied.
func (s *store) note(begin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.applied = nil; begin {
		s.applied = make(map[int64]bool)
	}
}

// readBack waits for the record that was written last: what was not read back was not written (I1).
func (s *store) readBack(ctx context.Context, last int64) error {
	if err := s.await(ctx, last+1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.applied[last] {
		return errFenced
	}
	return nil
}

// lostTransaction tells whether another registry may have ended this one's transaction: it is aborted, or it was committed before that and
// only the answer is missing.
func lostTransaction(err error) bool {
	for _, e := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping, kerr.TransactionAbortable} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// transact returns the offset of the last record.
func (s *store) transact(ctx context.Context, records []record) (last int64, err error) {
	if err := s.writer.BeginTransaction(); err != nil {
		return 0, err
	}
	batch := make([]*kgo.Record, len(records))
	for i, r := range records {
		batch[i] = &kgo.Record{Topic: s.cfg.Topic, Key: r.key, Value: r.value}
	}
	results := s.writer.ProduceSync(ctx, batch...)
	if err := results.FirstErr(); err != nil {
		return 0, err
	}
	for _, r := range results {
		last = max(last, r.Record.Offset)
	}
	if err := s.knowsPartition(ctx); err != nil {
		return 0, err
	}
	return last, s.writer.EndTransaction(ctx, kgo.TryCommit)
}

// knowsPartition waits until the writer has stored what it learned of the topic, which may be after its first records were acknowledged.
// A transaction that it ended before that would be aborted, for it would see no partition in it, and reported as committed.
func (s *store) knowsPartition(ctx context.Context) error {
	for {
		leader, _, err := s.writer.PartitionLeader(s.cfg.Topic, 0)
		if err == nil && leader >= 0 {
			return nil
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// close ends the clients, also under a write.
func (s *store) close() {
	s.mu.Lock()
	s.closed = true
	clients := []*kgo.Client{s.reader, s.writer, s.client}
	s.mu.Unlock()
	for _, c := range clients {
		if c != nil {
			c.Close()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
