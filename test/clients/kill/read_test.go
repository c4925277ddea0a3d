package kill

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/clients/history"
)

// group is a consumer group of both clients on topicRd, without transactions.
const group = "readers"

// read starts all readers and those that copy. They end with ctx.
func (r *run) read(ctx context.Context, wg *sync.WaitGroup) {
	for topic := range partitions {
		wg.Go(func() { r.readKgo(ctx, topic, topic == topicTxn || topic == topicFromKgo || topic == topicFromRd) })
	}
	wg.Go(func() { r.readRd(ctx, topicTxn, true) })
	wg.Go(func() { r.readRd(ctx, topicKgo, false) })
	wg.Go(func() { r.consumeKgo(ctx) })
	wg.Go(func() { r.consumeRd(ctx) })
	wg.Go(func() { r.sample(ctx) })
	r.h.Flows(topicKgo, topicFromKgo)
	r.h.Flows(topicRd, topicFromRd)
	wg.Go(func() { r.copyKgo(ctx, topicKgo, topicFromKgo) })
	wg.Go(func() { r.copyRd(ctx, topicRd, topicFromRd) })
}

// groups are those that commit offsets, with the topic that they read.
var groups = map[string]string{group: topicRd, "copy-" + topicKgo: topicKgo, "copy-" + topicRd: topicRd}

// readings are of one consumer, by partition.
func (r *run) readings(consumer, topic string, committed bool) []*history.Reading {
	var list []*history.Reading
	for n := range partitions[topic] {
		list = append(list, r.h.Read(consumer, history.Partition{Topic: topic, Number: n}, committed))
	}
	return list
}

// readKgo reads a topic from its start until ctx ends.
func (r *run) readKgo(ctx context.Context, topic string, committed bool) {
	readings := r.readings("franz-go", topic, committed)
	from := map[int32]kgo.Offset{}
	for n := range partitions[topic] {
		from[n] = kgo.NewOffset().At(0)
	}
	opts := []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(100 * time.Millisecond)}
	if committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	cl := r.client(opts...)
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		for _, e := range fetches.Errors() {
			r.fault("franz-go reading %s-%d: %v", e.Topic, e.Partition, e.Err)
		}
		fetches.EachRecord(func(k *kgo.Record) { r.h.Got(readings[k.Partition], seenKgo(k)) })
	}
}

func seenKgo(k *kgo.Record) history.Seen {
	return history.Seen{Offset: k.Offset, Key: string(k.Key), Value: string(k.Value)}
}

// readRd reads a topic from its start until ctx ends.
func (r *run) readRd(ctx context.Context, topic string, committed bool) {
	isolation := "read_uncommitted"
	if committed {
		isolation = "read_committed"
	}
	c, err := kafka.NewConsumer(r.rdConfig(kafka.ConfigMap{"group.id": "none", "enable.auto.commit": false, "auto.offset.reset": "error",
		"isolation.level": isolation, "fetch.wait.max.ms": 100}))
	if err != nil {
		r.fault("librdkafka: %v", err)
		return
	}
	defer c.Close()
	readings := r.readings("librdkafka", topic, committed)
	var from []kafka.TopicPartition
	for n := range partitions[topic] {
		from = append(from, kafka.TopicPartition{Topic: &topic, Partition: n, Offset: 0})
	}
	if err := c.Assign(from); err != nil {
		r.fault("librdkafka: %v", err)
		return
	}
	for ctx.Err() == nil {
		switch e := c.Poll(100).(type) {
		case *kafka.Message:
			r.h.Got(readings[e.TopicPartition.Partition], seenRd(e))
		case kafka.Error:
			if code := e.Code(); code == kafka.ErrOffsetOutOfRange || code == kafka.ErrAutoOffsetReset || e.IsFatal() {
				r.fault("librdkafka reading %s: %v", topic, e)
			}
		}
	}
}

func seenRd(m *kafka.Message) history.Seen {
	return history.Seen{Offset: int64(m.TopicPartition.Offset), Key: string(m.Key), Value: string(m.Value)}
}

// consumeKgo is a member of the group until ctx ends.
func (r *run) consumeKgo(ctx context.Context) {
	cl := r.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topicRd), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.RangeBalancer()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(500*time.Millisecond))
	defer cl.CloseAllowingRebalance()
	for ctx.Err() == nil {
		records := cl.PollRecords(ctx, 500).Records()
		for _, k := range records {
			r.h.Delivered(history.Delivery{Group: group, Partition: history.Partition{Topic: k.Topic, Number: k.Partition}, Offset: k.Offset})
		}
		if len(records) > 0 {
			// An error is one of a kill: the records come again.
			_ = cl.CommitRecords(ctx, records...)
		}
		cl.AllowRebalance()
	}
}

