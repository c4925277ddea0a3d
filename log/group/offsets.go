package group

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type topicPartition struct {
	topic     string
	partition int32
}

// committed is a committed offset.
type committed struct {
	offset      int64
	leaderEpoch int32
	metadata    string
	commitMs    int64 // when it was committed
	expireMs    int64 // when it expires, of records of version 1; 0: as the retention says
	logOffset   int64 // of its record: the later record wins
}

// Offset is one committed offset as clients see it.
type Offset struct {
	Topic       string
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1: not known
	Metadata    string
}

func (o *Offset) committed(nowMs, logOffset int64) committed {
	return committed{offset: o.Offset, leaderEpoch: o.LeaderEpoch, metadata: o.Metadata, commitMs: nowMs, logOffset: logOffset}
}

// CommitRequest is what OffsetCommit says about the group.
type CommitRequest struct {
	Group      string
	Version    int16 // of OffsetCommit, which decides on some errors; 0: newest
	Generation int32 // or the epoch of a member of the consumer protocol; negative: not a member
	MemberID   string
	InstanceID *string
	Offsets    []Offset
}

// CheckMetadata returns an error when the text is too long to be committed.
func (c *Coordinator) CheckMetadata(text string) error {
	if len(text) > c.cfg.MaxMetadataBytes {
		return kerr.OffsetMetadataTooLarge
	}
	return nil
}

// Commit stores offsets. It returns nil only after they are durable (I1).
func (c *Coordinator) Commit(q CommitRequest) error {
	g, err := c.lock(q.Group, q.Generation < 0)
	if err != nil {
		return err
	}
	if g == nil {
		if q.Version >= 9 {
			return withMessage(kerr.GroupIDNotFound, "group %q not found", q.Group)
		}
		return kerr.IllegalGeneration
	}
	now := time.Now().UnixMilli()
	w, err := g.appendOffsets(q, now)
	g.forgetIfUnused()
	g.mu.Unlock()
	if err != nil || len(q.Offsets) == 0 {
		return err
	}
	err = w.wait()
	g.apply(q.Offsets, now, w.last, err)
	return err
}

// appendOffsets writes the records while the group is locked, so that it cannot
// be deleted between the check and the write.
func (g *group) appendOffsets(q CommitRequest, nowMs int64) (write, error) {
	if err := g.checkCommit(q); err != nil || len(q.Offsets) == 0 {
		return write{}, err
	}
	if err := g.c.checkOffsets(q.Offsets); err != nil {
		return write{}, err
	}
	if err := g.c.admit(g.commitBytes(q.Offsets)); err != nil {
		return write{}, err
	}
	w := g.c.store.append(q.Group, offsetRecords(q, nowMs))
	if w.err == nil {
		g.committing++
	}
	return w, w.err
}

// checkOffsets refuses offsets of topics that are not there, and notes that are too
// long. The group is locked: a topic that is deleted after this has its offsets
// forgotten after they are written, see ForgetTopic.
func (c *Coordinator) checkOffsets(offsets []Offset) error {
	for i := range offsets {
		if !c.hasTopic(offsets[i].Topic) {
			return kerr.UnknownTopicOrPartition
		}
		if err := c.CheckMetadata(offsets[i].Metadata); err != nil {
			return err
		}
	}
	return nil
}

func offsetRecords(q CommitRequest, nowMs int64) []record {
	records := make([]record, len(q.Offsets))
	for i, o := range q.Offsets {
		v := kmsg.NewOffsetCommitValue()
		v.Version = 3
		v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = o.Offset, o.LeaderEpoch, o.Metadata, nowMs
		records[i] = record{offsetKey(q.Group, topicPartition{o.Topic, o.Partition}), v.AppendTo(nil)}
	}
	return records
}

// checkCommit says who may commit: a member of this generation, or anybody while
// the group has no members.
func (g *group) checkCommit(q CommitRequest) error {
	if g.consumer != nil {
		return g.checkConsumerCommit(q)
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
	case g.state == completingRebalance:
		return kerr.RebalanceInProgress
	}
	g.touch(m)
	return nil
}

func (g *group) checkConsumerCommit(q CommitRequest) error {
	if q.Generation < 0 && len(g.consumer.members) == 0 {
		return nil
	}
	if m := g.consumer.members[q.MemberID]; m != nil && !m.classic() && q.Version > 0 && q.Version < 9 {
		return withMessage(kerr.UnsupportedVersion, "OffsetCommit version 9 or above must be used by members using the consumer group protocol")
	}
	return g.checkEpoch(q)
}

// apply ends a commit and, when it is durable, makes its offsets visible. Commits
// may come here in another order than in the log; the log's order counts. It
// takes the mutex.
func (g *group) apply(offsets []Offset, nowMs, logOffset int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.committing--; g.committing == 0 {
		g.settled.Broadcast()
	}
	if err != nil {
		g.forgetIfUnused()
		return
	}
	for _, o := range offsets {
		tp := topicPartition{o.Topic, o.Partition}
		if old, ok := g.offsets[tp]; ok && old.logOffset > logOffset {
			continue
		}
		g.setOffset(tp, o.committed(nowMs, logOffset))
	}
}

// Fetched is an offset as OffsetFetch gives it. Err is UNSTABLE_OFFSET_COMMIT when
// stable offsets were required and an open transaction has one of this
// partition; there is no offset then.
type Fetched struct {
	Offset
	Err error
}

// FetchRequest is what OffsetFetch says about the group.
type FetchRequest struct {
	Group         string
	MemberID      *string // nil: not a member
	MemberEpoch   int32
	RequireStable bool
}

// Fetch returns the group's committed offsets, sorted by topic and partition;
// none for a group that does not exist. With RequireStable, partitions that have
// an offset in an open transaction get an error each (KIP-447). A member of a
// consumer group has to give its epoch (KIP-848).
func (c *Coordinator) Fetch(q FetchRequest) ([]Fetched, error) {
	g, err := c.lock(q.Group, false)
	if g == nil {
		return nil, err
	}
	defer g.mu.Unlock()
	if err := g.checkFetch(q); err != nil {
		return nil, err
	}
	offsets := make([]Fetched, 0, len(g.offsets))
	for tp, o := range g.offsets {
		if !q.RequireStable || !g.unstable(tp) {
			offsets = append(offsets, Fetched{Offset: o.of(tp)})
		}
	}
	if q.RequireStable {
		for _, tp := range g.pendingOffsets() {
			offsets = append(offsets, Fetched{Offset{tp.topic, tp.partition, -1, -1, ""}, kerr.UnstableOffsetCommit})
		}
	}
	slices.SortFunc(offsets, func(a, b Fetched) int { return a.Offset.compare(b.Offset) })
	return offsets, nil
}

func (g *group) checkFetch(q FetchRequest) error {
	if g.consumer == nil || q.MemberID == nil {
		return nil
	}
	m, ok := g.consumer.members[*q.MemberID]
	switch {
	case !ok:
		return kerr.UnknownMemberID
	case m.current.epoch == q.MemberEpoch:
		return nil
	case m.classic():
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}

func (o committed) of(tp topicPartition) Offset {
	return Offset{tp.topic, tp.partition, o.offset, o.leaderEpoch, o.metadata}
}

func (o Offset) compare(p Offset) int {
	return cmp.Or(cmp.Compare(o.Topic, p.Topic), cmp.Compare(o.Partition, p.Partition))
}
