package connectavro

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

func quote(s string) string { return string(connectjson.AppendString(nil, s)) }

func nameText(space, local string) string {
	text := `,"name":` + quote(local)
	if space != "" {
		text += `,"namespace":` + quote(space)
	}
	return text
}

// with adds to the text of an object, which lacks its end, what Avro cannot say about a schema. A primitive without any becomes its
// name.
func (m *fromMapper) with(s *connect.Schema, text string) string {
	props := m.metadata(s) + m.logical(s) + m.avroParameters(s)
	if typ, ok := strings.CutPrefix(text, `{"type":`); ok && props == "" && !strings.Contains(typ, ",") {
		return typ
	}
	return text + props + "}"
}

// metadata are the connect.* attributes in the order in which Confluent's converter adds them.
func (m *fromMapper) metadata(s *connect.Schema) string {
	text := m.decimalProps(s)
	if m.o.NoMetadata {
		return text
	}
	add := func(name, value string) { text += "," + quote(name) + ":" + value }
	if s.Doc() != "" {
		add(propDoc, quote(s.Doc()))
	}
	if s.Version() != 0 {
		add(propVersion, strconv.Itoa(s.Version()))
	}
	if params := m.parameters(s); params != "" {
		add(propParameters, "{"+params+"}")
	}
	if v, ok := s.Default(); ok && !v.IsNull() {
		if _, ofField := s.Parameter(fieldDefault); m.o.FieldDoc || !ofField {
			add(propDefault, m.json(s, v))
		}
	}
	if s.Name() != "" {
		add(propName, quote(s.Name()))
	}
	switch s.Type() {
	case connect.Int8:
		add(propType, `"int8"`)
	case connect.Int16:
		add(propType, `"int16"`)
	}
	return text
}

func (m *fromMapper) parameters(s *connect.Schema) string {
	params := s.Parameters()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if (m.o.FieldDoc || name != fieldDefault) && name != logicalParameter {
			list = append(list, quote(name)+":"+quote(params[name]))
		}
	}
	return strings.Join(list, ",")
}

func isDecimal(s *connect.Schema) bool {
	return s.Type() == connect.Bytes && strings.EqualFold(s.Name(), connect.DecimalName)
}

// decimal returns scale and precision of a decimal.
func decimal(s *connect.Schema) (scale, precision int) {
	text, _ := s.Parameter("scale")
	scale, _ = strconv.Atoi(text)
	precision = noPrecision
	if text, ok := s.Parameter(precisionName); ok {
		precision, _ = strconv.Atoi(text)
	}
	return scale, precision
}

func (m *fromMapper) decimalProps(s *connect.Schema) string {
	if !isDecimal(s) {
		return ""
	}
	scale, precision := decimal(s)
	return `,"scale":` + strconv.Itoa(scale) + `,"precision":` + strconv.Itoa(precision)
}

// logical is the logical type of Avro.
func (m *fromMapper) logical(s *connect.Schema) string {
	name := ""
	switch {
	case isDecimal(s):
		name = "decimal"
	case s.Name() == connect.TimeName:
		name = "time-millis"
	case s.Name() == connect.TimestampName:
		name = "timestamp-millis"
	case s.Name() == connect.DateName:
		name = "date"
	case m.o.Extended:
		name, _ = s.Parameter(logicalParameter)
	}
	if name == "" {
		return ""
	}
	return `,"logicalType":` + quote(name)
}

// avroParameters are parameters that were attributes of an Avro schema.
func (m *fromMapper) avroParameters(s *connect.Schema) string {
	params := s.Parameters()
	text := ""
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if strings.HasPrefix(name, "avro") {
			text += "," + quote(name) + ":" + quote(params[name])
		}
	}
	return text
}

// split takes a full name apart.
func (m *fromMapper) split(full string) (space, local string) {
	parts := strings.Split(full, ".")
	for i := range parts {
		parts[i] = m.scrub(parts[i])
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "."), parts[last]
}

// scrub replaces what Avro does not allow in a name.
func (m *fromMapper) scrub(name string) string {
	if !m.o.ScrubNames || name == "" {
		return name
	}
	allowed := func(c rune) bool {
		return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
	}
	clean := !strings.ContainsFunc(name, func(c rune) bool { return !allowed(c) })
	if clean && (name[0] < '0' || name[0] > '9') {
		return name
	}
	encoded := url.QueryEscape(name)
	if encoded[0] >= '0' && encoded[0] <= '9' {
		encoded = "x" + encoded
	}
	return strings.Map(func(c rune) rune {
		if allowed(c) {
			return c
		}
		return '_'
	}, encoded)
}

// json is a default as JSON.
func (m *fromMapper) json(s *connect.Schema, v connect.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case s == nil:
		return "null" // Anything has no defaults
	}
	switch v.Type() {
	case connect.Bytes:
		var runes []rune
		for _, b := range v.Bytes() {
			runes = append(runes, rune(b))
		}
		return quote(string(runes))
	case connect.String:
		return quote(v.Text())
	case connect.Array:
		return m.jsonList(v.Cells(), func(int) *connect.Schema { return s.Value() })
	case connect.Map:
		return m.jsonMap(s, v.Cells())
	case connect.Struct:
		return m.jsonStruct(s, v.Cells())
	}
	text, err := connectjson.Append(nil, s, v, connectjson.Options{})
	if err != nil {
		return "null"
	}
	return string(text)
}

func (m *fromMapper) jsonList(cells []connect.Value, of func(int) *connect.Schema) string {
	var list []string
	for i, c := range cells {
		list = append(list, m.json(of(i), c))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (m *fromMapper) jsonMap(s *connect.Schema, cells []connect.Value) string {
	var list []string
	for i := 0; i < len(cells); i += 2 {
		if s.Key().Type() == connect.String && (!s.Key().Optional() || m.o.OptionalKeys) {
			list = append(list, quote(cells[i].Text())+":"+m.json(s.Value(), cells[i+1]))
		} else {
			list = append(list, "["+m.json(s.Key(), cells[i])+","+m.json(s.Value(), cells[i+1])+"]")
		}
	}
	if s.Key().Type() == connect.String && (!s.Key().Optional() || m.o.OptionalKeys) {
		return "{" + strings.Join(list, ",") + "}"
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (m *fromMapper) jsonStruct(s *connect.Schema, cells []connect.Value) string {
	if isUnion(s) && len(cells) > 0 {
		return m.json(s.Fields()[0].Schema, cells[0]) // as Confluent's converter: the first branch
	}
	var list []string
	for i, f := range s.Fields() {
		list = append(list, quote(m.scrub(f.Name))+":"+m.json(f.Schema, cells[i]))
	}
	return "{" + strings.Join(list, ",") + "}"
}
