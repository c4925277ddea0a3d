// Package pace makes a source that invents its records keep to a rate.
package pace

import (
	"context"
	"math"
	"time"
)

const (
	// shortestWait lets a fast source make several records at once rather than
	// wake up for each.
	shortestWait = 10 * time.Millisecond
	// burst is how much time a source that was held up may make up for.
	burst = time.Second
)

// Pacer says how many records are due. The zero Pacer has no limit.
type Pacer struct {
	perSecond int64 // 0: no limit
	origin    time.Time
	taken     int64 // since origin
}

// New returns a Pacer for a rate in records per second; none when it is 0 or less.
// Its time begins with the first Wait.
func New(perSecond int64) *Pacer { return &Pacer{perSecond: max(perSecond, 0)} }

// Wait returns how many records are due, at least one, as soon as there are any, or
// the error of a context that ends before.
func (p *Pacer) Wait(ctx context.Context) (int, error) {
	if p.perSecond == 0 {
		return math.MaxInt, ctx.Err()
	}
	for {
		now := time.Now()
		if n := p.due(now); n > 0 {
			return n, nil
		}
		next := time.Duration(float64(p.taken) / float64(p.perSecond) * float64(time.Second))
		if err := Sleep(ctx, max(p.origin.Add(next).Sub(now), shortestWait)); err != nil {
			return 0, err
		}
	}
}

// Took says how many records were made.
func (p *Pacer) Took(n int) { p.taken += int64(n) }

// due counts the records up to now. The first one is due at once.
func (p *Pacer) due(now time.Time) int {
	if p.origin.IsZero() {
		p.origin = now
	}
	late := now.Sub(p.origin) - time.Duration(float64(p.taken)/float64(p.perSecond)*float64(time.Second))
	if late > max(burst, time.Second/time.Duration(p.perSecond)+shortestWait) {
		p.origin, p.taken, late = now.Add(-burst), 0, burst
	}
	if late < 0 {
		return 0
	}
	return int(late.Seconds()*float64(p.perSecond)) + 1
}

// Sleep waits for d or the end of ctx, whose error it returns.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
