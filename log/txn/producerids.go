package txn

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-data/sluice/internal/vfs"
)

const (
	producerIDFile  = "producer-id-block"
	producerIDBlock = 1000 // ids per durable write, as Kafka
)

// producerIDs hands out producer ids that are never given twice, also across
// restarts: ids come from blocks, and the end of a block is durable before the
// first id of it is given. What is left of a block at a restart is lost.
//
// The file holds two lines: the format version 0 and the first id not yet
// allocated to a block.
type producerIDs struct {
	dir string
	fs  vfs.FS

	mu     sync.Mutex // guards the fields below
	loaded bool
	free   int64 // next id to give
	end    int64 // first id beyond the block
}

func (p *producerIDs) next() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.loaded {
		first, err := p.read()
		if err != nil {
			return 0, err
		}
		p.free, p.end, p.loaded = first, first, true
	}
	if p.free == p.end {
		if err := p.write(p.end + producerIDBlock); err != nil {
			return 0, err
		}
		p.end += producerIDBlock
	}
	id := p.free
	p.free++
	return id, nil
}

// read returns the first id that no block has, 0 in a new directory.
func (p *producerIDs) read() (int64, error) {
	path := filepath.Join(p.dir, producerIDFile)
	f, err := p.fs.OpenFile(path, vfs.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open producer id block: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("read producer id block: %w", err)
	}
	text := make([]byte, min(size, 64))
	if _, err := f.ReadAt(text, 0); err != nil {
		return 0, fmt.Errorf("read producer id block: %w", err)
	}
	return parseProducerIDBlock(path, string(text))
}

func parseProducerIDBlock(path, text string) (int64, error) {
	version, rest, _ := strings.Cut(text, "\n")
	number, after, terminated := strings.Cut(rest, "\n")
	first, err := strconv.ParseInt(number, 10, 64)
	if version != "0" || err != nil || first < 0 || !terminated || after != "" {
		return 0, fmt.Errorf("%s is damaged: %q; restore it, or write a number above every producer id in use", path, text)
	}
	return first, nil
}

// write makes the new end of the block durable: temporary file, sync, rename,
// sync of the directory.
func (p *producerIDs) write(end int64) error {
	path := filepath.Join(p.dir, producerIDFile)
	if err := p.writeFile(path+".tmp", fmt.Sprintf("0\n%d\n", end)); err != nil {
		return fmt.Errorf("write producer id block: %w", err)
	}
	if err := p.fs.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("rename producer id block: %w", err)
	}
	if err := p.fs.SyncDir(p.dir); err != nil {
		return fmt.Errorf("sync directory of producer id block: %w", err)
	}
	return nil
}

func (p *producerIDs) writeFile(path, text string) error {
	f, err := p.fs.OpenFile(path, vfs.Create|vfs.Truncate)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
