package schemaregistry

import (
	"errors"

	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// ProtobufProvider knows Protobuf schemas, within limits; the zero value has the defaults.
type ProtobufProvider struct{ Limits protobuf.Limits }

type protobufSchema struct{ *protobuf.Schema }

// Type is PROTOBUF.
func (ProtobufProvider) Type() string { return Protobuf }

// Parse reads the text of a .proto file, or a FileDescriptorProto in base64. References are what it imports.
func (p ProtobufProvider) Parse(text string, references []Referenced, isNew bool) (Schema, error) {
	o := protobuf.Options{Registered: !isNew, Limits: p.Limits}
	for _, r := range references {
		o.References = append(o.References, protobuf.Reference{Name: r.Name, Text: r.Text})
	}
	s, err := protobuf.Parse(text, o)
	if err != nil {
		return nil, protobufError(err)
	}
	return protobufSchema{s}, nil
}

// CanRead compares by the rules of Confluent's registry.
func (ProtobufProvider) CanRead(reader, writer Schema, newReads bool) ([]Difference, error) {
	direction := protobuf.OldReadsNew
	if newReads {
		direction = protobuf.NewReadsOld
	}
	differences, err := protobuf.Compare(reader.(protobufSchema).Schema, writer.(protobufSchema).Schema)
	if err != nil {
		return nil, protobufError(err)
	}
	var found []Difference
	for i := range differences {
		if d := &differences[i]; !d.Compatible() {
			found = append(found, Difference{string(d.Type), d.Path, d.Message(direction), d.Fix(), newReads})
		}
	}
	return found, nil
}

// Normalized is the text that normalize=true asks for; a schema that uses types that nobody defines stays as it is.
func (s protobufSchema) Normalized() string {
	text, err := s.Schema.Normalized()
	if err != nil {
		return s.Canonical()
	}
	return text
}

// Inlined is Canonical: the language has no way to write what is imported in its place.
func (s protobufSchema) Inlined() string { return s.Canonical() }

// Equal compares canonical texts.
func (s protobufSchema) Equal(other Schema) bool {
	o, ok := other.(protobufSchema)
	return ok && s.Canonical() == o.Canonical()
}

// Formatted implements Formatter.
func (s protobufSchema) Formatted(format string) (string, error) {
	switch format {
	case "serialized":
		return s.Serialized()
	case "ignore_extensions":
		return s.WithoutExtensions(), nil
	}
	return s.Canonical(), nil
}

// protobufError marks what is about the size of a schema, for clients to tell it from mistakes.
func protobufError(err error) error {
	if e, ok := errors.AsType[*protobuf.LimitError](err); ok && e.Limit == protobuf.LimitBytes {
		return largeSchema{err}
	}
	return err
}
