package connectavro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// Encoder writes values of one Connect schema. It may be used by any number of goroutines.
type Encoder struct {
	// Schema is what the bytes are.
	Schema *avro.Schema
	root   *part
	raw    bool // the bytes are the value
}

// Append appends the bytes of a value to dst. On an error dst comes back as it was.
func (e *Encoder) Append(dst []byte, v connect.Value) ([]byte, error) {
	if e.raw && v.Type() == connect.Bytes {
		return append(dst, v.Bytes()...), nil
	}
	return e.AppendDatum(dst, v)
}

// AppendDatum is Append for files, in which BYTES are not their own end: their length stands before them.
func (e *Encoder) AppendDatum(dst []byte, v connect.Value) ([]byte, error) {
	out, err := e.root.write(dst, v)
	if err != nil {
		return dst, fmt.Errorf("write Avro data: %w", err)
	}
	return out, nil
}

// FromConnect compiles a Connect schema, nil for data that has none.
//
// Errors: names that Avro does not allow, and two different schemas of one name.
func FromConnect(s *connect.Schema, o Options) (*Encoder, error) {
	m := fromMapper{o: o, named: make(map[string]*connect.Schema), fieldNames: make(map[string]bool)}
	text, root, err := m.schema(s, false)
	if err != nil {
		return nil, err
	}
	schema, err := avro.Parse(text, avro.Options{})
	if err != nil {
		return nil, fmt.Errorf("make an Avro schema of the Connect schema: %w", err)
	}
	return &Encoder{Schema: schema, root: root, raw: schema.Root().Kind == avro.Bytes}, nil
}

// fromMapper makes Avro schemas.
type fromMapper struct {
	o Options
	// named are the schemas that have been written, by their full name: further places have the name alone. nil: Anything and its entry.
	named map[string]*connect.Schema
	// fieldNames are the names of the schemas that fields have had so far.
	fieldNames map[string]bool
	unnamed    []unnamed
	// defaultNames counts the schemas that got a name because they had none.
	defaultNames int
	depth        int
}

// unnamed is a struct without a name and the one that it was given.
type unnamed struct {
	s    *connect.Schema
	name string
}

// schema returns the text of a schema and how its values are written. With plain it is not made optional, because a union around it
// is.
func (m *fromMapper) schema(s *connect.Schema, plain bool) (string, *part, error) {
	if s == nil {
		return m.anything(), &part{kind: kindAnything, null: -1, some: -1}, nil
	}
	if m.depth++; m.depth > maxNesting {
		return "", nil, fmt.Errorf("the schema nests deeper than %d levels", maxNesting)
	}
	defer func() { m.depth-- }()
	if isUnion(s) {
		return m.union(s)
	}
	text, p, err := m.base(s)
	if err != nil {
		return "", nil, err
	}
	p.typ, p.null, p.some = s.Type(), -1, -1
	value, hasDefault := s.Default()
	switch {
	case plain || !s.Optional():
	case hasDefault && !value.IsNull() && s.Type() != connect.Struct: // of structs null is always first, as Confluent's converter has it
		text, p.some, p.null = `[`+text+`,"null"]`, 0, 1
	default:
		text, p.null, p.some = `["null",`+text+`]`, 0, 1
	}
	return text, p, nil
}

// anything is the text of Anything, in full in its first place.
func (m *fromMapper) anything() string {
	if _, ok := m.named[anythingName]; ok {
		return quote(anythingName)
	}
	m.named[anythingName], m.named[namespace+"."+mapEntry] = nil, nil
	return anythingText
}

// base is the text of a schema as if it were not optional.
func (m *fromMapper) base(s *connect.Schema) (string, *part, error) {
	switch s.Type() {
	case connect.Boolean:
		return m.primitive(s, "boolean", kindBoolean)
	case connect.Int8, connect.Int16, connect.Int32:
		return m.primitive(s, "int", kindInt)
	case connect.Int64:
		return m.primitive(s, "long", kindLong)
	case connect.Float32:
		return m.primitive(s, "float", kindFloat)
	case connect.Float64:
		return m.primitive(s, "double", kindDouble)
	case connect.String:
		if _, ok := m.enumName(s); ok {
			return m.enum(s)
		}
		return m.primitive(s, "string", kindString)
	case connect.Bytes:
		if _, ok := s.Parameter(fixedSize); ok && s.Name() != "" {
			return m.fixed(s)
		}
		return m.primitive(s, "bytes", kindBytes)
	case connect.Array:
		item, p, err := m.schema(s.Value(), false)
		return m.with(s, `{"type":"array","items":`+item), &part{kind: kindArray, item: p}, err
	case connect.Map:
		return m.mapOf(s)
	}
	return m.record(s)
}

func (m *fromMapper) primitive(s *connect.Schema, typ string, k kind) (string, *part, error) {
	return m.with(s, `{"type":"`+typ+`"`), &part{kind: k}, nil
}

