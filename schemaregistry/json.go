package schemaregistry

import (
	"errors"

	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// JSONProvider knows JSON Schemas, within limits; the zero value has the defaults.
type JSONProvider struct {
	Limits  jsonschema.Limits
	lenient bool
}

type jsonSchema struct{ *jsonschema.Schema }

// Type is JSON.
func (JSONProvider) Type() string { return JSON }

// Lenient implements LenientProvider.
func (p JSONProvider) Lenient() Provider {
	p.lenient = true
	return p
}

// Parse reads a JSON Schema.
func (p JSONProvider) Parse(text string, references []Referenced, isNew bool) (Schema, error) {
	o := jsonschema.Options{Registered: !isNew, Limits: p.Limits}
	for _, r := range references {
		o.References = append(o.References, jsonschema.Reference{Name: r.Name, Text: r.Text})
	}
	s, err := jsonschema.Parse(text, o)
	if err != nil {
		return nil, jsonError(err)
	}
	return jsonSchema{s}, nil
}

// CanRead compares by Confluent's rules.
func (p JSONProvider) CanRead(reader, writer Schema, newReads bool) ([]Difference, error) {
	differences, err := jsonschema.Compare(writer.(jsonSchema).Schema, reader.(jsonSchema).Schema, p.lenient)
	if err != nil {
		return nil, jsonError(err)
	}
	direction := jsonschema.OldReadsNew
	if newReads {
		direction = jsonschema.NewReadsOld
	}
	var found []Difference
	for _, d := range differences {
		if d.Breaks(p.lenient) {
			found = append(found, Difference{string(d.Type), d.Pointer, d.Message(direction), d.Fix(direction), newReads})
		}
	}
	return found, nil
}

// Inlined is the text as it is: no keyword of JSON Schema could hold what it refers to.
func (s jsonSchema) Inlined() string { return s.Canonical() }

func (s jsonSchema) Equal(other Schema) bool {
	o, ok := other.(jsonSchema)
	return ok && s.Schema.Equal(o.Schema)
}

func (s jsonSchema) HasField(name string) bool { return s.HasProperty(name) }

// jsonError marks what is about the size of a schema, for clients to tell it from mistakes.
func jsonError(err error) error {
	if e, ok := errors.AsType[*jsonschema.LimitError](err); ok && e.Limit == jsonschema.LimitBytes {
		return largeSchema{err}
	}
	return err
}
