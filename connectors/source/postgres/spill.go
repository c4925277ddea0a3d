package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

const (
	// spillBuffer is how much of a transaction in progress stays in memory, and
	// spillBuffers how much of all: with more of them, less of each.
	spillBuffer  = 256 << 10
	spillBuffers = 16 << 20
	// maxSubtransactions bounds what is remembered of one transaction: 16 bytes for
	// each subtransaction that wrote something.
	maxSubtransactions = 4 << 20
	spillHeader        = 12
)

// errSpillFull says that transactions in progress take more than they may, or more than
// there is room for. The server can keep them itself.
var errSpillFull = errors.New("transactions in progress do not fit into the spill files")

// spill keeps the messages of transactions that the server sends before they are
// committed, each in a temporary file:
//
//	length uint32 | WAL start uint64 | message
//
// A subtransaction that is rolled back takes with it everything since its first
// message: while it runs only it and its own subtransactions write, so the file is
// cut there. Dropping the whole transaction instead, or only the messages of that
// xid, would lose or invent changes.
type spill struct {
	dir      string
	maxBytes int64

	used    int64 // bytes of all files and buffers
	tails   int64 // bytes of buffers
	kept    int64 // messages ever
	written int64 // bytes that went to files ever
	txns    map[uint32]*spilled
	current *spilled // the block that is being received belongs to it
}

// spilled is one transaction in progress.
type spilled struct {
	xid     uint32
	file    *os.File // nil while everything is in tail
	flushed int64    // bytes in the file
	tail    []byte   // what follows
	subs    []subtransaction
	lastSub uint32 // that wrote last
	highest uint32 // of the xids of subs
	// again are subtransactions with a place in subs that wrote again after others, so that
	// they need not be looked for each time.
	again map[uint32]bool
}

// maxAgain bounds again: those that run at the same time are inside of one another.
const maxAgain = 1024

// subtransaction is where the first message of one stands.
type subtransaction struct {
	xid uint32
	at  int64
}

func newSpill(dir string, maxBytes int64) *spill {
	return &spill{dir: dir, maxBytes: maxBytes, txns: make(map[uint32]*spilled)}
}

// begin starts a block of a transaction.
func (s *spill) begin(xid uint32, first bool) error {
	t := s.txns[xid]
	switch {
	case t == nil && !first:
		return fmt.Errorf("the server continues the transaction %d, whose beginning it has not sent", xid)
	case t == nil:
		t = &spilled{xid: xid}
		s.txns[xid] = t
	}
	s.current = t
	return nil
}

// end ends the block. Where many transactions are in progress nothing of it stays in
// memory (I5).
func (s *spill) end() error {
	t := s.current
	s.current = nil
	if t == nil || s.tails <= spillBuffers {
		return nil
	}
	err := s.flush(t)
	t.tail = nil
	return err
}

// add appends a message of the block.
func (s *spill) add(walStart pgoutput.LSN, data []byte) error {
	t := s.current
	if len(data) >= 5 {
		if err := t.note(binary.BigEndian.Uint32(data[1:])); err != nil {
			return err
		}
	}
	size := int64(spillHeader + len(data))
	if s.used+size > s.maxBytes {
		return errSpillFull
	}
	s.used += size
	s.tails += size
	s.kept++
	t.tail = binary.BigEndian.AppendUint32(t.tail, uint32(len(data)))
	t.tail = binary.BigEndian.AppendUint64(t.tail, uint64(walStart))
	t.tail = append(t.tail, data...)
	if len(t.tail) < spillBuffer {
		return nil
	}
	return s.flush(t)
}

func (s *spill) flush(t *spilled) error {
	if t.file == nil {
		f, err := os.CreateTemp(s.dir, "sluice-postgres-*")
		if err != nil {
			return fmt.Errorf("%w: %w", errSpillFull, err)
		}
		_ = os.Remove(f.Name()) // nothing is left of it after a crash
		t.file = f
	}
	n, err := t.file.WriteAt(t.tail, t.flushed)
	if err != nil {
		return fmt.Errorf("%w: %w", errSpillFull, err)
	}
	t.flushed += int64(n)
	s.written += int64(n)
	s.tails -= int64(n)
	if cap(t.tail) > 4*spillBuffer {
		t.tail = nil // of one large message
	}
	t.tail = t.tail[:0]
	return nil
}

