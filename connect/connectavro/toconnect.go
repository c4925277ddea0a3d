package connectavro

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// ToConnect compiles an Avro schema. version is that of its subject, 0 for none.
//
// Errors: schemas that Connect has no form for, such as null alone.
func ToConnect(s *avro.Schema, version int, o Options) (*Decoder, error) {
	root := s.Root()
	d := &Decoder{strict: o.FailOnTrailing, raw: root.Kind == avro.Bytes}
	if root.Kind == avro.Record && root.Name.Full() == anythingName {
		if ok, err := isAnything(s); ok || err != nil {
			d.root = compileAnything()
			return d, err
		}
	}
	m := toMapper{o: o}
	var err error
	if d.Schema, err = m.schema(root, about{version: version}); err != nil {
		return nil, err
	}
	c := stepCompiler{open: make(map[*avro.Type]*innerRecord), room: maxTypes}
	d.root, err = c.step(root, d.Schema, 0)
	return d, err
}

// toMapper makes Connect schemas.
type toMapper struct {
	o      Options
	open   []*avro.Type // types that are being mapped
	types  int          // mapped so far: a type with a name may be in many places
	unions int          // so far, with Options.Generalized
}

// about is what the place of a type says about it.
type about struct {
	optional bool
	value    *avro.Value // the default of a field
	doc      *string     // of a field
	version  int
}

// builder collects a schema.
type builder struct {
	typ        connect.Type
	attrs      connect.Attrs
	fields     []connect.Field
	key, value *connect.Schema
}

func (b *builder) param(name, value string) {
	if b.attrs.Parameters == nil {
		b.attrs.Parameters = make(map[string]string)
	}
	b.attrs.Parameters[name] = value
	b.attrs.ParameterOrder = append(b.attrs.ParameterOrder, name)
}

func (b *builder) build() (*connect.Schema, error) {
	switch b.typ {
	case connect.Array:
		return connect.NewArray(b.value, b.attrs)
	case connect.Map:
		return connect.NewMap(b.key, b.value, b.attrs)
	case connect.Struct:
		return connect.NewStruct(b.fields, b.attrs)
	}
	return connect.NewPrimitive(b.typ, b.attrs)
}

func (m *toMapper) schema(t *avro.Type, a about) (*connect.Schema, error) {
	if slices.Contains(m.open, t) {
		return innerSchema(a.optional), nil
	}
	if len(m.open) > maxNesting {
		return nil, errNesting
	}
	if m.types++; m.types > maxTypes {
		return nil, errTypes
	}
	m.open = append(m.open, t)
	defer func() { m.open = m.open[:len(m.open)-1] }()
	if t.Kind == avro.Union {
		if len(t.Branches) == 1 && !m.o.KeepSingletons {
			return m.schema(t.Branches[0], about{doc: a.doc})
		}
		if i, ok := optionalBranch(t); ok {
			return m.schema(t.Branches[i], about{optional: true, doc: a.doc})
		}
	}
	var b builder
	if err := m.shape(&b, t); err != nil {
		return nil, err
	}
	m.document(&b, t, a)
	if err := m.annotate(&b, t, a); err != nil {
		return nil, err
	}
	b.attrs.Optional = b.attrs.Optional || a.optional
	m.setDefault(&b, t, a)
	return b.build()
}

// shape sets the type and what belongs to it.
func (m *toMapper) shape(b *builder, t *avro.Type) error {
	logical := strings.ToLower(t.Props.Text("logicalType"))
	switch t.Kind {
	case avro.Null:
		return errors.New("a schema that is null alone has no form in Kafka Connect")
	case avro.Boolean:
		b.typ = connect.Boolean
	case avro.Int:
		return m.int(b, t, logical)
	case avro.Long:
		b.typ = connect.Int64
		if logical == "timestamp-millis" {
			b.logical(connect.TimestampName)
		} else {
			m.extend(b, t)
		}
	case avro.Float:
		b.typ = connect.Float32
	case avro.Double:
		b.typ = connect.Float64
	case avro.String:
		b.typ = connect.String
		m.extend(b, t)
	case avro.Bytes, avro.Fixed:
		m.bytes(b, t, logical)
	case avro.Enum:
		m.enum(b, t)
	case avro.Array:
		return m.array(b, t)
	case avro.Map:
		b.typ, b.key = connect.Map, connect.StringSchema
		return m.within(&b.value, t.Items)
	case avro.Union:
		return m.union(b, t)
	case avro.Record:
		return m.record(b, t)
	}
	return nil
}

