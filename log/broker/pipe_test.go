package broker

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// Random chunks through a pipe arrive whole and in order, also when they are
// larger than its buffer.
func TestPipeCarriesBytes(t *testing.T) {
	client, server := newPipe()
	rng := rand.New(rand.NewPCG(5, 6))
	sent := make([]byte, 3*pipeBytes)
	for i := range sent {
		sent[i] = byte(rng.Int())
	}
	sizes := rand.New(rand.NewPCG(7, 8))
	go func() {
		defer client.Close()
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+sizes.IntN(2*pipeBytes))
			if _, err := client.Write(rest[:n]); err != nil {
				t.Errorf("Write: %v", err)
				return
			}
			rest = rest[n:]
		}
	}()
	var got []byte
	buf := make([]byte, pipeBytes)
	for {
		n, err := server.Read(buf[:1+rng.IntN(len(buf))])
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes that differ from the %d sent", len(got), len(sent))
	}
}

func TestPipeWriteDoesNotWaitForReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newPipe()
		if _, err := client.Write(make([]byte, pipeBytes)); err != nil {
			t.Fatal(err)
		}
		client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := client.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write to a full pipe = %d, %v, want 0 and a deadline error", n, err)
		}
		server.Close()
		client.SetWriteDeadline(time.Time{})
		if _, err := client.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Write after the peer closed = %v, want %v", err, io.ErrClosedPipe)
		}
	})
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newPipe()
		defer server.Close()
		start := time.Now()
		client.SetReadDeadline(start.Add(time.Second))
		client.SetReadDeadline(start.Add(3 * time.Second)) // later
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read = %v, want a deadline error", err)
		}
		if got, want := time.Since(start), 3*time.Second; got != want {
			t.Errorf("deadline after %v, want %v", got, want)
		}
		client.SetReadDeadline(start.Add(time.Hour))
		time.AfterFunc(time.Second, func() { client.SetReadDeadline(start.Add(5 * time.Second)) })
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read = %v, want a deadline error", err)
		}
		if got, want := time.Since(start), 5*time.Second; got != want {
			t.Errorf("moved deadline after %v, want %v", got, want)
		}
		client.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close = %v, want %v", err, net.ErrClosed)
		}
	})
}

// TestPipeGivesMemoryBack sends something large once and small things after it, and
// large things all the time.
func TestPipeGivesMemoryBack(t *testing.T) {
	h := newPipeHalf()
	buf := make([]byte, pipeBytes)
	send := func(n int) {
		t.Helper()
		sent := bytes.Repeat([]byte{byte(n)}, n)
		if _, err := h.write(sent); err != nil {
			t.Fatal(err)
		}
		if got, err := h.read(buf); got != n || err != nil || !bytes.Equal(buf[:n], sent) {
			t.Fatalf("read %d of %d bytes, %v", got, n, err)
		}
	}
	send(100_000)
	for range calmUses + 1 {
		send(100)
	}
	if len(h.ring) != firstRingBytes {
		t.Errorf("the ring has %d bytes after %d small uses", len(h.ring), calmUses+1)
	}
	send(100_000)
	if allocs := testing.AllocsPerRun(10*calmUses, func() {
		h.give(buf[:100])
		h.take(buf)
		h.give(buf[:60_000])
		h.take(buf)
	}); allocs != 0 {
		t.Errorf("a busy pipe allocates %v times", allocs)
	}
}
