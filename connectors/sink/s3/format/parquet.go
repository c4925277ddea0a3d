package format

import (
	"bytes"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
)

// parquetCodec is a compression of pages and what it makes of the file's name.
type parquetCodec struct {
	codec     compress.Codec
	extension string
}

var parquetCodecs = map[string]parquetCodec{
	"none":    {&parquet.Uncompressed, ".parquet"},
	"snappy":  {&parquet.Snappy, ".snappy.parquet"},
	"gzip":    {&parquet.Gzip, ".gz.parquet"},
	"brotli":  {&parquet.Brotli, ".br.parquet"},
	"lz4_raw": {&parquet.Lz4Raw, ".lz4raw.parquet"},
	"zstd":    {&parquet.Zstd, ".zstd.parquet"},
}

// ParquetCodecs are the names of the compressions of pages.
var ParquetCodecs = []string{"none", "snappy", "gzip", "brotli", "lz4_raw", "zstd"}

const (
	// parquetPageBytes and what the rows of one step go beyond it stay below 64 KiB, unless texts are longer than 140 bytes: for larger pages the encoder of snappy needs
	// tables that throw those for small pages out of its pool, and are thrown out by them.
	parquetPageBytes = 56 << 10
	columnRows       = 64 // rows that are made columns in a step
	maxSharedWriters = 8  // kinds of row groups whose writer is kept: a writer has a megabyte (I5)
)

// Parquet writes Parquet files, with a column for each primitive field in the order of the schema. Rows wait in the block until it
// is a row group: then they are made columns, by a writer that all files share. A file has no memory beside its block but what its footer will say.
type Parquet struct {
	content       content
	codec         parquetCodec
	rowGroupBytes int
	legacyLists   bool
	avro          connectavro.Options
	plans         cache[*parquetPlan]
	shared        map[writerKind]*parquet.Writer
	out           redirect
	end           bytes.Buffer // what stands behind a row group
	pages         pagePool
	values        [][]parquet.Value
	samples       []sample
}

// writerKind is what the files of a writer have in common.
type writerKind struct {
	plan  *parquetPlan
	plain plainColumns
}

// parquetPlan is what is compiled for a schema.
type parquetPlan struct {
	source  *connect.Schema
	columns []column
	wrap    bool   // keys and headers stand in a field of a record
	avro    string // the schema in the words of Avro, which readers of Java look for
}

// NewParquet returns the format for a part of records. The codec is one of ParquetCodecs.
func NewParquet(part Part, codec string, rowGroupBytes int, legacyLists bool, o connectavro.Options) (*Parquet, error) {
	c, ok := parquetCodecs[codec]
	if !ok {
		return nil, fmt.Errorf("there is no Parquet codec %q", codec)
	}
	return &Parquet{content: newContent(part), codec: c, rowGroupBytes: rowGroupBytes, legacyLists: legacyLists, avro: o,
		shared: make(map[writerKind]*parquet.Writer)}, nil
}

// Extension tells the codec.
func (f *Parquet) Extension() string { return f.codec.extension }

// NewWriter makes a file of the schema of the record.
func (f *Parquet) NewWriter(r *connect.Record) (Writer, error) {
	p, err := f.plans.of(f.content.schema(r), f.compile)
	if err != nil {
		return nil, fmt.Errorf("write %s as Parquet: %w", f.content.part, err)
	}
	return &parquetWriter{parquet: f, plan: p}, nil
}

// compile makes a plan. Keys and headers are wrapped in a record of one field, as Confluent's sink does.
func (f *Parquet) compile(s *connect.Schema) (*parquetPlan, error) {
	p := new(parquetPlan)
	switch {
	case s == nil:
		return nil, errNoStruct
	case f.content.part == Keys:
		s, p.wrap = connect.MustStruct("RecordKey", connect.Field{Name: "key", Schema: s}), true
	case f.content.part == Headers:
		s, p.wrap = connect.MustStruct("RecordHeaders", connect.Field{Name: "headers", Schema: s}), true
	}
	m := schemaMaker{legacyLists: f.legacyLists}
	if _, err := m.root(s); err != nil {
		return nil, err
	}
	p.source, p.columns = s, m.columns
	e, err := connectavro.FromConnect(s, f.avro)
	if err != nil {
		return nil, err
	}
	p.avro = e.Schema.Canonical()
	return p, nil
}

