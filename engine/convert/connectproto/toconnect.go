package connectproto

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// errNesting is a schema that nests too deeply.
var errNesting = fmt.Errorf("the schema nests deeper than %d levels", 2*maxNesting)

// ToConnect compiles a message of a schema, "" for the first one. version is that of the subject, 0 for none.
//
// Errors: messages that Connect has no form for, such as those that nest too deeply.
func ToConnect(p *protobuf.Schema, message string, version int, o Options) (*Decoder, error) {
	if message == "" {
		message = p.MessageName(nil)
	}
	md, _, err := messageOf(p, message)
	if err != nil {
		return nil, err
	}
	m := &toMapper{o: o, open: make(map[protoreflect.FullName]*innerMessage), room: maxTypes}
	d := &Decoder{}
	if isWrapper(message) && !o.KeepRootWrapper {
		s, err := connect.NewPrimitive(unwrapped(md), connect.Attrs{Version: version})
		d.Schema, d.root = s, wrapperSlot(md)
		return d, err
	}
	root, fields, err := m.message(md)
	if err != nil {
		return nil, err
	}
	d.root = &slot{op: opMessage, message: root}
	d.Schema, err = connect.NewStruct(fields, connect.Attrs{Name: m.name(md), Version: version})
	return d, err
}

// toMapper makes Connect schemas, and how their values are read.
type toMapper struct {
	o     Options
	open  map[protoreflect.FullName]*innerMessage // messages that are being mapped: within themselves they are JSON
	depth int
	types int // mapped so far: a message may be in many places
	room  int // how many more types the texts of messages within themselves may be made of
}

// name is that of a message or an enum.
func (m *toMapper) name(d protoreflect.Descriptor) string {
	if m.o.Enhanced {
		return string(d.FullName())
	}
	return string(d.Name())
}

// attrs collect what a schema says beside its type.
type attrs struct{ connect.Attrs }

func (a *attrs) param(name, value string) {
	if a.Parameters == nil {
		a.Parameters = make(map[string]string)
	}
	a.Parameters[name] = value
	a.ParameterOrder = append(a.ParameterOrder, name)
}

// message maps the fields of a message: those of its oneofs, then the others.
func (m *toMapper) message(md protoreflect.MessageDescriptor) (*message, []connect.Field, error) {
	if m.depth >= 2*maxNesting {
		return nil, nil, errNesting
	}
	if m.types++; m.types > maxTypes {
		return nil, nil, fmt.Errorf("the schema has more than %d messages, each counted in every place", maxTypes)
	}
	plan := newMessage(md.Fields().Len())
	inner := &innerMessage{message: plan}
	m.open[md.FullName()] = inner
	m.depth++
	defer func() {
		delete(m.open, md.FullName())
		m.depth--
	}()
	var fields []connect.Field
	for i := range md.Oneofs().Len() {
		od := md.Oneofs().Get(i)
		if od.IsSynthetic() {
			continue
		}
		members, slots, err := m.members(od)
		if err != nil {
			return nil, nil, err
		}
		if m.o.FlattenUnions {
			plan.addFlat(slots)
			fields = append(fields, members...)
			continue
		}
		plan.addUnion(slots)
		f, err := m.union(od, i, members)
		if err != nil {
			return nil, nil, err
		}
		fields = append(fields, f)
	}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if od := fd.ContainingOneof(); od != nil && !od.IsSynthetic() {
			continue
		}
		s, slot, err := m.field(fd, false)
		if err != nil {
			return nil, nil, in(string(fd.Name()), err)
		}
		plan.add(slot)
		fields = append(fields, connect.Field{Name: string(fd.Name()), Schema: s})
	}
	return plan, fields, inner.compile(fields, &m.room)
}

