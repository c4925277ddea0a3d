package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
)

// topic finds a topic by its id (newer versions of an API) or its name.
func (b *Broker) topic(name string, id [16]byte, byID bool) (*log.Topic, error) {
	if byID {
		if t, ok := b.cfg.Log.TopicByID(id); ok {
			return t, nil
		}
		return nil, kerr.UnknownTopicID
	}
	if t, ok := b.cfg.Log.Topic(name); ok {
		return t, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// topicFor is topic for a client that has to be allowed op on it. Whether a topic
// that it names exists is not told to a client that is not; an id says nothing.
func (b *Broker) topicFor(r *request, op kmsg.ACLOperation, name string, id [16]byte, byID bool) (*log.Topic, error) {
	t, err := b.topic(name, id, byID)
	if byID && err != nil {
		return nil, err
	}
	if byID {
		name = t.Name()
	}
	if !b.allowsTopic(r, op, name) {
		return nil, kerr.TopicAuthorizationFailed
	}
	return t, err
}

// partitionFor is partition for a client that has to be allowed op on the topic.
func (b *Broker) partitionFor(r *request, op kmsg.ACLOperation, name string, id [16]byte, byID bool, index int32) (*log.Partition, error) {
	t, err := b.topicFor(r, op, name, id, byID)
	if err != nil {
		return nil, err
	}
	return partitionOf(t, index)
}

// partition finds a partition that can be read.
func (b *Broker) partition(name string, id [16]byte, byID bool, index int32) (*log.Partition, error) {
	t, err := b.topic(name, id, byID)
	if err != nil {
		return nil, err
	}
	return partitionOf(t, index)
}

func partitionOf(t *log.Topic, index int32) (*log.Partition, error) {
	p, ok := t.Partition(index)
	if !ok {
		return nil, kerr.UnknownTopicOrPartition
	}
	return p, p.Err()
}

// checkLeaderEpoch compares the epoch that a client believes in, -1 for none
// (KIP-320).
func checkLeaderEpoch(p *log.Partition, epoch int32) error {
	switch current := p.LeaderEpoch(); {
	case epoch < 0 || epoch == current:
		return nil
	case epoch < current:
		return kerr.FencedLeaderEpoch
	default:
		return kerr.UnknownLeaderEpoch
	}
}

// autoCreate creates a topic because its metadata was asked for.
func (b *Broker) autoCreate(name string) (*log.Topic, error) {
	switch name {
	case group.OffsetsTopic:
		return b.cfg.Groups.EnsureTopic()
	case txn.StateTopic:
		return b.cfg.Txns.EnsureTopic()
	}
	n := b.dynamic.Load().numPartitions
	if err := b.checkRoom(n); err != nil {
		return nil, err
	}
	return b.cfg.Log.CreateTopic(name, n, nil)
}

// checkRoom refuses more partitions than the broker may have (I5). Requests that
// come at the same time may pass it together, each by what it asks for.
func (b *Broker) checkRoom(more int) error {
	total := more
	for _, t := range b.cfg.Log.Topics() {
		total += t.Partitions()
	}
	if total > b.cfg.MaxTotalPartitions {
		return withCode(kerr.PolicyViolation, "the broker would have %d partitions, its limit is %d: delete topics that are not used", total, b.cfg.MaxTotalPartitions)
	}
	return nil
}

// unique returns the elements with different keys, the first of each: a request
// that names one thing many times gets one answer for it, as from Kafka, so that
// the answer cannot grow beyond what there is to say (I5).
func unique[E any, K comparable](all []E, key func(*E) K) []E {
	seen := make(map[K]struct{}, len(all))
	kept := all[:0:0]
	for i := range all {
		k := key(&all[i])
		if _, ok := seen[k]; !ok {
			seen[k] = struct{}{}
			kept = append(kept, all[i])
		}
	}
	return kept
}

// isReserved reports the internal topics, which only coordinators may create,
// delete or resize.
func isReserved(name string) bool {
	return name == group.OffsetsTopic || name == txn.StateTopic
}

// isOffline reports whether the files of a partition are damaged. It is described as Kafka describes one whose log
// directory is offline: without a leader, while requests to it get KAFKA_STORAGE_ERROR.
func isOffline(p *log.Partition) bool { return errors.Is(p.Err(), log.ErrPartitionOffline) }

// noLeader is the leader of a partition that has none.
const noLeader = -1

// replicas is the replica list of every partition: this node.
func (b *Broker) replicas() []int32 { return []int32{b.cfg.NodeID} }
