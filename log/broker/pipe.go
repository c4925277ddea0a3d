package broker

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBytes is what one direction of an in-memory connection buffers.
const pipeBytes = 256 << 10

// A ring begins with firstRingBytes. It is given back once calmUses times in a row
// no more than a quarter of it was needed until it was empty: a worker has hundreds of
// connections that carry something large once.
const (
	firstRingBytes = 512
	calmUses       = 16
)

// memAddr is the address of both ends of an in-memory connection.
type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return "127.0.0.1:0" }

// newPipe returns the two ends of a buffered in-memory duplex connection. Unlike
// net.Pipe a Write returns once its bytes are buffered, as with a socket.
func newPipe() (client, server net.Conn) {
	up, down := newPipeHalf(), newPipeHalf()
	return &pipeConn{in: down, out: up}, &pipeConn{in: up, out: down}
}

type pipeConn struct{ in, out *pipeHalf }

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *pipeConn) LocalAddr() net.Addr         { return memAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr        { return memAddr{} }

func (c *pipeConn) Close() error {
	c.out.closeWrite()
	c.in.closeRead()
	return nil
}

func (c *pipeConn) SetDeadline(t time.Time) error {
	c.in.readDeadline.set(t)
	c.out.writeDeadline.set(t)
	return nil
}

func (c *pipeConn) SetReadDeadline(t time.Time) error  { c.in.readDeadline.set(t); return nil }
func (c *pipeConn) SetWriteDeadline(t time.Time) error { c.out.writeDeadline.set(t); return nil }

// pipeHalf is one direction: a ring of bytes between a writer and a reader.
type pipeHalf struct {
	mu            sync.Mutex // guards the fields down to cond
	ring          []byte     // allocated at the first write, grows up to pipeBytes
	start, length int
	most          int  // of length since the ring was empty
	calm          int  // how often in a row most was small
	writeClosed   bool // reads drain the ring, then io.EOF
	readClosed    bool // writes fail
	cond          *sync.Cond
	readDeadline  deadline
	writeDeadline deadline
}

func newPipeHalf() *pipeHalf {
	h := &pipeHalf{}
	h.cond = sync.NewCond(&h.mu)
	h.readDeadline.half, h.writeDeadline.half = h, h
	return h
}

func (h *pipeHalf) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readClosed:
			return 0, net.ErrClosed
		case h.readDeadline.passed:
			return 0, os.ErrDeadlineExceeded
		case h.length > 0:
			n := h.take(p)
			h.cond.Broadcast()
			return n, nil
		case h.writeClosed:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		h.cond.Wait()
	}
}

func (h *pipeHalf) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	written := 0
	for {
		switch {
		case h.writeClosed:
			return written, net.ErrClosed
		case h.readClosed:
			return written, io.ErrClosedPipe
		case h.writeDeadline.passed:
			return written, os.ErrDeadlineExceeded
		}
		if n := h.give(p[written:]); n > 0 {
			written += n
			h.cond.Broadcast()
		}
		if written == len(p) {
			return written, nil
		}
		h.cond.Wait()
	}
}

// take moves bytes from the ring to p.
func (h *pipeHalf) take(p []byte) int {
	n := 0
	for n < len(p) && h.length > 0 {
		end := min(h.start+h.length, len(h.ring))
		m := copy(p[n:], h.ring[h.start:end])
		n += m
		h.length -= m
		if h.start += m; h.start == len(h.ring) {
			h.start = 0
		}
	}
	if h.length == 0 {
		h.emptied()
	}
	return n
}

// emptied gives back a ring that is larger than what goes through it.
func (h *pipeHalf) emptied() {
	h.start = 0
	h.calm++
	if len(h.ring) == firstRingBytes || 4*h.most > len(h.ring) {
		h.calm = 0
	}
	if h.calm == calmUses {
		h.ring, h.calm = nil, 0
	}
	h.most = 0
}

// give moves bytes from p to the ring.
func (h *pipeHalf) give(p []byte) int {
	h.grow(h.length + len(p))
	n := 0
	for n < len(p) && h.length < len(h.ring) {
		at := h.start + h.length
		end := len(h.ring)
		if at >= len(h.ring) {
			at, end = at-len(h.ring), h.start
		}
		m := copy(h.ring[at:end], p[n:])
		n += m
		h.length += m
	}
	h.most = max(h.most, h.length)
	return n
}

// grow makes the ring hold n bytes, in powers of two up to pipeBytes: an idle
// connection keeps little.
func (h *pipeHalf) grow(n int) {
	size := max(len(h.ring), firstRingBytes)
	for size < n && size < pipeBytes {
		size *= 2
	}
	if size == len(h.ring) {
		return
	}
	ring := make([]byte, size)
	end := min(h.start+h.length, len(h.ring))
	n = copy(ring, h.ring[h.start:end])
	copy(ring[n:], h.ring[:h.length-n])
	h.ring, h.start = ring, 0
}

func (h *pipeHalf) closeWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writeClosed = true
	h.writeDeadline.stop()
	h.cond.Broadcast()
}

func (h *pipeHalf) closeRead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readClosed = true
	h.readDeadline.stop()
	h.cond.Broadcast()
}

// deadline wakes a pipeHalf when its time has come. Its fields are guarded by
// the half's mutex. The timer is kept and the time compared when it fires, so
// that moving a deadline on every request, as clients do, costs no timer.
type deadline struct {
	half   *pipeHalf
	at     time.Time // zero: none
	timer  *time.Timer
	fires  time.Time // when timer fires; zero: not running
	passed bool
}

func (d *deadline) set(t time.Time) {
	d.half.mu.Lock()
	defer d.half.mu.Unlock()
	d.at = t
	d.update()
}

// update recomputes passed and arms the timer when the deadline is sooner than
// its next firing.
func (d *deadline) update() {
	d.passed = !d.at.IsZero() && !d.at.After(time.Now())
	if d.passed {
		d.half.cond.Broadcast()
		return
	}
	if d.at.IsZero() || (!d.fires.IsZero() && !d.fires.After(d.at)) {
		return
	}
	d.fires = d.at
	if d.timer == nil {
		d.timer = time.AfterFunc(time.Until(d.at), d.fired)
		return
	}
	d.timer.Reset(time.Until(d.at))
}

func (d *deadline) fired() {
	d.half.mu.Lock()
	defer d.half.mu.Unlock()
	d.fires = time.Time{}
	d.update()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
