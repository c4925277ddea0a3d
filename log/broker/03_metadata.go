package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// metadataHandler is key 3, v0–v13: v9 flexible, v10 topic ids in the response,
// v12 look-up by id.
func metadataHandler() handler {
	return handler{
		key: kmsg.Metadata, min: 0, max: 13, advertised: 0,
		shape: shape{
			arr(fixed(16).from(10), str()),
			fixed(1).from(4),        // allow auto topic creation
			fixed(1).from(8).to(10), // include cluster authorized operations
			fixed(1).from(8),        // include topic authorized operations
		},
		serve: answer((*Broker).metadata),
	}
}

func (b *Broker) metadata(_ context.Context, r *request, q *kmsg.MetadataRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.MetadataResponse)
	node := kmsg.NewMetadataResponseBroker()
	node.NodeID, node.Host, node.Port = b.cfg.NodeID, r.conn.listener.host, r.conn.listener.port
	resp.Brokers = append(resp.Brokers, node)
	resp.ClusterID = kmsg.StringPtr(b.cfg.Log.ClusterID())
	resp.ControllerID = b.cfg.NodeID
	resp.AuthorizedOperations = noOperations
	if q.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = b.clusterOperations(r)
	}
	resp.Topics = []kmsg.MetadataResponseTopic{}
	if q.Topics == nil || (q.Version == 0 && len(q.Topics) == 0) {
		for _, t := range b.cfg.Log.Topics() {
			if b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, t.Name()) {
				resp.Topics = append(resp.Topics, b.describeTopic(r, q, t))
			}
		}
		return resp
	}
	for _, t := range unique(q.Topics, topicKey) {
		resp.Topics = append(resp.Topics, b.metadataTopic(r, q, &t))
	}
	return resp
}

// topicKey tells requested topics apart: by name, or by id when there is none.
func topicKey(t *kmsg.MetadataRequestTopic) string {
	if byID(t) {
		return "i" + string(t.TopicID[:])
	}
	return "n" + *t.Topic
}

// byID reports whether a topic is asked for by its id. The Java client sends an
// empty name with an id, not null.
func byID(t *kmsg.MetadataRequestTopic) bool {
	return t.Topic == nil || (*t.Topic == "" && t.TopicID != [16]byte{})
}

func (b *Broker) metadataTopic(r *request, q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	topic, err := b.findTopic(r, q, t)
	if err == nil {
		return b.describeTopic(r, q, topic)
	}
	rt := kmsg.NewMetadataResponseTopic()
	rt.ErrorCode = errorCode(err)
	rt.Topic, rt.TopicID = t.Topic, t.TopicID
	if rt.Topic == nil && q.Version < 12 {
		rt.Topic = kmsg.StringPtr("") // may be null only from v12
	}
	rt.AuthorizedOperations = noOperations
	rt.Partitions = []kmsg.MetadataResponseTopicPartition{}
	return rt
}

// findTopic looks a topic up, and creates it when that is wanted. A look-up by
// id needs v12; v10 and v11 have the field but must not use it.
func (b *Broker) findTopic(r *request, q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) (*log.Topic, error) {
	if byID(t) {
		if q.Version < 12 {
			return nil, kerr.InvalidRequest
		}
		return b.topicFor(r, kmsg.ACLOperationDescribe, "", t.TopicID, true)
	}
	if err := log.CheckTopicName(*t.Topic); err != nil {
		return nil, err
	}
	topic, err := b.topicFor(r, kmsg.ACLOperationDescribe, *t.Topic, t.TopicID, false)
	// Before v4 the request has no say, and the broker's setting decides.
	wanted := q.AllowAutoTopicCreation || q.Version < 4
	if !errors.Is(err, kerr.UnknownTopicOrPartition) || !wanted || b.cfg.DisableAutoCreate {
		return topic, err
	}
	if !b.allowsCreate(r, *t.Topic) {
		return nil, kerr.TopicAuthorizationFailed
	}
	topic, err = b.autoCreate(*t.Topic)
	if errors.Is(err, log.ErrTopicExists) { // another client was faster
		return b.topic(*t.Topic, t.TopicID, false)
	}
	return topic, err
}

func (b *Broker) describeTopic(r *request, q *kmsg.MetadataRequest, t *log.Topic) kmsg.MetadataResponseTopic {
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic = kmsg.StringPtr(t.Name())
	rt.TopicID = t.ID()
	rt.IsInternal = t.Internal()
	rt.AuthorizedOperations = noOperations
	if q.IncludeTopicAuthorizedOperations {
		rt.AuthorizedOperations = b.authorizedOperations(r, kmsg.ACLResourceTypeTopic, t.Name())
	}
	n := t.Partitions()
	rt.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, n)
	for i := range int32(n) {
		l, ok := t.Partition(i)
		if !ok {
			continue
		}
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition = i
		p.Leader, p.LeaderEpoch = b.cfg.NodeID, l.LeaderEpoch()
		p.Replicas, p.ISR, p.OfflineReplicas = b.replicas(), b.replicas(), []int32{}
		if isOffline(l) {
			p.ErrorCode, p.Leader, p.OfflineReplicas = kerr.LeaderNotAvailable.Code, noLeader, b.replicas()
		}
		rt.Partitions = append(rt.Partitions, p)
	}
	return rt
}
