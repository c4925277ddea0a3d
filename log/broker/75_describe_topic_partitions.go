package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// maxDescribedPartitions in one response; the cursor says where to go on.
const maxDescribedPartitions = 2000

// describeTopicPartitionsHandler is key 75, v0 (KIP-966).
func describeTopicPartitionsHandler() handler {
	return handler{
		key: kmsg.DescribeTopicPartitions, min: 0, max: 0, advertised: 0,
		shape: shape{
			arr(str()),
			fixed(4), // response partition limit
			nullable(str(), fixed(4)),
		},
		serve: answer((*Broker).describeTopicPartitions),
	}
}

// describeTopicPartitions pages through the topics in the order of their names.
func (b *Broker) describeTopicPartitions(_ context.Context, r *request, q *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	resp.Topics = []kmsg.DescribeTopicPartitionsResponseTopic{}
	room := maxDescribedPartitions
	if q.ResponsePartitionLimit > 0 {
		room = min(room, int(q.ResponsePartitionLimit))
	}
	for _, name := range b.describedTopics(r, q) {
		first := int32(0)
		if q.Cursor != nil && q.Cursor.Topic == name {
			first = max(q.Cursor.Partition, 0)
		}
		if room == 0 {
			resp.NextCursor = nextCursor(name, first)
			return resp
		}
		rt, next := b.describeTopicPage(r, name, first, room)
		room -= len(rt.Partitions)
		resp.Topics = append(resp.Topics, rt)
		if next >= 0 {
			resp.NextCursor = nextCursor(name, next)
			return resp
		}
	}
	return resp
}

func nextCursor(topic string, partition int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, partition
	return &c
}

// describedTopics is the sorted names from the cursor on; no names means all.
func (b *Broker) describedTopics(r *request, q *kmsg.DescribeTopicPartitionsRequest) []string {
	var names []string
	for _, t := range q.Topics {
		names = append(names, t.Topic)
	}
	if len(names) == 0 {
		for _, t := range b.cfg.Log.Topics() {
			if b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, t.Name()) {
				names = append(names, t.Name())
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if q.Cursor == nil {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool { return name < q.Cursor.Topic })
}

// describeTopicPage describes at most room partitions from first on; next is the
// partition to go on with, or -1.
func (b *Broker) describeTopicPage(r *request, name string, first int32, room int) (rt kmsg.DescribeTopicPartitionsResponseTopic, next int32) {
	rt.Default()
	rt.Topic = kmsg.StringPtr(name)
	rt.AuthorizedOperations = noOperations
	rt.Partitions = []kmsg.DescribeTopicPartitionsResponseTopicPartition{}
	if !b.allowsTopic(r, kmsg.ACLOperationDescribe, name) {
		rt.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return rt, -1
	}
	t, ok := b.cfg.Log.Topic(name)
	if !ok {
		rt.ErrorCode = kerr.UnknownTopicOrPartition.Code
		return rt, -1
	}
	rt.TopicID, rt.IsInternal = t.ID(), t.Internal()
	rt.AuthorizedOperations = b.authorizedOperations(r, kmsg.ACLResourceTypeTopic, name)
	for i := first; i < int32(t.Partitions()); i++ {
		if len(rt.Partitions) == room {
			return rt, i
		}
		if l, ok := t.Partition(i); ok {
			rt.Partitions = append(rt.Partitions, b.describePartition(l))
		}
	}
	return rt, -1
}

// describePartition fills every array: Java clients fail on a null where the
// protocol would allow one.
func (b *Broker) describePartition(l *log.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	p.Partition = l.Index()
	p.LeaderID, p.LeaderEpoch = b.cfg.NodeID, l.LeaderEpoch()
	p.Replicas, p.ISR, p.OfflineReplicas = b.replicas(), b.replicas(), []int32{}
	p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
	if isOffline(l) {
		p.ErrorCode, p.LeaderID, p.OfflineReplicas = kerr.LeaderNotAvailable.Code, noLeader, b.replicas()
	}
	return p
}
