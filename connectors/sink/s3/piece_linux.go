package s3

import (
	"sync"
	"syscall"
)

// pieces are those of all sinks that nobody has. They are memory that the collector does not know of: it lets a heap grow to twice what is in use, and
// what waits for a server would be most of it. A piece stays mapped for ever, without memory behind it while it is here, so that a request that was given up and still
// reads its body finds zeros at worst.
var pieces struct {
	mu   sync.Mutex // guards free
	free [][]byte
}

// makePiece makes a buffer of the pool.
func makePiece(size int) []byte {
	if size != chunkBytes {
		return make([]byte, 0, size)
	}
	pieces.mu.Lock()
	defer pieces.mu.Unlock()
	if n := len(pieces.free); n > 0 {
		b := pieces.free[n-1]
		pieces.free = pieces.free[:n-1]
		return b
	}
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, 0, size)
	}
	return b[:0]
}

// dropPiece gives the memory of a buffer back.
func dropPiece(b []byte) {
	if cap(b) != chunkBytes {
		return
	}
	if syscall.Madvise(b[:chunkBytes], syscall.MADV_DONTNEED) != nil {
		return
	}
	pieces.mu.Lock()
	defer pieces.mu.Unlock()
	pieces.free = append(pieces.free, b)
}
