package convert

import (
	"errors"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// avroConfig has the options of AvroConverter.
type avroConfig struct {
	registryConfig
	isKey     bool
	avro      connectavro.Options
	metadata  bool
	flatten   bool
	cacheSize int
}

func (c *avroConfig) define(d *connect.Def, prefix string) {
	c.registryConfig.define(d, prefix)
	flags := []connect.Option{
		{Name: "enhanced.avro.schema.support", Var: &c.avro.Enhanced, Default: "false", Doc: "Keep enums as enums and the namespaces of names."},
		{Name: "scrub.invalid.names", Var: &c.avro.ScrubNames, Default: "false", Doc: "Replace what Avro does not allow in names."},
		{Name: "connect.meta.data", Var: &c.metadata, Default: "true", Doc: "Keep what Avro cannot say about a schema in connect.* attributes."},
		{Name: "generalized.sum.type.support", Var: &c.avro.Generalized, Default: "false", Doc: "Name unions and enums as the converters of other formats do."},
		{Name: "ignore.default.for.nullables", Var: &c.avro.KeepNull, Default: "false", Doc: "Write null and not the default where an optional value is null."},
		{Name: "discard.type.doc.default", Var: &c.avro.FieldDoc, Default: "false", Doc: "Take documentation and defaults from fields, not from their types."},
		{Name: "allow.optional.map.keys", Var: &c.avro.OptionalKeys, Default: "false", Doc: "Write a map with optional strings as keys as a map, not as an array of entries."},
		{Name: "flatten.singleton.unions", Var: &c.flatten, Default: "true", Doc: "Read a union of one type as that type."},
		{Name: "avro.fail.on.trailing.data", Var: &c.avro.FailOnTrailing, Default: "false", Doc: "Refuse data with bytes behind the value."},
		{Name: "extended.logical.types", Var: &c.avro.Extended, Default: "false", Doc: "Keep logical types that Kafka Connect does not know (microseconds, nanoseconds, local times, UUIDs) in a parameter of the schema, and write them again."},
	}
	for _, o := range flags {
		o.Name, o.Group, o.Importance = prefix+o.Name, "Schemas", connect.Low
		d.Add(o)
	}
	d.Add(connect.Option{Name: prefix + "schemas.cache.config", Var: &c.cacheSize, Default: "1000", Group: "Schemas", Importance: connect.Low,
		Doc: "How many schemas are kept so that they need not be compiled again."})
}

func (c *avroConfig) converter() (Converter, error) {
	c.avro.NoMetadata, c.avro.KeepSingletons = !c.metadata, !c.flatten
	return newRegistryConverter(&c.registryConfig, avroFormat{c.avro}, c.isKey, c.cacheSize)
}

// avroFormat is the schemaFormat of AvroConverter.
type avroFormat struct{ o connectavro.Options }

type avroSchema struct{ *avro.Schema }

func (s avroSchema) recordName() string { return s.Root().Name.Full() }

type avroWriter struct{ *connectavro.Encoder }

func (w avroWriter) schema() parsedSchema { return avroSchema{w.Encoder.Schema} }
func (avroWriter) index() []byte          { return nil }

type avroReader struct{ d *connectavro.Decoder }

func (r avroReader) Decode(b *connect.Batch, _, data []byte) (*connect.Schema, connect.Value, error) {
	v, err := r.d.Decode(b, data)
	return r.d.Schema, v, err
}

func (avroFormat) schemaType() sr.SchemaType { return sr.TypeAvro }

func (f avroFormat) writer(s *connect.Schema, to parsedSchema) (formatWriter, error) {
	var e *connectavro.Encoder
	var err error
	if to == nil {
		e, err = connectavro.FromConnect(s, f.o)
	} else {
		e, err = connectavro.FromConnectTo(s, to.(avroSchema).Schema, f.o)
	}
	if err != nil {
		return nil, err
	}
	return avroWriter{e}, nil
}

func (avroFormat) parse(text string, references []schemaReference) (parsedSchema, error) {
	o := avro.Options{Registered: true}
	for _, r := range references {
		o.References = append(o.References, avro.Reference{Name: r.name, Text: r.text})
	}
	s, err := avro.Parse(text, o)
	if err != nil {
		return nil, err
	}
	return avroSchema{s}, nil
}

func (f avroFormat) reader(s parsedSchema, version int) (formatReader, error) {
	d, err := connectavro.ToConnect(s.(avroSchema).Schema, version, f.o)
	if err != nil {
		return nil, err
	}
	return avroReader{d}, nil
}

func (avroFormat) fits(registered, own parsedSchema) error {
	differences, err := avro.CanRead(registered.(avroSchema).Schema, own.(avroSchema).Schema, avro.NewReadsOld)
	if err == nil && len(differences) > 0 {
		err = errors.New(differences[0].Message())
	}
	return err
}