// note remembers where the first message of a subtransaction stands. One whose xid
// is above all others is new; with a lower one it is looked for from the end, where
// those are that run.
func (t *spilled) note(xid uint32) error {
	if xid == t.xid || xid == t.lastSub {
		return nil
	}
	t.lastSub = xid
	if xid <= t.highest && (t.again[xid] || t.place(xid) >= 0) {
		if t.again == nil || len(t.again) >= maxAgain {
			t.again = make(map[uint32]bool)
		}
		t.again[xid] = true
		return nil
	}
	if len(t.subs) >= maxSubtransactions {
		return errSpillFull
	}
	t.highest = max(t.highest, xid)
	t.subs = append(t.subs, subtransaction{xid, t.size()})
	return nil
}

func (t *spilled) place(xid uint32) int {
	for i := len(t.subs) - 1; i >= 0; i-- {
		if t.subs[i].xid == xid {
			return i
		}
	}
	return -1
}

func (t *spilled) size() int64 { return t.flushed + int64(len(t.tail)) }

// abort takes back a transaction or one of its subtransactions. One that is not
// known has sent nothing: servers send such an abort even where nothing was asked
// to be sent in progress.
func (s *spill) abort(xid, sub uint32) error {
	t := s.txns[xid]
	if t == nil {
		return nil
	}
	if xid == sub {
		s.drop(t)
		return nil
	}
	if sub > t.highest {
		return nil
	}
	i := t.place(sub)
	if i < 0 {
		return nil
	}
	at := t.subs[i].at
	s.used -= t.size() - at
	t.subs, t.lastSub = t.subs[:i], 0
	clear(t.again)
	s.tails -= int64(len(t.tail))
	if at >= t.flushed {
		t.tail = t.tail[:at-t.flushed]
		s.tails += int64(len(t.tail))
		return nil
	}
	t.tail = t.tail[:0]
	t.flushed = at
	if err := t.file.Truncate(at); err != nil {
		return fmt.Errorf("cut a transaction in progress: %w", err)
	}
	return nil
}

// drop forgets a transaction.
func (s *spill) drop(t *spilled) {
	delete(s.txns, t.xid)
	s.used -= t.size()
	s.tails -= int64(len(t.tail))
	if s.current == t {
		s.current = nil
	}
	if t.file != nil {
		name := t.file.Name()
		t.file.Close()
		_ = os.Remove(name) // where an open file cannot be removed
	}
}

// close forgets all transactions: on a new connection the server sends them again.
func (s *spill) close() {
	for _, t := range s.txns {
		s.drop(t)
	}
}

// commit returns the messages of a transaction, nil when it has none. Whoever has
// read them drops it.
func (s *spill) commit(xid uint32) *replay {
	t := s.txns[xid]
	if t == nil {
		return nil
	}
	return &replay{t: t, left: t.size()}
}

// replay reads the messages of a committed transaction.
type replay struct {
	t    *spilled
	at   int64 // of the next byte to read into buf
	left int64 // bytes that were not returned
	buf  []byte
	pos  int
}

// next returns the next message, which is good until the call after; io.EOF after
// the last.
func (r *replay) next() (pgoutput.LSN, []byte, error) {
	if r.left == 0 {
		return 0, nil, io.EOF
	}
	head, err := r.take(spillHeader)
	if err != nil {
		return 0, nil, err
	}
	n, walStart := int(binary.BigEndian.Uint32(head)), pgoutput.LSN(binary.BigEndian.Uint64(head[4:]))
	data, err := r.take(n)
	if err != nil {
		return 0, nil, err
	}
	r.left -= int64(spillHeader + n)
	return walStart, data, nil
}

func (r *replay) take(n int) ([]byte, error) {
	if len(r.buf)-r.pos < n {
		if err := r.fill(n); err != nil {
			return nil, fmt.Errorf("read back a transaction that was kept: %w", err)
		}
	}
	b := r.buf[r.pos : r.pos+n]
	r.pos += n
	return b, nil
}

// fill makes n bytes and more available.
func (r *replay) fill(n int) error {
	want := max(n, spillBuffer)
	if cap(r.buf) < want {
		r.buf = append(make([]byte, 0, want), r.buf[r.pos:]...)
	} else {
		r.buf = r.buf[:copy(r.buf[:cap(r.buf)], r.buf[r.pos:])]
	}
	r.pos = 0
	for len(r.buf) < n {
		got, err := r.read(r.buf[len(r.buf):want])
		r.buf = r.buf[:len(r.buf)+got]
		if err != nil && len(r.buf) < n {
			return err
		}
	}
	return nil
}

// read reads from the file and then from what never went there.
func (r *replay) read(p []byte) (int, error) {
	if r.at < r.t.flushed {
		n, err := r.t.file.ReadAt(p[:min(int64(len(p)), r.t.flushed-r.at)], r.at)
		r.at += int64(n)
		return n, err
	}
	n := copy(p, r.t.tail[r.at-r.t.flushed:])
	r.at += int64(n)
	if n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}
