package connectavro

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

func quote(s string) string { return string(connectjson.AppendString(nil, s)) }

// nameText has the namespace even if it is empty: otherwise that of the type around would count.
func nameText(space, local string) string {
	return `,"name":` + quote(local) + `,"namespace":` + quote(space)
}

// cut takes a full name apart.
func cut(full string) (space, local string) {
	i := strings.LastIndexByte(full, '.')
	return full[:max(i, 0)], full[i+1:]
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
	var list []string
	for _, name := range s.ParameterNames() {
		if (m.o.FieldDoc || name != fieldDefault) && name != logicalParameter {
			value, _ := s.Parameter(name)
			list = append(list, quote(name)+":"+quote(value))
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
	case strings.EqualFold(s.Name(), connect.TimeName):
		name = "time-millis"
	case strings.EqualFold(s.Name(), connect.TimestampName):
		name = "timestamp-millis"
	case strings.EqualFold(s.Name(), connect.DateName):
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
	text := ""
	for _, name := range s.ParameterNames() {
		if value, _ := s.Parameter(name); strings.HasPrefix(name, "avro") {
			text += "," + quote(name) + ":" + quote(value)
		}
	}
	return text
}

// split takes a full name apart and scrubs it.
func (m *fromMapper) split(full string) (space, local string) { return cut(m.scrubFull(full)) }

// scrubFull scrubs each part of a full name.
func (m *fromMapper) scrubFull(full string) string {
	if !m.o.ScrubNames {
		return full
	}
	parts := strings.Split(full, ".")
	for i := range parts {
		parts[i] = m.scrub(parts[i])
	}
	return strings.Join(parts, ".")
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
