package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/topicend"
)

// follower reads the internal topics from their beginning and hands each record
// to its topic's store. It is the only way in which state changes.
type follower struct {
	client *kgo.Client
	asking *kgo.Client // for what is not followed
	admin  *kadm.Client
	logger *slog.Logger
	apply  map[string]func(*kgo.Record) // by topic

	mu        sync.Mutex // guards the fields below
	positions map[connect.TopicPartition]int64
	changed   chan struct{} // closed and replaced when positions move
}

// newFollower returns a follower of the topics in apply, which exist in a cluster.
func newFollower(ctx context.Context, c *kafkaCluster, apply map[string]func(*kgo.Record)) (*follower, error) {
	cfg := c.access.cfg
	f := &follower{asking: c.client, admin: c.admin, logger: cfg.Logger, apply: apply,
		positions: make(map[connect.TopicPartition]int64), changed: make(chan struct{})}
	from, err := f.starts(ctx)
	if err != nil {
		return nil, err
	}
	f.client, err = kgo.NewClient(c.access.clientOpts("connect-follower-"+cfg.GroupID, kgo.ConsumePartitions(from),
		kgo.KeepControlRecords(), // the end of a transaction counts as progress
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(8<<20), kgo.FetchMaxWait(time.Second))...)
	if err != nil {
		return nil, fmt.Errorf("make the client of the follower: %w", err)
	}
	return f, nil
}

// starts returns the log start offset of every partition and notes it as read.
func (f *follower) starts(ctx context.Context) (map[string]map[int32]kgo.Offset, error) {
	names := make([]string, 0, len(f.apply))
	for name := range f.apply {
		names = append(names, name)
	}
	offsets, err := f.admin.ListStartOffsets(ctx, names...)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the start offsets of the internal topics: %w", err)
	}
	from := make(map[string]map[int32]kgo.Offset)
	offsets.Each(func(o kadm.ListedOffset) {
		if from[o.Topic] == nil {
			from[o.Topic] = make(map[int32]kgo.Offset)
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().At(o.Offset)
		f.positions[connect.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return from, nil
}

// run follows the topics until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer f.client.Close()
	trouble := newTrouble(f.logger, "follow the internal topics")
	for ctx.Err() == nil {
		fetches := f.client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && ctx.Err() != nil {
			return
		}
		failed := false
		fetches.EachError(func(topic string, partition int32, err error) {
			failed = true
			trouble.note(fmt.Errorf("%s-%d: %w", topic, partition, err))
		})
		f.applyAll(fetches)
		if failed {
			_ = sleep(ctx, retryDelay)
		} else {
			trouble.over()
		}
	}
}

func (f *follower) applyAll(fetches kgo.Fetches) {
	if fetches.NumRecords() == 0 {
		return
	}
	fetches.EachRecord(func(r *kgo.Record) {
		if !r.Attrs.IsControl() {
			f.apply[r.Topic](r)
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			f.positions[connect.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p.Records[n-1].Offset + 1
		}
	})
	close(f.changed)
	f.changed = make(chan struct{})
}

// sync waits until everything that a topic holds now has been applied, but for
// what an open transaction hides.
func (f *follower) sync(ctx context.Context, topics ...string) error {
	ends, err := f.admin.ListCommittedOffsets(ctx, topics...)
	return f.awaitEnds(ctx, ends, err)
}

// syncEnd is sync that waits for the transactions to end too.
func (f *follower) syncEnd(ctx context.Context, topics ...string) error {
	ends, err := f.admin.ListEndOffsets(ctx, topics...)
	return f.awaitEnds(ctx, ends, err)
}

func (f *follower) awaitEnds(ctx context.Context, ends kadm.ListedOffsets, err error) error {
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	targets := make(map[connect.TopicPartition]int64)
	ends.Each(func(o kadm.ListedOffset) {
		targets[connect.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return f.wait(ctx, targets)
}

// emptyEndAfter is how long records are waited for before the log is asked whether there
// are any: it hardly ever ends without.
const emptyEndAfter = time.Second

// wait returns when the records before each target have been applied. Targets behind the
// last record are lowered.
func (f *follower) wait(ctx context.Context, targets map[connect.TopicPartition]int64) error {
	long := time.NewTicker(emptyEndAfter)
	defer long.Stop()
	for {
		done, changed := f.reached(targets)
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-long.C:
			f.lower(ctx, targets)
		case <-ctx.Done():
			return fmt.Errorf("read back the internal topics: %w", context.Cause(ctx))
		}
	}
}

func (f *follower) reached(targets map[connect.TopicPartition]int64) (bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for tp, target := range targets {
		if f.positions[tp] < target {
			return false, f.changed
		}
	}
	return true, nil
}

// lower takes from each target that is not reached what is behind the last record before it.
func (f *follower) lower(ctx context.Context, targets map[connect.TopicPartition]int64) {
	for tp, target := range targets {
		f.mu.Lock()
		at := f.positions[tp]
		f.mu.Unlock()
		last, err := topicend.Last(ctx, f.asking, tp.Topic, tp.Partition, at, target)
		if err != nil { // it will be asked again
			f.logger.Debug("look for the last record of an internal topic", "topic", tp.Topic, "partition", tp.Partition, "error", err)
			continue
		}
		targets[tp] = last
	}
}