// enumName is the name of the enum that a string was or is to be.
func (m *fromMapper) enumName(s *connect.Schema) (name string, ok bool) {
	if !m.o.Enhanced && !m.o.Generalized {
		return "", false
	}
	return s.Parameter(m.enumParam())
}

func (m *fromMapper) enumParam() string {
	if m.o.Generalized {
		return generalEnum
	}
	return enumName
}

func (m *fromMapper) enum(s *connect.Schema) (string, *part, error) {
	full, _ := m.enumName(s)
	prefix := m.enumParam() + "."
	p := &part{kind: kindEnum, symbols: make(map[string]int)}
	symbols := m.symbols(s, prefix)
	var local string // the enum's documentation and default are found by the schema's name, which mostly is the enum's
	if s.Name() != "" {
		_, local = m.split(s.Name())
	} else {
		_, local = m.split(m.defaultName())
	}
	var list []string
	for i, symbol := range symbols {
		p.symbols[symbol] = i
		list = append(list, quote(symbol))
	}
	if m.known(full, s) {
		return quote(full), p, nil
	}
	text := `{"type":"enum"` + nameText(cut(full))
	if doc := m.enumDoc(s, local); doc != "" {
		text += `,"doc":` + quote(doc)
	}
	text += `,"symbols":[` + strings.Join(list, ",") + `]`
	if d, ok := s.Parameter(enumDefault + local); ok && !m.o.FieldDoc {
		text += `,"default":` + quote(d)
	}
	return m.with(s, text), p, nil
}

func (m *fromMapper) enumDoc(s *connect.Schema, local string) string {
	name := enumDocPrefix + local
	if m.o.FieldDoc {
		name = propEnumDoc
	}
	doc, _ := s.Parameter(name)
	return doc
}

// symbols are an enum's in their order, or sorted where they have none.
func (m *fromMapper) symbols(s *connect.Schema, prefix string) []string {
	var symbols []string
	for _, name := range s.ParameterNames() {
		if symbol, ok := strings.CutPrefix(name, prefix); ok {
			symbols = append(symbols, symbol)
		}
	}
	if m.o.Generalized { // the values are the numbers
		number := func(symbol string) int {
			text, _ := s.Parameter(prefix + symbol)
			n, _ := strconv.Atoi(text)
			return n
		}
		slices.SortStableFunc(symbols, func(a, b string) int { return number(a) - number(b) })
	}
	return symbols
}

func (m *fromMapper) fixed(s *connect.Schema) (string, *part, error) {
	text, _ := s.Parameter(fixedSize)
	size, err := strconv.Atoi(text)
	if err != nil {
		return "", nil, fmt.Errorf("the parameter %s is %q, and must be a number", fixedSize, text)
	}
	p := &part{kind: kindFixed, size: size, padded: s.Name() == connect.DecimalName}
	name := m.scrubFull(s.Name())
	if m.known(name, s) {
		return quote(name), p, nil
	}
	return m.with(s, `{"type":"fixed"`+nameText(cut(name))+`,"size":`+strconv.Itoa(size)), p, nil
}

// mapOf: Avro's maps have strings as keys; any other is an array of entries.
func (m *fromMapper) mapOf(s *connect.Schema) (string, *part, error) {
	if m.textKeys(s) {
		item, p, err := m.schema(s.Value(), false)
		return m.with(s, `{"type":"map","values":`+item), &part{kind: kindMap, item: p}, err
	}
	name, internal := namespace+"."+mapEntry, ""
	if s.Name() != "" {
		name, internal = m.scrubFull(s.Name()), `,"`+propInternal+`":"`+mapEntry+`"`
	}
	key, keyPart, err := m.field("key", s.Key(), "")
	if err != nil {
		return "", nil, err
	}
	value, valuePart, err := m.field("value", s.Value(), "")
	entry := `{"type":"record"` + nameText(cut(name)) + `,"fields":[` + key + `,` + value + `]` + internal + `}`
	if m.known(name, s) {
		entry = quote(name)
	}
	p := &part{kind: kindEntries, parts: []*part{keyPart, valuePart}, names: []string{"key", "value"}}
	return m.with(s, `{"type":"array","items":`+entry), p, err
}

// union is a union again that was read as a struct with a field for each branch.
func (m *fromMapper) union(s *connect.Schema) (string, *part, error) {
	p := &part{kind: kindUnion, typ: connect.Struct, null: -1, some: -1}
	var branches []string
	if s.Optional() {
		branches = append(branches, `"null"`)
		p.size, p.null = 1, 0
	}
	for _, f := range s.Fields() {
		text, branch, err := m.schema(f.Schema, true)
		if err != nil {
			return "", nil, in(f.Name, err)
		}
		branches = append(branches, text)
		m.replaceNull(branch, f.Schema)
		p.parts, p.names = append(p.parts, branch), append(p.names, f.Name)
	}
	return "[" + strings.Join(branches, ",") + "]", p, nil
}

