package schemaregistry

import (
	"errors"
	"slices"

	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// AvroProvider knows Avro schemas, within limits; the zero value has the defaults.
type AvroProvider struct{ Limits avro.Limits }

type avroSchema struct{ *avro.Schema }

// Type is AVRO.
func (AvroProvider) Type() string { return Avro }

// Parse reads an Avro schema.
func (p AvroProvider) Parse(text string, references []Referenced, isNew bool) (Schema, error) {
	o := avro.Options{Registered: !isNew, Limits: p.Limits}
	for _, r := range references {
		o.References = append(o.References, avro.Reference{Name: r.Name, Text: r.Text})
	}
	s, err := avro.Parse(text, o)
	if err != nil {
		return nil, avroError(err)
	}
	return avroSchema{s}, nil
}

// CanRead compares by Avro's rules of schema resolution.
func (AvroProvider) CanRead(reader, writer Schema, newReads bool) ([]Difference, error) {
	direction := avro.OldReadsNew
	if newReads {
		direction = avro.NewReadsOld
	}
	differences, err := avro.CanRead(reader.(avroSchema).Schema, writer.(avroSchema).Schema, direction)
	if err != nil {
		return nil, avroError(err)
	}
	var found []Difference
	for i := range differences {
		d := &differences[i]
		found = append(found, Difference{string(d.Type), d.Pointer, d.Message(), d.Fix(), newReads})
	}
	return found, nil
}

// Normalized is the text that normalize=true asks for; a schema whose defaults take too long to write stays as it is.
func (s avroSchema) Normalized() string {
	n, err := s.Normalize()
	if err != nil {
		return s.Canonical()
	}
	return n.Canonical()
}

func (s avroSchema) Inlined() string { return s.Resolved() }

func (s avroSchema) Equal(other Schema) bool {
	o, ok := other.(avroSchema)
	if !ok {
		return false
	}
	same, err := s.Schema.Equal(o.Schema)
	return same && err == nil
}

func (s avroSchema) HasField(name string) bool {
	return slices.ContainsFunc(s.Root().Fields, func(f *avro.Field) bool { return f.Name == name })
}

// largeSchema marks an error about the size of a schema.
type largeSchema struct{ error }

func (largeSchema) TooLarge() bool { return true }

// avroError marks what is about the size of a schema, for clients to tell it from mistakes.
func avroError(err error) error {
	if e, ok := errors.AsType[*avro.LimitError](err); ok && e.Limit == avro.LimitBytes {
		return largeSchema{err}
	}
	return err
}
