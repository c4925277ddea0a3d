package kill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/sluice-data/sluice/test/clients/history"
)

func (r *run) rdConfig(more kafka.ConfigMap) *kafka.ConfigMap {
	c := kafka.ConfigMap{"bootstrap.servers": r.addr, "log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200,
		"retry.backoff.ms": 50, "retry.backoff.max.ms": 200}
	for k, v := range more {
		c[k] = v
	}
	return &c
}

// rdProducer is a producer whose events of a record go to its send; a fatal error
// is a fault unless the producer is transactional, which may be fenced by its
// successor.
func (r *run) rdProducer(name string, more kafka.ConfigMap, events *sync.WaitGroup) (*kafka.Producer, error) {
	p, err := kafka.NewProducer(r.rdConfig(more))
	if err != nil {
		return nil, err
	}
	_, transactional := more["transactional.id"]
	events.Go(func() {
		for e := range p.Events() {
			switch e := e.(type) {
			case *kafka.Message:
				s, ok := e.Opaque.(*history.Send)
				switch {
				case !ok: // a copy
				case e.TopicPartition.Error == nil:
					r.h.Sent(s, int64(e.TopicPartition.Offset))
				case !transactional:
					r.fault("%s: %s: %v", name, s.Value, e.TopicPartition.Error)
				}
			case kafka.Error:
				if e.IsFatal() && !transactional {
					r.fault("%s: %v", name, e)
				}
			}
		}
	})
	return p, nil
}

func rdMessage(s *history.Send) *kafka.Message {
	return &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &s.Partition.Topic, Partition: s.Partition.Number}, Value: []byte(s.Value), Opaque: s}
}

// produceRd produces with one client until ctx ends, five requests in flight.
func (r *run) produceRd(ctx context.Context, w *writer) {
	var events sync.WaitGroup
	p, err := r.rdProducer(w.name, kafka.ConfigMap{"enable.idempotence": true, "linger.ms": 2, "batch.num.messages": 10}, &events)
	if err != nil {
		r.fault("%s: %v", w.name, err)
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		for range 1 + w.random.IntN(5) {
			if err := p.Produce(rdMessage(w.next(0)), nil); err != nil {
				r.fault("%s: %v", w.name, err)
			}
		}
		<-tick.C
	}
	if left := p.Flush(int(patience.Milliseconds())); left > 0 {
		r.fault("%s: %d records are not answered", w.name, left)
	}
	p.Close()
	events.Wait()
}

// transactRd writes transactions until ctx ends; one in four is aborted.
func (r *run) transactRd(ctx context.Context, w *writer) {
	for ctx.Err() == nil {
		var events sync.WaitGroup
		p, err := r.rdProducer(w.name, kafka.ConfigMap{"transactional.id": w.name, "transaction.timeout.ms": 20_000, "linger.ms": 1}, &events)
		if err != nil {
			r.fault("%s: %v", w.name, err)
			return
		}
		err = rdRetry(func(ctx context.Context) error { return p.InitTransactions(ctx) })
		for err == nil && ctx.Err() == nil {
			err = r.transactionRd(p, w)
		}
		if err != nil {
			r.t.Logf("%s: %v; next client", w.name, err)
		}
		p.Close()
		events.Wait()
	}
}

// rdRetry calls until the error is none that another try may help against.
func rdRetry(call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := call(ctx)
		var k kafka.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &k) || !k.IsRetriable() {
			return err
		}
	}
}