func (m *fromMapper) record(s *connect.Schema) (string, *part, error) {
	name, again := m.recordName(s)
	p := &part{kind: kindRecord}
	var fields []string
	for _, f := range s.Fields() {
		doc := ""
		if !m.o.FieldDoc {
			doc, _ = s.Parameter(fieldDocPrefix + f.Name)
		}
		text, part, err := m.field(m.scrub(f.Name), f.Schema, doc)
		if err != nil {
			return "", nil, in(f.Name, err)
		}
		m.replaceNull(part, f.Schema)
		fields = append(fields, text)
		p.parts, p.names = append(p.parts, part), append(p.names, f.Name)
	}
	if again {
		return quote(name), p, nil
	}
	text := `{"type":"record"` + nameText(cut(name))
	docName := recordDoc
	if m.o.FieldDoc {
		docName = propRecordDoc
	}
	if doc, ok := s.Parameter(docName); ok {
		text += `,"doc":` + quote(doc)
	}
	return m.with(s, text+`,"fields":[`+strings.Join(fields, ",")+`]`), p, nil
}

// recordName returns the name of a struct, and whether it has been written already.
func (m *fromMapper) recordName(s *connect.Schema) (name string, again bool) {
	if s.Name() != "" {
		name = m.scrubFull(s.Name())
		return name, m.known(name, s)
	}
	for _, u := range m.unnamed {
		if sameButOptional(u.s, s) {
			return u.name, true
		}
	}
	name = m.defaultName()
	m.unnamed = append(m.unnamed, unnamed{s, name})
	return name, false
}

// defaultName is the next name for a schema that has none.
func (m *fromMapper) defaultName() string {
	if m.defaultNames++; m.defaultNames > 1 {
		return defaultName + strconv.Itoa(m.defaultNames)
	}
	return defaultName
}

// known tells whether a schema has been written under its name, and notes that it is from now on. Another schema of the same name is
// written again, which Avro refuses with a reason.
func (m *fromMapper) known(name string, s *connect.Schema) bool {
	old, ok := m.named[name]
	if ok && old != nil && sameButOptional(old, s) {
		return true
	}
	m.named[name] = s
	return false
}

// sameButOptional tells whether two schemas differ at most in being optional.
func sameButOptional(a, b *connect.Schema) bool {
	return a == b || required(a).Equal(required(b))
}

func required(s *connect.Schema) *connect.Schema {
	if !s.Optional() {
		return s
	}
	b := builder{typ: s.Type(), fields: s.Fields(), key: s.Key(), value: s.Value(),
		attrs: connect.Attrs{Name: s.Name(), Version: s.Version(), Doc: s.Doc(), Parameters: s.Parameters(), ParameterOrder: s.ParameterNames()}}
	if v, ok := s.Default(); ok {
		b.attrs.Default = &v
	}
	r, err := b.build()
	if err != nil {
		return s
	}
	return r
}

// field is the text of a record's field.
func (m *fromMapper) field(name string, s *connect.Schema, doc string) (string, *part, error) {
	again := s != nil && s.Name() != "" && m.fieldNames[m.scrubFull(s.Name())]
	if s != nil {
		m.fieldNames[m.scrubFull(s.Name())] = true
	}
	schema, p, err := m.schema(s, false)
	if err != nil {
		return "", nil, err
	}
	text := `{"name":` + quote(name) + `,"type":` + schema
	if s == nil {
		return text + "}", p, nil
	}
	if m.o.FieldDoc {
		doc = s.Doc()
	}
	if doc != "" {
		text += `,"doc":` + quote(doc)
	}
	if v, ok := s.Default(); ok && !v.IsNull() {
		if m.defaultAllowed(s, v) {
			text += `,"default":` + m.json(s, v)
		}
	} else if s.Optional() {
		text += `,"default":null`
	}
	// A named type is written once, so that further places keep parameters of their own.
	if params := m.parameters(s); again && !m.o.NoMetadata && params != "" && m.isNamed(s) {
		text += "," + quote(propParameters) + ":{" + params + "}"
	}
	return text + "}", p, nil
}

// replaceNull lets the default of a struct's field stand for null in it. In elements of arrays and maps null is null.
func (m *fromMapper) replaceNull(p *part, s *connect.Schema) {
	if s == nil || m.o.KeepNull {
		return
	}
	if v, ok := s.Default(); ok && !v.IsNull() {
		p.value = &v
	}
}

// isNamed tells whether a schema becomes a type that has a name in Avro.
func (m *fromMapper) isNamed(s *connect.Schema) bool {
	switch s.Type() {
	case connect.Struct:
		return !isUnion(s) || slices.ContainsFunc(s.Fields(), func(f connect.Field) bool { return m.isNamed(f.Schema) })
	case connect.String:
		_, ok := m.enumName(s)
		return ok
	case connect.Bytes:
		_, ok := s.Parameter(fixedSize)
		return ok && s.Name() != ""
	}
	return false
}