func (m *toMapper) within(s **connect.Schema, t *avro.Type) (err error) {
	*s, err = m.schema(t, about{})
	return err
}

// logical makes the schema one of Connect's logical types, which have version 1.
func (b *builder) logical(name string) { b.attrs.Name, b.attrs.Version = name, 1 }

// extend keeps a logical type that Connect does not know.
func (m *toMapper) extend(b *builder, t *avro.Type) {
	if l := t.Logical(); m.o.Extended && l.Name != "" {
		b.param(logicalParameter, l.Name)
	}
}

func (m *toMapper) int(b *builder, t *avro.Type, logical string) error {
	b.typ = connect.Int32
	typ := t.Props.Text(propType)
	switch {
	case logical == "date":
		b.logical(connect.DateName)
	case logical == "time-millis":
		b.logical(connect.TimeName)
	case logical != "" || typ == "":
	case typ == "int8":
		b.typ = connect.Int8
	case typ == "int16":
		b.typ = connect.Int16
	default:
		return fmt.Errorf("%s is %q, and must be int8 or int16", propType, typ)
	}
	return nil
}

func (m *toMapper) bytes(b *builder, t *avro.Type, logical string) {
	b.typ = connect.Bytes
	if logical == "decimal" {
		b.logical(connect.DecimalName)
		scale, _ := propInt(t, "scale")
		b.param("scale", strconv.FormatInt(scale, 10))
		if precision, ok := propInt(t, "precision"); ok && precision != noPrecision {
			b.param(precisionName, strconv.FormatInt(precision, 10))
		}
	}
	if t.Kind == avro.Fixed {
		b.param(fixedSize, strconv.Itoa(t.Size))
	}
}

func propInt(t *avro.Type, name string) (int64, bool) {
	v, ok := t.Props.Get(name)
	if !ok {
		return 0, false
	}
	return v.Int()
}

func (m *toMapper) enum(b *builder, t *avro.Type) {
	b.typ = connect.String
	if !m.o.NoMetadata {
		if t.Doc != nil {
			name := enumDocPrefix + t.Name.Local
			if m.o.FieldDoc {
				name = propEnumDoc
			}
			b.param(name, *t.Doc)
		}
		if t.Default != nil && !m.o.FieldDoc {
			b.param(enumDefault+t.Name.Local, *t.Default)
		}
	}
	param := enumName
	if m.o.Generalized {
		param = generalEnum
	}
	b.param(param, t.Name.Full())
	for i, symbol := range t.Symbols {
		value := symbol
		if m.o.Generalized {
			value = strconv.Itoa(i)
		}
		b.param(param+"."+symbol, value)
	}
}

// array: one of entries is a map whose keys are not strings.
func (m *toMapper) array(b *builder, t *avro.Type) error {
	item := t.Items
	entry := item.Kind == avro.Record &&
		(item.Name.Full() == namespace+"."+mapEntry || item.Props.Text(propInternal) == mapEntry)
	if !entry {
		b.typ = connect.Array
		return m.within(&b.value, item)
	}
	key, _ := item.Field("key")
	value, _ := item.Field("value")
	if len(item.Fields) != 2 || key == nil || value == nil {
		return fmt.Errorf("the array of %s stands for a map, and its record needs the fields key and value and no other", item.Name.Full())
	}
	b.typ = connect.Map
	return errors.Join(m.within(&b.key, key.Type), m.within(&b.value, value.Type))
}

func (m *toMapper) union(b *builder, t *avro.Type) error {
	b.typ, b.attrs.Name = connect.Struct, unionName
	if m.o.Generalized {
		b.attrs.Name = generalUnionPre + strconv.Itoa(m.unions)
		m.unions++
		b.param(generalUnion, b.attrs.Name)
	}
	for i, branch := range t.Branches {
		if branch.Kind == avro.Null {
			b.attrs.Optional = true
			continue
		}
		s, err := m.schema(branch, about{optional: true})
		if err != nil {
			return err
		}
		b.fields = append(b.fields, connect.Field{Name: m.branchField(branch, i), Schema: s})
	}
	return nil
}

// branchField is the name of the field that stands for a branch.
func (m *toMapper) branchField(t *avro.Type, i int) string {
	switch {
	case m.o.Generalized:
		return generalUnionPre + "field_" + strconv.Itoa(i)
	case t.Kind < avro.Fixed:
		return t.Kind.String()
	case m.o.Enhanced:
		return t.Name.Full()
	}
	return t.Name.Local
}

