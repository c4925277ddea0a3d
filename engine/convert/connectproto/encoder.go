package connectproto

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// Encoder writes values of one Connect schema. It may be used by any number of goroutines.
type Encoder struct {
	// Schema is what the data is written by, Message the full name of the message in it.
	Schema  *protobuf.Schema
	Message string
	// Index is the path of the message, as it stands between the id of the schema and the data.
	Index []byte
	root  *part
}

// FromConnect compiles a schema, and makes the Protobuf schema that it becomes.
//
// Errors: schemas that Protobuf has no form for, such as arrays of arrays.
func FromConnect(s *connect.Schema, o Options) (*Encoder, error) {
	p, message, err := descriptorOf(s, o)
	if err != nil {
		return nil, err
	}
	return compileEncoder(s, p, message, o, false)
}

// FromConnectTo compiles a schema whose values are to be written by a registered one: fields go by their names, and those that the
// registered schema does not have are left out.
//
// Errors: a field that it has with another type, and a message that has none of the fields.
func FromConnectTo(s *connect.Schema, to *protobuf.Schema, o Options) (*Encoder, error) {
	_, message, err := descriptorOf(s, o)
	if err != nil {
		return nil, err
	}
	if _, ok := to.MessageIndexes(message); !ok {
		message = to.MessageName(nil) // the only one that the data can be meant for
	}
	return compileEncoder(s, to, message, o, true)
}

// Append appends a value to dst. What it has appended before an error is of no use.
func (e *Encoder) Append(dst []byte, v connect.Value) ([]byte, error) {
	if v.IsNull() {
		if e.root.null == nil {
			return dst, errors.New("write Protobuf data: the value is null and its schema is not optional")
		}
		v = *e.root.null
	}
	if v.Type() != e.root.typ {
		return dst, fmt.Errorf("write Protobuf data: the value is %s and its schema %s", v.Type(), e.root.typ)
	}
	dst, err := e.root.contents(dst, v)
	if err != nil {
		return dst, fmt.Errorf("write Protobuf data: %w", err)
	}
	return dst, nil
}

func compileEncoder(s *connect.Schema, p *protobuf.Schema, message string, o Options, partial bool) (*Encoder, error) {
	md, index, err := messageOf(p, message)
	if err != nil {
		return nil, err
	}
	c := &encoderCompiler{o: o, partial: partial}
	root := &part{op: opWrapper, typ: s.Type(), null: c.null(s)}
	if s.Type() == connect.Struct {
		root.op = opMessage
		err = c.message(root, s, md, 0)
	} else {
		root.item, err = c.field(s, md.Fields().ByNumber(1), "value", 0)
	}
	if err != nil {
		return nil, fmt.Errorf("write by the message %s: %w", message, err)
	}
	return &Encoder{Schema: p, Message: message, Index: appendIndex(nil, index), root: root}, nil
}

// messageOf returns a message of a schema by its full name, with its path.
func messageOf(p *protobuf.Schema, full string) (protoreflect.MessageDescriptor, []int, error) {
	index, ok := p.MessageIndexes(full)
	fd, err := p.Descriptor()
	if err != nil || !ok || full == "" {
		return nil, nil, cmp.Or(err, fmt.Errorf("the schema has no message %s", strconv.Quote(full)))
	}
	if md := findMessage(fd, protoreflect.FullName(full)); md != nil {
		return md, index, nil
	}
	// A file that does nothing but to import another has its messages.
	for i := range fd.Imports().Len() {
		if md := findMessage(fd.Imports().Get(i).FileDescriptor, protoreflect.FullName(full)); md != nil {
			return md, index, nil
		}
	}
	return nil, nil, fmt.Errorf("the schema has no message %s", strconv.Quote(full))
}

func findMessage(in interface {
	Messages() protoreflect.MessageDescriptors
}, full protoreflect.FullName) protoreflect.MessageDescriptor {
	for i := range in.Messages().Len() {
		md := in.Messages().Get(i)
		if md.FullName() == full {
			return md
		}
		if found := findMessage(md, full); found != nil {
			return found
		}
	}
	return nil
}

// appendIndex appends a path: how many steps, and each, in zigzag. The first message is one byte.
func appendIndex(dst []byte, index []int) []byte {
	if len(index) == 1 && index[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(index)))
	for _, i := range index {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}

// encoderCompiler makes parts.
type encoderCompiler struct {
	o       Options
	partial bool // leaves out fields that the message does not have
	parts   int
}

// null is the value in the place of null: the default, unless nulls are kept.
func (c *encoderCompiler) null(s *connect.Schema) *connect.Value {
	if v, ok := s.Default(); ok && !c.o.KeepNull && !v.IsNull() {
		return &v
	}
	return nil
}

