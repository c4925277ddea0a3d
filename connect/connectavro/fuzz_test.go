package connectavro

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// options are those that the bits of a number choose.
func options(bits uint16) Options {
	on := func(i int) bool { return bits>>i&1 == 1 }
	return Options{Enhanced: on(0), ScrubNames: on(1), NoMetadata: on(2), Generalized: on(3), FieldDoc: on(4), OptionalKeys: on(5),
		KeepSingletons: on(6), Extended: on(7), FailOnTrailing: on(8), KeepNull: true}
}

// FuzzAvro reads bytes by a schema, both of which may be anybody's (I5). What is read has the form that its schema says, and comes back when
// it is written and read again.
func FuzzAvro(f *testing.F) {
	for _, seed := range []struct {
		schema, data string
	}{
		{tenColumns, "\x02\x02a\x02b\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x02\x02n\x02"},
		{`["null","int",{"type":"enum","name":"E","symbols":["A","B"]},{"type":"fixed","name":"F","size":2}]`, "\x06xy"},
		{`{"type":"array","items":["null",{"type":"map","values":"bytes"}]}`, "\x03\x0a\x02\x02\x02k\x02v\x00\x00\x00"},
		{`{"type":"array","items":{"type":"record","name":"io.confluent.connect.avro.MapEntry","fields":[{"name":"key","type":"int"},{"name":"value","type":"double"}]}}`,
			"\x02\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{`{"type":"bytes","logicalType":"decimal","scale":2,"precision":9}`, "\x04"},
		{`{"type":"record","name":"R","doc":"d","fields":[{"name":"a","type":{"type":"long","logicalType":"timestamp-micros","avro.x":"y"},"doc":"e","default":5},` +
			`{"name":"b","type":["int","string"],"default":3},{"name":"c","type":["double"]}]}`, "\x02\x02\x02q\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{`{"type":"record","name":"L","fields":[{"name":"v","type":"bytes"},{"name":"next","type":["null","L"],"default":null},{"name":"all","type":{"type":"map","values":"L"}}]}`,
			"\x02a\x02\x02b\x00\x02\x02k\x00\x00\x00\x00\x00"},
		{`{"type":"record","name":"T","fields":[{"name":"u","type":["null","long",{"type":"array","items":"T"}]}]}`, "\x04\x04\x02\x06\x00\x00"},
		{anythingText, "\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00"},
		{`{"type":"int","connect.type":"int8","connect.default":300,"connect.parameters":{"a":"b"}}`, "\x80\x04"},
	} {
		for _, bits := range []uint16{0, 1, 0x1ff, 8} {
			f.Add(seed.schema, []byte(seed.data), bits)
		}
	}
	f.Fuzz(func(t *testing.T, text string, data []byte, bits uint16) {
		s, err := avro.Parse(text, avro.Options{Registered: true})
		if err != nil {
			return
		}
		o := options(bits)
		d, err := ToConnect(s, 1, o)
		if err != nil {
			return
		}
		e, encodeErr := FromConnect(d.Schema, o)
		v, err := d.Decode(connect.NewBatch(1, 1<<20), data)
		if err != nil || encodeErr != nil {
			return
		}
		again, err := e.Append(nil, v)
		if err != nil {
			t.Fatalf("%v was read and cannot be written: %v: %s", v, err, text)
		}
		if back, err := ToConnect(e.Schema, 1, o); err != nil {
			t.Fatalf("what was written cannot be read: %v: %s became %s", err, text, e.Schema.Canonical())
		} else if got, err := back.Decode(connect.NewBatch(1, 1<<20), again); err != nil || !got.Equal(v) && !o.NoMetadata {
			t.Fatalf("%v came back as %v, %v: %s", v, got, err, e.Schema.Canonical())
		}
	})
}
