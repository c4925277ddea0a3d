package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// message makes one of the protocol.
func message(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))
	return append(b, body...)
}

// TestFeed sends messages of all sizes in pieces of all sizes, to a taker that is
// fast or slow.
func TestFeed(t *testing.T) {
	for _, slow := range []bool{false, true} {
		random := rand.New(rand.NewPCG(1, 2))
		var want [][]byte
		var stream []byte
		for i := range 1000 {
			size := random.IntN(600)
			switch {
			case i%500 == 499:
				size = 3<<20 + random.IntN(1<<20) // larger than a block
			case i%50 == 49:
				size = blockSize - 5 + random.IntN(10) - 5 // about a block
			}
			body := bytes.Repeat([]byte{byte(i)}, size)
			want = append(want, body)
			stream = append(stream, message(byte('a'+i%26), body)...)
		}
		client, server := net.Pipe()
		go func() {
			for rest := stream; len(rest) > 0; {
				n := min(1+random.IntN(100_000), len(rest))
				if _, err := server.Write(rest[:n]); err != nil {
					break
				}
				rest = rest[n:]
			}
			server.Close()
		}()
		peeked := 0
		f := newFeed(client, func(kind byte, body []byte) { peeked++ })
		for i, w := range want {
			kind, body := takeMessage(t, f)
			if kind != byte('a'+i%26) || !bytes.Equal(body, w) {
				t.Fatalf("message %d is %c of %d bytes, want %c of %d", i, kind, len(body), 'a'+i%26, len(w))
			}
			if slow && i%50 == 0 {
				awaitBackpressure(f)
			}
		}
		if _, _, err := nextOf(t.Context(), f); err != io.EOF {
			t.Errorf("after the last message: got error %v, want EOF", err)
		}
		client.Close()
		f.close()
		if peeked != len(want) {
			t.Errorf("%d messages were seen on arrival, want %d", peeked, len(want))
		}
	}
}

// awaitBackpressure gives the reader the time to fill its blocks.
func awaitBackpressure(f *feed) {
	for range 1000 {
		f.mu.Lock()
		full := len(f.free) == 0 || f.err != nil
		f.mu.Unlock()
		if full {
			return
		}
	}
}

func nextOf(ctx context.Context, f *feed) (byte, []byte, error) {
	for {
		kind, body, err := f.next()
		if err != nil || body != nil {
			return kind, body, err
		}
		if err := f.wait(ctx, nil); err != nil {
			return 0, nil, err
		}
	}
}

func takeMessage(t *testing.T, f *feed) (byte, []byte) {
	t.Helper()
	kind, body, err := nextOf(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return kind, body
}

// TestSilenceBeginsWhenTheReaderAsks: while there is no room nobody listens, and however long
// that was, the server has its time from then on.
func TestSilenceBeginsWhenTheReaderAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		f := newFeed(client, func(byte, []byte) {})
		defer func() { client.Close(); f.close() }()
		want := func(silent time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := f.silent(time.Now()); got.Round(time.Second) != silent {
				t.Errorf("the server has been silent for %s, want %s", got, silent)
			}
		}
		for range feedBlocks { // each fills a block
			if _, err := server.Write(message('d', make([]byte, blockSize-minRoom/2))); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Hour) // of the bubble
		want(0)
		for range feedBlocks {
			takeMessage(t, f)
		}
		if _, _, err := f.next(); err != nil { // gives the last block back
			t.Fatal(err)
		}
		want(0)
		<-time.After(time.Minute) // likewise
		want(time.Minute)
	})
}

// TestFeedRefusesHostileLengths shows that a length alone allocates nothing.
func TestFeedRefusesHostileLengths(t *testing.T) {
	for _, length := range []uint32{0, 3, maxFrame + 1, 1<<32 - 1} {
		f := newFeed(bytes.NewReader(binary.BigEndian.AppendUint32([]byte{'d'}, length)), func(byte, []byte) {})
		if _, _, err := nextOf(t.Context(), f); err == nil || err == io.EOF {
			t.Errorf("length %d: got error %v", length, err)
		}
		f.close()
	}
	client, server := net.Pipe()
	f := newFeed(client, func(byte, []byte) {})
	if _, err := server.Write(binary.BigEndian.AppendUint32([]byte{'d'}, maxFrame)); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if _, _, err := nextOf(t.Context(), f); err != io.EOF {
		t.Errorf("got error %v, want EOF", err)
	}
	if got := len(f.blocks[0].buf); got > blockSize {
		t.Errorf("the length of a message that did not come took %d bytes", got)
	}
	f.close()
}

func BenchmarkFeed(b *testing.B) {
	one := message('d', make([]byte, 300))
	many := bytes.Repeat(one, 3000)
	r, w := net.Pipe()
	go func() {
		for {
			if _, err := w.Write(many); err != nil {
				return
			}
		}
	}()
	f := newFeed(r, func(byte, []byte) {})
	b.ReportAllocs()
	b.SetBytes(int64(len(one)))
	for b.Loop() {
		if _, _, err := nextOf(context.Background(), f); err != nil {
			b.Fatal(err)
		}
	}
	r.Close()
	f.close()
}