func (c *encoderCompiler) message(p *part, s *connect.Schema, md protoreflect.MessageDescriptor, depth int) error {
	if depth > 2*maxNesting {
		return fmt.Errorf("the schema nests deeper than %d levels", 2*maxNesting)
	}
	type numbered struct {
		part   *part
		cell   int
		number protoreflect.FieldNumber
	}
	var all []numbered
	for i, f := range s.Fields() {
		if isUnion(f.Schema) {
			u, number, err := c.union(f, md, depth)
			if err != nil {
				return in(f.Name, err)
			}
			all = append(all, numbered{u, i, number})
			continue
		}
		part, number, err := c.named(f, md, depth)
		if err != nil {
			return in(f.Name, err)
		}
		if part != nil {
			all = append(all, numbered{part, i, number})
		}
	}
	if len(all) == 0 && len(s.Fields()) > 0 {
		return fmt.Errorf("the message %s has none of the fields of the struct", md.FullName())
	}
	// In the order of the numbers, as Java writes them.
	slices.SortStableFunc(all, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	for _, n := range all {
		p.parts, p.cells = append(p.parts, n.part), append(p.cells, n.cell)
	}
	return nil
}

// union compiles a oneof. Its number is the lowest of its fields'.
func (c *encoderCompiler) union(f connect.Field, md protoreflect.MessageDescriptor, depth int) (*part, protoreflect.FieldNumber, error) {
	u := &part{op: opUnion, typ: connect.Struct, name: f.Name, null: c.null(f.Schema)}
	lowest := protoreflect.FieldNumber(protowire.MaxValidNumber)
	for _, member := range f.Schema.Fields() {
		p, number, err := c.named(member, md, depth)
		if err != nil {
			return nil, 0, in(member.Name, err)
		}
		if p != nil {
			lowest = min(lowest, number)
		}
		u.parts = append(u.parts, p)
	}
	return u, lowest, nil
}

// named compiles a field by its name; nil: it is left out.
func (c *encoderCompiler) named(f connect.Field, md protoreflect.MessageDescriptor, depth int) (*part, protoreflect.FieldNumber, error) {
	name := c.o.scrub(f.Name)
	fd := md.Fields().ByName(protoreflect.Name(name))
	switch {
	case fd == nil && c.partial:
		return nil, 0, nil
	case fd == nil:
		return nil, 0, fmt.Errorf("the message %s has no field %s", md.FullName(), name)
	}
	p, err := c.field(f.Schema, fd, f.Name, depth)
	return p, fd.Number(), err
}

// field compiles a field with its tag.
func (c *encoderCompiler) field(s *connect.Schema, fd protoreflect.FieldDescriptor, name string, depth int) (*part, error) {
	if c.parts++; c.parts > maxTypes {
		return nil, fmt.Errorf("the schema has more than %d fields, those of a struct counted in every place", maxTypes)
	}
	p := &part{typ: s.Type(), name: name, null: c.null(s), always: fd.HasPresence()}
	switch {
	case s.Type() == connect.Array && fd.IsList():
		item, err := c.single(s.Value(), fd, depth)
		if err != nil {
			return nil, err
		}
		p.op, p.item, p.packed = opList, item, fd.IsPacked()
		if p.packed {
			p.tag, item.tag = protowire.AppendTag(nil, fd.Number(), protowire.BytesType), nil
		}
		return p, nil
	case s.Type() == connect.Map && (fd.IsMap() || isEntry(fd)):
		p.op, p.tag, p.item = opMap, protowire.AppendTag(nil, fd.Number(), protowire.BytesType), &part{op: opMessage, cells: []int{0, 1}}
		for i, part := range []*connect.Schema{s.Key(), s.Value()} {
			entry, err := c.field(part, fd.Message().Fields().Get(i), entryField(i), depth+1)
			if err != nil {
				return nil, in(entryField(i), err)
			}
			p.item.parts = append(p.item.parts, entry)
		}
		return p, nil
	case s.Type() == connect.Array || s.Type() == connect.Map || fd.IsList() || fd.IsMap():
		return nil, fmt.Errorf("a value of type %s cannot be written to the field %s", described(s), fd.FullName())
	}
	one, err := c.single(s, fd, depth)
	if err != nil {
		return nil, err
	}
	one.name, one.null, one.always = p.name, p.null, p.always
	return one, nil
}

func entryField(i int) string { return [...]string{"key", "value"}[i] }

// single compiles a value that stands once behind its tag.
func (c *encoderCompiler) single(s *connect.Schema, fd protoreflect.FieldDescriptor, depth int) (*part, error) {
	p := &part{typ: s.Type()}
	wire := protowire.BytesType
	switch fd.Kind() {
	case protoreflect.GroupKind:
		wire, p.end = protowire.StartGroupType, protowire.AppendTag(nil, fd.Number(), protowire.EndGroupType)
		fallthrough
	case protoreflect.MessageKind:
		if err := c.nested(p, s, fd, depth); err != nil {
			return nil, err
		}
	default:
		var ok bool
		if p.op, wire, ok = scalarOp(s, fd); !ok {
			return nil, fmt.Errorf("a value of type %s cannot be written to the field %s of type %s", described(s), fd.FullName(), fd.Kind())
		}
		if p.op == opEnum {
			p.symbols = c.symbols(s, fd.Enum())
		}
	}
	p.tag = protowire.AppendTag(nil, fd.Number(), wire)
	return p, nil
}

// nested compiles what is written to a message: a logical type, a scalar in its wrapper, or a struct.
func (c *encoderCompiler) nested(p *part, s *connect.Schema, fd protoreflect.FieldDescriptor, depth int) error {
	message := string(fd.Message().FullName())
	logical := map[string]op{decimalMessage: opDecimal, dateMessage: opDate, timeMessage: opTime, timestampMessage: opTimestamp}
	switch {
	case logicalMessage(s) == message:
		p.op = logical[message]
		if scale, err := strconv.ParseInt(param(s, scaleParam), 10, 32); err == nil {
			p.scale = scale
		}
		return nil
	case isWrapper(message) && s.Type() != connect.Struct:
		item, err := c.field(s, fd.Message().Fields().ByNumber(1), "value", depth+1)
		p.op, p.item = opWrapper, item
		return err
	case s.Type() == connect.Struct:
		p.op = opMessage
		return c.message(p, s, fd.Message(), depth+1)
	}
	return fmt.Errorf("a value of type %s cannot be written to the field %s, a message %s", described(s), fd.FullName(), message)
}

// symbols are what the symbols of a schema, and those of the enum itself, are written as.
func (c *encoderCompiler) symbols(s *connect.Schema, ed protoreflect.EnumDescriptor) map[string]int32 {
	symbols := make(map[string]int32)
	for i := range ed.Values().Len() {
		v := ed.Values().Get(i)
		symbols[string(v.Name())] = int32(v.Number())
	}
	kind := c.o.enumParam()
	if !hasParam(s, kind) {
		return symbols
	}
	for _, own := range symbolsOf(s, kind) {
		if _, ok := symbols[own.name]; !ok {
			symbols[own.name] = own.number
		}
	}
	return symbols
}

// isWrapper tells whether a message is one of a scalar that may be null.
func isWrapper(message string) bool {
	switch message {
	case wrapperPackage + "DoubleValue", wrapperPackage + "FloatValue", wrapperPackage + "Int64Value", wrapperPackage + "UInt64Value",
		wrapperPackage + "Int32Value", wrapperPackage + "UInt32Value", wrapperPackage + "BoolValue", wrapperPackage + "StringValue", wrapperPackage + "BytesValue":
		return true
	}
	return false
}

// isEntry tells whether a field is a map in all but the option that says so.
func isEntry(fd protoreflect.FieldDescriptor) bool {
	if !fd.IsList() || fd.Kind() != protoreflect.MessageKind {
		return false
	}
	md := fd.Message()
	if name := string(md.Name()); len(name) < len(entrySuffix) || name[len(name)-len(entrySuffix):] != entrySuffix || md.Fields().Len() != 2 {
		return false
	}
	key, value := md.Fields().Get(0), md.Fields().Get(1)
	return key.Name() == "key" && value.Name() == "value" && !key.IsList() && !value.IsList()
}

// scalarOp returns how values of a schema are written to a field that is no message.
func scalarOp(s *connect.Schema, fd protoreflect.FieldDescriptor) (op, protowire.Type, bool) {
	o, wire := opOf(fd.Kind())
	switch s.Type() {
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return o, wire, o <= opSfixed64 || o == opEnumInt
	case connect.Float32:
		return o, wire, o == opFloat || o == opDouble
	case connect.Float64:
		return o, wire, o == opDouble
	case connect.Boolean:
		return o, wire, o == opBool
	case connect.String:
		if o == opEnumInt {
			return opEnum, wire, true
		}
		return o, wire, o == opString
	case connect.Bytes:
		return o, wire, o == opBytes
	}
	return o, wire, false
}

// opOf is how a kind is on the wire.
func opOf(k protoreflect.Kind) (op, protowire.Type) {
	switch k {
	case protoreflect.Int32Kind:
		return opInt32, protowire.VarintType
	case protoreflect.Int64Kind:
		return opInt64, protowire.VarintType
	case protoreflect.Uint32Kind:
		return opUint32, protowire.VarintType
	case protoreflect.Uint64Kind:
		return opUint64, protowire.VarintType
	case protoreflect.Sint32Kind:
		return opSint32, protowire.VarintType
	case protoreflect.Sint64Kind:
		return opSint64, protowire.VarintType
	case protoreflect.Fixed32Kind:
		return opFixed32, protowire.Fixed32Type
	case protoreflect.Sfixed32Kind:
		return opSfixed32, protowire.Fixed32Type
	case protoreflect.Fixed64Kind:
		return opFixed64, protowire.Fixed64Type
	case protoreflect.Sfixed64Kind:
		return opSfixed64, protowire.Fixed64Type
	case protoreflect.FloatKind:
		return opFloat, protowire.Fixed32Type
	case protoreflect.DoubleKind:
		return opDouble, protowire.Fixed64Type
	case protoreflect.BoolKind:
		return opBool, protowire.VarintType
	case protoreflect.StringKind:
		return opString, protowire.BytesType
	case protoreflect.BytesKind:
		return opBytes, protowire.BytesType
	case protoreflect.EnumKind:
		return opEnumInt, protowire.VarintType
	}
	return opMessage, protowire.BytesType
}
