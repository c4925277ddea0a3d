package group

import (
	"time"
)

// expireLoop removes from time to time what nobody needs any more, until Close
// (offsets.retention.check.interval.ms).
func (c *Coordinator) expireLoop() {
	tick := time.NewTicker(c.cfg.RetentionCheckInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.forgetMissingTopics()
			c.expire(time.Now())
		case <-c.done:
			return
		}
	}
}

// expire removes offsets that are older than the retention, and groups that have
// neither members nor offsets (KIP-211). It does not wait for the tombstones to
// be durable: what a crash brings back goes the next time.
func (c *Coordinator) expire(now time.Time) {
	for _, g := range c.all() {
		g.mu.Lock()
		err := g.expire(now)
		g.mu.Unlock()
		if err != nil {
			c.cfg.Logger.Error("expire offsets", "group", g.id, "error", err)
		}
	}
}

func (g *group) expire(now time.Time) error {
	if g.state == dead || g.committing > 0 { // somebody commits: next time
		return nil
	}
	gone := g.expired(now)
	if g.unattended() && len(g.pending) == 0 && len(g.txns) == 0 && len(gone) == len(g.offsets) {
		g.c.cfg.Logger.Info("group expired", "group", g.id, "offsets", len(gone))
		return g.erase(gone).err
	}
	return g.deleteOffsets(gone).err
}

// expired returns the partitions whose offsets have had their time: since the
// group became empty, or, while it has members or never had any, since their
// last commit. Those of subscribed topics and in open transactions stay.
func (g *group) expired(now time.Time) []topicPartition {
	var gone []topicPartition
	for tp, o := range g.offsets {
		since, ok := g.unusedSince(o)
		if !ok || g.unstable(tp) || g.subscribes(tp.topic) {
			continue
		}
		due := since.Add(g.c.cfg.OffsetsRetention)
		if o.expireMs > 0 {
			due = time.UnixMilli(o.expireMs)
		}
		if !now.Before(due) {
			gone = append(gone, tp)
		}
	}
	return gone
}

// unusedSince is when the retention of an offset begins; not ok while it does not.
func (g *group) unusedSince(o committed) (since time.Time, ok bool) {
	committed := time.UnixMilli(o.commitMs)
	switch {
	case g.consumer != nil || g.protocolType == "":
		return committed, true
	case g.state == empty && !g.stateSince.IsZero():
		return g.stateSince, true
	case g.state == empty:
		return committed, true
	}
	return committed, g.state == stable && g.protocolType == consumerType
}
