package log

import (
	"container/list"
	"errors"
	"sync"

	"github.com/sluice-data/sluice/internal/vfs"
)

// fdCache bounds the open descriptors (I5). A file that somebody uses is never closed, so writers keep the descriptor
// that they wrote to until it is synced: Linux reports a write-back error once per open descriptor.
type fdCache struct {
	fs  vfs.FS
	max int

	mu   sync.Mutex // guards the fields below and those of every handle
	open int
	idle *list.List // of *handle, open and unused, least recently used first
}

// errGone says that a segment's file was deleted or replaced since the segment was looked up: look again, see [Partition.awaitSwap].
var errGone = errors.New("segment was deleted or replaced")

// handle is a file that the cache opens when it is used.
type handle struct {
	path string
	file vfs.File
	refs int
	gone bool          // close when unused: the file was deleted
	elem *list.Element // in idle
}

func newFDCache(fs vfs.FS, max int) *fdCache {
	return &fdCache{fs: fs, max: max, idle: list.New()}
}

// acquire opens the file if it is not open. The caller must release the handle. A file that is gone is never opened again, because
// its name may be that of another one by now: errGone.
func (c *fdCache) acquire(h *handle, flag vfs.Flag) (vfs.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.file == nil {
		if h.gone {
			return nil, errGone
		}
		f, err := c.fs.OpenFile(h.path, flag)
		if err != nil {
			return nil, err
		}
		h.file = f
		c.open++
	}
	if h.elem != nil {
		c.idle.Remove(h.elem)
		h.elem = nil
	}
	h.refs++
	c.evict()
	return h.file, nil
}

// release ends one use.
func (c *fdCache) release(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.refs--
	switch {
	case h.refs > 0:
	case h.gone:
		c.close(h)
	default:
		h.elem = c.idle.PushBack(h)
		c.evict()
	}
}

// drop closes the file as soon as nobody uses it.
func (c *fdCache) drop(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.gone = true
	if h.refs == 0 && h.file != nil {
		if h.elem != nil {
			c.idle.Remove(h.elem)
			h.elem = nil
		}
		c.close(h)
	}
}

// evict closes idle files while too many are open. mu is held.
func (c *fdCache) evict() {
	for c.open > c.max && c.idle.Len() > 0 {
		h := c.idle.Remove(c.idle.Front()).(*handle)
		h.elem = nil
		c.close(h)
	}
}

// close closes a file that nobody uses. What was written to it is synced, so an error here says nothing. mu is held.
func (c *fdCache) close(h *handle) {
	_ = h.file.Close()
	h.file = nil
	c.open--
}

// closeAll closes the idle files.
func (c *fdCache) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.idle.Len() > 0 {
		h := c.idle.Remove(c.idle.Front()).(*handle)
		h.elem = nil
		c.close(h)
	}
}
