package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

const ownOffsetsOption = "offsets.storage.topic"

// sourceOffsets are the offsets of one source connector. They are in the worker's
// offset topic or, with offsets.storage.topic, in a topic of the connector's own
// (KIP-618): then those are written first and count more, and the worker's topic
// has copies, with which the connector goes on when it gives its own topic up.
type sourceOffsets struct {
	connector string
	primary   string // the topic that is written first
	worker    *offsetStore
	own       *offsetStore // nil: there is no topic of its own
	client    *kgo.Client  // writes to primary when the task's producer does not; nil in tests

	stop context.CancelFunc // ends the follower of own
	over chan struct{}      // closed when it has ended
}

// sourceOffsets opens the offsets of a connector that writes to a cluster, and
// creates its own topic there when it is missing. An empty name means that it has
// none, but for transactions in another cluster than the worker's: their offsets have
// to be in that cluster, in a topic named like the worker's (KIP-618).
func (s *stores) sourceOffsets(ctx context.Context, c *kafkaCluster, admin *kadm.Client, connector, topic string, transactional bool) (*sourceOffsets, error) {
	o := &sourceOffsets{connector: connector, primary: s.offsets.topic, worker: s.offsets, client: s.client}
	if topic == "" && c.other && transactional {
		topic = s.offsets.topic
	}
	if topic == "" || topic == s.offsets.topic && !c.other {
		return o, nil
	}
	o.client = c.client
	like := s.cfg.OffsetTopic
	like.Name = topic
	if err := prepareTopic(ctx, admin, like); err != nil {
		return nil, err
	}
	own := &offsetStore{topic: topic, values: make(map[string][]byte)}
	var err error
	if own.follower, err = newFollower(ctx, c, map[string]func(*kgo.Record){topic: own.apply}); err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.primary, o.own, o.stop, o.over = topic, own, stop, make(chan struct{})
	go func() {
		defer close(o.over)
		own.follower.run(following)
	}()
	return o, nil
}

// close ends what reads the connector's own topic.
func (o *sourceOffsets) close() {
	if o.own != nil {
		o.stop()
		<-o.over
	}
}

// openOffsets opens the offsets of the task's connector.
func (t *task) openOffsets(c *kafkaCluster, admin *kadm.Client) (offsets *sourceOffsets, err error) {
	err = t.retryForever(t.stop, "open the connector's offset topic", func() error {
		ctx, cancel := context.WithTimeout(t.stop, storeTimeout)
		defer cancel()
		offsets, err = t.stores.sourceOffsets(ctx, c, admin, t.id.Connector, t.def.options.ownOffsetsTopic, t.transactional())
		if errors.Is(err, errPermanent) {
			return err
		}
		return passingError("open the offset topic "+t.def.options.ownOffsetsTopic+" of the connector", err)
	})
	return offsets, err
}

// offset returns the stored offset of a source partition: that of the connector's
// own topic, else that of the worker's.
func (o *sourceOffsets) offset(ctx context.Context, partition json.RawMessage) (json.RawMessage, error) {
	if o.own != nil {
		if offset, err := o.own.offset(ctx, o.connector, partition); offset != nil || err != nil {
			return offset, err
		}
	}
	return o.worker.offset(ctx, o.connector, partition)
}

// all returns the offsets of every partition, in the order of the partitions.
func (o *sourceOffsets) all(ctx context.Context) ([]ConnectorOffset, error) {
	if err := o.worker.follower.sync(ctx, o.worker.topic); err != nil {
		return nil, err
	}
	all := o.worker.of(o.connector)
	if o.own == nil {
		return all, nil
	}
	if err := o.own.follower.sync(ctx, o.own.topic); err != nil {
		return nil, err
	}
	own := o.own.of(o.connector)
	for _, w := range all {
		if !slices.ContainsFunc(own, func(c ConnectorOffset) bool { return bytes.Equal(c.Partition, w.Partition) }) {
			own = append(own, w)
		}
	}
	slices.SortFunc(own, func(a, b ConnectorOffset) int { return bytes.Compare(a.Partition, b.Partition) })
	return own, nil
}

// record is that of an offset in a topic; a mark without one is a tombstone.
func (o *sourceOffsets) record(topic string, m connect.Mark) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: appendOffsetKey(nil, o.connector, m.Partition), Value: m.Offset}
}

// write stores offsets that the connector does not write itself and returns when
// they are durable. A tombstone goes to the worker's topic first: the other way
// round, a crash in between would bring the worker's copy back (KAFKA-15018).
func (o *sourceOffsets) write(ctx context.Context, s *stores, marks []connect.Mark) error {
	var first, last, own []*kgo.Record
	for _, m := range marks {
		own = append(own, o.record(o.primary, m))
		if m.Offset == nil {
			first = append(first, o.record(o.worker.topic, m))
		} else {
			last = append(last, o.record(o.worker.topic, m))
		}
	}
	if o.own == nil {
		return s.write(ctx, own...)
	}
	if err := s.write(ctx, first...); err != nil {
		return err
	}
	if _, err := produce(ctx, o.client, own); err != nil {
		return err
	}
	if err := s.write(ctx, last...); err != nil {
		s.cfg.Logger.Warn("copy offsets to the worker's offset topic", logConnector, o.connector, logError, err)
	}
	return nil
}

// dropCopies removes the worker's copies of offsets that are about to be removed
// from the connector's own topic, and returns when that is durable.
func (s *sourceTask) dropCopies(marks []connect.Mark) error {
	if s.offsets.own == nil {
		return nil
	}
	var tombstones []*kgo.Record
	for _, m := range marks {
		if m.Partition != nil && m.Offset == nil {
			tombstones = append(tombstones, s.offsets.record(s.offsets.worker.topic, m))
		}
	}
	if len(tombstones) == 0 {
		return nil
	}
	if _, err := produce(s.kill, s.stores.client, tombstones); err != nil {
		return fmt.Errorf("remove offsets from the worker's offset topic: %w", err)
	}
	return nil
}

// copyOffsets copies the offsets that were stored last to the worker's topic, once
// they are durable. Nobody waits for that, and a copy that is lost is only said to
// be: the connector's own topic counts more.
func (s *sourceTask) copyOffsets() {
	if s.offsets.own == nil {
		return
	}
	for _, r := range s.commits.offsets.records {
		if r.Value == nil {
			continue
		}
		copied := &kgo.Record{Topic: s.offsets.worker.topic, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		s.stores.client.TryProduce(context.WithoutCancel(s.kill), copied, func(_ *kgo.Record, err error) {
			if err != nil {
				s.logger.Warn("copy an offset to the worker's offset topic", logError, err)
			}
		})
	}
}

// checkOwnOffsets is the check of offsets.storage.topic.
func (o *connectorOptions) checkOwnOffsets() error {
	switch {
	case o.ownOffsetsTopic == "":
		return errors.New("String must be non-empty")
	case !validTopic(o.ownOffsetsTopic):
		return errTopicName
	}
	return nil
}

// refuseOffsetTopic keeps a task from writing records to the topic of its offsets,
// where in a transaction the next look at the offsets would wait for the
// transaction, which waits for it (KIP-618).
func (s *sourceTask) refuseOffsetTopic(topic string) error {
	if s.txn != nil && topic == s.offsets.primary {
		return &fatalError{fmt.Errorf("Source tasks may not produce to their own offsets topics when exactly-once support is enabled: the records are for topic %s", topic)}
	}
	return nil
}
