package mqtt

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

const (
	// writeBufferBytes bounds what waits to be written (I5); beyond it Write
	// blocks.
	writeBufferBytes = 64 << 10
	// writeTimeout ends a connection whose other side takes nothing any more.
	writeTimeout = 10 * time.Second
	// closeTimeout bounds how long Close waits for the broker.
	closeTimeout = 250 * time.Millisecond
)

// wire is the network connection that paho gets. It reads checked packets, takes
// out what is delivered, and writes through a buffer that a goroutine of its own
// empties: while one system call is under way, the acknowledgements that follow
// gather for the next, where paho alone makes a call for each.
type wire struct {
	net.Conn
	frames  *frameReader
	flushed chan struct{} // closed when the flusher has ended
	ended   chan struct{} // closed when reading has ended
	endOnce sync.Once     // closes ended

	// packet is held while a packet is written in several pieces. It comes before mu.
	packet sync.Mutex

	mu      sync.Mutex // guards what follows
	changed sync.Cond  // on mu: pending, closed or err has changed
	pending []byte
	leaving bool // DISCONNECT is written or pending
	closed  bool
	err     error // why the connection ended before its time
}

// wireOptions are what reading needs to know.
type wireOptions struct {
	version        int
	maxPacketBytes int
	taker          frameTaker
	subackCodes    func() int
}

// newWire wraps conn, which it owns from now on. Close or abort ends its
// goroutine.
func newWire(conn net.Conn, o wireOptions) *wire {
	w := &wire{Conn: conn, frames: newFrameReader(conn, &o),
		flushed: make(chan struct{}), ended: make(chan struct{})}
	w.changed.L = &w.mu
	go w.flush()
	return w
}

// Read reads from checked packets. After a failed write or abort it returns their
// error: paho takes the net package's error for a closed connection as its own
// doing and would not report the loss.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.frames.Read(p)
	if err != nil {
		w.mu.Lock()
		if w.err != nil {
			err = w.err
		}
		w.mu.Unlock()
		w.endOnce.Do(func() { close(w.ended) }) // only now: it lets the flusher set err
	}
	return n, err
}

// SetDeadline is for paho's handshake and concerns only reading: the deadline of
// writing is the flusher's.
func (w *wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// Write hands p to the flusher. An error may belong to an earlier Write.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) >= writeBufferBytes && w.err == nil && !w.closed {
		w.changed.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.closed {
		return 0, net.ErrClosed
	}
	w.leaving = w.leaving || len(p) > 0 && p[0] == typeDisconnect<<4
	w.pending = append(w.pending, p...)
	w.changed.Broadcast()
	return len(p), nil
}

// Lock and Unlock enclose the pieces of a packet (paho.golang looks for them).
func (w *wire) Lock()   { w.packet.Lock() }
func (w *wire) Unlock() { w.packet.Unlock() }

// acknowledge writes acknowledgements: type, length 2, packet id. With MQTT 5 that
// means success, too.
func (w *wire) acknowledge(group []uncommitted) {
	w.Lock()
	defer w.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range group {
		for len(w.pending) >= writeBufferBytes && w.err == nil && !w.closed {
			w.changed.Wait()
		}
		if w.err != nil || w.closed {
			return
		}
		u := &group[i]
		w.pending = append(w.pending, u.packet<<4, 2, byte(u.id>>8), byte(u.id))
		if i == 0 {
			w.changed.Broadcast()
		}
	}
	w.changed.Broadcast()
}

// flush writes what is pending until the wire is closed or fails.
func (w *wire) flush() {
	defer close(w.flushed)
	var out []byte
	for {
		if out = w.take(out[:0]); len(out) == 0 {
			return
		}
		if err := w.send(out); err != nil {
			// What the broker said last, such as a TLS alert, explains more than that
			// it does not listen any more.
			w.awaitEnd()
			w.abort(err)
			return
		}
	}
}

// take waits for pending bytes and exchanges them for spare, an empty buffer. It
// returns none when the wire is closed and everything was taken.
func (w *wire) take(spare []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) == 0 && !w.closed {
		w.changed.Wait()
	}
	out := w.pending
	w.pending = spare
	w.changed.Broadcast()
	return out
}

func (w *wire) send(p []byte) error {
	if err := w.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := w.Conn.Write(p)
	return err
}

// Close writes what is pending and closes the connection. After a DISCONNECT it
// lets the broker close first: Mosquitto 2.0 that sees the end of the connection
// does not always read what came before it, and acknowledgements would be lost.
// It waits for closeTimeout at most.
func (w *wire) Close() error {
	w.mu.Lock()
	w.closed = true
	polite := w.leaving && w.err == nil
	w.changed.Broadcast()
	w.mu.Unlock()
	impatient := time.AfterFunc(closeTimeout, w.hangUp)
	defer impatient.Stop()
	<-w.flushed
	if polite {
		w.awaitEnd()
	}
	return w.Conn.Close()
}

// awaitEnd waits a short time for reading to end.
func (w *wire) awaitEnd() {
	select {
	case <-w.ended:
	case <-time.After(closeTimeout):
	}
}

// abort ends the connection without writing what is pending, for the reason that
// Read and Write then return. It may be called at any time and does not block.
func (w *wire) abort(reason error) {
	w.mu.Lock()
	w.closed = true
	if w.err == nil {
		w.err = reason
	}
	w.changed.Broadcast()
	w.mu.Unlock()
	w.hangUp()
}

// hangUp closes the connection below TLS, whose own Close would wait for its
// farewell to be sent.
func (w *wire) hangUp() {
	conn := w.Conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // being gone is the aim
}
