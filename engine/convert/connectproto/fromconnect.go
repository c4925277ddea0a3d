package connectproto

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// Limits of a schema (I5).
const (
	maxNesting = 30 // what protoc takes
	maxTypes   = 50_000
)

var errNoSchema = errors.New("Protobuf needs a schema, and the value has none")

// descriptorOf returns what a schema becomes, and the full name of the message of its values.
func descriptorOf(s *connect.Schema, o Options) (*protobuf.Schema, string, error) {
	if s == nil {
		return nil, "", errNoSchema
	}
	d, message, err := fileOf(s, o)
	if err != nil {
		return nil, "", err
	}
	raw, err := proto.Marshal(d)
	if err != nil {
		return nil, "", err
	}
	p, err := protobuf.Parse(base64.StdEncoding.EncodeToString(raw), protobuf.Options{})
	if err != nil {
		return nil, "", fmt.Errorf("the schema has no form in Protobuf: %w; scrub.invalid.names=true replaces names that are not allowed", err)
	}
	return p, message, nil
}

func fileOf(s *connect.Schema, o Options) (*descriptorpb.FileDescriptorProto, string, error) {
	if s.Type() != connect.Struct {
		wrapper := wrapperOf(s)
		if wrapper == "" || hasLogicalType(s) {
			return nil, "", fmt.Errorf("%s has no form in Protobuf but in a struct", described(s))
		}
		return wrappersFile(), wrapper, nil
	}
	m := &mapper{o: o, names: namer{o: o}}
	m.file.Syntax = proto.String("proto3")
	pkg, name := m.names.split(s)
	if pkg != "" {
		m.file.Package = &pkg
	}
	d, err := m.message(name, s, 0)
	m.file.MessageType = append(m.file.MessageType, d)
	full := name
	if pkg != "" {
		full = pkg + "." + name
	}
	return &m.file, full, err
}

func described(s *connect.Schema) string {
	if s.Name() != "" {
		return s.Type().String() + " " + s.Name()
	}
	return s.Type().String()
}

func hasLogicalType(s *connect.Schema) bool { return logicalMessage(s) != "" }

// wrappersFile is google/protobuf/wrappers.proto as Confluent's converter registers it for scalars.
func wrappersFile() *descriptorpb.FileDescriptorProto {
	d := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	for _, m := range d.MessageType {
		for _, f := range m.Field {
			f.JsonName = nil
		}
	}
	return d
}

// mapper makes a descriptor of a struct.
type mapper struct {
	o     Options
	names namer
	file  descriptorpb.FileDescriptorProto
	types int
}

// message makes a message of a struct.
func (m *mapper) message(name string, s *connect.Schema, depth int) (*descriptorpb.DescriptorProto, error) {
	if m.types++; m.types > maxTypes || depth > maxNesting {
		return nil, fmt.Errorf("the schema nests deeper than %d levels, or has more than %d structs", maxNesting, maxTypes)
	}
	d := &descriptorpb.DescriptorProto{Name: &name}
	numbers := newNumbers(s)
	for _, f := range s.Fields() {
		var err error
		if isUnion(f.Schema) {
			err = m.union(d, f, numbers, depth)
		} else {
			err = m.field(d, f.Name, f.Schema, numbers.of(f.Schema), -1, depth)
		}
		if err != nil {
			return nil, in(f.Name, err)
		}
	}
	return d, nil
}

// numbers gives numbers to fields that say none.
type numbers struct {
	taken map[int32]bool
	next  int32
}

func newNumbers(s *connect.Schema) *numbers {
	n := &numbers{taken: make(map[int32]bool)}
	for _, f := range s.Fields() {
		if isUnion(f.Schema) {
			for _, member := range f.Schema.Fields() {
				n.taken[said(member.Schema)] = true
			}
			continue
		}
		n.taken[said(f.Schema)] = true
	}
	return n
}

// said is the number that a field had where it is from, 0 when there is none.
func said(s *connect.Schema) int32 {
	number, err := strconv.ParseInt(param(s, tagParam), 10, 32)
	if err != nil {
		return 0
	}
	return int32(number)
}

func (n *numbers) of(s *connect.Schema) int32 {
	if number := said(s); number != 0 {
		return number
	}
	n.next++
	for n.taken[n.next] || n.next >= 19000 && n.next <= 19999 {
		n.next++
	}
	return n.next
}

// union makes a oneof of a struct of which one field is set.
func (m *mapper) union(d *descriptorpb.DescriptorProto, f connect.Field, n *numbers, depth int) error {
	name := param(f.Schema, generalUnion)
	if name == "" || !m.o.Generalized {
		name = strings.TrimPrefix(f.Schema.Name(), unionPrefix+".")
		name = m.o.scrub(name[strings.LastIndexByte(name, '.')+1:])
	}
	index := len(d.OneofDecl)
	d.OneofDecl = append(d.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: &name})
	for _, member := range f.Schema.Fields() {
		if err := m.field(d, member.Name, member.Schema, n.of(member.Schema), index, depth); err != nil {
			return in(member.Name, err)
		}
	}
	return nil
}

