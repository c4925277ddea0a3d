package convert

import (
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/engine/convert/connectjsonschema"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// jsonSchemaConfig has the options of JsonSchemaConverter.
type jsonSchemaConfig struct {
	registryConfig
	isKey         bool
	json          connectjsonschema.Options
	open, flatten bool
	validate      bool
	decimalFormat string
	specVersion   string
	cacheSize     int
}

func (c *jsonSchemaConfig) define(d *connect.Def, prefix string) {
	c.registryConfig.define(d, prefix)
	for _, o := range []connect.Option{
		{Name: "object.additional.properties", Var: &c.open, Default: "true", Doc: "Let objects have properties that the schema does not name."},
		{Name: "use.optional.for.nonrequired", Var: &c.json.OptionalFields, Default: "false", Doc: "Read properties that are not required as optional fields."},
		{Name: "preserve.additional.properties", Var: &c.json.Preserve, Default: "false", Doc: "Read properties that the schema does not name, where it allows them, into a field __connect_additional_properties__, and write them from there; otherwise they are left out."},
		{Name: "json.fail.invalid.schema", Var: &c.validate, Default: "false", Doc: "Hold values to the registered schema, with all its limits, when they are written and when they are read; those that do not fit are errors."},
		{Name: "ignore.modern.dialects", Var: &c.json.Classic, Default: "false", Doc: "Read schemas of drafts after 7 as if they were of draft 7."},
		{Name: "decimal.format", Var: &c.decimalFormat, Default: "BASE64", Check: c.checkDecimal, Doc: "How a Decimal is written: BASE64 or NUMERIC. Both are read."},
		{Name: "generalized.sum.type.support", Var: &c.json.Generalized, Default: "false", Doc: "Name unions and enums as the converters of other formats do."},
		{Name: "ignore.default.for.nullables", Var: &c.json.KeepNull, Default: "false", Doc: "Write null and not the default where an optional value is null."},
		{Name: "flatten.singleton.unions", Var: &c.flatten, Default: "true", Doc: "Read a oneOf of one schema as that schema."},
		{Name: "json.schema.spec.version", Var: &c.specVersion, Default: "draft_7", OneOf: []string{"draft_4", "draft_6", "draft_7", "draft_2019_09", "draft_2020_12"},
			Doc: "The draft of schemas that are made of Java classes. A converter makes its schemas of Connect schemas, in draft 7: this is taken for the sake of existing configs, and changes nothing, as in Confluent's converter."},
	} {
		o.Name, o.Group, o.Importance = prefix+o.Name, "Schemas", connect.Low
		d.Add(o)
	}
	d.Add(connect.Option{Name: prefix + "schemas.cache.config", Var: &c.cacheSize, Default: "1000", Group: "Schemas", Importance: connect.Low,
		Doc: "How many schemas are kept so that they need not be compiled again."})
}

func (c *jsonSchemaConfig) checkDecimal() error {
	switch strings.ToUpper(c.decimalFormat) {
	case "BASE64":
		return nil
	case "NUMERIC":
		c.json.Decimal = connectjson.DecimalNumeric
		return nil
	}
	return errors.New("String must be one of (case insensitive): BASE64, NUMERIC")
}

func (c *jsonSchemaConfig) converter() (Converter, error) {
	c.json.Closed, c.json.KeepSingletons = !c.open, !c.flatten
	return newRegistryConverter(&c.registryConfig, jsonSchemaFormat{c.json, c.validate}, c.isKey, c.cacheSize)
}

// jsonSchemaFormat is the schemaFormat of JsonSchemaConverter.
type jsonSchemaFormat struct {
	o        connectjsonschema.Options
	validate bool
}

// validator is nil when nothing is to be validated.
func (f jsonSchemaFormat) validator(s parsedJSONSchema) (*jsonschema.Validator, error) {
	if !f.validate {
		return nil, nil
	}
	return s.Validator(f.o.Classic)
}

type parsedJSONSchema struct{ *jsonschema.Schema }

func (s parsedJSONSchema) recordName() string { return s.Title() }

type jsonSchemaWriter struct {
	*connectjsonschema.Encoder
	by        parsedJSONSchema
	validator *jsonschema.Validator
}

// Append implements formatWriter.
func (w jsonSchemaWriter) Append(dst []byte, v connect.Value) ([]byte, error) {
	start := len(dst)
	dst, err := w.Encoder.Append(dst, v)
	if err == nil && w.validator != nil {
		err = w.validator.Validate(dst[start:])
	}
	return dst, err
}

func (w jsonSchemaWriter) schema() parsedSchema { return w.by }
func (jsonSchemaWriter) index() []byte          { return nil }

type jsonSchemaReader struct {
	d         *connectjsonschema.Decoder
	validator *jsonschema.Validator
}

func (r jsonSchemaReader) Decode(b *connect.Batch, _, data []byte) (*connect.Schema, connect.Value, error) {
	if r.validator != nil {
		if err := r.validator.Validate(data); err != nil {
			return nil, connect.Value{}, err
		}
	}
	return r.d.Decode(b, data)
}

func (jsonSchemaFormat) schemaType() sr.SchemaType { return sr.TypeJSON }

// writer writes by a registered schema what it would write without: the names are in the data.
func (f jsonSchemaFormat) writer(s *connect.Schema, to parsedSchema) (formatWriter, error) {
	e, err := connectjsonschema.FromConnect(s, f.o)
	if err != nil {
		return nil, err
	}
	w := jsonSchemaWriter{Encoder: e, by: parsedJSONSchema{e.Schema}}
	if to != nil {
		w.by = to.(parsedJSONSchema)
	}
	w.validator, err = f.validator(w.by)
	return w, err
}

func (jsonSchemaFormat) parse(text string, references []schemaReference) (parsedSchema, error) {
	o := jsonschema.Options{Registered: true}
	for _, r := range references {
		o.References = append(o.References, jsonschema.Reference{Name: r.name, Text: r.text})
	}
	s, err := jsonschema.Parse(text, o)
	if err != nil {
		return nil, err
	}
	return parsedJSONSchema{s}, nil
}

func (f jsonSchemaFormat) reader(s parsedSchema, version int) (formatReader, error) {
	d, err := connectjsonschema.ToConnect(s.(parsedJSONSchema).Schema, version, f.o)
	if err != nil {
		return nil, err
	}
	v, err := f.validator(s.(parsedJSONSchema))
	return jsonSchemaReader{d, v}, err
}

func (jsonSchemaFormat) fits(registered, own parsedSchema) error {
	differences, err := jsonschema.Compare(own.(parsedJSONSchema).Schema, registered.(parsedJSONSchema).Schema, false)
	for _, d := range differences {
		if d.Breaks(false) {
			return errors.New(d.Message(jsonschema.NewReadsOld))
		}
	}
	return err
}
