package convert

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert/connectproto"
	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// protobufConfig has the options of ProtobufConverter.
type protobufConfig struct {
	registryConfig
	isKey     bool
	proto     connectproto.Options
	cacheSize int

	// Options of which the zero value of connectproto's says the opposite.
	proto2Optional, rootUnwrapped, unionIndex bool
}

func (c *protobufConfig) define(d *connect.Def, prefix string) {
	c.registryConfig.define(d, prefix)
	flags := []connect.Option{
		{Name: "enhanced.protobuf.schema.support", Var: &c.proto.Enhanced, Default: "false", Doc: "Keep the packages in names."},
		{Name: "scrub.invalid.names", Var: &c.proto.ScrubNames, Default: "false", Doc: "Replace what Protobuf does not allow in names."},
		{Name: "int.for.enums", Var: &c.proto.IntForEnums, Default: "false", Doc: "Read enums as numbers and not as their symbols."},
		{Name: "optional.for.nullables", Var: &c.proto.OptionalForNullables, Default: "false", Doc: "Give fields that may be null the label optional."},
		{Name: "optional.for.proto2", Var: &c.proto2Optional, Default: "true", Doc: "Read optional fields of proto2 that are not set as null, and not as their defaults."},
		{Name: "wrapper.for.nullables", Var: &c.proto.WrapperForNullables, Default: "false", Doc: "Write scalars that may be null in wrapper messages."},
		{Name: "wrapper.for.raw.primitives", Var: &c.rootUnwrapped, Default: "true", Doc: "Read a wrapper message that is the whole value as the scalar in it."},
		{Name: "generate.struct.for.nulls", Var: &c.proto.StructForNull, Default: "false", Doc: "Read messages that are not set as structs without values."},
		{Name: "generate.index.for.unions", Var: &c.unionIndex, Default: "true", Doc: "Append the index of a oneof to the name of its field."},
		{Name: "flatten.unions", Var: &c.proto.FlattenUnions, Default: "false", Doc: "Read the fields of oneofs as fields of the message."},
		{Name: "generalized.sum.type.support", Var: &c.proto.Generalized, Default: "false", Doc: "Name oneofs and enums as the converters of other formats do."},
		{Name: "ignore.default.for.nullables", Var: &c.proto.KeepNull, Default: "false", Doc: "Write null and not the default where an optional value is null."},
	}
	for _, o := range flags {
		o.Name, o.Group, o.Importance = prefix+o.Name, "Schemas", connect.Low
		d.Add(o)
	}
	d.Add(connect.Option{Name: prefix + "schemas.cache.config", Var: &c.cacheSize, Default: "1000", Group: "Schemas", Importance: connect.Low,
		Doc: "How many schemas are kept so that they need not be compiled again."})
}

func (c *protobufConfig) converter() (Converter, error) {
	c.proto.NoProto2Optional, c.proto.KeepRootWrapper, c.proto.NoUnionIndex = !c.proto2Optional, !c.rootUnwrapped, !c.unionIndex
	return newRegistryConverter(&c.registryConfig, protobufFormat{c.proto}, c.isKey, c.cacheSize)
}

// protobufFormat is the schemaFormat of ProtobufConverter.
type protobufFormat struct{ o connectproto.Options }

type protobufSchema struct{ *protobuf.Schema }

func (s protobufSchema) recordName() string { return s.Name() }

type protobufWriter struct{ *connectproto.Encoder }

func (w protobufWriter) schema() parsedSchema { return protobufSchema{w.Encoder.Schema} }
func (w protobufWriter) index() []byte        { return w.Encoder.Index }

func (protobufFormat) schemaType() sr.SchemaType { return sr.TypeProtobuf }

func (f protobufFormat) writer(s *connect.Schema, to parsedSchema) (formatWriter, error) {
	var e *connectproto.Encoder
	var err error
	if to == nil {
		e, err = connectproto.FromConnect(s, f.o)
	} else {
		e, err = connectproto.FromConnectTo(s, to.(protobufSchema).Schema, f.o)
	}
	if err != nil {
		return nil, err
	}
	return protobufWriter{e}, nil
}

func (protobufFormat) parse(text string, references []schemaReference) (parsedSchema, error) {
	o := protobuf.Options{Registered: true}
	for _, r := range references {
		o.References = append(o.References, protobuf.Reference{Name: r.name, Text: r.text})
	}
	s, err := protobuf.Parse(text, o)
	if err != nil {
		return nil, err
	}
	return protobufSchema{s}, nil
}

func (protobufFormat) fits(registered, own parsedSchema) error {
	differences, err := protobuf.Compare(registered.(protobufSchema).Schema, own.(protobufSchema).Schema)
	if err != nil {
		return err
	}
	for i := range differences {
		if d := &differences[i]; !d.Compatible() {
			return errors.New(d.Message(protobuf.NewReadsOld))
		}
	}
	return nil
}

func (f protobufFormat) reader(s parsedSchema, version int) (formatReader, error) {
	return &protobufReader{o: f.o, schema: s.(protobufSchema).Schema, version: version, messages: make(map[string]*connectproto.Decoder)}, nil
}

// protobufReader reads data of the messages of one schema.
type protobufReader struct {
	o       connectproto.Options
	schema  *protobuf.Schema
	version int
	first   *connectproto.Decoder // of the first message, which most data is of; nil before there was any
	// messages are those that were met, by the bytes of their paths.
	messages map[string]*connectproto.Decoder
}

// maxIndexes bounds the path of a message (I5).
const maxIndexes = 64

var errIndexes = errors.New("the data does not begin with the path of a message")

// Decode implements formatReader.
func (r *protobufReader) Decode(b *connect.Batch, index, data []byte) (*connect.Schema, connect.Value, error) {
	path := index
	if path == nil {
		path = data
	}
	n, err := pathLength(path)
	if err != nil {
		return nil, connect.Value{}, err
	}
	path = path[:n]
	if index == nil {
		data = data[n:]
	}
	d := r.first
	if n > 1 || d == nil {
		if d, err = r.at(path); err != nil {
			return nil, connect.Value{}, err
		}
	}
	v, err := d.Decode(b, data)
	return d.Schema, v, err
}

// pathLength is how long the path is that data begins with.
func pathLength(data []byte) (int, error) {
	count, n := binary.Varint(data)
	if n <= 0 || count < 0 || count > maxIndexes {
		return 0, errIndexes
	}
	for range count {
		_, size := binary.Varint(data[n:])
		if size <= 0 {
			return 0, errIndexes
		}
		n += size
	}
	return n, nil
}

// at returns how the message of a path is read.
func (r *protobufReader) at(path []byte) (*connectproto.Decoder, error) {
	if d, ok := r.messages[string(path)]; ok {
		return d, nil
	}
	count, n := binary.Varint(path)
	var indexes []int
	for range count {
		i, size := binary.Varint(path[n:])
		indexes, n = append(indexes, int(i)), n+size
	}
	d, err := r.message(indexes)
	if err != nil {
		return nil, err
	}
	if len(path) == 1 {
		r.first = d
	}
	if len(r.messages) >= maxIndexes {
		clear(r.messages)
	}
	r.messages[string(path)] = d
	return d, nil
}

func (r *protobufReader) message(indexes []int) (*connectproto.Decoder, error) {
	name := r.schema.MessageName(indexes)
	if name == "" {
		return nil, fmt.Errorf("the schema has no message at the path %v", indexes)
	}
	d, err := connectproto.ToConnect(r.schema, name, r.version, r.o)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", name, err)
	}
	return d, nil
}
