package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// copySignature begins the data of COPY … (FORMAT binary). Flags and the length of
// an extension follow, 32 bits each.
const copySignature = "PGCOPY\n\xff\r\n\x00"

// tid is where a row version is: ctid.
type tid struct {
	page  uint32
	tuple uint16
}

func (t tid) String() string { return fmt.Sprintf("(%d,%d)", t.page, t.tuple) }

// rowBlock is a piece of what COPY answers: whole rows, one after the other, as
// they came.
//
//	row:   count int16 | count × column
//	column: length int32, -1 for null | length bytes
type rowBlock struct {
	data []byte
	rows int
	next int // offset in data of the next row to take
}

// errCopy is data that COPY does not send.
var errCopy = errors.New("malformed data in the answer to COPY")

// copySplitter takes the stream of a COPY apart into blocks of whole rows. It is
// the io.Writer that pgconn writes the CopyData messages to. The server sends a
// row in a message of its own, the header before the first and the trailer alone,
// but nothing promises that, so messages are cut where rows end.
type copySplitter struct {
	columns int // of each row
	size    int // bytes of a full block, more when one row has more
	block   *rowBlock
	full    func(*rowBlock) (*rowBlock, error) // hands a full block over, returns an empty one

	header  bool // it has been read
	trailer bool
	rest    []byte // of a message that did not end with a row
}

// Write implements io.Writer.
func (c *copySplitter) Write(p []byte) (int, error) {
	n := len(p)
	if len(c.rest) > 0 {
		c.rest = append(c.rest, p...)
		p = c.rest
	}
	for {
		size, err := c.unit(p)
		if err != nil {
			return 0, err
		}
		if size < 0 || size == 0 {
			break
		}
		p = p[size:]
	}
	c.rest = append(c.rest[:0], p...) // p may be a part of rest: append copies forward
	return n, nil
}

// unit takes the header, a row or the trailer from the front of p and returns its
// size, 0 when p has not got all of it.
func (c *copySplitter) unit(p []byte) (int, error) {
	if !c.header {
		return c.readHeader(p)
	}
	if len(p) < 2 {
		return 0, nil
	}
	if c.trailer {
		return 0, errCopy
	}
	count := int(int16(binary.BigEndian.Uint16(p)))
	if count == -1 {
		c.trailer = true
		return 2, nil
	}
	if count != c.columns {
		return 0, fmt.Errorf("%w: a row has %d columns instead of %d", errCopy, count, c.columns)
	}
	end, err := rowEnd(p, count)
	if end == 0 || err != nil {
		return 0, err
	}
	return end, c.add(p[:end])
}

func (c *copySplitter) readHeader(p []byte) (int, error) {
	const fixed = len(copySignature) + 8
	if len(p) < fixed {
		return 0, nil
	}
	if string(p[:len(copySignature)]) != copySignature {
		return 0, errCopy
	}
	extension := binary.BigEndian.Uint32(p[fixed-4:])
	if extension > 1<<16 {
		return 0, errCopy
	}
	if len(p) < fixed+int(extension) {
		return 0, nil
	}
	c.header = true
	return fixed + int(extension), nil
}

// rowEnd returns the size of the row at the front of p, 0 when it is cut off.
func rowEnd(p []byte, count int) (int, error) {
	at := 2
	for range count {
		if len(p)-at < 4 {
			return 0, nil
		}
		size := int(int32(binary.BigEndian.Uint32(p[at:])))
		at += 4
		if size < 0 {
			if size != -1 {
				return 0, errCopy
			}
			continue
		}
		if len(p)-at < size {
			return 0, nil
		}
		at += size
	}
	return at, nil
}

func (c *copySplitter) add(row []byte) error {
	if len(c.block.data) > 0 && len(c.block.data)+len(row) > c.size {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.block.data = append(c.block.data, row...)
	c.block.rows++
	return nil
}

func (c *copySplitter) flush() (err error) {
	c.block, err = c.full(c.block)
	return err
}

// finish is called when COPY is done.
func (c *copySplitter) finish() error {
	if !c.trailer || len(c.rest) > 0 {
		return fmt.Errorf("%w: it is cut off", errCopy)
	}
	if c.block.rows > 0 {
		return c.flush()
	}
	return nil
}

// take takes the next row of a block: its columns, which stay in the block's
// memory. binary tells for each column whether it is in binary form.
func (b *rowBlock) take(cols pgoutput.Tuple, binaryForm []bool) pgoutput.Tuple {
	p := b.data
	at := b.next + 2
	for i := range binaryForm {
		size := int(int32(binary.BigEndian.Uint32(p[at:])))
		at += 4
		if size < 0 {
			cols = append(cols, pgoutput.Column{Kind: pgoutput.ColumnNull})
			continue
		}
		kind := byte(pgoutput.ColumnText)
		if binaryForm[i] {
			kind = pgoutput.ColumnBinary
		}
		cols = append(cols, pgoutput.Column{Kind: kind, Data: p[at : at+size : at+size]})
		at += size
	}
	b.next = at
	return cols
}

func (b *rowBlock) empty() bool { return b.next == len(b.data) }

func (b *rowBlock) reset() { b.data, b.rows, b.next = b.data[:0], 0, 0 }

// parseTID reads the binary form of a ctid.
func parseTID(data []byte) tid {
	if len(data) != 6 {
		return tid{}
	}
	return tid{binary.BigEndian.Uint32(data), binary.BigEndian.Uint16(data[4:])}
}
