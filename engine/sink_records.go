package engine

import (
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxPooledRecords is how many records a slice of the pool has at most.
const maxPooledRecords = 1 << 16

// recordPool keeps the structs of records that were written for fetches to come: with 200 bytes each they are as large as what is in them. Their bytes are not
// reused, since a dead letter on its way has them. There is a list for each size that recordSize gives, so that batches of different length do not
// throw each other's away. What nobody needs the collector takes.
type recordPool struct{ free [64]sync.Pool }

// recordSize is how many records a slice for n has, of four sizes between two powers of two, and the size's number.
func recordSize(n int) (size, number int) {
	shift := max(bits.Len(uint(n-1))-3, 0)
	steps := (n-1)>>shift + 1 // 1 to 8
	return steps << shift, shift*4 + steps - 1
}

// GetRecords implements kgo.PoolRecords.
func (p *recordPool) GetRecords(n int) []kgo.Record {
	if n <= 0 || n > maxPooledRecords {
		return nil // the client makes them
	}
	size, number := recordSize(n)
	if free, ok := p.free[number].Get().(*[]kgo.Record); ok {
		return *free
	}
	return make([]kgo.Record, size)
}

// PutRecords implements kgo.PoolRecords.
func (p *recordPool) PutRecords(records []kgo.Record) {
	if n := cap(records); n > 0 && n <= maxPooledRecords {
		if size, number := recordSize(n); size == n {
			p.free[number].Put(&records)
		}
	}
}