// transactionRd writes one transaction. After an error the client is of no use.
func (r *run) transactionRd(p *kafka.Producer, w *writer) error {
	txn, commit := r.h.Begin(), w.random.IntN(4) > 0
	if err := p.BeginTransaction(); err != nil {
		return err
	}
	for range 1 + w.random.IntN(10) {
		if err := p.Produce(rdMessage(w.next(txn)), nil); err != nil {
			return err
		}
		if w.random.IntN(3) == 0 {
			<-time.After(interval)
		}
	}
	if !commit {
		err := rdRetry(p.AbortTransaction)
		if err == nil {
			r.h.End(txn, history.Refused)
		}
		return err
	}
	err := rdRetry(p.CommitTransaction)
	var k kafka.Error
	switch {
	case err == nil:
		r.h.End(txn, history.OK)
	case errors.As(err, &k) && k.TxnRequiresAbort():
		return rdRetry(p.AbortTransaction) // whether it was committed after all is unknown
	}
	return err
}

// copyRd copies a topic in transactions with the consumer's offsets, until ctx
// ends.
func (r *run) copyRd(ctx context.Context, from, to string) {
	name := "copy-" + from
	for ctx.Err() == nil {
		if err := r.copySomeRd(ctx, name, from, to); err != nil {
			r.t.Logf("%s: %v; next client", name, err)
		}
	}
}

// copySomeRd copies with one pair of clients until ctx ends or an error makes
// them useless.
func (r *run) copySomeRd(ctx context.Context, name, from, to string) error {
	var events sync.WaitGroup
	defer events.Wait()
	p, err := r.rdProducer(name, kafka.ConfigMap{"transactional.id": name, "transaction.timeout.ms": 20_000, "linger.ms": 0}, &events)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := rdRetry(p.InitTransactions); err != nil {
		return err
	}
	c, err := kafka.NewConsumer(r.rdConfig(kafka.ConfigMap{
		"group.id": name, "enable.auto.commit": false, "auto.offset.reset": "earliest", "isolation.level": "read_committed",
		"session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 50}))
	if err != nil {
		return err
	}
	defer c.Close()
	in, err := subscribe(c, from)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if batch := in.poll(500, 50*time.Millisecond); len(batch) > 0 {
			if err := copyOnceRd(p, c, to, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// subscription reads batches of which every record is of the current assignment.
type subscription struct {
	c     *kafka.Consumer
	batch []*kafka.Message
}

func subscribe(c *kafka.Consumer, topic string) (*subscription, error) {
	s := &subscription{c: c}
	err := c.Subscribe(topic, func(_ *kafka.Consumer, e kafka.Event) error {
		if _, ok := e.(kafka.RevokedPartitions); ok {
			s.batch = nil // whoever gets the partitions reads it again
		}
		return nil // the partitions are given up after that
	})
	return s, err
}

// poll returns up to n messages that come within a time. Until the next call no
// partition is taken away: that happens in calls of ReadMessage.
func (s *subscription) poll(n int, within time.Duration) []*kafka.Message {
	s.batch = nil
	for deadline := time.Now().Add(within); len(s.batch) < n && time.Now().Before(deadline); {
		if m, err := s.c.ReadMessage(10 * time.Millisecond); err == nil {
			s.batch = append(s.batch, m)
		}
	}
	return s.batch
}

// copyOnceRd copies some records. After an error a new pair of clients goes on
// from the committed offsets.
func copyOnceRd(p *kafka.Producer, c *kafka.Consumer, to string, batch []*kafka.Message) error {
	if err := p.BeginTransaction(); err != nil {
		return err
	}
	next := map[int32]kafka.TopicPartition{}
	for _, m := range batch {
		at := m.TopicPartition
		copied := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &to, Partition: at.Partition}, Value: m.Value}
		if err := p.Produce(copied, nil); err != nil {
			return err
		}
		at.Offset++
		next[at.Partition] = at
	}
	var offsets []kafka.TopicPartition
	for _, at := range next {
		offsets = append(offsets, at)
	}
	meta, err := c.GetConsumerGroupMetadata()
	if err != nil {
		return err
	}
	err = rdRetry(func(ctx context.Context) error { return p.SendOffsetsToTransaction(ctx, offsets, meta) })
	if err != nil {
		return fmt.Errorf("send offsets: %w", err)
	}
	return rdRetry(p.CommitTransaction)
}
