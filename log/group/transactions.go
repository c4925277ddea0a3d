package group

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// transaction is the open transaction of a producer in one partition of the
// offsets topic.
type transaction struct {
	partition  int32
	producerID int64
}

// Partition is the partition of the offsets topic that holds the group. The topic
// is created when it is missing.
func (c *Coordinator) Partition(group string) (int32, error) {
	t, err := c.store.topic()
	if err != nil {
		return 0, err
	}
	return log.PartitionFor(group, t.Partitions()), nil
}

// CommitTransaction stores offsets as part of the producer's transaction
// (TxnOffsetCommit). They are pending until EndTransaction and then either count
// as if committed where they are in the log, or never were. It returns nil only
// after they are durable (I1). That the producer may do this now is the
// transaction coordinator's to check, which also keeps the marker from coming
// before the return of this call.
//
// Who may commit is checked as KIP-447 says: nobody in particular when the
// request names no member, otherwise a member of this generation or epoch. The
// errors are those of TxnOffsetCommit v6 (KIP-1319): GROUP_ID_NOT_FOUND and
// STALE_MEMBER_EPOCH among them.
func (c *Coordinator) CommitTransaction(q CommitRequest, producerID int64, producerEpoch int16) error {
	partition, err := c.Partition(q.Group)
	if err != nil {
		return err
	}
	g, err := c.lock(q.Group, q.Generation < 0)
	if err != nil {
		return err
	}
	if g == nil {
		return withMessage(kerr.GroupIDNotFound, "group %q not found", q.Group)
	}
	w, err := g.appendTransactional(q, transaction{partition, producerID}, producerEpoch)
	g.forgetIfUnused()
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return w.wait()
}

// appendTransactional writes the records and remembers them. They are pending as
// soon as they are written: a marker that is durable comes after them in the
// same partition, so they are durable when EndTransaction is called.
func (g *group) appendTransactional(q CommitRequest, t transaction, producerEpoch int16) (write, error) {
	if err := g.checkTransactional(q); err != nil || len(q.Offsets) == 0 {
		return write{}, err
	}
	if err := g.c.checkOffsets(q.Offsets); err != nil {
		return write{}, err
	}
	if err := g.c.admit(g.commitBytes(q.Offsets)); err != nil {
		return write{}, err
	}
	now := time.Now().UnixMilli()
	w := g.c.store.appendAs(q.Group, offsetRecords(q, now), batch.Builder{
		Idempotent: true, Transactional: true,
		ProducerID: t.producerID, ProducerEpoch: producerEpoch, BaseSequence: -1,
	})
	if w.err != nil {
		return w, w.err
	}
	for _, o := range q.Offsets {
		tp := topicPartition{o.Topic, o.Partition}
		g.c.hold(g, t, tp, o.committed(now, w.last))
	}
	return w, nil
}

// checkTransactional is checkCommit for transactions: clients older than KIP-447
// name no member, and the state of a rebalance does not matter.
func (g *group) checkTransactional(q CommitRequest) error {
	if q.Generation < 0 && q.MemberID == "" && q.InstanceID == nil {
		return nil
	}
	if g.consumer != nil {
		if q.Generation < 0 && len(g.consumer.members) == 0 {
			return nil
		}
		return g.checkEpoch(q)
	}
	if q.Generation < 0 && g.state == empty {
		return nil
	}
	m, err := g.find(q.MemberID, q.InstanceID)
	switch {
	case err != nil:
		return err
	case q.Generation != g.generation:
		return kerr.IllegalGeneration
	}
	g.touch(m)
	return nil
}

// EndTransaction applies (commit) or drops the pending offsets of a producer in
// one partition of the offsets topic. The transaction coordinator calls it after
// the marker in that partition is durable and before it lets the producer's next
// transaction begin. Without pending offsets it does nothing, so it may be
// repeated.
func (c *Coordinator) EndTransaction(partition int32, producerID int64, _ int16, commit bool) {
	t := transaction{partition, producerID}
	c.mu.Lock()
	groups := c.txns[t]
	delete(c.txns, t)
	c.mu.Unlock()
	for g := range groups {
		g.mu.Lock()
		g.endTransaction(producerID, commit)
		g.mu.Unlock()
	}
}

func (g *group) endTransaction(producerID int64, commit bool) {
	for tp, o := range g.txns[producerID] {
		// A later commit outside the transaction wins, as in the log (I7).
		if old, ok := g.offsets[tp]; commit && (!ok || old.logOffset < o.logOffset) {
			g.setOffset(tp, o)
		}
		g.dropPending(producerID, tp)
	}
	delete(g.txns, producerID)
	g.forgetIfUnused()
}

// hold makes an offset pending. The caller holds the group's mutex, or reads the
// log at the start.
func (c *Coordinator) hold(g *group, t transaction, tp topicPartition, o committed) {
	g.setPending(t.producerID, tp, o)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.txns[t] == nil {
		c.txns[t] = map[*group]struct{}{}
	}
	c.txns[t][g] = struct{}{}
}

// unstable reports whether a transaction that is still open has committed an
// offset of the partition.
func (g *group) unstable(tp topicPartition) bool {
	for _, offsets := range g.txns {
		if _, ok := offsets[tp]; ok {
			return true
		}
	}
	return false
}

// pendingOffsets is every partition with an offset in an open transaction.
func (g *group) pendingOffsets() []topicPartition {
	seen := map[topicPartition]struct{}{}
	for _, offsets := range g.txns {
		for tp := range offsets {
			seen[tp] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(seen))
}

// forgetOffset removes the partition's offset, also from transactions: a
// tombstone ends what was before it.
func (g *group) forgetOffset(tp topicPartition) {
	g.dropOffset(tp)
	for id, offsets := range g.txns {
		if g.dropPending(id, tp); len(offsets) == 0 {
			delete(g.txns, id)
		}
	}
}

// offsetsOf is every partition that has an offset, pending ones included, and
// that keep lets through.
func (g *group) offsetsOf(keep func(topicPartition) bool) []topicPartition {
	all := g.pendingOffsets()
	for tp := range g.offsets {
		if !g.unstable(tp) {
			all = append(all, tp)
		}
	}
	return slices.DeleteFunc(all, func(tp topicPartition) bool { return !keep(tp) })
}