// consumeRd is a member of the group until ctx ends.
func (r *run) consumeRd(ctx context.Context) {
	c, err := kafka.NewConsumer(r.rdConfig(kafka.ConfigMap{"group.id": group, "enable.auto.commit": false, "auto.offset.reset": "earliest",
		"partition.assignment.strategy": "range", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 50}))
	if err != nil {
		r.fault("librdkafka: %v", err)
		return
	}
	defer c.Close()
	in, err := subscribe(c, topicRd)
	if err != nil {
		r.fault("librdkafka: %v", err)
		return
	}
	for ctx.Err() == nil {
		batch := in.poll(500, 50*time.Millisecond)
		for _, m := range batch {
			p := history.Partition{Topic: topicRd, Number: m.TopicPartition.Partition}
			r.h.Delivered(history.Delivery{Group: group, Partition: p, Offset: int64(m.TopicPartition.Offset)})
		}
		for _, m := range batch {
			// An error is one of a kill: the records come again.
			_, _ = c.CommitMessage(m)
		}
	}
}

// sample asks for committed offsets and ends until ctx ends.
func (r *run) sample(ctx context.Context) {
	adm := kadm.NewClient(r.client())
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		r.sampleOnce(ctx, adm)
		<-tick.C
	}
}

func (r *run) sampleOnce(ctx context.Context, adm *kadm.Client) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for g := range groups {
		if offsets, err := adm.FetchOffsets(ctx, g); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) {
				if o.Err == nil {
					r.h.Sampled(history.Sample{What: g, Partition: history.Partition{Topic: o.Topic, Number: o.Partition}, Offset: o.At})
				}
			})
		}
	}
	for name, list := range map[string]func(context.Context, ...string) (kadm.ListedOffsets, error){
		"end": adm.ListEndOffsets, "last stable offset": adm.ListCommittedOffsets,
	} {
		if ends, err := list(ctx, topics()...); err == nil {
			ends.Each(func(o kadm.ListedOffset) {
				if o.Err == nil {
					r.h.Sampled(history.Sample{What: name, Partition: history.Partition{Topic: o.Topic, Number: o.Partition}, Offset: o.Offset})
				}
			})
		}
	}
}

func topics() []string {
	var list []string
	for topic := range partitions {
		list = append(list, topic)
	}
	return list
}

// drain waits until everything is copied and consumed.
func (r *run) drain() {
	r.t.Helper()
	adm := kadm.NewClient(r.client())
	deadline := time.Now().Add(2 * patience)
	for {
		behind := ""
		for g, topic := range groups {
			if b := lag(r.t.Context(), adm, g, topic); b != "" {
				behind = b
			}
		}
		if behind == "" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Errorf("after %v: %s", 2*patience, behind)
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// lag says where a group has not reached the end.
func lag(ctx context.Context, adm *kadm.Client, g, topic string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return err.Error()
	}
	committed, err := adm.FetchOffsets(ctx, g)
	if err != nil {
		return fmt.Sprintf("group %s: %v", g, err)
	}
	behind := ""
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := committed.Lookup(topic, end.Partition)
		if end.Offset > 0 && (!ok || at.At < end.Offset) {
			behind = fmt.Sprintf("group %s is at %d of %d in %s-%d", g, at.At, end.Offset, topic, end.Partition)
		}
	})
	return behind
}

// finish reads every partition as it is at rest.
func (r *run) finish() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*patience)
	defer cancel()
	adm := kadm.NewClient(r.client())
	r.sampleOnce(ctx, adm)
	for topic, n := range partitions {
		for p := range n {
			f := history.Final{Compacted: configs[topic]["cleanup.policy"] == "compact"}
			f.Start = r.listed(ctx, adm.ListStartOffsets, topic, p)
			f.End = r.listed(ctx, adm.ListEndOffsets, topic, p)
			f.LastStable = r.listed(ctx, adm.ListCommittedOffsets, topic, p)
			f.All = r.readAll(ctx, topic, p, f.Start, f.End, kgo.ReadUncommitted())
			f.Committed = r.readAll(ctx, topic, p, f.Start, f.LastStable, kgo.ReadCommitted())
			r.h.Finally(history.Partition{Topic: topic, Number: p}, f)
		}
	}
}

func (r *run) listed(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), topic string, p int32) int64 {
	offsets, err := list(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	o, _ := offsets.Lookup(topic, p)
	return o.Offset
}

// readAll reads a partition from start until its next offset is end. Control
// records are read too: they are the last ones after a transaction.
func (r *run) readAll(ctx context.Context, topic string, p int32, start, end int64, isolation kgo.IsolationLevel) (all []history.Seen) {
	if start >= end {
		return nil
	}
	cl := r.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(start)}}),
		kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords())
	defer cl.Close()
	for next := start; next < end; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			r.t.Fatalf("read %s-%d from %d to %d: at %d: %v", topic, p, start, end, next, err)
		}
		fetches.EachRecord(func(k *kgo.Record) {
			next = k.Offset + 1
			if !k.Attrs.IsControl() {
				all = append(all, seenKgo(k))
			}
		})
	}
	return all
}
