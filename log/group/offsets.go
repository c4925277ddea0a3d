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

// CommitRequest is what OffsetCommit says about the group.
type CommitRequest struct {
	Group      string
	Generation int32 // negative: not a member
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
		return kerr.IllegalGeneration
	}
	w, err := g.appendOffsets(q)
	g.forgetIfUnused()
	g.mu.Unlock()
	if err != nil || len(q.Offsets) == 0 {
		return err
	}
	err = w.wait()
	g.apply(q.Offsets, w.last, err)
	return err
}

// appendOffsets writes the records while the group is locked, so that it cannot
// be deleted between the check and the write.
func (g *group) appendOffsets(q CommitRequest) (write, error) {
	if err := g.checkCommit(q); err != nil || len(q.Offsets) == 0 {
		return write{}, err
	}
	w := g.c.store.append(q.Group, offsetRecords(q))
	if w.err == nil {
		g.committing++
	}
	return w, w.err
}

func offsetRecords(q CommitRequest) []record {
	now := time.Now().UnixMilli()
	records := make([]record, len(q.Offsets))
	for i, o := range q.Offsets {
		v := kmsg.NewOffsetCommitValue()
		v.Version = 3
		v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = o.Offset, o.LeaderEpoch, o.Metadata, now
		records[i] = record{offsetKey(q.Group, topicPartition{o.Topic, o.Partition}), v.AppendTo(nil)}
	}
	return records
}

// checkCommit says who may commit: a member of this generation, or anybody while
// the group has no members.
func (g *group) checkCommit(q CommitRequest) error {
	if q.Generation < 0 && q.MemberID == "" && q.InstanceID == nil {
		if g.state == empty {
			return nil
		}
		return kerr.UnknownMemberID
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

// apply ends a commit and, when it is durable, makes its offsets visible. Commits
// may come here in another order than in the log; the log's order counts. It
// takes the mutex.
func (g *group) apply(offsets []Offset, logOffset int64, err error) {
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
		g.offsets[tp] = committed{o.Offset, o.LeaderEpoch, o.Metadata, logOffset}
	}
}

// Fetched is an offset as OffsetFetch gives it. Err is UNSTABLE_OFFSET_COMMIT when
// stable offsets were required and an open transaction has one of this
// partition; there is no offset then.
type Fetched struct {
	Offset
	Err error
}

// Fetch returns the group's committed offsets, sorted by topic and partition;
// none for a group that does not exist. With requireStable, partitions that have
// an offset in an open transaction get an error each (KIP-447).
func (c *Coordinator) Fetch(id string, requireStable bool) ([]Fetched, error) {
	g, err := c.lock(id, false)
	if g == nil {
		return nil, err
	}
	defer g.mu.Unlock()
	offsets := make([]Fetched, 0, len(g.offsets))
	for tp, o := range g.offsets {
		if !requireStable || !g.unstable(tp) {
			offsets = append(offsets, Fetched{Offset: Offset{tp.topic, tp.partition, o.offset, o.leaderEpoch, o.metadata}})
		}
	}
	if requireStable {
		for _, tp := range g.pendingOffsets() {
			offsets = append(offsets, Fetched{Offset{tp.topic, tp.partition, -1, -1, ""}, kerr.UnstableOffsetCommit})
		}
	}
	slices.SortFunc(offsets, func(a, b Fetched) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return offsets, nil
}
