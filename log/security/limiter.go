package security

import (
	"sync"
	"time"
)

const (
	// MaxThrottle is the longest time that a client is made to wait for one request. What
	// it owes beyond that is forgotten.
	MaxThrottle = time.Minute
	// maxBuckets of clients that took something lately (I5).
	maxBuckets = 20_000
	// mutationBurst is how many seconds' worth of mutations may come at once: the 11 windows of
	// 1 s over which Kafka looks.
	mutationBurst = 11 * time.Second
	rateBurst     = time.Second
)

// Limiter measures what clients take against their quotas: one token bucket for
// each user, client id or pair that a quota counts together. It is safe for use
// by many goroutines.
type Limiter struct {
	store *Store

	mu      sync.Mutex // guards buckets and what they hold
	buckets map[bucketKey]*bucket
}

// bucketKey says whose bucket; an empty name is one that the quota does not
// tell apart.
type bucketKey struct{ quota, user, clientID, ip string }

type bucket struct {
	tokens float64 // negative: what is owed
	burst  float64 // most tokens
	rate   float64 // per second
	at     time.Time
}

// NewLimiter returns a limiter by the quotas in a store.
func NewLimiter(store *Store) *Limiter {
	return &Limiter{store: store, buckets: map[bucketKey]*bucket{}}
}

// Client is who takes something.
type Client struct{ User, ClientID, IP string }

// rate finds the quota of a client in Kafka's order of precedence, and whom it
// counts together.
func (s *state) rate(c Client, quota string) (rate float64, key bucketKey, ok bool) {
	if len(s.quotas) == 0 {
		return 0, bucketKey{}, false
	}
	both, user, client := bucketKey{quota, c.User, c.ClientID, ""}, bucketKey{quota, c.User, "", ""}, bucketKey{quota, "", c.ClientID, ""}
	for _, q := range [...]struct {
		entity Entity
		key    bucketKey
	}{
		{Entity{User: Exactly(c.User), ClientID: Exactly(c.ClientID)}, both},
		{Entity{User: Exactly(c.User), ClientID: ByDefault()}, both},
		{Entity{User: Exactly(c.User)}, user},
		{Entity{User: ByDefault(), ClientID: Exactly(c.ClientID)}, both},
		{Entity{User: ByDefault(), ClientID: ByDefault()}, both},
		{Entity{User: ByDefault()}, user},
		{Entity{ClientID: Exactly(c.ClientID)}, client},
		{Entity{ClientID: ByDefault()}, client},
		{Entity{IP: Exactly(c.IP)}, bucketKey{quota, "", "", c.IP}},
		{Entity{IP: ByDefault()}, bucketKey{quota, "", "", c.IP}},
	} {
		if rate, ok := s.quotas[q.entity][quota]; ok {
			return rate, q.key, true
		}
	}
	return 0, bucketKey{}, false
}

// Rate is the quota of a client, if there is one.
func (l *Limiter) Rate(c Client, quota string) (float64, bool) {
	rate, _, ok := l.store.state.Load().rate(c, quota)
	return rate, ok
}

// Charge takes n from the client's quota and returns how long it has to wait for
// having done so, 0 when it is within the quota.
func (l *Limiter) Charge(c Client, quota string, n float64) time.Duration {
	rate, key, ok := l.store.state.Load().rate(c, quota)
	if !ok {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, rate)
	b.tokens = max(b.tokens-n, -rate*MaxThrottle.Seconds())
	return b.debt()
}

// Admit is Charge for who may be refused: when the client owes something already
// it takes nothing and returns false.
func (l *Limiter) Admit(c Client, quota string, n float64) (wait time.Duration, ok bool) {
	rate, key, limited := l.store.state.Load().rate(c, quota)
	if !limited {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, rate)
	if b.tokens < 0 {
		return b.debt(), false
	}
	b.tokens -= n
	return b.debt(), true
}

// bucket returns a bucket that is filled up to now. mu is held.
func (l *Limiter) bucket(key bucketKey, rate float64) *bucket {
	now := time.Now()
	burst := rate * rateBurst.Seconds()
	if key.quota == MutationRate {
		burst = rate * mutationBurst.Seconds()
	}
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.evict(now)
		}
		b = &bucket{tokens: burst, at: now}
		l.buckets[key] = b
	}
	b.rate, b.burst = rate, burst // the quota may have changed
	b.fill(now)
	return b
}

// evict drops the buckets that are full, which are as good as none, and as many of
// the others as it takes to be worth having looked at all.
func (l *Limiter) evict(now time.Time) {
	for key, b := range l.buckets {
		if b.fill(now); b.tokens >= b.burst {
			delete(l.buckets, key)
		}
	}
	for key := range l.buckets {
		if len(l.buckets) <= maxBuckets/2 {
			return
		}
		delete(l.buckets, key)
	}
}

func (b *bucket) fill(now time.Time) {
	b.tokens = min(b.tokens+b.rate*now.Sub(b.at).Seconds(), b.burst)
	b.at = now
}

// debt is how long it takes until nothing is owed.
func (b *bucket) debt() time.Duration {
	if b.tokens >= 0 {
		return 0
	}
	return min(time.Duration(-b.tokens/b.rate*float64(time.Second)), MaxThrottle)
}