// field adds a field with the types that it needs. oneof is the index of its oneof, -1 for none.
func (m *mapper) field(d *descriptorpb.DescriptorProto, name string, s *connect.Schema, number int32, oneof, depth int) error {
	name = m.o.scrub(name)
	f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number}
	item := s
	switch {
	case s.Type() == connect.Array:
		f.Label, item = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(), s.Value()
		if item.Type() == connect.Array || item.Type() == connect.Map {
			return errors.New("an array of arrays or maps has no form in Protobuf")
		}
	case s.Type() == connect.Map:
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	case oneof >= 0:
		f.OneofIndex = proto.Int32(int32(oneof))
	case m.o.OptionalForNullables && s.Optional():
		f.Proto3Optional = proto.Bool(true)
	}
	if oneof >= 0 && f.Label != nil {
		return errors.New("an array or a map cannot be in a oneof")
	}
	if err := m.fieldType(d, f, item, oneof >= 0, depth); err != nil {
		return err
	}
	d.Field = append(d.Field, f)
	return nil
}

// fieldType sets the type of a field, and defines it where that is needed.
func (m *mapper) fieldType(d *descriptorpb.DescriptorProto, f *descriptorpb.FieldDescriptorProto, s *connect.Schema, inOneof bool, depth int) error {
	params := make(map[string]string)
	switch {
	case hasLogicalType(s):
		m.logical(f, s, params)
	case s.Type() == connect.Struct:
		return m.structType(d, f, s, depth)
	case s.Type() == connect.Map:
		name := entryName(m.names.local(s))
		f.TypeName = &name
		return m.entry(d, name, s, depth)
	case isEnum(s):
		m.enum(d, f, s)
	default:
		m.scalar(f, s, inOneof, params)
	}
	if len(params) > 0 {
		f.Options = metaOptions(params)
	}
	return nil
}

func (m *mapper) logical(f *descriptorpb.FieldDescriptorProto, s *connect.Schema, params map[string]string) {
	message := logicalMessage(s)
	f.TypeName = &message
	m.use(logicalTypes[s.Name()].file)
	if message != decimalMessage {
		return
	}
	if p := param(s, precisionParam); p != "" {
		params["precision"] = p
	}
	if scale := param(s, scaleParam); scale != "" {
		params["scale"] = scale
	}
}

// use imports a file.
func (m *mapper) use(file string) {
	if !slices.Contains(m.file.Dependency, file) {
		m.file.Dependency = append(m.file.Dependency, file)
	}
}

// structType defines the message of a field in the message that has it, once for each name.
func (m *mapper) structType(d *descriptorpb.DescriptorProto, f *descriptorpb.FieldDescriptorProto, s *connect.Schema, depth int) error {
	name := m.names.local(s)
	if name == f.GetName() {
		name += "Message"
	}
	f.TypeName = &name
	if d.GetName() == name || slices.ContainsFunc(d.NestedType, func(n *descriptorpb.DescriptorProto) bool { return n.GetName() == name }) {
		return nil
	}
	nested, err := m.message(name, s, depth+1)
	d.NestedType = append(d.NestedType, nested)
	return err
}

// entry defines the message of a map: not a map to the language, which wants its own names for these, but the same data.
func (m *mapper) entry(d *descriptorpb.DescriptorProto, name string, s *connect.Schema, depth int) error {
	if depth >= maxNesting {
		return fmt.Errorf("the schema nests deeper than %d levels", maxNesting)
	}
	entry := &descriptorpb.DescriptorProto{Name: &name}
	if err := m.field(entry, "key", s.Key(), 1, -1, depth+1); err != nil {
		return in("key", err)
	}
	if err := m.field(entry, "value", s.Value(), 2, -1, depth+1); err != nil {
		return in("value", err)
	}
	for _, f := range entry.Field {
		f.Proto3Optional = nil // a map has no label for them
	}
	d.NestedType = append(d.NestedType, entry)
	return nil
}

func (m *mapper) enum(d *descriptorpb.DescriptorProto, f *descriptorpb.FieldDescriptorProto, s *connect.Schema) {
	kind := enumName
	if hasParam(s, generalEnum) {
		kind = generalEnum
	}
	name := param(s, kind)
	f.TypeName = &name
	if slices.ContainsFunc(d.EnumType, func(e *descriptorpb.EnumDescriptorProto) bool { return e.GetName() == name }) {
		return
	}
	e := &descriptorpb.EnumDescriptorProto{Name: &name}
	for _, symbol := range symbolsOf(s, kind) {
		e.Value = append(e.Value, &descriptorpb.EnumValueDescriptorProto{Name: &symbol.name, Number: &symbol.number})
	}
	// They stand as the schema has them, but proto3 wants one for zero first.
	first := slices.IndexFunc(e.Value, func(v *descriptorpb.EnumValueDescriptorProto) bool { return v.GetNumber() == 0 })
	if first > 0 {
		zero := e.Value[first]
		e.Value = slices.Insert(slices.Delete(e.Value, first, first+1), 0, zero)
	}
	d.EnumType = append(d.EnumType, e)
}

