package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Sizes in bytes of index entries and of what is collected before it is written to the file.
const (
	offsetEntrySize = 8  // relative offset uint32, position uint32
	timeEntrySize   = 12 // timestamp ms int64, relative offset uint32
	indexFlushBytes = 4096
)

// index is a sparse index file of a segment and its newest entries, which are not yet in the file. The partition's mu
// guards changes, its state lock guards readers against them.
type index struct {
	handle
	entrySize int
	flushed   int64  // bytes in the file
	pending   []byte // entries after those
}

// entries is how many entries there are.
func (x *index) entries() int64 { return (x.flushed + int64(len(x.pending))) / int64(x.entrySize) }

// offsetEntry says that the batch whose last offset is offset starts at position.
type offsetEntry struct {
	offset   int64
	position int64
}

// timeEntry says that no record up to offset has a timestamp above the one given.
type timeEntry struct {
	timestamp int64 // ms
	offset    int64
}

func appendOffsetEntry(dst []byte, base int64, e offsetEntry) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.offset-base))
	return binary.BigEndian.AppendUint32(dst, uint32(e.position))
}

func decodeOffsetEntry(b []byte, base int64) offsetEntry {
	return offsetEntry{
		offset:   base + int64(binary.BigEndian.Uint32(b)),
		position: int64(binary.BigEndian.Uint32(b[4:])),
	}
}

func appendTimeEntry(dst []byte, base int64, e timeEntry) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.timestamp))
	return binary.BigEndian.AppendUint32(dst, uint32(e.offset-base))
}

func decodeTimeEntry(b []byte, base int64) timeEntry {
	return timeEntry{
		timestamp: int64(binary.BigEndian.Uint64(b)),
		offset:    base + int64(binary.BigEndian.Uint32(b[8:])),
	}
}

// view is what a reader sees of an index, taken under the state lock.
type view struct {
	x       *index
	flushed int64
	pending []byte // shared, only ever appended to or replaced
}

func (x *index) view() view { return view{x, x.flushed, x.pending} }

// search returns the bytes of the last entry for which after is false, or nil. Entries are sorted: after is false, then true.
func (v view) search(c *fdCache, after func(entry []byte) bool) ([]byte, error) {
	size := v.x.entrySize
	if n := len(v.pending) / size; n > 0 && !after(v.pending[:size]) {
		i := sort.Search(n, func(i int) bool { return after(v.pending[i*size:]) })
		return v.pending[(i-1)*size : i*size], nil
	}
	if v.flushed == 0 {
		return nil, nil
	}
	f, err := c.acquire(&v.x.handle, 0)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	defer c.release(&v.x.handle)
	return searchFile(f, size, int(v.flushed)/size, after)
}

// searchFile halves [0, n) with single reads until a block is left that is read at once.
func searchFile(f io.ReaderAt, size, n int, after func([]byte) bool) ([]byte, error) {
	lo, hi := 0, n // the first entry with after is in [lo, hi]
	buf := make([]byte, indexFlushBytes)
	for (hi-lo)*size > len(buf) {
		mid := (lo + hi) / 2
		if _, err := f.ReadAt(buf[:size], int64(mid*size)); err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		if after(buf[:size]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	from := max(lo-1, 0) // the entry before the range may be the answer
	buf = make([]byte, (hi-from)*size)
	if _, err := f.ReadAt(buf, int64(from*size)); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read index: %w", err)
	}
	i := sort.Search(hi-from, func(i int) bool { return after(buf[i*size:]) })
	if i == 0 {
		return nil, nil
	}
	return buf[(i-1)*size : i*size], nil
}

// each visits the entries in order, from the first one on for which skip is false, until visit returns false. Entries are sorted: skip
// is true, then false.
func (v view) each(c *fdCache, skip func(entry []byte) bool, visit func(entry []byte) (more bool, err error)) error {
	size := v.x.entrySize
	if v.flushed > 0 {
		f, err := c.acquire(&v.x.handle, 0)
		if err != nil {
			return fmt.Errorf("open index: %w", err)
		}
		defer c.release(&v.x.handle)
		if more, err := eachInFile(f, size, v.flushed, skip, visit); err != nil || !more {
			return err
		}
	}
	_, err := eachIn(v.pending, size, skip, visit)
	return err
}

// eachInFile is each for the first end bytes of a file: it halves them with single reads, then reads on in blocks.
func eachInFile(f io.ReaderAt, size int, end int64, skip func([]byte) bool, visit func([]byte) (bool, error)) (more bool, err error) {
	buf := make([]byte, max(indexFlushBytes/size, 1)*size)
	read := func(b []byte, at int64) {
		if n, rerr := f.ReadAt(b, at); n < len(b) && err == nil {
			err = fmt.Errorf("read index: %w", rerr)
		}
	}
	first := sort.Search(int(end)/size, func(i int) bool {
		read(buf[:size], int64(i*size))
		return err != nil || !skip(buf[:size])
	})
	for at := int64(first * size); at < end && err == nil; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), end-at)]
		if read(buf, at); err != nil {
			break
		}
		if more, err := eachIn(buf, size, skip, visit); err != nil || !more {
			return false, err
		}
	}
	return err == nil, err
}

// eachIn is each for entries in memory.
func eachIn(b []byte, size int, skip func([]byte) bool, visit func([]byte) (bool, error)) (more bool, err error) {
	for ; len(b) >= size; b = b[size:] {
		if skip(b[:size]) {
			continue
		}
		if more, err := visit(b[:size]); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// flush writes the pending entries to the file. It is not synced. publish runs the change under the state lock.
func (x *index) flush(c *fdCache, publish func(func())) error {
	if len(x.pending) == 0 {
		return nil
	}
	f, err := c.acquire(&x.handle, vfs.Create)
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	defer c.release(&x.handle)
	if _, err := f.WriteAt(x.pending, x.flushed); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	publish(func() {
		x.flushed += int64(len(x.pending))
		x.pending = nil
	})
	return nil
}

// sync makes the file durable.
func (x *index) sync(c *fdCache) error {
	f, err := c.acquire(&x.handle, vfs.Create)
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	defer c.release(&x.handle)
	return syncFile(f)
}

// load reads the file's size for a segment that is complete. Trailing bytes that are no entry are ignored.
func (x *index) load(fsys vfs.FS) error {
	info, err := fsys.Stat(x.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	x.flushed = info.Size / int64(x.entrySize) * int64(x.entrySize)
	return nil
}

// readAll reads every entry that is in the file.
func (x *index) readAll(c *fdCache) ([]byte, error) {
	if x.flushed == 0 {
		return nil, nil
	}
	f, err := c.acquire(&x.handle, 0)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	defer c.release(&x.handle)
	b := make([]byte, x.flushed)
	if n, err := f.ReadAt(b, 0); err != nil && (err != io.EOF || n < len(b)) {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return b, nil
}

// truncate cuts the file to size bytes and forgets what is pending.
func (x *index) truncate(c *fdCache, size int64) error {
	f, err := c.acquire(&x.handle, vfs.Create)
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	defer c.release(&x.handle)
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("truncate index: %w", err)
	}
	x.flushed, x.pending = size, nil
	return nil
}
