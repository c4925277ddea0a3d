package log

import (
	"runtime"

	"github.com/sluice-data/sluice/log/batch"
)

// codecs are what batches are opened with, as many as there are processors: each may hold MaxDecompressed bytes for the time of
// one batch, and whoever finds none waits (I5).
type codecs chan *batch.Recompressor

func newCodecs(maxDecompressed int) codecs {
	c := make(codecs, runtime.GOMAXPROCS(0))
	for range cap(c) {
		c <- batch.NewRecompressor(maxDecompressed)
	}
	return c
}

// with calls f, which keeps nothing of what it is given.
func (c codecs) with(f func(*batch.Recompressor) error) error {
	r := <-c
	defer func() {
		r.Trim()
		c <- r
	}()
	return f(r)
}