// symbol is one of an enum's.
type symbol struct {
	name   string
	number int32
}

// symbolsOf are an enum's symbols: parameters behind that of its name. Symbols without numbers are counted.
func symbolsOf(s *connect.Schema, kind string) (symbols []symbol) {
	for _, name := range s.ParameterNames() {
		text, ok := strings.CutPrefix(name, kind+".")
		if !ok {
			continue
		}
		number, err := strconv.ParseInt(param(s, name), 10, 32)
		if err != nil {
			number = int64(len(symbols))
		}
		symbols = append(symbols, symbol{text, int32(number)})
	}
	return symbols
}

// scalar sets the type of a scalar, or that of the wrapper of one that is optional.
func (m *mapper) scalar(f *descriptorpb.FieldDescriptorProto, s *connect.Schema, inOneof bool, params map[string]string) {
	switch s.Type() {
	case connect.Int8:
		params[connectType] = "int8"
	case connect.Int16:
		params[connectType] = "int16"
	}
	if m.o.WrapperForNullables && s.Optional() && (!inOneof || param(s, wrapperParam) == "true") {
		wrapper := wrapperOf(s)
		f.TypeName = &wrapper
		m.use("google/protobuf/wrappers.proto")
		return
	}
	f.Type = scalarType(s).Enum()
}

// scalarType is the type of a scalar: the one that it had, where it is from Protobuf.
func scalarType(s *connect.Schema) descriptorpb.FieldDescriptorProto_Type {
	said := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(param(s, typeParam))]
	was := descriptorpb.FieldDescriptorProto_Type(said)
	switch s.Type() {
	case connect.Int32:
		if was == descriptorpb.FieldDescriptorProto_TYPE_SINT32 || was == descriptorpb.FieldDescriptorProto_TYPE_SFIXED32 {
			return was
		}
	case connect.Int64:
		switch was {
		case descriptorpb.FieldDescriptorProto_TYPE_UINT32, descriptorpb.FieldDescriptorProto_TYPE_FIXED32, descriptorpb.FieldDescriptorProto_TYPE_UINT64,
			descriptorpb.FieldDescriptorProto_TYPE_FIXED64, descriptorpb.FieldDescriptorProto_TYPE_SINT64, descriptorpb.FieldDescriptorProto_TYPE_SFIXED64:
			return was
		}
		return descriptorpb.FieldDescriptorProto_TYPE_INT64
	case connect.Float32:
		return descriptorpb.FieldDescriptorProto_TYPE_FLOAT
	case connect.Float64:
		return descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
	case connect.Boolean:
		return descriptorpb.FieldDescriptorProto_TYPE_BOOL
	case connect.String:
		return descriptorpb.FieldDescriptorProto_TYPE_STRING
	case connect.Bytes:
		return descriptorpb.FieldDescriptorProto_TYPE_BYTES
	}
	return descriptorpb.FieldDescriptorProto_TYPE_INT32
}

// wrapperOf is the full name of the wrapper message of a scalar, "" for other types.
func wrapperOf(s *connect.Schema) string {
	switch s.Type() {
	case connect.Int8, connect.Int16, connect.Int32:
		return wrapperPackage + "Int32Value"
	case connect.Int64:
		switch param(s, typeParam) {
		case "uint32", "fixed32":
			return wrapperPackage + "UInt32Value"
		case "uint64", "fixed64":
			return wrapperPackage + "UInt64Value"
		}
		return wrapperPackage + "Int64Value"
	case connect.Float32:
		return wrapperPackage + "FloatValue"
	case connect.Float64:
		return wrapperPackage + "DoubleValue"
	case connect.Boolean:
		return wrapperPackage + "BoolValue"
	case connect.String:
		return wrapperPackage + "StringValue"
	case connect.Bytes:
		return wrapperPackage + "BytesValue"
	}
	return ""
}

// metaNumber is that of Confluent's options of fields.
const metaNumber = 1088

// metaOptions are options with Confluent's parameters: Meta{params}.
func metaOptions(params map[string]string) *descriptorpb.FieldOptions {
	var meta []byte
	for _, name := range slices.Sorted(maps.Keys(params)) {
		var pair []byte
		pair = protowire.AppendString(protowire.AppendTag(pair, 1, protowire.BytesType), name)
		pair = protowire.AppendString(protowire.AppendTag(pair, 2, protowire.BytesType), params[name])
		meta = protowire.AppendBytes(protowire.AppendTag(meta, 2, protowire.BytesType), pair)
	}
	o := &descriptorpb.FieldOptions{}
	o.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, metaNumber, protowire.BytesType), meta))
	return o
}
