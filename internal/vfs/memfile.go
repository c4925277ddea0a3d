package vfs

import (
	"errors"
	"io"
	"io/fs"
	"slices"
)

// memFile is an open file of a Mem. Its node is guarded by the Mem's mutex.
type memFile struct {
	fs       *Mem
	n        *memNode
	name     string
	readOnly bool
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.readOnly || off < 0 {
		return 0, pathError("write", f.name, fs.ErrPermission)
	}
	if len(b) == 0 {
		return 0, nil
	}
	end := off + int64(len(b))
	if old := int64(len(f.n.data)); end > old {
		f.n.data = slices.Grow(f.n.data, int(end-old))[:end]
		clear(f.n.data[old:])
		f.mark(min(old, off), end)
	}
	copy(f.n.data[off:], b)
	f.mark(off, end)
	f.fs.touch(f.n)
	return len(b), nil
}

// mark makes the sectors of [from, to) dirty.
func (f *memFile) mark(from, to int64) {
	for s := from / SectorSize; s*SectorSize < to; s++ {
		f.n.dirty[s] = struct{}{}
	}
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.readOnly || size < 0 {
		return pathError("truncate", f.name, fs.ErrPermission)
	}
	f.truncate(size)
	return nil
}

func (f *memFile) truncate(size int64) {
	old := int64(len(f.n.data))
	if size < old {
		f.n.data = f.n.data[:size:size]
		f.mark(size, old)
	} else if size > old {
		f.n.data = append(f.n.data, make([]byte, size-old)...)
		f.mark(old, size)
	}
	f.fs.touch(f.n)
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.n.sync()
	return nil
}

// sync makes a file's bytes and size durable. The file system's mu is held.
func (n *memNode) sync() {
	if len(n.synced) > len(n.data) {
		n.synced = n.synced[:len(n.data)]
	}
	if grown := len(n.data) - len(n.synced); grown > 0 {
		n.synced = append(n.synced, make([]byte, grown)...)
	}
	for s := range n.dirty {
		lo := min(int(s)*SectorSize, len(n.data))
		hi := min(lo+SectorSize, len(n.data))
		copy(n.synced[lo:hi], n.data[lo:hi])
	}
	clear(n.dirty)
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Close() error { return nil }

// Usage implements [FS]: memory has no size of its own.
func (m *Mem) Usage(string) (total, usable int64, err error) { return 0, 0, errors.ErrUnsupported }

// OpenVolume implements [FS]. Its Sync makes no more durable than it must: the bytes of the files that have a name.
func (m *Mem) OpenVolume(string) (Volume, error) { return memVolume{m}, nil }

type memVolume struct{ fs *Mem }

func (v memVolume) Sync() error {
	v.fs.mu.Lock()
	defer v.fs.mu.Unlock()
	v.fs.root.syncTree()
	return nil
}

func (v memVolume) Close() error { return nil }

func (n *memNode) syncTree() {
	if n.entries == nil {
		n.sync()
	}
	for _, e := range n.entries {
		e.syncTree()
	}
}
