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
//
// Those of frames are kept by size: a frame that grows finds the next size, where one
// pool of all sizes would give it the smallest, and each large frame would make all sizes
// above anew.
type bufferPool struct {
	mixed  sync.Pool             // of responses and fetched records
	small  sync.Pool             // frames of smallFrameBytes
	frames [frameSizes]sync.Pool // of frameBytes(i)
}

// frameSizes is how many sizes of buffers there are for frames that are not small.
const frameSizes = 8

// frameBytes is the i-th size. With the bytes beyond the power of two, a batch of such
// a size fits with what is around it.
func frameBytes(i int) int { return firstGrowBytes<<i + smallFrameBytes }

// get returns an empty buffer that begins with room for firstGrowBytes at least.
func (p *bufferPool) get() []byte {
	if b, ok := p.mixed.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, firstGrowBytes)
}

func (p *bufferPool) put(b []byte) {
	if cap(b) >= firstGrowBytes && cap(b) <= pooledBufferMax {
		p.mixed.Put(&b)
	}
}

// frame returns an empty buffer for the first bytes of a frame of size bytes.
func (p *bufferPool) frame(size int) []byte {
	if size <= smallFrameBytes {
		return take(&p.small, smallFrameBytes)
	}
	return take(&p.frames[0], frameBytes(0))
}

// grown returns a buffer of about twice the size with the bytes of b, which it takes
// back. A frame needs no more than size bytes.
func (p *bufferPool) grown(b []byte, size int) []byte {
	var grown []byte
	if next := frameSize(b) + 1; next > 0 && next < frameSizes {
		grown = take(&p.frames[next], frameBytes(next))
	} else {
		grown = make([]byte, 0, min(size, 2*cap(b)))
	}
	grown = append(grown, b...)
	p.putFrame(b)
	return grown
}

func (p *bufferPool) putFrame(b []byte) {
	if i := frameSize(b); i >= 0 {
		p.frames[i].Put(&b)
	} else if cap(b) == smallFrameBytes {
		p.small.Put(&b)
	}
}

// frameSize returns which of the sizes a buffer has, -1 when none.
func frameSize(b []byte) int {
	for i := range frameSizes {
		if cap(b) == frameBytes(i) {
			return i
		}
	}
	return -1
}

func take(p *sync.Pool, size int) []byte {
	if b, ok := p.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
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
	f.pool.putFrame(f.bytes)
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
	f := frame{bytes: b.buffers.frame(size), budget: b.inFlight, pool: &b.buffers}
	for len(f.bytes) < size {
		err := step()
		if err == nil {
			err = f.grow(ctx, size, b.cfg.FrameTimeout)
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

// grow makes room for more of a frame of size bytes when there is none. It gives up
// after the timeout: frames that each wait for what the others hold must not wait
// forever.
func (f *frame) grow(ctx context.Context, size int, timeout time.Duration) error {
	if len(f.bytes) < cap(f.bytes) {
		return nil
	}
	if want := int64(min(size, 2*cap(f.bytes))) - firstGrowBytes; want > f.held {
		if err := acquire(ctx, f.budget, want-f.held, timeout); err != nil {
			return fmt.Errorf("wait for in-flight bytes: %w", err)
		}
		f.held = want
	}
	f.bytes = f.pool.grown(f.bytes, size)
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
