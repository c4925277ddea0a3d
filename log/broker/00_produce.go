package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// produceHandler is key 0, v3–v13. Versions 0–2 are advertised but, as from Kafka,
// not served: librdkafka before 2.8 stops compressing when the advertised minimum
// is above 0 (KAFKA-18659), and no client that sends them exists.
func produceHandler() handler {
	return handler{
		key: kmsg.Produce, min: 3, max: 13, advertised: 0,
		shape: shape{
			str(),    // transactional id
			fixed(2), // acks
			fixed(4), // timeout
			arr(str().to(12), fixed(16).from(13), arr(fixed(4), blob())),
		},
		serve: (*Broker).produce,
	}
}

// produce appends the batches in order and answers when they are durable (I1).
// acks=1 means the same as acks=all: there is one replica.
func (b *Broker) produce(_ context.Context, r *request) {
	q := r.body.(*kmsg.ProduceRequest)
	resp := q.ResponseKind().(*kmsg.ProduceResponse)
	w := &produceWait{request: r, response: resp, traffic: &b.traffic, acks: q.Acks}
	w.left.Store(1)
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(q.Topics))
	for i := range q.Topics {
		t, rt := &q.Topics[i], &resp.Topics[i]
		rt.Default()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
		topic, err := b.produceTopic(q, t)
		for j := range t.Partitions {
			p, rp := &t.Partitions[j], &rt.Partitions[j]
			rp.Default()
			rp.Partition = p.Partition
			rp.LogStartOffset = -1
			refusal := err
			if refusal == nil {
				refusal = w.append(topic, p, rp)
			}
			if refusal != nil {
				w.fail(rp, refusal)
				b.traffic.refused(topic, int64(len(p.Records)))
			}
		}
	}
	w.done()
}

// produceTopic finds the topic and refuses what no partition of it may take.
func (b *Broker) produceTopic(q *kmsg.ProduceRequest, t *kmsg.ProduceRequestTopic) (*log.Topic, error) {
	switch {
	case q.Acks < -1 || q.Acks > 1:
		return nil, kerr.InvalidRequiredAcks
	case q.TransactionID != nil:
		return nil, kerr.InvalidTxnState // there is no transaction coordinator
	}
	topic, err := b.topic(t.Topic, t.TopicID, q.Version >= 13)
	if err == nil && topic.Internal() {
		err = kerr.InvalidTopicException // coordinators own these
	}
	return topic, err
}

// produceWait collects the outcome of one Produce request.
type produceWait struct {
	request  *request
	response *kmsg.ProduceResponse
	traffic  *traffic
	acks     int16
	left     atomic.Int32 // partitions not durable yet, plus one for the handler

	mu       sync.Mutex // guards firstErr and the partition responses once append has returned
	firstErr error
}

// append writes one partition's batch, or returns why it did not; the outcome lands in rp.
func (w *produceWait) append(topic *log.Topic, p *kmsg.ProduceRequestTopicPartition, rp *kmsg.ProduceResponseTopicPartition) error {
	partition, ok := topic.Partition(p.Partition)
	if !ok {
		return kerr.UnknownTopicOrPartition
	}
	if h, err := batch.Parse(p.Records); err == nil && h.Transactional() {
		return kerr.InvalidTxnState // nor can it be asked about this one
	}
	res, err := partition.Append(p.Records, log.AppendOptions{})
	if err != nil {
		return err
	}
	if !res.Duplicate {
		w.traffic.produced(topic, res.LastOffset-res.BaseOffset+1, int64(len(p.Records)))
	}
	rp.BaseOffset = res.BaseOffset
	rp.LogAppendTime = res.LogAppendTimeMs
	rp.LogStartOffset = partition.LogStartOffset()
	if w.acks == 0 {
		return nil
	}
	w.left.Add(1)
	partition.OnDurable(res.LastOffset, func(err error) { // I1
		if err != nil {
			w.fail(rp, err)
		}
		w.done()
	})
	return nil
}

func (w *produceWait) fail(rp *kmsg.ProduceResponseTopicPartition, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.firstErr == nil {
		w.firstErr = err
	}
	rp.ErrorCode = errorCode(err)
	rp.BaseOffset = -1
	rp.LogAppendTime = -1
	rp.ErrorMessage = errorMessage(err)
	var bad *log.RecordError
	if errors.As(err, &bad) && bad.Index >= 0 {
		rp.ErrorRecords = []kmsg.ProduceResponseTopicPartitionErrorRecord{{
			RelativeOffset: bad.Index, ErrorMessage: kmsg.StringPtr(bad.Reason),
		}}
	}
}

// done counts one partition, or the handler itself; the last one answers.
func (w *produceWait) done() {
	if w.left.Add(-1) > 0 {
		return
	}
	switch {
	case w.acks != 0:
		w.request.reply(w.response)
	case w.firstErr != nil:
		// There is no answer to put the error in; closing the connection is how the
		// client learns that it should look at its metadata.
		w.request.hangUp(fmt.Errorf("produce with acks=0: %w", w.firstErr))
	default:
		w.request.noReply()
	}
}
