package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// SectorSize is the unit in bytes in which unsynced data of a [Mem] survives a crash.
const SectorSize = 512

// Mem is a file system in memory that can lose power. It keeps what was synced beside what was written; [Mem.CrashClone]
// gives the file system that the machine finds after the power came back.
type Mem struct {
	// mu guards everything below, the nodes included.
	mu    sync.Mutex
	root  *memNode
	locks map[string]bool
	now   time.Time // of the last change; advances by 1 ms with each, so that times are the same on every run
}

// memNode is a file (entries nil) or a directory. A node may have no name any more while a file is open.
type memNode struct {
	modTime time.Time

	data   []byte             // as written
	synced []byte             // as of the last Sync
	dirty  map[int64]struct{} // sectors written since, beyond both sizes for a truncation

	entries       map[string]*memNode // as changed
	syncedEntries map[string]*memNode // as of the last SyncDir
	renamed       map[string]string   // new names to old ones since the last SyncDir, within the directory
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{root: newMemDir(), locks: map[string]bool{}, now: time.UnixMilli(1_600_000_000_000)}
}

func newMemDir() *memNode {
	return &memNode{entries: map[string]*memNode{}, syncedEntries: map[string]*memNode{}}
}

func newMemFile() *memNode { return &memNode{dirty: map[int64]struct{}{}} }

// CrashClone returns what is left when the power fails now: all synced bytes and directory entries, and each unsynced
// sector, size and entry with the given probability. Open files stay with m, which is not changed; locks are released.
func (m *Mem) CrashClone(rnd *rand.Rand, keep float64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	c.now = m.now
	c.root = m.root.crash(rnd, keep, map[*memNode]*memNode{})
	return c
}

// crash copies a node as a crash leaves it. seen keeps a file that has two names one file.
func (n *memNode) crash(rnd *rand.Rand, keep float64, seen map[*memNode]*memNode) *memNode {
	if c := seen[n]; c != nil {
		return c
	}
	c := &memNode{modTime: n.modTime}
	seen[n] = c
	if n.entries == nil {
		c.data = n.crashData(rnd, keep)
		c.synced, c.dirty = slices.Clone(c.data), map[int64]struct{}{}
		return c
	}
	c.entries, c.syncedEntries = map[string]*memNode{}, map[string]*memNode{}
	kept := map[string]bool{}
	for _, name := range unionNames(n.entries, n.syncedEntries) {
		e := n.syncedEntries[name]
		if n.entries[name] != e && n.keeps(name, rnd, keep, kept) {
			e = n.entries[name]
		}
		if e != nil {
			c.entries[name] = e.crash(rnd, keep, seen)
			c.syncedEntries[name] = c.entries[name]
		}
	}
	return c
}

// keeps decides whether a change of a name survives. Both names of a rename share the decision, which kept notes: file systems with a
// journal lose a rename or keep it.
func (n *memNode) keeps(name string, rnd *rand.Rand, keep float64, kept map[string]bool) bool {
	root := name
	for old, ok := n.renamed[root]; ok; old, ok = n.renamed[root] {
		root = old
	}
	k, ok := kept[root]
	if !ok {
		k = rnd.Float64() < keep
		kept[root] = k
	}
	return k
}

// crashData picks the size and each dirty sector from the written or the synced content. What was never written reads as zeros.
func (n *memNode) crashData(rnd *rand.Rand, keep float64) []byte {
	size := len(n.synced)
	if len(n.data) != size && rnd.Float64() < keep {
		size = len(n.data)
		if grown := len(n.data) - len(n.synced); grown > 0 && rnd.IntN(2) == 0 {
			size = len(n.synced) + rnd.IntN(grown+1)
		}
	}
	out := make([]byte, size)
	copy(out, n.synced)
	sectors := make([]int64, 0, len(n.dirty))
	for s := range n.dirty {
		sectors = append(sectors, s)
	}
	slices.Sort(sectors) // the same choices for the same seed
	for _, s := range sectors {
		lo := int(s) * SectorSize
		if lo >= size || rnd.Float64() >= keep {
			continue
		}
		hi := min(lo+SectorSize, size)
		clear(out[lo:hi])
		if lo < len(n.data) {
			copy(out[lo:hi], n.data[lo:])
		}
	}
	return out
}

