package s3

import (
	"bytes"
	"testing"
)

// TestDroppedPieces: what a pool drops has no memory behind it, and the next pool uses it.
func TestDroppedPieces(t *testing.T) {
	p := newPool(8 << 20)
	a := append(p.get(chunkBytes), "text"...)
	p.put(a)
	p.close()
	if p.heldBytes != 0 || p.freeBytes != 0 {
		t.Fatalf("a closed pool has %d bytes", p.heldBytes)
	}
	seen := false
	for range 100 { // other tests use them too
		b := makePiece(chunkBytes)
		defer dropPiece(b)
		if seen = &b[:1][0] == &a[0]; seen {
			if got := b[:4]; !bytes.Equal(got, make([]byte, 4)) {
				t.Errorf("a dropped piece still has %q", got)
			}
			break
		}
	}
	if !seen {
		t.Error("the piece that was dropped does not come back")
	}
}
