package engine

import (
	"context"
	"sync"
)

// freeBatches are the batches of a task that nobody uses. The one that came back last is taken
// first, so that only as many have memory as are needed at the same time.
type freeBatches[B any] struct {
	some chan struct{} // a token for each batch

	mu      sync.Mutex // guards batches
	batches []*B
}

// newFreeBatches returns n new batches.
func newFreeBatches[B any](n int, newBatch func() *B) *freeBatches[B] {
	f := &freeBatches[B]{some: make(chan struct{}, n)}
	for range n {
		f.put(newBatch())
	}
	return f
}

// put never blocks: there are no more batches than tokens.
func (f *freeBatches[B]) put(b *B) {
	f.mu.Lock()
	f.batches = append(f.batches, b)
	f.mu.Unlock()
	f.some <- struct{}{}
}

// take waits for a batch; nil: ctx has ended.
func (f *freeBatches[B]) take(ctx context.Context) *B {
	select {
	case <-f.some:
	case <-ctx.Done():
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	last := len(f.batches) - 1
	b := f.batches[last]
	f.batches = f.batches[:last]
	return b
}
