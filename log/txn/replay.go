package txn

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// replay reads the state topic.
func (c *Coordinator) replay() error {
	t, ok := c.cfg.Log.Topic(StateTopic)
	if !ok {
		return nil
	}
	var dec batch.Decompressor
	for i := range int32(t.Partitions()) {
		p, _ := t.Partition(i)
		err := p.EachBatch(func(_ *batch.Header, b []byte) error { return c.replayBatch(b, &dec) })
		switch {
		case errors.Is(err, log.ErrFailed), errors.Is(err, log.ErrClosed):
			return err
		case err != nil:
			c.cfg.Logger.Error("transactional ids of this partition are not available", keyTopic, StateTopic, keyPartition, i, "err", err)
			c.store.setBroken(i)
		}
	}
	return nil
}

func (c *Coordinator) replayBatch(b []byte, dec *batch.Decompressor) error {
	rd, err := batch.NewReader(b, dec)
	if err != nil {
		return err
	}
	for rd.Next() {
		r := rd.Record()
		if err := c.replayRecord(r.Key, r.Value); err != nil {
			return fmt.Errorf("record at offset %d: %w", r.Offset, err)
		}
	}
	return rd.Err()
}

// replayRecord applies one record: the last one of an id counts.
func (c *Coordinator) replayRecord(key, value []byte) error {
	id, ok, err := decodeKey(key)
	if err != nil || !ok {
		return err
	}
	if value == nil {
		delete(c.txns, id)
		return nil
	}
	m, err := decodeValue(value)
	if err != nil {
		return err
	}
	c.txns[id] = &transaction{c: c, id: id, meta: m}
	return nil
}

// reconcile makes the ids and the open transactions in the partitions agree, and
// goes on with the decided ones. A partition knows what of a transaction it has, so
// the records that were to tell which partitions are part of one may be missing.
func (c *Coordinator) reconcile() {
	owners := map[int64]*transaction{}
	for _, t := range c.txns {
		owners[t.meta.producerID] = t
		if t.meta.nextID != noID {
			owners[t.meta.nextID] = t
		}
	}
	resumed := map[*transaction][]TopicPartition{}
	orphans := map[log.Marker][]TopicPartition{}
	c.eachOpen(func(tp TopicPartition, o log.OpenTransaction) {
		t := owners[o.ProducerID]
		switch {
		case t == nil && c.store.incomplete():
			c.cfg.Logger.Warn("open transaction may be of an id that is not available; it is left open",
				keyProducer, o.ProducerID, keyEpoch, o.ProducerEpoch, keyTopic, tp.Topic, keyPartition, tp.Partition)
		case t != nil && t.meta.continues(o.ProducerID, o.ProducerEpoch):
			resumed[t] = append(resumed[t], tp)
		case t != nil && t.meta.decides(o.ProducerID, o.ProducerEpoch):
			t.meta.partitions[tp] = struct{}{}
		default:
			m := log.Marker{ProducerID: o.ProducerID, ProducerEpoch: o.ProducerEpoch}
			orphans[m] = append(orphans[m], tp)
		}
	})
	c.count()
	for _, t := range c.all() {
		if partitions := resumed[t]; partitions != nil {
			t.resume(partitions)
		} else if t.meta.state.preparing() {
			c.spawn(t.finish)
		}
	}
	for m, partitions := range orphans {
		c.cfg.Logger.Warn("aborting a transaction that no transactional id accounts for",
			keyProducer, m.ProducerID, keyEpoch, m.ProducerEpoch, "partitions", len(partitions))
		c.spawn(func() { c.settle(m, partitions) })
	}
}

// count counts the partitions of the transactions that were read.
func (c *Coordinator) count() {
	var n int
	for _, t := range c.txns {
		n += len(t.meta.partitions)
	}
	c.total.Store(int64(n))
}

// eachOpen visits the transactions that have data in a partition but no marker.
func (c *Coordinator) eachOpen(visit func(TopicPartition, log.OpenTransaction)) {
	for _, t := range c.cfg.Log.Topics() {
		for i := range int32(t.Partitions()) {
			p, ok := t.Partition(i)
			if !ok || p.Err() != nil {
				continue // what is open there is known when the partition can be used again, after another start
			}
			for _, o := range p.OpenTransactions() {
				visit(TopicPartition{t.Name(), i}, o)
			}
		}
	}
}

// resume goes on with a transaction whose record did not become durable with its
// data. When the one before it was not complete on disk it was in memory, because
// only then could this one begin: so its markers are durable.
func (t *transaction) resume(partitions []TopicPartition) {
	m := t.meta
	if m.state.preparing() {
		m = m.complete(nowMs())
	}
	p := Producer{t.id, m.producerID, m.epoch}
	next, changed, err := m.add(p, partitions, protocolV2, nowMs())
	if err != nil || !changed {
		return
	}
	if err := t.write(next); err != nil {
		t.set(next) // it would be found again
		t.c.cfg.Logger.Warn("transaction cannot be stored", keyID, t.id, "err", err)
	}
}

// continues reports whether records of a producer are part of the open
// transaction, or of one that began after what is stored.
func (m metadata) continues(producerID int64, epoch int16) bool {
	if m.state.preparing() {
		if !m.bumped() {
			return false // clients of protocol version 1 write nothing before the record of it is durable
		}
		m = m.complete(m.updatedMs)
	}
	return producerID == m.producerID && epoch == m.epoch
}

// decides reports whether records of a producer are part of the transaction
// whose markers are to be written.
func (m metadata) decides(producerID int64, epoch int16) bool {
	if !m.state.preparing() || producerID != m.producerID {
		return false
	}
	return epoch == m.epoch || m.bumped() && epoch == m.epoch-1
}
