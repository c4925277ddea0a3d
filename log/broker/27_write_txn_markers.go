package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/txn"
)

// writeTxnMarkersHandler is key 27, v0–v2: v1 flexible, v2 transaction version.
// Administrators end hanging transactions with it (KIP-664).
func writeTxnMarkersHandler() handler {
	return handler{
		key: kmsg.WriteTxnMarkers, min: 0, max: 2, advertised: 0, waits: true,
		shape: shape{arr(
			fixed(8), // producer id
			fixed(2), // producer epoch
			fixed(1), // commit
			arr(str(), list(fixed(4))),
			fixed(4),         // coordinator epoch
			fixed(1).from(2), // transaction version
		)},
		serve: answer((*Broker).writeTxnMarkers),
	}
}

func (b *Broker) writeTxnMarkers(_ context.Context, r *request, q *kmsg.WriteTxnMarkersRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	resp.Markers = []kmsg.WriteTxnMarkersResponseMarker{}
	allowed := b.allows(r, kmsg.ACLOperationAlter, kmsg.ACLResourceTypeCluster, clusterName) ||
		b.allows(r, kmsg.ACLOperationClusterAction, kmsg.ACLResourceTypeCluster, clusterName)
	for i := range q.Markers {
		m := &q.Markers[i]
		rm := kmsg.NewWriteTxnMarkersResponseMarker()
		rm.ProducerID = m.ProducerID
		rm.Topics = []kmsg.WriteTxnMarkersResponseMarkerTopic{}
		for _, t := range m.Topics {
			rm.Topics = append(rm.Topics, b.writeMarker(allowed, m, &t))
		}
		resp.Markers = append(resp.Markers, rm)
	}
	return resp
}

func (b *Broker) writeMarker(allowed bool, m *kmsg.WriteTxnMarkersRequestMarker, t *kmsg.WriteTxnMarkersRequestMarkerTopic) kmsg.WriteTxnMarkersResponseMarkerTopic {
	rt := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
	rt.Topic = t.Topic
	rt.Partitions = []kmsg.WriteTxnMarkersResponseMarkerTopicPartition{}
	partitions := make([]txn.TopicPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		partitions[i] = txn.TopicPartition{Topic: t.Topic, Partition: p}
	}
	errs := make([]error, len(partitions))
	if allowed {
		marker := log.Marker{ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch, Commit: m.Committed}
		errs = b.cfg.Txns.WriteMarkers(marker, partitions)
	}
	for i, p := range t.Partitions {
		rp := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
		rp.Partition, rp.ErrorCode = p, errorCode(errs[i])
		if !allowed {
			rp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		}
		if errors.Is(errs[i], log.ErrPartitionOffline) {
			rp.ErrorCode = kerr.UnknownTopicOrPartition.Code // as Kafka says of a partition that is not online
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}
