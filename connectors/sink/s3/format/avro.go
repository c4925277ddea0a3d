package format

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
)

// avroBlockBytes is about how much data a block of an Avro file has, as in files of Avro for Java.
const avroBlockBytes = 64 << 10

// Avro writes Avro container files (Avro 1.12, "Object Container Files"):
//
//	"Obj" 1 | metadata: avro.schema, avro.codec | sync, 16 bytes | { records, bytes, data, sync } …
//
// The schema is that of the first record.
type Avro struct {
	content content
	codec   string
	pack    avroCodec
	options connectavro.Options
	plans   cache[*connectavro.Encoder]
	packed  []byte // the block in hand, compressed
	out     []byte // and as bytes of the file
}

// NewAvro returns the format for a part of records. The codec is one of AvroCodecs.
func NewAvro(part Part, codec string, o connectavro.Options) (*Avro, error) {
	pack, err := newAvroCodec(codec)
	return &Avro{content: newContent(part), codec: codec, pack: pack, options: o}, err
}

// Extension is .avro.
func (*Avro) Extension() string { return ".avro" }

// NewWriter makes a file of the schema of the record.
func (f *Avro) NewWriter(r *connect.Record) (Writer, error) {
	e, err := f.encoder(f.content.schema(r))
	if err != nil {
		return nil, fmt.Errorf("write %s as Avro: %w", f.content.part, err)
	}
	w := &avroWriter{avro: f, encoder: e}
	_, _ = rand.Read(w.sync[:]) // never fails
	return w, nil
}

func (f *Avro) encoder(s *connect.Schema) (*connectavro.Encoder, error) {
	return f.plans.of(s, func(s *connect.Schema) (*connectavro.Encoder, error) { return connectavro.FromConnect(s, f.options) })
}

// avroWriter is one file.
type avroWriter struct {
	avro    *Avro
	encoder *connectavro.Encoder
	sync    [16]byte
	started bool
}

func (w *avroWriter) Append(block []byte, r *connect.Record) ([]byte, error) {
	v, err := w.avro.content.value(r)
	if err != nil {
		return block, fmt.Errorf("write %s as Avro: %w", w.avro.content.part, err)
	}
	next, err := w.encoder.AppendDatum(block, v)
	if err != nil {
		return block, fmt.Errorf("write %s as Avro: %w", w.avro.content.part, err)
	}
	return next, nil
}

func (*avroWriter) BlockBytes() int { return avroBlockBytes }

func (w *avroWriter) Seal(to Output, block [][]byte, records int, _ bool) error {
	f := w.avro
	out := f.out[:0]
	if !w.started {
		w.started = true
		out = w.appendHead(out)
	}
	if records > 0 {
		var err error
		if f.packed, err = f.pack(f.packed[:0], joined(block)); err != nil {
			return fmt.Errorf("compress an Avro block with %s: %w", f.codec, err)
		}
		out = binary.AppendVarint(out, int64(records))
		out = binary.AppendVarint(out, int64(len(f.packed)))
		out = append(append(out, f.packed...), w.sync[:]...)
	}
	f.out = out
	_, err := to.Write(out)
	return err
}

// joined is a block as one piece, as blocks of this size are anyway.
func joined(block [][]byte) []byte {
	if len(block) == 1 {
		return block[0]
	}
	return bytes.Join(block, nil)
}

func (w *avroWriter) appendHead(out []byte) []byte {
	out = append(out, "Obj\x01"...)
	out = binary.AppendVarint(out, 2)
	for _, pair := range [][2]string{{"avro.schema", w.encoder.Schema.Canonical()}, {"avro.codec", w.avro.codec}} {
		for _, text := range pair {
			out = append(binary.AppendVarint(out, int64(len(text))), text...)
		}
	}
	return append(append(out, 0), w.sync[:]...)
}
