// Package format turns records into the bytes of objects.
//
// A file's bytes are made in two steps, so that thousands of files can be open and what costs memory, a compressor or the columns
// of a Parquet file, is there once for all of them:
//
//	record ──Append──► block of the file ──Seal──► bytes of the object
//	          cheap, may refuse the record          compresses, or makes columns of rows; the last one ends the file
//
// The block belongs to the caller, who seals it when it has BlockBytes and once more at the end of the file. A Writer whose
// BlockBytes is 0 needs no sealing: what Append writes is the object's.
package format

import (
	"io"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// Part is what of the records a file has.
type Part uint8

// Parts.
const (
	Values Part = iota
	Keys
	Headers
)

// Format is how records become objects. It belongs to one goroutine.
type Format interface {
	// Extension ends the names of objects, such as ".json.gz".
	Extension() string
	// NewWriter returns a Writer for one file, for records like r. It is an error when the format has no form for them.
	NewWriter(r *connect.Record) (Writer, error)
}

// Writer is what a file needs between its records.
type Writer interface {
	// Append adds a record to the block. After an error the block is as long as before, and the file goes on without the record.
	Append(block []byte, r *connect.Record) ([]byte, error)
	// BlockBytes is how long a block should become before it is sealed; 0: it needs no sealing.
	BlockBytes() int
	// Seal writes the bytes of the object that a block with so many records makes. The block comes in pieces, each of whole records, which Seal may write over. The
	// last block of a file may be empty. A file that is given up is not sealed.
	Seal(out Output, block [][]byte, records int, last bool) error
}

// Output takes the bytes of an object.
type Output interface {
	io.Writer
	// Free gives a piece of the block back, for what is written then. Seal need not call it.
	Free(piece []byte)
}

// unsealed is a Writer without blocks.
type unsealed struct{}

func (unsealed) BlockBytes() int { return 0 }

func (unsealed) Seal(out Output, block [][]byte, _ int, _ bool) error {
	for _, piece := range block {
		if _, err := out.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// Name returns the last part of a Java class name.
func Name(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }
