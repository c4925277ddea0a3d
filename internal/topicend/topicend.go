// Package topicend finds out where the last record of a partition is. A compaction may
// leave nothing but empty batches at the end, of which a client hands nothing over, so
// that who waits for a record before the end offset waits for ever.
package topicend

import (
	"cmp"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxBytes is of one answer. A batch that is larger comes whole (KIP-74).
const maxBytes = 1 << 20

// Last returns the offset behind the last record, or marker of a transaction, of a
// partition from the offset from on and below the offset end; from when there is none.
// Records of open and aborted transactions count: what follows them is a marker.
//
// Errors: those of the requests; what the broker says of the partition, or that it says
// nothing.
func Last(ctx context.Context, client *kgo.Client, topic string, partition int32, from, end int64) (int64, error) {
	if from >= end {
		return from, nil
	}
	_, last, err := fetch(ctx, client, topic, partition, end-1)
	if err != nil {
		return 0, err
	}
	if last > 0 {
		return min(last, end), nil
	}
	last = from
	for at := from; at < end; {
		next, behind, err := fetch(ctx, client, topic, partition, at)
		if err == nil && next <= at { // a throttled client gets nothing, too: it says nothing about what there is
			err = fmt.Errorf("%s-%d: the broker answers with nothing for offset %d, before the end at %d", topic, partition, at, end)
		}
		if err != nil {
			return 0, err
		}
		at, last = next, max(last, behind)
	}
	return min(last, end), nil
}

// fetch returns the offset where reading goes on behind what there is at an offset, and
// the one behind the last record in it; 0: there is none.
func fetch(ctx context.Context, client *kgo.Client, topic string, partition int32, at int64) (next, behind int64, err error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	t := topics[topic]
	leader, ok := t.Partitions[partition]
	if !ok {
		return 0, 0, cmp.Or(t.Err, error(kerr.UnknownTopicOrPartition))
	}
	ofTopic, ofPartition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	ofTopic.Topic, ofTopic.TopicID = topic, t.ID
	ofPartition.Partition, ofPartition.FetchOffset, ofPartition.PartitionMaxBytes = partition, at, maxBytes
	ofTopic.Partitions = append(ofTopic.Partitions, ofPartition)
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.SessionEpoch = maxBytes, -1
	req.Topics = append(req.Topics, ofTopic)
	resp, err := req.RequestWith(ctx, client.Broker(int(leader.Leader)))
	if err != nil {
		return 0, 0, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil || len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return at, 0, err
	}
	o := kgo.ProcessFetchPartitionOpts{KeepControlRecords: true, Offset: at, Topic: topic, Partition: partition}
	p, next := kgo.ProcessFetchPartition(o, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	if n := len(p.Records); n > 0 {
		behind = p.Records[n-1].Offset + 1
	}
	return next, behind, p.Err
}