func unionNames(a, b map[string]*memNode) []string {
	var names []string
	for k := range a {
		names = append(names, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return names
}

// split returns the path elements of a name.
func split(name string) []string {
	name = strings.Trim(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// find returns the node of a name, or nil. mu is held.
func (m *Mem) find(name string) *memNode {
	n := m.root
	for _, e := range split(name) {
		if n = n.entries[e]; n == nil {
			return nil
		}
	}
	return n
}

// parent returns the directory that holds name and the last path element. mu is held.
func (m *Mem) parent(op, name string) (*memNode, string, error) {
	elems := split(name)
	if len(elems) == 0 {
		return nil, "", pathError(op, name, fs.ErrInvalid)
	}
	dir := m.root
	for _, e := range elems[:len(elems)-1] {
		if dir = dir.entries[e]; dir == nil {
			return nil, "", pathError(op, name, fs.ErrNotExist)
		}
	}
	if dir.entries == nil {
		return nil, "", pathError(op, name, fs.ErrInvalid)
	}
	return dir, elems[len(elems)-1], nil
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// touch moves the clock and stamps n. mu is held.
func (m *Mem) touch(n *memNode) {
	m.now = m.now.Add(time.Millisecond)
	n.modTime = m.now
}

// OpenFile implements [FS].
func (m *Mem) OpenFile(name string, flag Flag) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		if flag&Create == 0 {
			return nil, pathError("open", name, fs.ErrNotExist)
		}
		n = newMemFile()
		dir.entries[base] = n
		m.touch(n)
	}
	if n.entries != nil {
		return nil, pathError("open", name, fmt.Errorf("is a directory"))
	}
	f := &memFile{fs: m, n: n, name: name, readOnly: flag&ReadOnly != 0}
	if flag&Truncate != 0 {
		f.truncate(0)
	}
	return f, nil
}

// Rename implements [FS].
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, oldBase, err := m.parent("rename", oldName)
	if err != nil {
		return err
	}
	to, newBase, err := m.parent("rename", newName)
	if err != nil {
		return err
	}
	n := from.entries[oldBase]
	if n == nil {
		return pathError("rename", oldName, fs.ErrNotExist)
	}
	if old := to.entries[newBase]; old != nil && old.entries != nil {
		return pathError("rename", newName, fs.ErrExist)
	}
	delete(from.entries, oldBase)
	to.entries[newBase] = n
	if from == to {
		from.rename(oldBase, newBase)
	}
	return nil
}

// rename notes a rename within the directory, unless it goes back to a name that it came from.
func (n *memNode) rename(oldName, newName string) {
	if n.renamed == nil {
		n.renamed = map[string]string{}
	}
	delete(n.renamed, newName)
	for name, ok := oldName, true; ok; name, ok = n.renamed[name] {
		if name == newName {
			return
		}
	}
	n.renamed[newName] = oldName
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if len(n.entries) > 0 {
		return pathError("remove", name, fmt.Errorf("directory not empty"))
	}
	delete(dir.entries, base)
	return nil
}

// RemoveAll implements [FS].
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if dir, base, err := m.parent("remove", name); err == nil {
		delete(dir.entries, base)
	}
	return nil
}

// MkdirAll implements [FS].
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for _, e := range split(name) {
		if n.entries == nil {
			return pathError("mkdir", name, fs.ErrInvalid)
		}
		next := n.entries[e]
		if next == nil {
			next = newMemDir()
			n.entries[e] = next
			m.touch(next)
		}
		n = next
	}
	return nil
}

// ReadDir implements [FS].
func (m *Mem) ReadDir(name string) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil || n.entries == nil {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	var infos []Info
	for _, e := range unionNames(n.entries, nil) {
		infos = append(infos, n.entries[e].info(e))
	}
	return infos, nil
}

// Stat implements [FS].
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil {
		return Info{}, pathError("stat", name, fs.ErrNotExist)
	}
	return n.info(path.Base(filepath.ToSlash(name))), nil
}

func (n *memNode) info(name string) Info {
	return Info{Name: name, Size: int64(len(n.data)), ModTime: n.modTime, Dir: n.entries != nil}
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil || n.entries == nil {
		return pathError("sync", name, fs.ErrNotExist)
	}
	n.syncedEntries, n.renamed = map[string]*memNode{}, nil
	for k, v := range n.entries {
		n.syncedEntries[k] = v
	}
	return nil
}

// Lock implements [FS].
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, Create)
	if err != nil {
		return nil, err
	}
	_ = f.Close() // never fails
	m.mu.Lock()
	defer m.mu.Unlock()
	key := strings.Join(split(name), "/")
	if m.locks[key] {
		return nil, ErrLocked
	}
	m.locks[key] = true
	return memLock{m, key}, nil
}

// memLock releases a lock of a Mem.
type memLock struct {
	fs  *Mem
	key string
}

func (l memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.key)
	return nil
}
