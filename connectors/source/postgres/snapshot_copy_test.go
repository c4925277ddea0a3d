package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// copyData is what COPY sends for rows of one column.
func copyData(values ...string) []byte {
	data := append([]byte(copySignature), 0, 0, 0, 0, 0, 0, 0, 0)
	for _, v := range values {
		data = binary.BigEndian.AppendUint16(data, 1)
		if v == "null" {
			data = append(data, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		data = binary.BigEndian.AppendUint32(data, uint32(len(v)))
		data = append(data, v...)
	}
	return append(data, 0xff, 0xff)
}

// splitCopy writes data in pieces and returns the rows of all blocks.
func splitCopy(data []byte, piece, size int) (rows []string, err error) {
	s := &copySplitter{columns: 1, size: size, block: &rowBlock{}}
	s.full = func(b *rowBlock) (*rowBlock, error) {
		for !b.empty() {
			cols := b.take(nil, []bool{true})
			text := "null"
			if cols[0].Kind != pgoutput.ColumnNull {
				text = string(cols[0].Data)
			}
			rows = append(rows, text)
		}
		b.reset()
		return b, nil
	}
	for len(data) > 0 && err == nil {
		n := min(piece, len(data))
		_, err = s.Write(data[:n:n])
		data = data[n:]
	}
	if err == nil {
		err = s.finish()
	}
	return rows, err
}

func TestCopySplitter(t *testing.T) {
	want := []string{"a", "", "null", "a longer value", "b"}
	data := copyData(want...)
	for piece := 1; piece <= len(data); piece++ {
		for _, size := range []int{1, 20, 1000} {
			got, err := splitCopy(bytes.Clone(data), piece, size)
			if err != nil || len(got) != len(want) {
				t.Fatalf("pieces of %d: %q, %v", piece, got, err)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("pieces of %d: row %d is %q", piece, i, got[i])
				}
			}
		}
	}
}

func TestCopySplitterRefuses(t *testing.T) {
	good := copyData("a", "b")
	twoColumns := bytes.Clone(good)
	twoColumns[20] = 2
	negative := bytes.Clone(good)
	copy(negative[21:], []byte{0xff, 0xff, 0xff, 0xfe})
	for name, data := range map[string][]byte{
		"no data": nil, "cut off": good[:len(good)-3], "without the trailer": good[:len(good)-2], "more after the trailer": append(bytes.Clone(good), good[19:]...),
		"another signature": append([]byte("PGCOPX"), good[6:]...), "two columns": twoColumns, "a negative length": negative,
	} {
		if rows, err := splitCopy(data, 7, 100); !errors.Is(err, errCopy) {
			t.Errorf("%s: %q, %v", name, rows, err)
		}
	}
}

// TestLargeRowsWait holds back rows that are larger than all that may be read ahead, but for
// one (I5); small ones it does not.
func TestLargeRowsWait(t *testing.T) {
	for size, want := range map[int]int{blockBytes: blocksAhead, bytesAhead / 3: 3, 8 * bytesAhead: 1} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := newChunk(piece{})
			go func() {
				for c.put(ctx, &rowBlock{data: make([]byte, size)}) == nil {
				}
				close(c.blocks)
			}()
			for range 3 {
				synctest.Wait()
				if n := len(c.blocks); n != want {
					t.Fatalf("%d rows of %d bytes wait, want %d", n, size, want)
				}
				c.took(<-c.blocks)
			}
		})
	}
}

func FuzzCopySplitter(f *testing.F) {
	f.Add(copyData("a", "null", "b"), 3)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		if piece < 1 {
			return
		}
		one, err1 := splitCopy(bytes.Clone(data), len(data)+1, 50)
		many, err2 := splitCopy(bytes.Clone(data), piece, 50)
		if (err1 == nil) != (err2 == nil) || err1 == nil && len(one) != len(many) {
			t.Fatalf("whole: %q, %v; in pieces: %q, %v", one, err1, many, err2)
		}
	})
}