func (m *toMapper) record(b *builder, t *avro.Type) error {
	b.typ = connect.Struct
	if t.Doc != nil && !m.o.NoMetadata && !m.o.FieldDoc {
		b.param(recordDoc, *t.Doc)
	}
	for _, f := range t.Fields {
		if f.Doc != nil && !m.o.NoMetadata && !m.o.FieldDoc {
			b.param(fieldDocPrefix+f.Name, *f.Doc)
		}
		s, err := m.schema(f.Type, about{value: f.Default, doc: f.Doc})
		if err == nil {
			s, err = m.fieldParameters(s, f)
		}
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		b.fields = append(b.fields, connect.Field{Name: f.Name, Schema: s})
	}
	return nil
}

// fieldParameters gives a field's schema the parameters that the field has: a named type is written once, with those of its first place.
func (m *toMapper) fieldParameters(s *connect.Schema, f *avro.Field) (*connect.Schema, error) {
	own, ok := f.Props.Get(propParameters)
	if !ok || m.o.NoMetadata || own.Kind() != avro.ObjectValue {
		return s, nil
	}
	b := builder{typ: s.Type(), fields: s.Fields(), key: s.Key(), value: s.Value(), attrs: connect.Attrs{Name: s.Name(), Version: s.Version(),
		Doc: s.Doc(), Optional: s.Optional(), Parameters: s.Parameters(), ParameterOrder: s.ParameterNames()}}
	if v, ok := s.Default(); ok {
		b.attrs.Default = &v
	}
	for _, p := range own.Members() {
		b.param(p.Key, p.Value.Text())
	}
	return b.build()
}

// document sets the documentation.
func (m *toMapper) document(b *builder, t *avro.Type, a about) {
	doc := t.Props.Text(propDoc)
	if !m.o.FieldDoc {
		if !m.o.NoMetadata {
			b.attrs.Doc = doc
		}
		return
	}
	if t.Doc != nil {
		doc = *t.Doc
		if !m.o.NoMetadata {
			b.param(propRecordDoc, doc)
		}
	}
	if a.doc != nil {
		doc = *a.doc
	}
	b.attrs.Doc = doc
}

// annotate takes version, parameters and name from the attributes.
func (m *toMapper) annotate(b *builder, t *avro.Type, a about) error {
	version, ok := propInt(t, propVersion)
	if !ok {
		version = int64(a.version)
	}
	if b.attrs.Version == 0 {
		b.attrs.Version = int(version)
	} else if ok && int(version) != b.attrs.Version {
		return fmt.Errorf("%s is %d, and the logical type has version %d", propVersion, version, b.attrs.Version)
	}
	if p, ok := t.Props.Get(propParameters); ok && !m.o.NoMetadata {
		for _, member := range p.Members() {
			if member.Value.Kind() != avro.StringValue {
				return fmt.Errorf("the parameter %s in %s is no string", member.Key, propParameters)
			}
			b.param(member.Key, member.Value.Text())
		}
	}
	for _, p := range t.Props {
		if strings.HasPrefix(p.Key, "avro") {
			b.param(p.Key, propText(p.Value))
		}
	}
	return m.name(b, t)
}

func propText(v avro.Value) string {
	if v.Kind() == avro.StringValue {
		return v.Text()
	}
	return v.String()
}

func (m *toMapper) name(b *builder, t *avro.Type) error {
	name := t.Props.Text(propName)
	if name == "" && (t.Kind == avro.Record || t.Kind == avro.Enum || t.Kind == avro.Fixed && b.attrs.Name != connect.DecimalName) {
		name = t.Name.Full()
	}
	switch {
	case name == "" || strings.HasPrefix(name, defaultName):
	case b.attrs.Name == "":
		b.attrs.Name = name
	case b.attrs.Name != name:
		return fmt.Errorf("%s is %s, and the type already has the name %s", propName, name, b.attrs.Name)
	}
	return nil
}

// setDefault takes the default of the field, or that of connect.default. One that is no value of the schema is left out.
func (m *toMapper) setDefault(b *builder, t *avro.Type, a about) {
	own, hasOwn := t.Props.Get(propDefault)
	value := a.value
	if value == nil {
		if !hasOwn {
			return
		}
		value = &own
	} else if !m.o.FieldDoc && !m.o.NoMetadata && !hasOwn {
		b.param(fieldDefault, "true")
	}
	s, err := b.build()
	if err != nil {
		return
	}
	if v, ok := defaultValue(t, s, *value); ok && !v.IsNull() {
		b.attrs.Default = &v
	}
}
