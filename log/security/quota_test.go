package security

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func setQuota(t *testing.T, s *Store, e Entity, key string, value float64) {
	t.Helper()
	c := QuotaChange{Entity: e, Set: map[string]float64{key: value}}
	if err := errors.Join(c.Validate(), s.AlterQuotas([]QuotaChange{c})); err != nil {
		t.Fatal(err)
	}
}

// Each quota in turn is the most special one that applies to user u, client c.
func TestQuotaPrecedence(t *testing.T) {
	u, c, d := Exactly("u"), Exactly("c"), ByDefault()
	order := []Entity{{User: u, ClientID: c}, {User: u, ClientID: d}, {User: u}, {User: d, ClientID: c}, {User: d, ClientID: d}, {User: d}, {ClientID: c}, {ClientID: d}}
	s := newStore(t)
	l := NewLimiter(s)
	for i := len(order) - 1; i >= 0; i-- {
		setQuota(t, s, order[i], ProducerByteRate, float64(i+1))
		if got, ok := l.Rate(Client{User: "u", ClientID: "c"}, ProducerByteRate); !ok || got != float64(i+1) {
			t.Errorf("with %v: quota %v, %v, want %d", order[i], got, ok, i+1)
		}
	}
	if got, ok := l.Rate(Client{User: "other", ClientID: "c"}, ProducerByteRate); !ok || got != 4 {
		t.Errorf("another user: %v, %v, want the default user's of the client, 4", got, ok)
	}
	if _, ok := l.Rate(Client{User: "u", ClientID: "c"}, ConsumerByteRate); ok {
		t.Error("a quota of another kind applies")
	}
}

// A client that waits as it is told gets its rate, whatever it takes at once.
func TestThroughputIsTheQuota(t *testing.T) {
	for _, size := range []float64{1000, 300_000, 5_000_000} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t)
			l := NewLimiter(s)
			setQuota(t, s, Entity{User: Exactly("u")}, ProducerByteRate, 1_000_000)
			start, taken := time.Now(), 0.0
			for time.Since(start) < time.Minute {
				taken += size
				<-time.After(l.Charge(Client{User: "u", ClientID: fmt.Sprint(int(taken) % 7)}, ProducerByteRate, size))
			}
			if rate := taken / time.Since(start).Seconds(); math.Abs(rate-1_000_000) > 100_000 {
				t.Errorf("with %v bytes at once: %.0f bytes/s, want 1,000,000", size, rate)
			}
		})
	}
}

// Users under a default have a bucket each, those of one client id share one.
func TestWhoSharesAQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		l := NewLimiter(s)
		setQuota(t, s, Entity{User: ByDefault()}, ProducerByteRate, 100)
		setQuota(t, s, Entity{ClientID: Exactly("c")}, ConsumerByteRate, 100)
		l.Charge(Client{User: "a"}, ProducerByteRate, 200)
		if wait := l.Charge(Client{User: "b"}, ProducerByteRate, 50); wait != 0 {
			t.Errorf("b waits %v for a", wait)
		}
		l.Charge(Client{User: "a", ClientID: "c"}, ConsumerByteRate, 200)
		if wait := l.Charge(Client{User: "b", ClientID: "c"}, ConsumerByteRate, 50); wait != 1500*time.Millisecond {
			t.Errorf("b waits %v, want 1.5s: 250 were taken of 100/s", wait)
		}
	})
}

func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		l := NewLimiter(s)
		setQuota(t, s, Entity{User: Exactly("u")}, MutationRate, 1)
		c := Client{User: "u"}
		if _, ok := l.Admit(c, MutationRate, 20); !ok {
			t.Error("refused before anything was taken")
		}
		if wait, ok := l.Admit(c, MutationRate, 1); ok || wait != 9*time.Second {
			t.Errorf("admitted %v, wait %v, want a wait of 9s: 20 were taken of a burst of 11", ok, wait)
		}
		<-time.After(10 * time.Second)
		if _, ok := l.Admit(c, MutationRate, 1); !ok {
			t.Error("refused after the wait")
		}
	})
}

