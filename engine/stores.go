package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// stores are the three internal topics: one client writes, one follower reads.
type stores struct {
	cfg      *Config
	plugins  *plugins
	client   *kgo.Client
	admin    *kadm.Client
	home     *kafkaCluster // the worker's, of client and admin
	follower *follower
	configs  *configStore
	offsets  *offsetStore
	statuses *statusStore
	group    *group
	lead     *leaderWriter
	states   *sinkStates
	// fencing has a token for whoever fences source tasks.
	fencing chan struct{}
}

// newStores returns stores that connect and open have to be called on. onChange
// is called by the follower after a connector has changed; it must not block.
func newStores(cfg *Config, onChange func(configChange)) *stores {
	s := &stores{cfg: cfg, fencing: make(chan struct{}, 1)}
	s.configs = newConfigStore(s, onChange)
	s.lead = newLeaderWriter(s)
	s.offsets = &offsetStore{topic: cfg.OffsetTopic.Name, values: make(map[string][]byte)}
	s.statuses = newStatusStore(s)
	s.states = newSinkStates(cfg)
	return s
}

// connect makes the client, which close closes.
func (s *stores) connect() error {
	client, err := kgo.NewClient(s.cfg.clientOpts(workerClient, "connect-worker-"+s.cfg.GroupID,
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		return fmt.Errorf("make the worker's kafka client: %w", err)
	}
	s.client, s.admin = client, kadm.NewClient(client)
	s.home = &kafkaCluster{access: access{cfg: s.cfg, kind: workerClient}, client: s.client, admin: s.admin}
	s.states.cluster = s.home
	return nil
}

// open prepares the topics and the follower. It may be called again after an
// error.
func (s *stores) open(ctx context.Context) error {
	if err := s.cfg.prepareTopics(ctx, s.admin); err != nil {
		return err
	}
	f, err := newFollower(ctx, s.home, map[string]func(*kgo.Record){
		s.cfg.ConfigTopic.Name: s.configs.apply,
		s.cfg.OffsetTopic.Name: s.offsets.apply,
		s.cfg.StatusTopic.Name: s.statuses.apply,
	})
	if err != nil {
		return err
	}
	s.follower, s.offsets.follower = f, f
	return nil
}

// readAll waits until the follower has read what the topics hold.
func (s *stores) readAll(ctx context.Context) error {
	return s.follower.sync(ctx, s.cfg.ConfigTopic.Name, s.cfg.OffsetTopic.Name, s.cfg.StatusTopic.Name)
}

// errNotTaken is the error of a change that the cluster has not answered in time.
var errNotTaken = fmt.Errorf("the log did not take the change within %s", storeTimeout)

// write produces records and waits until they are durable (I1) and applied. The
// caller's context does not cancel it: half a change is worse than a late one.
func (s *stores) write(ctx context.Context, records ...*kgo.Record) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), storeTimeout,
		errNotTaken)
	defer cancel()
	targets, err := produce(ctx, s.client, records)
	if err != nil {
		return err
	}
	return s.follower.wait(ctx, targets)
}

// produce returns the offsets after the records.
func produce(ctx context.Context, client *kgo.Client, records []*kgo.Record) (map[connect.TopicPartition]int64, error) {
	type result struct {
		r   *kgo.Record
		err error
	}
	results := make(chan result, len(records))
	for _, r := range records {
		client.Produce(ctx, r, func(r *kgo.Record, err error) { results <- result{r, err} })
	}
	targets := make(map[connect.TopicPartition]int64)
	var errs []error
	for range records {
		select {
		case res := <-results:
			if res.err != nil {
				errs = append(errs, fmt.Errorf("write to topic %s: %w", res.r.Topic, res.err))
				continue
			}
			tp := connect.TopicPartition{Topic: res.r.Topic, Partition: res.r.Partition}
			targets[tp] = max(targets[tp], res.r.Offset+1)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return targets, errors.Join(errs...)
}

// close waits for pending status records, until ctx ends.
func (s *stores) close(ctx context.Context) {
	_ = s.client.Flush(ctx)
	s.client.Close()
}
