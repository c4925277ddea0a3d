package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log/security"
)

// client is whom a request counts against. The connections of this process have
// no quotas.
func (r *request) client() (c security.Client, limited bool) {
	if r.conn.b.limiter == nil || r.conn.listener.trusted {
		return security.Client{}, false
	}
	return security.Client{User: r.principal.Name, ClientID: r.clientID}, true
}

// throttle makes the answer say that the connection is muted, and have it muted,
// for the longest of the times of a request.
func (r *request) throttle(d time.Duration) { r.throttled = max(r.throttled, d) }

// charge takes n from a quota of the client. It is called before reply.
func (b *Broker) charge(r *request, quota string, n int) {
	if c, limited := r.client(); limited && n > 0 {
		r.throttle(b.limiter.Charge(c, quota, float64(n)))
	}
}

// chargeTime takes the time that the request took so far from the client's
// share of a thread (request_percentage).
func (b *Broker) chargeTime(r *request) {
	c, limited := r.client()
	if !limited || r.handler.waits {
		return
	}
	seconds := (time.Since(r.received) - r.waited).Seconds()
	r.throttle(b.limiter.Charge(c, security.RequestPercentage, 100*max(seconds, 0)))
}

// chargeMutations takes partitions to create or delete from the client's quota.
// When it is used up, strict versions of an API are refused before anything is done
// and the others only made to wait (KIP-599).
func (b *Broker) chargeMutations(r *request, partitions int, strict bool) error {
	c, limited := r.client()
	if !limited {
		return nil
	}
	if !strict {
		r.throttle(b.limiter.Charge(c, security.MutationRate, float64(partitions)))
		return nil
	}
	wait, ok := b.limiter.Admit(c, security.MutationRate, float64(partitions))
	if r.throttle(wait); !ok {
		return withCode(kerr.ThrottlingQuotaExceeded, "The throttling quota has been exceeded.")
	}
	return nil
}

// fetchRoom is maxBytes, or less where the client's quota is less than that a
// second: a larger answer would only be waited for afterwards.
func (b *Broker) fetchRoom(r *request, maxBytes int) int {
	c, limited := r.client()
	if !limited {
		return maxBytes
	}
	if rate, ok := b.limiter.Rate(c, security.ConsumerByteRate); ok && rate < float64(maxBytes) {
		return max(int(rate), 1)
	}
	return maxBytes
}
