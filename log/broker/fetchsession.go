package broker

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Limits of fetch sessions (I5). The first two are Kafka's (max.incremental.fetch.session.cache.slots).
const (
	maxFetchSessions     = 1000
	sessionEvictionAge   = 2 * time.Minute // before that, a session makes no room for another
	maxSessionPartitions = 500_000         // of all sessions together, about 200 B each
)

// fetchSession is what a consumer has told in earlier fetches (KIP-227), so that the next ones name only what changes, and
// answers only what has news.
type fetchSession struct {
	id      int32
	byID    bool // topics are known by id (v13), otherwise by name
	created time.Time

	// The fields below are guarded by fetchSessions.mu.
	epoch    int32 // of the next request
	lastUsed time.Time
	parts    map[sessionKey]*sessionPart
	order    []*sessionPart // in which they are read; what had records goes to the end
}

// sessionKey names a partition in a session: by name or by id.
type sessionKey struct {
	topic     string
	id        [16]byte
	partition int32
}

// sessionPart is a partition of a session: the last request about it, and what its last answer said.
type sessionPart struct {
	key                     sessionKey
	q                       kmsg.FetchRequestTopicPartition
	highWatermark, logStart int64
}

// fetchSessions is the cache of the sessions of all consumers. The zero value is empty.
type fetchSessions struct {
	mu         sync.Mutex // guards the fields below
	byID       map[int32]*fetchSession
	partitions int
	evictions  int64
}

// begin finds the session of a request, and makes q.Topics all partitions of it. nil: the request has none, or might get one
// afterwards. A full request (epoch 0) and the last one (-1) end the session that they name.
func (c *fetchSessions) begin(q *kmsg.FetchRequest) (*fetchSession, error) {
	if q.Version < 7 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.byID[q.SessionID]
	if q.SessionEpoch <= 0 {
		if s != nil {
			c.drop(s)
		}
		return nil, nil
	}
	switch {
	case s == nil:
		return nil, kerr.FetchSessionIDNotFound
	case s.epoch != q.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case s.byID != (q.Version >= 13):
		return nil, kerr.FetchSessionTopicIDError
	}
	c.update(s, q)
	if len(s.parts) == 0 || c.partitions > maxSessionPartitions {
		c.drop(s)
		q.Topics = s.topics()
		return nil, nil // answered in full, without a session
	}
	s.lastUsed = time.Now()
	s.epoch = nextEpoch(s.epoch)
	q.Topics = s.topics()
	return s, nil
}

// nextEpoch follows an epoch; after the largest comes 1, because 0 starts a session.
func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// update takes a request's partitions into the session, and out of it what it forgets.
func (c *fetchSessions) update(s *fetchSession, q *kmsg.FetchRequest) {
	before := len(s.parts)
	for i := range q.Topics {
		t := &q.Topics[i]
		for j := range t.Partitions {
			key := sessionKey{t.Topic, t.TopicID, t.Partitions[j].Partition}
			if part := s.parts[key]; part != nil {
				part.q = withoutTags(&t.Partitions[j])
				continue
			}
			s.add(&sessionPart{key: key, q: withoutTags(&t.Partitions[j]), highWatermark: -1, logStart: -1})
		}
	}
	for _, t := range q.ForgottenTopics {
		for _, i := range t.Partitions {
			delete(s.parts, sessionKey{t.Topic, t.TopicID, i})
		}
	}
	if len(s.parts) < len(s.order) {
		kept := s.order[:0]
		for _, part := range s.order {
			if s.parts[part.key] == part {
				kept = append(kept, part)
			}
		}
		clear(s.order[len(kept):])
		s.order = kept
	}
	c.partitions += len(s.parts) - before
}

func (s *fetchSession) add(part *sessionPart) {
	s.parts[part.key] = part
	s.order = append(s.order, part)
}

func withoutTags(p *kmsg.FetchRequestTopicPartition) kmsg.FetchRequestTopicPartition {
	q := *p
	q.UnknownTags = kmsg.Tags{}
	return q
}

// topics is the partitions of the session as a request.
func (s *fetchSession) topics() []kmsg.FetchRequestTopic {
	var topics []kmsg.FetchRequestTopic
	for i, part := range s.order {
		if i == 0 || part.key.topic != s.order[i-1].key.topic || part.key.id != s.order[i-1].key.id {
			topics = append(topics, kmsg.FetchRequestTopic{Topic: part.key.topic, TopicID: part.key.id})
		}
		t := &topics[len(topics)-1]
		t.Partitions = append(t.Partitions, part.q)
	}
	return topics
}

