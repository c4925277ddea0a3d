package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
)

// offsetCommitHandler is key 8, v2–v10: v7 static members, v8 flexible, v9 member
// epochs (KIP-848), v10 topic ids.
func offsetCommitHandler() handler {
	return handler{
		key: kmsg.OffsetCommit, min: 2, max: 10, advertised: 2, waits: true,
		shape: shape{
			str(),                  // group
			fixed(4).from(1),       // generation
			str().from(1),          // member id
			str().from(7),          // instance id
			fixed(8).from(2).to(4), // retention time
			arr(str().to(9), fixed(16).from(10), arr(
				fixed(4),               // partition
				fixed(8),               // offset
				fixed(8).from(1).to(1), // timestamp
				fixed(4).from(6),       // leader epoch
				str(),                  // metadata
			)),
		},
		serve: answer((*Broker).offsetCommit),
	}
}

// offsetCommit commits the offsets of topics that exist and answers when they
// are durable (I1).
func (b *Broker) offsetCommit(_ context.Context, r *request, q *kmsg.OffsetCommitRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetCommitResponse)
	allowed := b.allowsGroup(r, kmsg.ACLOperationRead, q.Group)
	commit := group.CommitRequest{
		Group: q.Group, Version: q.Version,
		Generation: q.Generation, MemberID: q.MemberID, InstanceID: q.InstanceID,
	}
	for i := range q.Topics {
		t := &q.Topics[i]
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		topic, err := b.topicFor(r, kmsg.ACLOperationRead, t.Topic, t.TopicID, q.Version >= 10)
		if !allowed {
			err = kerr.GroupAuthorizationFailed
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition = p.Partition
			o := group.Offset{Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch}
			if p.Metadata != nil {
				o.Metadata = *p.Metadata
			}
			perr := err
			if perr == nil {
				o.Topic = topic.Name()
				_, perr = b.partition(o.Topic, [16]byte{}, false, p.Partition)
			}
			if perr == nil {
				perr = b.cfg.Groups.CheckMetadata(o.Metadata)
			}
			if rp.ErrorCode = errorCode(perr); perr == nil {
				commit.Offsets = append(commit.Offsets, o)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if !allowed {
		return resp
	}
	if err := b.cfg.Groups.Commit(commit); err != nil {
		failOffsetCommit(resp, groupErrorCode(err))
	}
	return resp
}

// failOffsetCommit gives every partition that has no error of its own the
// group's.
func failOffsetCommit(resp *kmsg.OffsetCommitResponse, code int16) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if p := &resp.Topics[i].Partitions[j]; p.ErrorCode == 0 {
				p.ErrorCode = code
			}
		}
	}
}
