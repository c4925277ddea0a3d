package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

const (
	idleInterval = 10 * time.Second
	idleCPU      = idleInterval / 10 // less of it in an interval is idle
	idleGrowth   = 8 << 20           // bytes of garbage that are worth a collection
	// startPercent is GOGC for startTime: what reads schemas and starts connectors leaves much garbage and is soon over.
	startPercent = 40
	startTime    = 3 * time.Second
)

// idleMemory gives memory back to the system while the process has little to do. The
// garbage collector waits until the heap has doubled, which takes an idle server
// hours; until then what starting its connectors took would stay resident.
type idleMemory struct {
	cpu     func() time.Duration // that the process has used
	heap    func() uint64        // bytes of objects and garbage
	free    func()               // collects and gives back
	percent func(int) int        // sets GOGC and returns what it was
}

func newIdleMemory() idleMemory {
	return idleMemory{processCPU, heapBytes, debug.FreeOSMemory, debug.SetGCPercent}
}

// run looks at the process until ctx ends.
func (m idleMemory) run(ctx context.Context) {
	tick := time.NewTicker(idleInterval)
	defer tick.Stop()
	usual := m.percent(startPercent)
	defer time.AfterFunc(startTime, func() { m.percent(usual) }).Stop()
	var live uint64 // of the heap after the last collection
	for {
		before := m.cpu()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		heap := m.heap()
		live = min(live, heap)
		if m.cpu()-before < idleCPU && heap-live > idleGrowth {
			m.free()
			live = m.heap()
		}
	}
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