func (m *toMapper) members(od protoreflect.OneofDescriptor) (fields []connect.Field, slots []*slot, err error) {
	for i := range od.Fields().Len() {
		fd := od.Fields().Get(i)
		s, slot, err := m.field(fd, true)
		if err != nil {
			return nil, nil, in(string(fd.Name()), err)
		}
		fields, slots = append(fields, connect.Field{Name: string(fd.Name()), Schema: s}), append(slots, slot)
	}
	return fields, slots, nil
}

// union is the struct of a oneof.
func (m *toMapper) union(od protoreflect.OneofDescriptor, index int, members []connect.Field) (connect.Field, error) {
	a := attrs{connect.Attrs{Name: unionPrefix + "." + m.name(od), Optional: true}}
	if m.o.Generalized {
		a.Name = string(od.Name())
		a.param(generalUnion, a.Name)
	}
	s, err := connect.NewStruct(members, a.Attrs)
	name := string(od.Name())
	if !m.o.NoUnionIndex {
		name += "_" + strconv.Itoa(index)
	}
	return connect.Field{Name: name, Schema: s}, err
}

// field maps a field.
func (m *toMapper) field(fd protoreflect.FieldDescriptor, inOneof bool) (*connect.Schema, *slot, error) {
	if fd.IsMap() || isEntry(fd) {
		return m.mapField(fd)
	}
	var a attrs
	s := &slot{number: fd.Number()}
	build, err := m.single(fd, &a, s)
	if err != nil {
		return nil, nil, err
	}
	if fd.IsList() {
		a.Optional = true
		item, err := build(a.Attrs)
		if err != nil {
			return nil, nil, err
		}
		list := attrs{connect.Attrs{Optional: true}}
		list.param(tagParam, strconv.Itoa(int(fd.Number())))
		array, err := connect.NewArray(item, list.Attrs)
		return array, &slot{number: fd.Number(), op: opList, item: s}, err
	}
	m.optional(fd, &a, inOneof)
	a.param(tagParam, strconv.Itoa(int(fd.Number())))
	schema, err := build(a.Attrs)
	if err != nil {
		return nil, nil, err
	}
	s.initial = m.initial(fd, s, schema, inOneof)
	return schema, s, nil
}

// optional says whether a field's value may be null.
func (m *toMapper) optional(fd protoreflect.FieldDescriptor, a *attrs, inOneof bool) {
	switch {
	case inOneof:
		a.Optional = true
		if m.o.WrapperForNullables && fd.Kind() == protoreflect.MessageKind && isWrapper(string(fd.Message().FullName())) {
			a.param(wrapperParam, "true")
		}
	case m.o.OptionalForNullables:
		a.Optional = a.Optional || fd.HasOptionalKeyword()
	case !m.o.WrapperForNullables:
		a.Optional = true
	}
}

// initial is the value of a field that is not in the data.
func (m *toMapper) initial(fd protoreflect.FieldDescriptor, s *slot, schema *connect.Schema, inOneof bool) connect.Value {
	keyword := fd.HasOptionalKeyword() && (fd.ParentFile().Syntax() != protoreflect.Proto2 || !m.o.NoProto2Optional)
	switch {
	case inOneof || s.op >= opMessage:
		return connect.Value{}
	case keyword && schema.Optional() && !m.o.StructForNull:
		return connect.Value{}
	}
	return s.valueOf(fd.Default())
}

