package broker

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	minFrameBytes   = 8        // key, version, correlation id
	firstGrowBytes  = 64 << 10 // read of a frame before it counts against the in-flight budget
	pooledBufferMax = 8 << 20  // larger buffers go back to the garbage collector
	smallFrameBytes = 4 << 10  // a request that waits, such as a fetch, holds no more if it needs no more
)

// bufferPool recycles the byte slices of frames, responses and fetched records.
type bufferPool struct{ small, large sync.Pool }

// get returns an empty buffer for about n bytes.
func (p *bufferPool) get(n int) []byte {
	pool, size := &p.large, firstGrowBytes
	if n <= smallFrameBytes {
		pool, size = &p.small, smallFrameBytes
	}
	if b, ok := pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
}

func (p *bufferPool) put(b []byte) {
	switch {
	case cap(b) == smallFrameBytes:
		p.small.Put(&b)
	case cap(b) >= firstGrowBytes && cap(b) <= pooledBufferMax:
		p.large.Put(&b)
	}
}

// frame is the bytes of one request after its size prefix, and the share of the
// in-flight budget that they hold.
type frame struct {
	bytes  []byte
	held   int64
	budget *semaphore.Weighted
	pool   *bufferPool
}

// release gives the bytes back; nothing may refer to them afterwards.
func (f *frame) release() {
	if f.pool == nil {
		return
	}
	if f.held > 0 {
		f.budget.Release(f.held)
	}
	f.pool.put(f.bytes)
	*f = frame{}
}

// readSize reads the size prefix of the next frame.
func readSize(r *bufio.Reader, minBytes, maxBytes int) (int, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return 0, err
	}
	size := int(int32(binary.BigEndian.Uint32(prefix[:])))
	if size < minBytes || size > maxBytes {
		return 0, fmt.Errorf("frame size %d is not between %d and %d", size, minBytes, maxBytes)
	}
	return size, nil
}

// readFrame reads size bytes. The buffer at most doubles what has arrived, so a
// prefix that promises much and sends little costs little; what grows beyond the
// first step waits for room in the budget shared by all connections (I5). Before
// each step it calls step, which limits the time of the step.
func readFrame(ctx context.Context, r *bufio.Reader, size int, b *Broker, step func() error) (frame, error) {
	f := frame{bytes: b.buffers.get(size), budget: b.inFlight, pool: &b.buffers}
	for len(f.bytes) < size {
		err := step()
		if err == nil {
			err = f.grow(ctx, min(size, max(firstGrowBytes, 2*len(f.bytes))), b.cfg.FrameTimeout)
		}
		if err != nil {
			f.release()
			return frame{}, err
		}
		next := f.bytes[len(f.bytes):min(size, cap(f.bytes))]
		n, err := io.ReadFull(r, next)
		f.bytes = f.bytes[:len(f.bytes)+n]
		if err != nil {
			f.release()
			return frame{}, fmt.Errorf("read frame: %w", err)
		}
	}
	return f, nil
}

// grow makes room for n bytes in all. It gives up after the timeout: frames that
// each wait for what the others hold must not wait forever.
func (f *frame) grow(ctx context.Context, n int, timeout time.Duration) error {
	if want := int64(n) - firstGrowBytes; want > f.held {
		if err := acquire(ctx, f.budget, want-f.held, timeout); err != nil {
			return fmt.Errorf("wait for in-flight bytes: %w", err)
		}
		f.held = want
	}
	if n <= cap(f.bytes) {
		return nil
	}
	grown := make([]byte, len(f.bytes), n)
	copy(grown, f.bytes)
	f.pool.put(f.bytes)
	f.bytes = grown
	return nil
}

func acquire(ctx context.Context, budget *semaphore.Weighted, n int64, timeout time.Duration) error {
	if budget.TryAcquire(n) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return budget.Acquire(ctx, n)
}
