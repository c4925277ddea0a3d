package format

import (
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
	parquetPageBytes = 64 << 10
	dictionaryBytes  = 1 << 20
	columnRows       = 256 // rows that are made columns at a time
	maxSharedWriters = 8   // schemas whose writer is kept: a writer has some megabytes (I5)
)

// Parquet writes Parquet files, with a column for each primitive field in the order of the schema. Rows wait in the block until it
// is a row group: then they are made columns. A file of one row group, as most are, has no memory beside its block.
type Parquet struct {
	content       content
	codec         parquetCodec
	rowGroupBytes int
	legacyLists   bool
	avro          connectavro.Options
	plans         cache[*parquetPlan]
	shared        map[*parquetPlan]*parquet.Writer
	out           redirect
	values        [][]parquet.Value
}

// parquetPlan is what is compiled for a schema.
type parquetPlan struct {
	schema  *parquet.Schema
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
		shared: make(map[*parquetPlan]*parquet.Writer)}, nil
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
	var err error
	if p.schema, err = m.root(s); err != nil {
		return nil, err
	}
	p.columns = m.columns
	e, err := connectavro.FromConnect(s, f.avro)
	if err != nil {
		return nil, err
	}
	p.avro = e.Schema.Canonical()
	return p, nil
}

// newWriter makes a writer of files of a plan.
func (f *Parquet) newWriter(p *parquetPlan) *parquet.Writer {
	return parquet.NewWriter(&f.out, p.schema, parquet.Compression(f.codec.codec), parquet.PageBufferSize(parquetPageBytes), parquet.WriteBufferSize(0),
		parquet.DataPageVersion(1), parquet.DataPageStatistics(true), parquet.DictionaryMaxBytes(dictionaryBytes), parquet.CreatedBy("sluice", "", ""),
		parquet.KeyValueMetadata("parquet.avro.schema", p.avro), parquet.KeyValueMetadata("writer.model.name", "avro"))
}

// sharedWriter returns the writer for files of one row group.
func (f *Parquet) sharedWriter(p *parquetPlan) *parquet.Writer {
	w := f.shared[p]
	if w == nil {
		for other := range f.shared {
			if len(f.shared) < maxSharedWriters {
				break
			}
			delete(f.shared, other)
		}
		w = f.newWriter(p)
		f.shared[p] = w
	} else {
		w.Reset(&f.out)
	}
	return w
}

// parquetWriter is one file.
type parquetWriter struct {
	parquet *Parquet
	plan    *parquetPlan
	own     *parquet.Writer // of a file of several row groups
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

// Seal makes a row group of the block.
func (w *parquetWriter) Seal(out io.Writer, block [][]byte, records int, last bool) error {
	f := w.parquet
	f.out.to = out
	defer func() { f.out.to = nil }()
	to := w.own
	switch {
	case to != nil:
	case last:
		to = f.sharedWriter(w.plan)
	default:
		to = f.newWriter(w.plan)
		w.own = to
	}
	if err := f.write(to, w.plan, block); err != nil {
		return fmt.Errorf("write a row group: %w", err)
	}
	end := to.Flush
	if last {
		end = to.Close
	}
	if err := end(); err != nil {
		return fmt.Errorf("write a row group: %w", err)
	}
	return nil
}

// redirect passes on what the writers of all files write, one after the other.
type redirect struct{ to io.Writer }

func (r *redirect) Write(p []byte) (int, error) { return r.to.Write(p) }

// write makes columns of rows.
func (f *Parquet) write(to *parquet.Writer, p *parquetPlan, block [][]byte) error {
	for len(f.values) < len(p.columns) {
		f.values = append(f.values, nil)
	}
	columns := to.ColumnWriters()
	for _, piece := range block {
		r := rowReader{block: piece, columns: p.columns, values: f.values[:len(p.columns)]}
		for len(r.block) > 0 {
			r.rows(columnRows)
			for i, values := range r.values {
				if _, err := columns[i].WriteRowValues(values); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
