package mqtt

// fifo is a queue in a ring that grows as needed. Its zero value is empty.
type fifo[T any] struct {
	ring []T // its length is zero or a power of two
	head int // index of the first element
	n    int
}

// fifoKeep is the ring length up to which an emptied queue keeps its memory.
const fifoKeep = 4096

func (f *fifo[T]) len() int { return f.n }

// first returns the first element of a queue that is not empty.
func (f *fifo[T]) first() *T { return &f.ring[f.head] }

func (f *fifo[T]) push(v T) {
	if f.n == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = v
	f.n++
}

// pop removes the first element of a queue that is not empty.
func (f *fifo[T]) pop() T {
	var zero T
	v := f.ring[f.head]
	f.ring[f.head] = zero // let go of what it points to
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	if f.n == 0 && len(f.ring) > fifoKeep {
		f.ring, f.head = nil, 0
	}
	return v
}

func (f *fifo[T]) grow() {
	ring := make([]T, max(16, 2*len(f.ring)))
	n := copy(ring, f.ring[f.head:])
	copy(ring[n:], f.ring[:f.head])
	f.ring, f.head = ring, 0
}
