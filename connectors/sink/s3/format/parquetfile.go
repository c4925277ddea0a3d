package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	parquetMagic = "PAR1"
	footerEnd    = 4 + len(parquetMagic) // the length of the footer, and PAR1
)

// parquetFile is what is known of a file of several row groups. Each of them is written as a file of its own, by the writer that all files share. Of those files go into this one
// the row groups, and what their footers and page indexes say of them:
//
//	PAR1 | row group … | column indexes … | offset indexes … | footer, its length | PAR1
type parquetFile struct {
	bytes   int64 // of the object so far
	meta    format.FileMetaData
	columns [][]byte // the column indexes of all columns of all row groups
	offsets [][]byte // and their offset indexes
}

// add takes over what stands behind a row group of so many bytes in its own file.
func (p *parquetFile) add(group int64, end []byte) error {
	footer := end[:len(end)-footerEnd]
	footer = footer[len(footer)-int(binary.LittleEndian.Uint32(end[len(footer):])):]
	var meta format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer, &meta); err != nil {
		return fmt.Errorf("read a footer: %w", err)
	}
	begin := int64(len(parquetMagic)) // of the row group, there
	if p.bytes == 0 {
		p.bytes = begin
	}
	for i := range meta.RowGroups {
		if err := p.addGroup(&meta.RowGroups[i], p.bytes-begin, end, begin+group); err != nil {
			return err
		}
	}
	meta.RowGroups = append(p.meta.RowGroups, meta.RowGroups...)
	meta.NumRows += p.meta.NumRows
	p.meta = meta
	p.bytes += group
	return nil
}

// addGroup moves a row group by so many bytes. Its page indexes are in end, which begins at a byte of the row group's own file.
func (p *parquetFile) addGroup(g *format.RowGroup, by int64, end []byte, begins int64) error {
	g.Ordinal = int16(len(p.meta.RowGroups))
	g.FileOffset += by
	for i := range g.Columns {
		c := &g.Columns[i]
		c.MetaData.DataPageOffset += by
		if c.MetaData.DictionaryPageOffset != 0 {
			c.MetaData.DictionaryPageOffset += by
		}
		var index format.OffsetIndex
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), end[c.OffsetIndexOffset-begins:][:c.OffsetIndexLength], &index); err != nil {
			return fmt.Errorf("read an offset index: %w", err)
		}
		for j := range index.PageLocations {
			index.PageLocations[j].Offset += by
		}
		moved, err := thrift.Marshal(new(thrift.CompactProtocol), &index)
		if err != nil {
			return fmt.Errorf("write an offset index: %w", err)
		}
		p.offsets = append(p.offsets, moved)
		p.columns = append(p.columns, bytes.Clone(end[c.ColumnIndexOffset-begins:][:c.ColumnIndexLength]))
	}
	return nil
}

// end writes what stands behind the row groups.
func (p *parquetFile) end(out io.Writer) error {
	var end []byte
	n := 0
	for i := range p.meta.RowGroups {
		for j := range p.meta.RowGroups[i].Columns {
			c := &p.meta.RowGroups[i].Columns[j]
			c.ColumnIndexOffset, c.ColumnIndexLength = p.bytes+int64(len(end)), int32(len(p.columns[n]))
			end = append(end, p.columns[n]...)
			n++
		}
	}
	n = 0
	for i := range p.meta.RowGroups {
		for j := range p.meta.RowGroups[i].Columns {
			c := &p.meta.RowGroups[i].Columns[j]
			c.OffsetIndexOffset, c.OffsetIndexLength = p.bytes+int64(len(end)), int32(len(p.offsets[n]))
			end = append(end, p.offsets[n]...)
			n++
		}
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &p.meta)
	if err != nil {
		return fmt.Errorf("write the footer: %w", err)
	}
	end = append(end, footer...)
	end = binary.LittleEndian.AppendUint32(end, uint32(len(footer)))
	_, err = out.Write(append(end, parquetMagic...))
	return err
}
