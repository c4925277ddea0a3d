package chunks

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// TestReader reads pieces as one body.
func TestReader(t *testing.T) {
	want := []byte("one two three four")
	r := &Reader{Chunks: [][]byte{want[:4], want[4:4], want[4:9], want[9:]}}
	if err := iotest.TestReader(r, want); err != nil {
		t.Error(err)
	}
	for _, at := range []int64{0, 4, 6, 18} {
		if got, err := r.Seek(at, io.SeekStart); got != at || err != nil {
			t.Fatalf("Seek: %d %v", got, err)
		}
		var out bytes.Buffer
		if n, err := r.WriteTo(&out); err != nil || n != int64(len(want))-at || out.String() != string(want[at:]) {
			t.Errorf("from %d: WriteTo gives %q, %d, %v", at, &out, n, err)
		}
	}
	if _, err := r.Seek(1, io.SeekEnd); err == nil {
		t.Error("Seek beyond the end works")
	}
}
