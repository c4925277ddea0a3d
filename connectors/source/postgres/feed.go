package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// blockSize is how much of the stream is read at once at most; feedBlocks of
	// them hold what was read ahead of Read (I5).
	blockSize  = 256 << 10
	feedBlocks = 4
	// minRoom is the least room that is worth a read.
	minRoom = 16 << 10
	// maxFrame is the largest message of the protocol.
	maxFrame = 1 << 30
)

// feed reads the messages of a connection ahead of the one that handles them. The
// walsender makes one system call for each message, so that whoever reads gets a
// few of them at a time; reading is a goroutine of its own because it is half of
// the work of a stream. What it has read can be taken at once, also in the middle
// of a block that it goes on to fill:
//
//	reader: read into the last block, publish the end of its last whole message
//	Read:   next() takes messages up to there, gives emptied blocks back
//
// Messages are parts of a block and stay until the next call of next.
type feed struct {
	src io.Reader
	// peek sees each message on arrival, in the reader's goroutine: keepalives are
	// answered also while nobody takes messages.
	peek func(kind byte, body []byte)
	// asking is since when the reader waits for the server, as the time after born, which
	// no change of the machine's clock moves; 0: it does not, but for room.
	asking atomic.Int64
	born   time.Time

	ready chan struct{} // capacity 1: there may be messages, or an error
	room  chan struct{} // capacity 1: there may be a free block
	stop  chan struct{}
	done  chan struct{} // closed when the reader has ended

	mu     sync.Mutex // guards what follows
	blocks []*block   // with messages that were not taken; the last is being filled
	free   []*block
	err    error

	// The taker's own: its place in the first block, and up to where it may go
	// without asking.
	taken *block
	until int
}

// block is a piece of the stream that begins with a message.
type block struct {
	buf    []byte
	end    int  // of the whole messages in buf; guarded by the feed's mutex
	sealed bool // nothing comes any more; guarded likewise
	pos    int  // of the next message; the taker's
}

// newFeed starts to read. close ends it, after the connection was closed.
func newFeed(src io.Reader, peek func(kind byte, body []byte)) *feed {
	f := &feed{src: src, peek: peek, ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}), born: time.Now()}
	first := &block{buf: make([]byte, blockSize)}
	f.blocks = []*block{first}
	for range feedBlocks - 1 {
		f.free = append(f.free, &block{})
	}
	go f.run(first)
	return f
}

// close waits for the reader. The connection has to be closed before.
func (f *feed) close() {
	close(f.stop)
	<-f.done
}

// run fills blocks until the connection ends.
func (f *feed) run(b *block) {
	defer close(f.done)
	filled, whole := 0, 0
	for {
		f.asking.Store(max(1, int64(time.Since(f.born))))
		n, err := f.src.Read(b.buf[filled:])
		f.asking.Store(0)
		if n > 0 {
			filled += n
			var bad error
			if whole, bad = f.scan(b.buf[:filled], whole); bad != nil {
				err = bad
			}
		}
		f.publish(b, whole, err)
		if err != nil {
			return
		}
		needed := f.needs(b.buf[whole:filled])
		switch {
		case whole == 0 && needed > len(b.buf):
			f.grow(b, filled, needed)
		case whole > 0 && (len(b.buf)-filled < minRoom || whole+needed > len(b.buf)):
			if b = f.change(b, whole, filled, needed); b == nil {
				return
			}
			filled, whole = filled-whole, 0
		}
	}
}

// scan walks over the messages from whole on and returns where the last ends.
func (f *feed) scan(buf []byte, whole int) (int, error) {
	for len(buf)-whole >= 5 {
		n := int(binary.BigEndian.Uint32(buf[whole+1:]))
		if n < 4 || n > maxFrame {
			return whole, fmt.Errorf("the server sends a message of %d bytes: this is not PostgreSQL's protocol", n)
		}
		if len(buf)-whole < 1+n {
			break
		}
		f.peek(buf[whole], buf[whole+5:whole+1+n])
		whole += 1 + n
	}
	return whole, nil
}

// needs is how much room a message takes whose beginning is there: what it says,
// but no more than twice of what has come (I5).
func (f *feed) needs(part []byte) int {
	if len(part) < 5 {
		return 5
	}
	return min(1+int(binary.BigEndian.Uint32(part[1:])), max(blockSize, 2*len(part)))
}

func (f *feed) publish(b *block, end int, err error) {
	f.mu.Lock()
	b.end = end
	if err != nil {
		f.err = err
		b.sealed = true
	}
	f.mu.Unlock()
	notify(f.ready)
}

// change seals a block and goes on in another, which begins with the message that
// is not whole. It waits for room; nil: the feed is closed.
func (f *feed) change(b *block, whole, filled, needed int) *block {
	next := f.takeFree()
	if next == nil {
		return nil
	}
	if size := max(blockSize, needed); len(next.buf) < size {
		next.buf = make([]byte, size)
	}
	copy(next.buf, b.buf[whole:filled])
	next.end, next.pos, next.sealed = 0, 0, false
	f.mu.Lock()
	b.sealed = true
	f.blocks = append(f.blocks, next)
	f.mu.Unlock()
	notify(f.ready)
	return next
}

// grow gives a block that has no whole message yet more memory.
func (f *feed) grow(b *block, filled, needed int) {
	buf := make([]byte, needed)
	copy(buf, b.buf[:filled])
	f.mu.Lock()
	b.buf = buf
	f.mu.Unlock()
}

func (f *feed) takeFree() *block {
	for {
		f.mu.Lock()
		if n := len(f.free); n > 0 {
			b := f.free[n-1]
			f.free = f.free[:n-1]
			f.mu.Unlock()
			return b
		}
		f.mu.Unlock()
		select {
		case <-f.room:
		case <-f.stop:
			return nil
		}
	}
}

// next returns the next message, nil when there is none yet, and the error of the
// connection after its last message. The message before is gone then.
func (f *feed) next() (kind byte, body []byte, err error) {
	if f.taken == nil || f.taken.pos == f.until {
		if err := f.look(); err != nil {
			return 0, nil, err
		}
		if f.taken.pos == f.until {
			return 0, nil, nil
		}
	}
	b := f.taken
	n := int(binary.BigEndian.Uint32(b.buf[b.pos+1:]))
	kind, body = b.buf[b.pos], b.buf[b.pos+5:b.pos+1+n]
	b.pos += 1 + n
	return kind, body, nil
}

// look finds out up to where there are messages, and gives back blocks that have
// none any more.
func (f *feed) look() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		b := f.blocks[0]
		f.taken, f.until = b, b.end
		if b.pos < b.end || !b.sealed {
			return nil
		}
		if len(f.blocks) == 1 {
			return f.err
		}
		f.blocks = append(f.blocks[:0], f.blocks[1:]...)
		if len(b.buf) > 2*blockSize {
			b.buf = nil // of one large message
		}
		f.free = append(f.free, b)
		notify(f.room)
	}
}

// wait waits until next may have something, or for the end of ctx or of the
// timer.
func (f *feed) wait(ctx context.Context, timer <-chan time.Time) error {
	select {
	case <-f.ready:
		return nil
	default:
	}
	select {
	case <-f.ready:
		return nil
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// silent is for how long the reader has waited at now, and nothing has come.
func (f *feed) silent(now time.Time) time.Duration {
	since := f.asking.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(f.born) - time.Duration(since)
}

// notify wakes the one that waits on c, a channel of capacity 1.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
