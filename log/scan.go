package log

import (
	"errors"
	"fmt"
	"io"

	"github.com/sluice-data/sluice/log/batch"
)

// scanBuffer is how many bytes a scanner reads at once.
const scanBuffer = 256 << 10

// scanner reads the batches of a segment in order.
type scanner struct {
	f    io.ReaderAt
	pos  int64 // of the next batch
	end  int64 // of the bytes to look at
	crc  bool  // check the CRC too
	buf  []byte
	have []byte // the part of buf that holds bytes from pos on

	h batch.Header
	b []byte // the batch that next read, valid until the next call
}

// newScanner scans [pos, end) of a file.
func newScanner(f io.ReaderAt, pos, end int64, crc bool) *scanner {
	return &scanner{f: f, pos: pos, end: end, crc: crc, buf: make([]byte, min(scanBuffer, max(end-pos, 0)))}
}

// next reads one batch. It returns io.EOF exactly at the end, an error that matches batch.ErrCorrupt for bytes that
// are no batch (pos stays), and other errors from the file.
func (s *scanner) next() error {
	if s.pos >= s.end {
		return io.EOF
	}
	if err := s.fill(batch.HeaderSize); err != nil {
		return err
	}
	h, err := batch.Parse(s.have)
	if err != nil {
		return err
	}
	if err := s.fill(h.Size()); err != nil {
		return err
	}
	b := s.have[:h.Size()]
	if s.crc {
		if _, err := batch.Validate(b); err != nil {
			return err
		}
	}
	s.h, s.b = h, b
	s.have = s.have[len(b):]
	s.pos += int64(len(b))
	return nil
}

// fill makes have at least n bytes long, or returns batch.ErrShort when the file has less.
func (s *scanner) fill(n int) error {
	if len(s.have) >= n {
		return nil
	}
	if int64(n) > s.end-s.pos {
		return batch.ErrShort
	}
	if n > len(s.buf) {
		s.buf = make([]byte, n) // n is not more than the file has (I5)
	}
	b := s.buf[:min(int64(len(s.buf)), s.end-s.pos)]
	got, err := s.f.ReadAt(b, s.pos)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read segment: %w", err)
	}
	s.have = b[:got]
	if got < n {
		return batch.ErrShort
	}
	return nil
}

// start is the position of the batch that next read last.
func (s *scanner) start() int64 { return s.pos - int64(len(s.b)) }

// damage is what a scan found instead of the batch at a position.
type damage struct {
	position int64
	offset   int64 // of the batch that should be there
	reason   string
	file     string // where, when it is not the .log file of the segment
	torn     bool   // the write was cut by a crash; otherwise bytes that were once good are damaged
}

// inspect decides what bad bytes at pos mean; offset is the one that the batch there should have. A crash loses
// sectors that were not synced, in any order, and lost sectors read as zeros. So it is a torn write when nothing valid
// follows, or when a sector in front of the next valid batch is zero from the first bad byte on. It is corruption when a
// valid batch follows and no byte is missing.
func inspect(f io.ReaderAt, pos, end, offset int64, cause error) (damage, error) {
	d := damage{position: pos, offset: offset, reason: cause.Error()}
	// A batch takes at least one offset, and no more records fit than bytes.
	next, err := findBatch(f, pos+1, end, offset, offset+end)
	if err != nil {
		return d, err
	}
	if next < 0 {
		d.torn = true
		return d, nil
	}
	d.torn, err = lostSector(f, pos, next, offset)
	return d, err
}

// sector is the unit in bytes that disks write whole.
const sector = 512

// findBudget is how many bytes of would-be batches findBatch checks, so that records made to look like batch headers
// cannot keep recovery busy (I5). When it is used up the bytes count as a batch: then nothing is cut off.
const findBudget = 4 << 30

// findBatch returns the position in [from, end) of the first valid batch whose base offset is after offset and at most limit, or -1.
func findBatch(f io.ReaderAt, from, end, offset, limit int64) (int64, error) {
	buf := make([]byte, scanBuffer)
	budget := int64(findBudget)
	for pos := from; pos+batch.HeaderSize <= end; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-pos)], pos)
		if err != nil && err != io.EOF {
			return -1, fmt.Errorf("read segment: %w", err)
		}
		if n < batch.HeaderSize {
			return -1, nil
		}
		last := n - batch.HeaderSize
		for i := 0; i <= last; i++ {
			if buf[i+magicPosition] != magicV2 {
				continue
			}
			ok, err := validAt(f, pos+int64(i), end, buf[i:n], offset, limit, &budget)
			if err != nil || ok {
				return pos + int64(i), err
			}
		}
		pos += int64(last) + 1
	}
	return -1, nil
}

// Where the magic byte of a batch is, and what it must be.
const (
	magicPosition = 16
	magicV2       = 2
)

// validAt reports whether a batch with a base offset after offset and up to limit is at pos. head is what has been read from there.
func validAt(f io.ReaderAt, pos, end int64, head []byte, offset, limit int64, budget *int64) (bool, error) {
	h, err := batch.Parse(head)
	if err != nil || h.BaseOffset <= offset || h.BaseOffset > limit || int64(h.Size()) > end-pos || h.LastOffsetDelta+1 < h.Count {
		return false, nil
	}
	if *budget -= int64(h.Size()); *budget < 0 {
		return true, nil
	}
	if h.Size() <= len(head) {
		_, err = batch.Validate(head[:h.Size()])
		return err == nil, nil
	}
	s := newScanner(f, pos, end, true)
	err = s.next()
	if err != nil && !errors.Is(err, batch.ErrCorrupt) {
		return false, err
	}
	return err == nil, nil
}

// lostSector reports whether a sector, or the rest of the first one, is zero in [pos, end), where a batch with the given
// offset should start. A few zeros are no proof when they are what the batch starts with.
func lostSector(f io.ReaderAt, pos, end, offset int64) (bool, error) {
	buf := make([]byte, sector)
	for at := pos; at < end; {
		// The last sector may hold the first bytes of the valid batch: they may be zero, so the sector may be lost.
		next := (at/sector + 1) * sector
		b := buf[:next-at]
		n, err := f.ReadAt(b, at)
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("read segment: %w", err)
		}
		b = b[:n]
		if allZero(b) && (at > pos || !startsWithZeros(offset, len(b))) {
			return true, nil
		}
		at = next
	}
	return false, nil
}

// startsWithZeros reports whether a good batch with this base offset may start with n zero bytes.
func startsWithZeros(offset int64, n int) bool {
	if n > 11 { // the length, bytes 8 to 11, is never zero
		return false
	}
	return n < 8 && offset>>(64-8*n) == 0 || n >= 8 && offset == 0
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
