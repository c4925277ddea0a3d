package connectavro

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// json is a default as JSON.
func (m *fromMapper) json(s *connect.Schema, v connect.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case s == nil || v.Type() != s.Type():
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
	text, err := connectjson.Append(nil, nil, v, connectjson.Options{})
	if err != nil { // no number: as Java's JSON library writes it
		return quote(strings.Replace(strconv.FormatFloat(v.Float(), 'g', -1, 64), "Inf", "Infinity", 1))
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
		if m.textKeys(s) {
			list = append(list, quote(cells[i].Text())+":"+m.json(s.Value(), cells[i+1]))
		} else {
			list = append(list, "["+m.json(s.Key(), cells[i])+","+m.json(s.Value(), cells[i+1])+"]")
		}
	}
	if m.textKeys(s) {
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
		if i < len(cells) {
			list = append(list, quote(m.scrub(f.Name))+":"+m.json(f.Schema, cells[i]))
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

// textKeys tells whether a map is one in Avro, whose keys are strings.
func (m *fromMapper) textKeys(s *connect.Schema) bool {
	return s.Key().Type() == connect.String && (!s.Key().Optional() || m.o.OptionalKeys)
}

// defaultAllowed tells whether Avro takes the JSON of a default. Confluent's converter leaves others out of the field; they are in
// connect.default all the same.
func (m *fromMapper) defaultAllowed(s *connect.Schema, v connect.Value) bool {
	switch {
	case v.IsNull():
		return s != nil && s.Optional()
	case s == nil || s.Type() != v.Type():
		return false
	}
	switch s.Type() {
	case connect.Float32, connect.Float64:
		return !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	case connect.Array:
		return !slices.ContainsFunc(v.Cells(), func(c connect.Value) bool { return !m.defaultAllowed(s.Value(), c) })
	case connect.Map:
		if !m.textKeys(s) {
			return v.Len() == 0 // its entries would be arrays, and the type has records
		}
		for i, c := range v.Cells() {
			if i%2 == 1 && !m.defaultAllowed(s.Value(), c) {
				return false
			}
		}
	case connect.Struct:
		return m.structAllowed(s, v.Cells())
	}
	return true
}

func (m *fromMapper) structAllowed(s *connect.Schema, cells []connect.Value) bool {
	if len(cells) != len(s.Fields()) {
		return false
	}
	if isUnion(s) { // the first field is all that the JSON has
		return len(cells) > 0 && (s.Optional() || !cells[0].IsNull()) && m.defaultAllowed(s.Fields()[0].Schema, cells[0])
	}
	for i, f := range s.Fields() {
		if !m.defaultAllowed(f.Schema, cells[i]) {
			return false
		}
	}
	return true
}
