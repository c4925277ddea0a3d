package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleMemory(t *testing.T) {
	for name, c := range map[string]struct {
		cpu    time.Duration // in an interval
		growth uint64        // of the heap in an interval
		want   int           // collections in ten intervals
	}{
		"idle with garbage": {idleCPU / 2, idleGrowth + 1, 10},
		"little garbage":    {idleCPU / 2, idleGrowth/5 + 1, 2},
		"nothing at all":    {0, 0, 1}, // what starting took
		"busy":              {idleCPU, 100 * idleGrowth, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			interval := func() time.Duration { return time.Since(begin) / idleInterval }
			live, freed := uint64(50<<20), 0
			var collected time.Duration
			m := idleMemory{
				cpu:  func() time.Duration { return interval() * c.cpu },
				heap: func() uint64 { return live + uint64(interval()-collected)*c.growth },
				free: func() { freed++; collected = interval() },
				percent: func(percent int) int {
					if starting := percent == startPercent; starting != (time.Since(begin) == 0) {
						t.Errorf("%s: GOGC is %d after %v", name, percent, time.Since(begin))
					}
					return 100
				},
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*idleInterval+time.Second)
			defer cancel()
			m.run(ctx)
			if freed != c.want {
				t.Errorf("%s: %d collections, want %d", name, freed, c.want)
			}
		})
	}
}

func TestProcessFigures(t *testing.T) {
	if cpu, heap := processCPU(), heapBytes(); cpu <= 0 || heap == 0 {
		t.Errorf("the process has used %v and has a heap of %d bytes", cpu, heap)
	}
}
