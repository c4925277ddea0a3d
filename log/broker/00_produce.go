package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/security"
)

// produceHandler is key 0, v3–v13: v9 flexible, v12 adds partitions to the
// transaction (KIP-890), v13 topic ids. Versions 0–2 are advertised but, as
// from Kafka, not served: librdkafka before 2.8 stops compressing when the
// advertised minimum is above 0 (KAFKA-18659), and no client that sends them exists.
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
func (b *Broker) produce(ctx context.Context, r *request) {
	q := r.body.(*kmsg.ProduceRequest)
	resp := q.ResponseKind().(*kmsg.ProduceResponse)
	w := &produceWait{request: r, response: resp, traffic: &b.traffic, acks: q.Acks}
	w.left.Store(1)
	targets := b.produceTargets(r, q, resp)
	b.appendAll(ctx, w, targets, q)
	bytes := 0
	for i := range targets {
		bytes += len(targets[i].records)
	}
	b.charge(r, security.ProducerByteRate, bytes)
	b.chargeTime(r)
	w.done()
}

// produceTarget is one partition of a request.
type produceTarget struct {
	partition     *log.Partition
	records       []byte
	response      *kmsg.ProduceResponseTopicPartition
	transactional bool
	err           error // why nothing is appended
}

// produceTargets finds the partitions and makes room for the answers.
func (b *Broker) produceTargets(r *request, q *kmsg.ProduceRequest, resp *kmsg.ProduceResponse) []produceTarget {
	var targets []produceTarget
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(q.Topics))
	for i := range q.Topics {
		t, rt := &q.Topics[i], &resp.Topics[i]
		rt.Default()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
		topic, err := b.produceTopic(r, q, t)
		for j := range t.Partitions {
			p, rp := &t.Partitions[j], &rt.Partitions[j]
			rp.Default()
			rp.Partition = p.Partition
			rp.LogStartOffset = -1
			target := produceTarget{records: p.Records, response: rp, err: err}
			if err == nil {
				var ok bool
				if target.partition, ok = topic.Partition(p.Partition); !ok {
					target.err = kerr.UnknownTopicOrPartition
				}
			}
			targets = append(targets, target)
		}
	}
	return targets
}

// produceTopic finds the topic and refuses what no partition of it may take.
func (b *Broker) produceTopic(r *request, q *kmsg.ProduceRequest, t *kmsg.ProduceRequestTopic) (*log.Topic, error) {
	switch {
	case q.Acks < -1 || q.Acks > 1:
		return nil, kerr.InvalidRequiredAcks
	}
	topic, err := b.topicFor(r, kmsg.ACLOperationWrite, t.Topic, t.TopicID, q.Version >= 13)
	if err == nil && topic.Internal() {
		err = kerr.InvalidTopicException // coordinators own these
	}
	return topic, err
}

// appendAll appends the batches. The transaction that they are part of cannot end
// meanwhile.
func (b *Broker) appendAll(ctx context.Context, w *produceWait, targets []produceTarget, q *kmsg.ProduceRequest) {
	if a := b.admit(ctx, w.request, targets, q); a != nil {
		defer a.Leave()
		w.awaitAdmission(a, targets)
	}
	for i := range targets {
		if q.Version < zstdVersion && isZstd(targets[i].records) {
			targets[i].err = cmp.Or(targets[i].err, error(kerr.UnsupportedCompressionType))
		}
		w.append(&targets[i])
	}
}

// zstdVersion is the first version whose clients may send zstd (KIP-110).
const zstdVersion = 7

func isZstd(records []byte) bool {
	h, err := batch.Parse(records)
	return err == nil && h.Codec() == batch.Zstd
}

// produceWait collects the outcome of one Produce request.
type produceWait struct {
	request  *request
	response *kmsg.ProduceResponse
	traffic  *traffic
	acks     int16
	left     atomic.Int32 // what is not durable yet: partitions, the admission; plus one for the handler

	mu       sync.Mutex // guards firstErr and the partition responses once append has returned
	firstErr error
}

// append writes one partition's batch; the outcome lands in its response.
func (w *produceWait) append(t *produceTarget) {
	res, err := log.AppendResult{}, t.err
	if err == nil {
		res, err = t.partition.Append(t.records, log.AppendOptions{})
	}
	if err != nil {
		w.traffic.refused(t.partition, int64(len(t.records)))
		w.fail(t.response, err)
		return
	}
	if !res.Duplicate {
		w.traffic.produced(t.partition, res.LastOffset-res.BaseOffset+1, int64(len(t.records)))
	}
	rp := t.response
	w.mu.Lock()
	if rp.ErrorCode == 0 {
		rp.BaseOffset = res.BaseOffset
		rp.LogAppendTime = res.LogAppendTimeMs
		rp.LogStartOffset = t.partition.LogStartOffset()
	}
	w.mu.Unlock()
	if w.acks == 0 {
		return
	}
	w.left.Add(1)
	t.partition.OnDurable(res.LastOffset, func(err error) { // I1
		if err != nil {
			w.fail(rp, err)
		}
		w.done()
	})
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
