package avrolibs

import (
	"bytes"
	"errors"
	"io"
	"testing"

	hamba "github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"
	twmbocf "github.com/twmb/avro/ocf"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

// Avro files of the S3 sink, of several blocks and in every codec, are read by other libraries as the records that they have. What twmb/avro
// has no codec for (bzip2) is fastavro's in test/conformance/lake.sh.
func TestLibrariesReadFiles(t *testing.T) {
	g := &generator{t: t, state: 21}
	files, both := 0, 0
	for _, codec := range []string{"null", "deflate", "snappy"} {
		f, err := format.NewAvro(format.Values, codec, connectavro.Options{Enhanced: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			s := g.record(3, false)
			data, values := avroFile(t, f, g, s)
			files++
			twmbReads(t, codec, s, data, values)
			if hambaReads(t, codec, s, data, values) {
				both++
			}
		}
	}
	t.Logf("%d files, of which hamba/avro read %d", files, both)
	if both < files/2 {
		t.Error("hamba/avro read less than half of the files")
	}
}

// avroFile makes a file of three blocks.
func avroFile(t *testing.T, f format.Format, g *generator, s *connect.Schema) (data []byte, values []connect.Value) {
	t.Helper()
	var w format.Writer
	var file bytes.Buffer
	for block := range 3 {
		var body []byte
		const rows = 20
		for range rows {
			r := &connect.Record{ValueSchema: s, Value: g.value(s)}
			values = append(values, r.Value)
			var err error
			if w == nil {
				if w, err = f.NewWriter(r); err != nil {
					t.Fatal(err)
				}
			}
			if body, err = w.Append(body, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Seal(output{&file}, [][]byte{body}, rows, block == 2); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes(), values
}

// output is a format.Output that needs no memory back.
type output struct{ *bytes.Buffer }

func (output) Free([]byte) {}

func twmbReads(t *testing.T, codec string, s *connect.Schema, data []byte, values []connect.Value) {
	t.Helper()
	r, err := twmbocf.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: twmb/avro: %v", codec, err)
	}
	for i := 0; ; i++ {
		var got any
		err := r.Decode(&got)
		if errors.Is(err, io.EOF) && i == len(values) {
			return
		}
		if err != nil || i == len(values) {
			t.Fatalf("%s: twmb/avro reads record %d of %d: %v", codec, i, len(values), err)
		}
		if err := same(s, values[i], got); err != nil {
			t.Fatalf("%s: twmb/avro, record %d: %v", codec, i, err)
		}
	}
}

// hambaReads tells whether hamba/avro takes the schema: it refuses some defaults that Avro allows.
func hambaReads(t *testing.T, codec string, s *connect.Schema, data []byte, values []connect.Value) bool {
	t.Helper()
	d, err := ocf.NewDecoder(bytes.NewReader(data), ocf.WithDecoderSchemaCache(&hamba.SchemaCache{}), ocf.WithDecoderConfig(hamba.Config{DisableCaching: true}.Freeze()))
	if err != nil {
		return false
	}
	n := 0
	for ; d.HasNext(); n++ {
		var got any
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%s: hamba/avro reads record %d: %v", codec, n, err)
		}
		if err := same(s, values[n], got); err != nil {
			t.Fatalf("%s: hamba/avro, record %d: %v", codec, n, err)
		}
	}
	if d.Error() != nil || n != len(values) {
		t.Fatalf("%s: hamba/avro reads %d of %d records: %v", codec, n, len(values), d.Error())
	}
	return true
}
