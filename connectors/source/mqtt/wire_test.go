package mqtt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func one() int { return 1 }

// forTest are options for packets that nobody takes.
var forTest = wireOptions{version: version3, maxPacketBytes: 1 << 20, taker: noTaker{}, subackCodes: one}

var errBroken = errors.New("broken pipe")

// brokenConn fails to write and reads nothing until it is closed.
type brokenConn struct {
	net.Conn
	closed chan struct{}
}

func (c *brokenConn) Read([]byte) (int, error) {
	<-c.closed
	return 0, net.ErrClosed
}
func (c *brokenConn) Write([]byte) (int, error)        { return 0, errBroken }
func (c *brokenConn) SetWriteDeadline(time.Time) error { return nil }
func (c *brokenConn) Close() error                     { close(c.closed); return nil }

// A write that fails ends reading with its error: paho would take the error of a
// closed connection for its own doing, and not report the loss.
func TestWireWriteFails(t *testing.T) {
	w := newWire(&brokenConn{closed: make(chan struct{})}, forTest)
	if _, err := w.Write([]byte{typePublish << 4, 0}); err != nil {
		t.Errorf("Write: got %v, want its error later", err)
	}
	if _, err := w.Read(make([]byte, 1)); !errors.Is(err, errBroken) {
		t.Errorf("Read: got %v, want %v", err, errBroken)
	}
	if _, err := w.Write([]byte{0}); !errors.Is(err, errBroken) {
		t.Errorf("second Write: got %v, want %v", err, errBroken)
	}
}

// errLastWords is what the broker of a talkingConn says before the end.
var errLastWords = errors.New("certificate required")

// talkingConn fails to write and only then has something to read.
type talkingConn struct{ brokenConn }

func (c *talkingConn) Write(p []byte) (int, error) {
	defer close(c.closed)
	return c.brokenConn.Write(p)
}
func (c *talkingConn) Read([]byte) (int, error) {
	<-c.closed
	return 0, errLastWords
}
func (c *talkingConn) Close() error { return nil }

// What the broker said last is what Read returns, even when writing failed first.
func TestWireReadsLastWords(t *testing.T) {
	w := newWire(&talkingConn{brokenConn{closed: make(chan struct{})}}, forTest)
	w.Write([]byte{typePublish << 4, 0})
	if _, err := w.Read(make([]byte, 1)); !errors.Is(err, errLastWords) {
		t.Errorf("Read: got %v, want %v", err, errLastWords)
	}
	<-w.flushed
}

// After a DISCONNECT the broker closes first, if it does so in time.
func TestWireLetsBrokerCloseFirst(t *testing.T) {
	for _, patient := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			w := newWire(near, forTest)
			go io.ReadAll(w) // as paho does
			began := time.Now()
			go func() {
				io.ReadFull(far, make([]byte, 2))
				if patient {
					<-time.After(closeTimeout / 2)
					far.Close()
				}
			}()
			w.Write([]byte{typeDisconnect << 4, 0})
			w.Close()
			want := closeTimeout
			if patient {
				want /= 2
			}
			if took := time.Since(began); took != want {
				t.Errorf("broker closes in time %v: Close took %v, want %v", patient, took, want)
			}
			far.Close()
		})
	}
}

// Bytes are written in order, however few calls it takes, and a slow other side
// holds Write up instead of the buffer growing.
func TestWireWritesAll(t *testing.T) {
	near, far := net.Pipe()
	w := newWire(near, forTest)
	piece := []byte(strings.Repeat("x", 999) + "\n")
	const pieces = 500
	done := make(chan error, 1)
	go func() {
		for range pieces {
			if _, err := w.Write(piece); err != nil {
				done <- err
				return
			}
		}
		done <- w.Close()
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, bytes.Repeat(piece, pieces)) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, pieces*len(piece))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(w.pending) > writeBufferBytes+len(piece) || cap(w.pending) > 4*writeBufferBytes {
		t.Errorf("the buffer has grown to %d bytes", cap(w.pending))
	}
}
