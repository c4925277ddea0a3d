package broker

import (
	"bufio"
	"bytes"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// TestFramesReuseTheirBuffers reads large frames one after the other and wants them
// whole, with buffers that were there.
func TestFramesReuseTheirBuffers(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools
	const frames = 100
	b := &Broker{inFlight: semaphore.NewWeighted(8 << 20), cfg: Config{FrameTimeout: time.Minute}}
	sent := bytes.Repeat([]byte("0123456789"), (1<<20)/10+50)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range frames {
		f, err := readFrame(t.Context(), bufio.NewReader(bytes.NewReader(sent)), len(sent), b, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.bytes, sent) {
			t.Fatal("the frame is not what was sent")
		}
		f.release()
	}
	runtime.ReadMemStats(&after)
	// The race detector lets pools drop a quarter of what they are given.
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(frames*len(sent)); got > limit {
		t.Errorf("%d bytes were allocated for frames of %d, want fewer", got, limit)
	}
	if !b.inFlight.TryAcquire(8 << 20) {
		t.Error("the budget was not given back")
	}
}

// TestFramesGrow reads frames around all sizes of buffers.
func TestFramesGrow(t *testing.T) {
	b := &Broker{inFlight: semaphore.NewWeighted(64 << 20), cfg: Config{FrameTimeout: time.Minute}}
	var sizes []int
	for i := range frameSizes + 1 {
		sizes = append(sizes, frameBytes(i)-1, frameBytes(i), frameBytes(i)+1)
	}
	for _, size := range append(sizes, 1, smallFrameBytes, smallFrameBytes+1) {
		sent := bytes.Repeat([]byte{byte(size), 1, 2, 3, 5, 7, 11}, size/7+1)[:size]
		f, err := readFrame(t.Context(), bufio.NewReader(bytes.NewReader(sent)), size, b, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.bytes, sent) {
			t.Errorf("a frame of %d bytes is not what was sent", size)
		}
		f.release()
	}
}
