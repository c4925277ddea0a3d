package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// Timestamps with a meaning of their own.
const (
	latestTimestamp          = -1
	earliestTimestamp        = -2
	maxTimestamp             = -3 // KIP-734
	earliestLocalTimestamp   = -4 // KIP-405
	latestTieredTimestamp    = -5 // KIP-1005
	earliestPendingTimestamp = -6 // KIP-1023: the first offset that tiered storage does not have yet
)

// timestampSince is the first version in which a timestamp below zero has its
// meaning, by its negative; there is none at 0.
var timestampSince = []int16{-latestTimestamp: 1, -earliestTimestamp: 1, -maxTimestamp: 7, -earliestLocalTimestamp: 8, -latestTieredTimestamp: 9, -earliestPendingTimestamp: 11}

// listOffsetsHandler is key 2, v1–v11: v6 flexible.
func listOffsetsHandler() handler {
	return handler{
		key: kmsg.ListOffsets, min: 1, max: 11, advertised: 1,
		shape: shape{
			fixed(4),         // replica id
			fixed(1).from(2), // isolation level
			arr(str(), arr(
				fixed(4),         // partition
				fixed(4).from(4), // current leader epoch
				fixed(8),         // timestamp
			)),
			fixed(4).from(10), // timeout
		},
		serve: answer((*Broker).listOffsets),
	}
}

func (b *Broker) listOffsets(_ context.Context, r *request, q *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListOffsetsResponse)
	resp.Topics = []kmsg.ListOffsetsResponseTopic{}
	for _, t := range q.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		rt.Partitions = []kmsg.ListOffsetsResponseTopicPartition{}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, b.listOffset(r, q, t.Topic, p))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (b *Broker) listOffset(r *request, q *kmsg.ListOffsetsRequest, topic string, p kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	rp := kmsg.NewListOffsetsResponseTopicPartition()
	rp.Partition = p.Partition
	rp.Offset, rp.Timestamp, rp.LeaderEpoch = -1, -1, -1
	l, err := b.partitionFor(r, kmsg.ACLOperationDescribe, topic, [16]byte{}, false, p.Partition)
	if err == nil {
		err = checkLeaderEpoch(l, p.CurrentLeaderEpoch)
	}
	if err == nil {
		rp.Offset, rp.Timestamp, err = lookUpOffset(l, q, p.Timestamp)
	}
	if err != nil {
		rp.ErrorCode = errorCode(err)
		return rp
	}
	if rp.Offset >= 0 {
		rp.LeaderEpoch = l.LeaderEpoch()
	}
	return rp
}

// lookUpOffset resolves a timestamp; -1, -1 when no record qualifies.
func lookUpOffset(l *log.Partition, q *kmsg.ListOffsetsRequest, timestamp int64) (offset, found int64, err error) {
	end := l.HighWatermark()
	if q.IsolationLevel == readCommitted {
		end = l.LastStableOffset()
	}
	if timestamp < 0 && (timestamp <= -int64(len(timestampSince)) || q.Version < timestampSince[-timestamp]) {
		return -1, -1, kerr.UnsupportedVersion
	}
	switch timestamp {
	case latestTimestamp:
		return end, -1, nil
	case earliestTimestamp, earliestLocalTimestamp:
		return l.LogStartOffset(), -1, nil
	case maxTimestamp:
		offset, found, err = l.MaxTimestamp()
	case latestTieredTimestamp, earliestPendingTimestamp: // there is no tiered storage
		return -1, -1, nil
	default:
		offset, found, err = l.OffsetForTime(timestamp)
	}
	if err != nil || offset >= end { // not durable or not stable yet
		return -1, -1, err
	}
	return offset, found, nil
}
