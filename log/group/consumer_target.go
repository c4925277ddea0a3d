package group

import (
	"bytes"
	"slices"
	"time"
)

func (v *memberInfo) equal(o *memberInfo) bool {
	return sameString(v.instanceID, o.instanceID) && sameString(v.rackID, o.rackID) &&
		v.clientID == o.clientID && v.clientHost == o.clientHost &&
		slices.Equal(v.topics, o.topics) && v.regex == o.regex &&
		v.rebalanceTimeoutMs == o.rebalanceTimeoutMs && v.assignor == o.assignor &&
		v.classic.equal(o.classic)
}

func (c *classicUse) equal(o *classicUse) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.sessionTimeoutMs == o.sessionTimeoutMs && slices.EqualFunc(c.protocols, o.protocols, protocol.equal)
}

func (p protocol) equal(o protocol) bool {
	return p.name == o.name && bytes.Equal(p.metadata, o.metadata)
}

func sameString(a, b *string) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

// subscribe takes over what a member says of itself, and bumps the group's epoch
// when the assignment may have to be another one: a member is new, subscribes to
// something else or has turned the vote for an assignor, or the topics have
// changed. It reports whether the member's subscription has changed.
func (e *edit) subscribe(m *consumerMember, info *memberInfo, visible func(string) bool) (changed bool, err error) {
	g, old, fresh := e.g.consumer, m.info, e.fresh == m
	assignor := g.assignorName()
	if fresh || !info.equal(old) {
		e.set(infoChange{m.id, info})
	}
	changed = !slices.Equal(info.topics, old.topics) || info.regex != old.regex
	if info.regex != old.regex {
		if err := e.addRegex(info.regex, visible); err != nil {
			return false, err
		}
		e.dropRegexes()
	}
	bump := fresh || changed || assignor != g.assignorName()
	if !bump && time.Since(g.checked) < topicsRefresh {
		return changed, nil
	}
	g.checked = time.Now()
	if e.refreshRegexes(visible) {
		bump = true
	}
	if hash := e.g.c.topicsHash(g); bump || hash != g.hash {
		e.set(epochChange{&groupEpoch{g.epoch + 1, hash}})
	}
	return changed, nil
}

// assignorName is the assignor that most members prefer.
func (g *consumerGroup) assignorName() string {
	votes := map[string]int{}
	for _, m := range g.members {
		if m.info.assignor != "" {
			votes[m.info.assignor]++
		}
	}
	name := defaultAssignor
	for n, count := range votes {
		if count > votes[name] || (count == votes[name] && n < name) {
			name = n
		}
	}
	return name
}

// addRegex resolves a regular expression that the group does not have yet.
func (e *edit) addRegex(pattern string, visible func(string) bool) error {
	if pattern == "" || e.g.consumer.regexes[pattern] != nil {
		return nil
	}
	v, err := e.g.c.resolve(pattern, visible)
	if err != nil {
		return err
	}
	e.set(regexChange{pattern, v})
	return nil
}

// refreshRegexes resolves the regular expressions anew from time to time, and
// reports whether one has other topics now.
func (e *edit) refreshRegexes(visible func(string) bool) bool {
	g, changed := e.g.consumer, false
	if len(g.regexes) == 0 || time.Since(g.resolved) < regexRefresh {
		return false
	}
	g.resolved = time.Now()
	for pattern, old := range g.regexes {
		v, err := e.g.c.resolve(pattern, visible)
		if err == nil && !slices.Equal(v.topics, old.topics) { // an error: written by a broker that accepts more
			e.set(regexChange{pattern, v})
			changed = true
		}
	}
	return changed
}

// retarget computes the target assignment of the group's epoch when that is not
// done yet. Only what differs is written, the epoch last: after a crash in
// between it is computed anew.
func (e *edit) retarget() {
	g, c := e.g.consumer, e.g.c
	if g.targetEpoch >= g.epoch {
		return
	}
	partitions := map[topicID]int{}
	var members []*subscriber
	for _, m := range g.sorted() {
		s := &subscriber{id: m.id, instanceID: m.info.instanceID, owned: g.targets[m.id]}
		s.topics = c.topicIDs(g.subscribed(m.info))
		for _, id := range s.topics {
			if t, ok := c.cfg.Log.TopicByID(id); ok {
				partitions[id] = t.Partitions()
			}
		}
		members = append(members, s)
	}
	assign, ok := assignor(g.assignorName())
	if !ok {
		assign = assignUniform // of a broker that has others
	}
	targets := assign(members, partitions)
	for _, s := range members {
		if old, ok := g.targets[s.id]; !ok || !old.equal(targets[s.id]) {
			e.set(targetChange{s.id, targets[s.id]})
		}
	}
	e.set(targetsEpoch{epoch: g.epoch, timeMs: time.Now().UnixMilli()})
}