// single maps the type of one value. build makes its schema of attributes.
func (m *toMapper) single(fd protoreflect.FieldDescriptor, a *attrs, s *slot) (build func(connect.Attrs) (*connect.Schema, error), err error) {
	primitive := func(t connect.Type) func(connect.Attrs) (*connect.Schema, error) {
		s.typ = t
		return func(a connect.Attrs) (*connect.Schema, error) { return connect.NewPrimitive(t, a) }
	}
	s.op, s.wire = opOf(fd.Kind())
	switch fd.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		switch meta(fd)[connectType] {
		case "int8":
			return primitive(connect.Int8), nil
		case "int16":
			return primitive(connect.Int16), nil
		}
		if fd.Kind() != protoreflect.Int32Kind {
			a.param(typeParam, fd.Kind().String())
		}
		return primitive(connect.Int32), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Uint64Kind, protoreflect.Sint64Kind,
		protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		if fd.Kind() != protoreflect.Int64Kind {
			a.param(typeParam, fd.Kind().String())
		}
		return primitive(connect.Int64), nil
	case protoreflect.FloatKind:
		return primitive(connect.Float32), nil
	case protoreflect.DoubleKind:
		return primitive(connect.Float64), nil
	case protoreflect.BoolKind:
		return primitive(connect.Boolean), nil
	case protoreflect.StringKind:
		return primitive(connect.String), nil
	case protoreflect.BytesKind:
		return primitive(connect.Bytes), nil
	case protoreflect.EnumKind:
		return primitive(m.enum(fd.Enum(), a, s)), nil
	case protoreflect.GroupKind:
		s.wire = protowire.StartGroupType
	}
	a.Optional = true
	return m.nested(fd, a, s)
}

// enum is a string with the symbols in parameters, or a number.
func (m *toMapper) enum(ed protoreflect.EnumDescriptor, a *attrs, s *slot) connect.Type {
	a.Name, a.Optional = m.name(ed), true
	kind := m.o.enumParam()
	a.param(kind, string(ed.Name()))
	s.symbols, s.enum = make(map[int32]string), string(ed.Name())
	for i := range ed.Values().Len() {
		v := ed.Values().Get(i)
		a.param(kind+"."+string(v.Name()), strconv.Itoa(int(v.Number())))
		if _, ok := s.symbols[int32(v.Number())]; !ok {
			s.symbols[int32(v.Number())] = string(v.Name())
		}
	}
	if m.o.IntForEnums {
		return connect.Int32
	}
	s.op = opEnum
	return connect.String
}

// nested maps a message: a logical type, a scalar in its wrapper, or a struct.
func (m *toMapper) nested(fd protoreflect.FieldDescriptor, a *attrs, s *slot) (func(connect.Attrs) (*connect.Schema, error), error) {
	primitive := func(t connect.Type, name string) func(connect.Attrs) (*connect.Schema, error) {
		s.typ = t
		if name != "" {
			a.Name = name
		}
		if name != "" && name != connectjson.Name {
			a.Version = 1
		}
		return func(a connect.Attrs) (*connect.Schema, error) { return connect.NewPrimitive(t, a) }
	}
	md := fd.Message()
	switch full := string(md.FullName()); {
	case full == decimalMessage:
		params := meta(fd)
		scale, err := strconv.ParseInt(params["scale"], 10, 32)
		if err != nil {
			scale = 0
		}
		s.op, s.scale = opDecimal, scale
		a.param(scaleParam, strconv.FormatInt(scale, 10))
		if precision, err := strconv.Atoi(params["precision"]); err == nil {
			a.param(precisionParam, strconv.Itoa(precision))
		}
		return primitive(connect.Bytes, connect.DecimalName), nil
	case full == dateMessage:
		s.op = opDate
		return primitive(connect.Int32, connect.DateName), nil
	case full == timeMessage:
		s.op = opTime
		return primitive(connect.Int32, connect.TimeName), nil
	case full == timestampMessage:
		s.op = opTimestamp
		return primitive(connect.Int64, connect.TimestampName), nil
	case isWrapper(full) && m.o.WrapperForNullables:
		*s = slot{number: s.number, wire: s.wire, op: opWrapper, item: wrapperSlot(md).item}
		return primitive(unwrapped(md), ""), nil
	}
	if inner := m.open[md.FullName()]; inner != nil {
		inner.used = true
		s.op, s.inner = opInner, inner
		return primitive(connect.String, connectjson.Name), nil
	}
	plan, fields, err := m.message(md)
	if err != nil {
		return nil, err
	}
	s.op, s.message, s.forNull = opMessage, plan, m.o.StructForNull && fd.ContainingOneof() == nil
	a.Name = m.name(md)
	return func(a connect.Attrs) (*connect.Schema, error) { return connect.NewStruct(fields, a) }, nil
}