// end finishes the answer of a fetch: it leaves out of the session's what has no news, or starts a session when one was
// asked for and there is room.
func (c *fetchSessions) end(s *fetchSession, f *fetchOp) {
	if f.q.Version < 7 || (s == nil && f.q.SessionEpoch != 0) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == nil {
		c.create(f)
		return
	}
	f.resp.SessionID = s.id
	news := f.resp.Topics[:0]
	var silent, loud []*sessionPart
	for _, t := range f.resp.Topics {
		kept := t.Partitions[:0]
		for j := range t.Partitions {
			rp := &t.Partitions[j]
			part := s.parts[sessionKey{t.Topic, t.TopicID, rp.Partition}]
			if part != nil && len(rp.RecordBatches) > 0 {
				loud = append(loud, part)
			} else if part != nil {
				silent = append(silent, part)
			}
			if part == nil || part.news(rp) {
				kept = append(kept, *rp)
			}
		}
		if t.Partitions = kept; len(kept) > 0 {
			news = append(news, t)
		}
	}
	f.resp.Topics = news
	if len(silent)+len(loud) == len(s.order) { // otherwise another request has changed it meanwhile
		s.order = append(silent, loud...)
	}
}

// news tells whether an answer says something about the partition that the last one did not, and remembers it.
func (p *sessionPart) news(rp *kmsg.FetchResponseTopicPartition) bool {
	is := len(rp.RecordBatches) > 0 || rp.ErrorCode != 0 || rp.HighWatermark != p.highWatermark || rp.LogStartOffset != p.logStart
	p.highWatermark, p.logStart = rp.HighWatermark, rp.LogStartOffset
	if rp.ErrorCode != 0 {
		p.highWatermark = -1 // the end of the error is news
	}
	return is
}

// create starts a session for a full fetch, which gets no id when there is no room.
func (c *fetchSessions) create(f *fetchOp) {
	size := len(f.parts)
	now := time.Now()
	if size == 0 || c.partitions+size > maxSessionPartitions || (len(c.byID) >= maxFetchSessions && !c.evict(size, now)) {
		return
	}
	s := &fetchSession{byID: f.q.Version >= 13, created: now, lastUsed: now, epoch: 1, parts: map[sessionKey]*sessionPart{}}
	for i := range f.resp.Topics {
		t := &f.resp.Topics[i]
		for j := range t.Partitions {
			part := &sessionPart{key: sessionKey{t.Topic, t.TopicID, t.Partitions[j].Partition}, q: withoutTags(&f.q.Topics[i].Partitions[j])}
			part.news(&t.Partitions[j])
			if s.parts[part.key] == nil {
				s.add(part)
			}
		}
	}
	if c.byID == nil {
		c.byID = map[int32]*fetchSession{}
	}
	for s.id = newSessionID(); c.byID[s.id] != nil; s.id = newSessionID() {
	}
	c.byID[s.id] = s
	c.partitions += len(s.parts)
	f.resp.SessionID = s.id
}

// newSessionID is random, so that nobody comes upon another's session.
func newSessionID() int32 { return 1 + rand.Int32N(math.MaxInt32-1) }

// evict makes room for a session of so many partitions by Kafka's rules: the one that was idle longest, when that is long;
// else the smallest of those that have been there for a while, when it is smaller.
func (c *fetchSessions) evict(size int, now time.Time) bool {
	var idle, small *fetchSession
	for _, s := range c.byID {
		if idle == nil || s.lastUsed.Before(idle.lastUsed) {
			idle = s
		}
		if now.Sub(s.created) > sessionEvictionAge && (small == nil || len(s.parts) < len(small.parts)) {
			small = s
		}
	}
	switch {
	case idle != nil && now.Sub(idle.lastUsed) > sessionEvictionAge:
		c.drop(idle)
	case small != nil && len(small.parts) < size:
		c.drop(small)
	default:
		return false
	}
	c.evictions++
	return true
}

func (c *fetchSessions) drop(s *fetchSession) {
	if c.byID[s.id] == s {
		delete(c.byID, s.id)
		c.partitions -= len(s.parts)
	}
}

// counts is what metrics tell about the cache.
func (c *fetchSessions) counts() (sessions, partitions, evictions int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.byID)), int64(c.partitions), c.evictions
}
