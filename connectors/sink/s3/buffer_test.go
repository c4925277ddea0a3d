package s3

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// What is filled in a test of growth. The race detector looks at each byte, which takes minutes where there are many, and shows nothing more.
const (
	growthRounds = 15
	growthSteps  = 5000 // of a round
)

// fillBuffer appends bytes to a buffer that is not at its limit, as files do.
func fillBuffer(p *pool, b *buffer, bytes []byte, limit int) {
	for len(bytes) > 0 {
		if b.room() == 0 {
			p.extend(b, len(bytes), limit)
		}
		bytes = b.move(bytes)
	}
}

// TestBufferGrowth fills buffers with pieces of all sizes: they keep what they got, stay within the limit, and take no more from the pool than growth has said.
func TestBufferGrowth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []int{5 << 20, 5<<20 + 12345} {
		for range growthRounds {
			p, b := newPool(1<<40), buffer{}
			var want []byte
			most := 1 << random.IntN(22)
			for range growthSteps {
				piece := bytes.Repeat([]byte{byte(len(want))}, 1+random.IntN(most))
				if len(want)+len(piece) > limit {
					break
				}
				need, before := b.growth(len(piece), limit), p.heldBytes-p.freeBytes
				// The piece that is copied from is back when the next one is needed.
				fillBuffer(p, &b, piece, limit)
				if got := p.heldBytes - p.freeBytes - before; got > need {
					t.Fatalf("%d bytes more at %d of %d take %d of the pool, growth said %d", len(piece), len(want), limit, got, need)
				}
				want = append(want, piece...)
			}
			if b.capacity() > limit {
				t.Errorf("the buffer has room for %d bytes, the limit is %d", b.capacity(), limit)
			}
			if got := bytes.Join(b.chunks, nil); b.n != len(want) || !bytes.Equal(got, want) {
				t.Fatalf("the buffer has %d bytes, says %d, want %d, or they differ", len(got), b.n, len(want))
			}
			p.release(&b)
			if p.heldBytes != p.freeBytes {
				t.Errorf("%d bytes did not come back", p.heldBytes-p.freeBytes)
			}
			p.close()
		}
	}
}

// TestBuffersAreUsedAgain fills files of different sizes in turns: once the pool has its pieces, nothing is allocated.
func TestBuffersAreUsedAgain(t *testing.T) {
	const limit = 16 << 20
	p, line := newPool(64<<20), make([]byte, 50_000)
	defer p.close()
	var files [4]buffer
	round := func() {
		for i := range files {
			for range 60 + 80*i { // up to 15 MB
				fillBuffer(p, &files[i], line, limit)
			}
		}
		for i := range files {
			p.release(&files[i])
		}
	}
	round()
	held := p.heldBytes
	round()
	if p.heldBytes != held || p.peakBytes > p.maxBytes {
		t.Errorf("the second round takes %d bytes more, %d at most of %d", p.heldBytes-held, p.peakBytes, p.maxBytes)
	}
}

// TestBlockGrowth fills blocks with rows of all sizes: none is divided, they keep what they got, and take no more from the pool than growth has said.
func TestBlockGrowth(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, limit := range []int{64 << 10, 256 << 10, 16 << 20} {
		for range growthRounds {
			p, b := newPool(1<<40), block{}
			var want []byte
			most, rows := 1<<random.IntN(22), 0
			for len(want) < min(limit, 5<<20) && rows < growthSteps {
				row := bytes.Repeat([]byte{byte(rows)}, 1+random.IntN(most))
				need, before := b.growth(len(row), limit), p.heldBytes-p.freeBytes
				p.addRow(&b, row, limit)
				if got := p.heldBytes - p.freeBytes - before; got > need {
					t.Fatalf("a row of %d bytes at %d of %d takes %d of the pool, growth said %d", len(row), len(want), limit, got, need)
				}
				if last := b.pieces[len(b.pieces)-1]; !bytes.HasSuffix(last, row) {
					t.Fatalf("row %d of %d bytes is divided", rows, len(row))
				}
				want = append(want, row...)
				rows++
			}
			if got := bytes.Join(b.pieces, nil); b.n != len(want) || b.rows != rows || !bytes.Equal(got, want) {
				t.Fatalf("the block has %d bytes in %d rows, says %d, want %d in %d, or they differ", len(got), b.rows, b.n, len(want), rows)
			}
			if used := p.heldBytes - p.freeBytes; b.held != used {
				t.Fatalf("the block says that it has %d bytes of the pool, it has %d", b.held, used)
			}
			pieces := slices.Clone(b.pieces)
			random.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
			for _, piece := range pieces[:random.IntN(len(pieces)+1)] {
				p.freePiece(&b, piece[:0])
				if used := p.heldBytes - p.freeBytes; b.held != used {
					t.Fatalf("a block that has given a piece back has %d bytes of the pool, says %d", used, b.held)
				}
			}
			left := min(len(b.pieces), 1)
			p.restart(&b)
			if used := p.heldBytes - p.freeBytes; b.n != 0 || b.rows != 0 || len(b.pieces) != left || b.held != used {
				t.Fatalf("a block that starts again has %d bytes of the pool, says %d", used, b.held)
			}
			p.releaseBlock(&b)
			if p.heldBytes != p.freeBytes {
				t.Errorf("%d bytes did not come back", p.heldBytes-p.freeBytes)
			}
			p.close()
		}
	}
}

// TestSmallBlocksAreOnePiece: what formats compress as a whole need not be put together.
func TestSmallBlocksAreOnePiece(t *testing.T) {
	p, b := newPool(1<<40), block{}
	for b.n+1000 <= 256<<10 {
		p.addRow(&b, make([]byte, 1000), 256<<10)
	}
	if len(b.pieces) != 1 || b.held > 256<<10 {
		t.Errorf("a block of %d bytes is in %d pieces of %d", b.n, len(b.pieces), b.held)
	}
}