// unwrapped is the type of a wrapper's value.
func unwrapped(md protoreflect.MessageDescriptor) connect.Type {
	switch md.Fields().ByNumber(1).Kind() {
	case protoreflect.DoubleKind:
		return connect.Float64
	case protoreflect.FloatKind:
		return connect.Float32
	case protoreflect.Int32Kind:
		return connect.Int32
	case protoreflect.BoolKind:
		return connect.Boolean
	case protoreflect.StringKind:
		return connect.String
	case protoreflect.BytesKind:
		return connect.Bytes
	}
	return connect.Int64
}

// wrapperSlot reads the value in a wrapper.
func wrapperSlot(md protoreflect.MessageDescriptor) *slot {
	fd := md.Fields().ByNumber(1)
	item := &slot{number: 1, typ: unwrapped(md)}
	item.op, item.wire = opOf(fd.Kind())
	item.initial = item.valueOf(fd.Default())
	return &slot{op: opWrapper, wire: protowire.BytesType, item: item}
}

func (m *toMapper) mapField(fd protoreflect.FieldDescriptor) (*connect.Schema, *slot, error) {
	md := fd.Message()
	var schemas [2]*connect.Schema
	entry := newMessage(2)
	for i := range 2 {
		f := md.Fields().Get(i)
		s, slot, err := m.field(f, false)
		if err != nil {
			return nil, nil, in(string(f.Name()), err)
		}
		// The key or the value of an entry that does not say it is the default.
		if slot.op < opMessage {
			slot.initial = slot.valueOf(f.Default())
		}
		slot.forNull = slot.op == opMessage || slot.op == opInner
		schemas[i] = s
		entry.add(slot)
	}
	a := attrs{connect.Attrs{Name: mapName(m.name(md)), Optional: true}}
	a.param(tagParam, strconv.Itoa(int(fd.Number())))
	s, err := connect.NewMap(schemas[0], schemas[1], a.Attrs)
	return s, &slot{number: fd.Number(), op: opMap, message: entry}, err
}

// meta are Confluent's parameters of a field.
func meta(fd protoreflect.FieldDescriptor) map[string]string {
	params := make(map[string]string)
	options := fd.Options().ProtoReflect()
	collect := func(m protoreflect.Message) {
		if f := m.Descriptor().Fields().ByName("params"); f != nil && f.IsMap() {
			for k, v := range m.Get(f).Map().Range {
				params[k.String()] = v.String()
			}
		}
	}
	for f, v := range options.Range {
		if f.IsExtension() && strings.HasSuffix(string(f.FullName()), "confluent.field_meta") {
			collect(v.Message())
		}
	}
	metaBytes(options.GetUnknown(), params)
	return params
}

// metaBytes reads the parameters of an option that came as bytes.
func metaBytes(raw []byte, params map[string]string) {
	each(raw, func(number protowire.Number, meta []byte) {
		if number != metaNumber {
			return
		}
		each(meta, func(number protowire.Number, pair []byte) {
			if number != 2 {
				return
			}
			var text [3]string
			each(pair, func(number protowire.Number, p []byte) {
				if number < 3 {
					text[number] = string(p)
				}
			})
			params[text[1]] = text[2]
		})
	})
}

// each calls f for the fields of a message that have a length.
func each(data []byte, f func(number protowire.Number, p []byte)) {
	for len(data) > 0 {
		number, typ, n := protowire.ConsumeTag(data)
		if n < 0 {
			return
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(number, typ, data)
		if size < 0 {
			return
		}
		if p, n := protowire.ConsumeBytes(data[:size]); typ == protowire.BytesType && n >= 0 {
			f(number, p)
		}
		data = data[size:]
	}
}
