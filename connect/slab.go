package connect

// Sizes of a slab's chunks in elements: they double from first to last, so that
// small batches stay small and large ones take few steps.
const (
	slabFirst = 256
	slabLast  = 1 << 18
)

// slab hands out slices from chunks that are used again after reset. A slice
// stays where it is until reset, since chunks never grow.
type slab[T any] struct {
	chunks [][]T
	cur    int // the chunk in use
	used   int // elements of it that are handed out
}

// take returns n elements with undefined content and no spare capacity.
func (s *slab[T]) take(n int) []T {
	for s.cur < len(s.chunks) {
		if c := s.chunks[s.cur]; len(c)-s.used >= n {
			out := c[s.used : s.used+n : s.used+n]
			s.used += n
			return out
		}
		s.cur++
		s.used = 0
	}
	s.grow(n)
	s.used = n
	return s.chunks[s.cur][:n:n]
}

func (s *slab[T]) grow(n int) {
	size := slabFirst
	if k := len(s.chunks); k > 0 {
		size = min(2*len(s.chunks[k-1]), slabLast)
	}
	s.chunks = append(s.chunks, make([]T, max(size, n)))
	s.cur = len(s.chunks) - 1
}

// reset takes all slices back. Chunks beyond the usual sizes are dropped, so that
// one huge record does not hold its memory for ever.
func (s *slab[T]) reset() {
	keep := s.chunks[:0]
	for _, c := range s.chunks {
		if len(c) <= slabLast {
			keep = append(keep, c)
		}
	}
	clear(s.chunks[len(keep):])
	s.chunks = keep
	s.cur, s.used = 0, 0
}