// writer returns the writer of row groups of a kind.
func (f *Parquet) writer(k writerKind) (*parquet.Writer, error) {
	if w := f.shared[k]; w != nil {
		reset(w, &f.out)
		return w, nil
	}
	for other := range f.shared {
		if len(f.shared) < maxSharedWriters {
			break
		}
		delete(f.shared, other)
	}
	m := schemaMaker{legacyLists: f.legacyLists, plain: k.plain}
	schema, err := m.root(k.plan.source)
	if err != nil {
		return nil, err
	}
	w := parquet.NewWriter(&f.out, schema, parquet.Compression(f.codec.codec), parquet.PageBufferSize(parquetPageBytes), parquet.WriteBufferSize(0),
		parquet.DataPageVersion(1), parquet.DataPageStatistics(true), parquet.DictionaryMaxBytes(dictionaryBytes), parquet.ColumnPageBuffers(&f.pages),
		parquet.CreatedBy("sluice", "", ""), parquet.KeyValueMetadata("parquet.avro.schema", k.plan.avro), parquet.KeyValueMetadata("writer.model.name", "avro"))
	f.shared[k] = w
	return w, nil
}

// reset makes a writer ready for another file. The library clears what the footer of the last one says, the paths of columns included, and would
// write empty ones from then on: footer and writer have them in the same memory.
func reset(w *parquet.Writer, out io.Writer) {
	for _, group := range w.File().Metadata().RowGroups {
		for i := range group.Columns {
			group.Columns[i].MetaData.PathInSchema = nil
		}
	}
	w.Reset(out)
}

// parquetWriter is one file.
type parquetWriter struct {
	parquet *Parquet
	plan    *parquetPlan
	file    parquetFile // of several row groups
}

func (w *parquetWriter) Append(block []byte, r *connect.Record) ([]byte, error) {
	v, err := w.parquet.content.value(r)
	if err == nil {
		if w.plan.wrap {
			v = connect.StructValue([]connect.Value{v})
		}
		block, err = appendRow(block, w.plan.columns, v)
	}
	if err != nil {
		return block, fmt.Errorf("write %s as Parquet: %w", w.parquet.content.part, err)
	}
	return block, nil
}

func (w *parquetWriter) BlockBytes() int { return w.parquet.rowGroupBytes }

// Seal makes a row group of the block. Compressed pages are put where rows have been.
func (w *parquetWriter) Seal(out Output, block [][]byte, records int, last bool) error {
	f := w.parquet
	defer func() {
		f.out = redirect{}
		f.pages.reset()
	}()
	one := last && w.file.bytes == 0
	var err error
	if records > 0 || one {
		err = w.group(out, block, records, one)
	}
	if err == nil && last && !one {
		err = w.file.end(out)
	}
	if err != nil {
		clear(f.shared) // a writer that has not come to its end cannot be reset
		return fmt.Errorf("write a row group: %w", err)
	}
	return nil
}

// group writes a row group, which may be the only one.
func (w *parquetWriter) group(out Output, block [][]byte, records int, one bool) error {
	f := w.parquet
	to, err := f.writer(writerKind{w.plan, f.survey(w.plan, block, records)})
	if err != nil {
		return err
	}
	f.out = redirect{to: out}
	if w.file.bytes > 0 {
		f.out.skip = len(parquetMagic)
	}
	if err := f.write(to, w.plan, block); err != nil {
		return err
	}
	for _, piece := range f.pages.takeRoom() {
		out.Free(piece)
	}
	if one {
		return to.Close()
	}
	if err := to.Flush(); err != nil {
		return err
	}
	size := f.out.bytes - int64(len(parquetMagic))
	f.end.Reset()
	f.out = redirect{to: &f.end}
	if err := to.Close(); err != nil {
		return err
	}
	return w.file.add(size, f.end.Bytes())
}

// redirect passes on what the writers of all files write, one after the other.
type redirect struct {
	to    io.Writer
	skip  int   // bytes that are not passed on
	bytes int64 // that came
}

func (r *redirect) Write(p []byte) (int, error) {
	r.bytes += int64(len(p))
	skipped := min(r.skip, len(p))
	r.skip -= skipped
	n, err := r.to.Write(p[skipped:])
	return skipped + n, err
}

// write makes columns of rows.
func (f *Parquet) write(to *parquet.Writer, p *parquetPlan, block [][]byte) error {
	columns := to.ColumnWriters()
	for _, piece := range block {
		for r := f.reader(p, piece); len(r.block) > 0; {
			r.rows(columnRows)
			for i, values := range r.values {
				if _, err := columns[i].WriteRowValues(values); err != nil {
					return err
				}
			}
		}
		f.pages.add(piece)
	}
	for _, c := range columns {
		if err := c.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// reader reads a piece of a block.
func (f *Parquet) reader(p *parquetPlan, piece []byte) *rowReader {
	for len(f.values) < len(p.columns) {
		f.values = append(f.values, nil)
	}
	return &rowReader{block: piece, columns: p.columns, values: f.values[:len(p.columns)]}
}