func TestBucketsAreBounded(t *testing.T) {
	s := newStore(t)
	l := NewLimiter(s)
	setQuota(t, s, Entity{User: ByDefault()}, ProducerByteRate, 100)
	for i := range 3 * maxBuckets {
		l.Charge(Client{User: fmt.Sprint(i)}, ProducerByteRate, 1000)
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d buckets, limit %d", len(l.buckets), maxBuckets)
	}
}

func TestMaxThrottle(t *testing.T) {
	s := newStore(t)
	l := NewLimiter(s)
	setQuota(t, s, Entity{User: ByDefault()}, ProducerByteRate, 1)
	if wait := l.Charge(Client{User: "u"}, ProducerByteRate, 1e12); wait > MaxThrottle || wait < MaxThrottle-time.Second {
		t.Errorf("wait %v, want %v", wait, MaxThrottle)
	}
}

func TestQuotaValidation(t *testing.T) {
	name := func(s string) *string { return &s }
	for _, names := range []map[string]*string{
		{}, {"users": name("a")}, {"user": name("")}, {"ip": name("10.0.0.1"), "user": name("a")}, {"user": name("\xff")},
	} {
		if e, err := NewEntity(names); !errors.Is(err, kerr.InvalidRequest) {
			t.Errorf("%v: %v, %v", names, e, err)
		}
	}
	user, ip := Entity{User: ByDefault()}, Entity{IP: ByDefault()}
	for _, tt := range []struct {
		entity Entity
		key    string
		value  float64
		ok     bool
	}{
		{user, ProducerByteRate, 1024, true}, {user, ProducerByteRate, 0.5, false}, {user, RequestPercentage, 0.5, true},
		{user, RequestPercentage, 0, false}, {user, RequestPercentage, -1, false}, {user, RequestPercentage, math.NaN(), false},
		{user, RequestPercentage, math.Inf(1), false}, {user, "other", 1, false}, {user, ConnectionRate, 1, false},
		{ip, ConnectionRate, 1, true}, {ip, ProducerByteRate, 1, false},
	} {
		c := QuotaChange{Entity: tt.entity, Set: map[string]float64{tt.key: tt.value}}
		if err := c.Validate(); (err == nil) != tt.ok {
			t.Errorf("%v %s=%v: %v", tt.entity, tt.key, tt.value, err)
		}
	}
}

func TestQuotaFilters(t *testing.T) {
	s := newStore(t)
	setQuota(t, s, Entity{User: Exactly("a")}, ProducerByteRate, 1)
	setQuota(t, s, Entity{User: Exactly("a"), ClientID: Exactly("c")}, ProducerByteRate, 2)
	setQuota(t, s, Entity{User: ByDefault()}, ProducerByteRate, 3)
	setQuota(t, s, Entity{ClientID: Exactly("c")}, ProducerByteRate, 4)
	a := "a"
	for name, tt := range map[string]struct {
		filters []QuotaFilter
		strict  bool
		want    int
	}{
		"all":               {nil, false, 4},
		"none, strictly":    {nil, true, 0},
		"users":             {[]QuotaFilter{{Type: EntityUser}}, false, 3},
		"users, strictly":   {[]QuotaFilter{{Type: EntityUser}}, true, 2},
		"a":                 {[]QuotaFilter{{Type: EntityUser, Match: &a}}, false, 2},
		"a, strictly":       {[]QuotaFilter{{Type: EntityUser, Match: &a}}, true, 1},
		"the default user":  {[]QuotaFilter{{Type: EntityUser, Default: true}}, true, 1},
		"users and clients": {[]QuotaFilter{{Type: EntityUser}, {Type: EntityClientID}}, true, 1},
		"ips":               {[]QuotaFilter{{Type: EntityIP}}, false, 0},
	} {
		if got := s.Quotas(tt.filters, tt.strict); len(got) != tt.want {
			t.Errorf("%s: %d quotas, want %d: %v", name, len(got), tt.want, got)
		}
	}
	change := QuotaChange{Entity: Entity{User: ByDefault()}, Remove: []string{ProducerByteRate}}
	if err := s.AlterQuotas([]QuotaChange{change}); err != nil || len(s.Quotas(nil, false)) != 3 {
		t.Errorf("after a removal: %v, %d quotas", err, len(s.Quotas(nil, false)))
	}
}
