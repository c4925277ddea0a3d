package avrolibs

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// A generator makes Connect schemas and values of random numbers that no Go release will change (splitmix64).
type generator struct {
	t     testing.TB
	state uint64
	names int
}

func (g *generator) next() uint64 {
	g.state += 0x9e3779b97f4a7c15
	z := g.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (g *generator) n(n int) int        { return int(g.next() % uint64(n)) }
func (g *generator) chance(of int) bool { return g.n(of) == 0 }

func (g *generator) name(prefix string) string {
	g.names++
	return prefix + strconv.Itoa(g.names)
}

// fullName is a new name, mostly with a namespace.
func (g *generator) fullName() string {
	spaces := []string{"", "a.", "a.b.", "shop.", "Z."}
	return spaces[g.n(len(spaces))] + g.name("N")
}

func (g *generator) made(s *connect.Schema, err error) *connect.Schema {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

// record is a struct with up to seven fields. With defaults each of them has one.
func (g *generator) record(depth int, defaults bool) *connect.Schema {
	var fields []connect.Field
	for i := range 1 + g.n(7) {
		s := g.schema(depth, defaults)
		if isUnion(s) && s.Optional() { // comes back with a parameter that says that null was the field's default
			s = g.remade(s, connect.Attrs{Name: s.Name()})
		}
		fields = append(fields, connect.Field{Name: fmt.Sprintf("f%d", i), Schema: s})
	}
	return g.made(connect.NewStruct(fields, connect.Attrs{Name: g.fullName()}))
}

// schema is any schema. With defaulted it is optional or has a default.
func (g *generator) schema(depth int, defaulted bool) *connect.Schema {
	a := connect.Attrs{Optional: g.chance(3)}
	if g.chance(8) {
		a.Doc = "what it is\n\"é\""
	}
	kinds := 17
	if depth <= 0 {
		kinds = 12
	}
	s := g.plain(g.n(kinds), depth, a)
	if hasUnion(s) { // a default says which type it is of only by its form
		if defaulted {
			return g.schema(depth, true)
		}
		return s
	}
	if !g.chance(4) && !(defaulted && !s.Optional()) {
		return s
	}
	return g.withDefault(s)
}

// withDefault is a schema with a default, if Avro has a form for it.
func (g *generator) withDefault(s *connect.Schema) *connect.Schema {
	required := g.remade(s, connect.Attrs{Name: s.Name(), Version: s.Version(), Doc: s.Doc(), Parameters: s.Parameters(), ParameterOrder: s.ParameterNames()})
	v := g.value(required)
	return g.remade(s, connect.Attrs{Name: s.Name(), Version: s.Version(), Doc: s.Doc(), Optional: s.Optional(), Default: &v,
		Parameters: s.Parameters(), ParameterOrder: s.ParameterNames()})
}

func (g *generator) remade(s *connect.Schema, a connect.Attrs) *connect.Schema {
	switch s.Type() {
	case connect.Struct:
		return g.made(connect.NewStruct(s.Fields(), a))
	case connect.Array:
		return g.made(connect.NewArray(s.Value(), a))
	case connect.Map:
		return g.made(connect.NewMap(s.Key(), s.Value(), a))
	}
	return g.made(connect.NewPrimitive(s.Type(), a))
}

func (g *generator) plain(kind, depth int, a connect.Attrs) *connect.Schema {
	primitives := []connect.Type{connect.Boolean, connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.Float32, connect.Float64, connect.String, connect.Bytes}
	switch kind {
	case 9:
		return g.logical(a)
	case 10:
		return g.enum(a)
	case 11:
		a.Name, a.Parameters = g.fullName(), map[string]string{"connect.fixed.size": strconv.Itoa(1 + g.n(20))}
		return g.made(connect.NewPrimitive(connect.Bytes, a))
	case 12:
		return g.made(connect.NewArray(g.schema(depth-1, false), a))
	case 13:
		return g.made(connect.NewMap(connect.StringSchema, g.schema(depth-1, false), a))
	case 14: // its entries need a name to be there twice
		a.Name = g.fullName()
		keys := []*connect.Schema{connect.Int32Schema, connect.OptionalStringSchema, connect.Int64Schema}
		return g.made(connect.NewMap(keys[g.n(len(keys))], g.schema(depth-1, false), a))
	case 15:
		return g.union(depth, a)
	case 16:
		r := g.record(depth-1, false)
		a.Name = r.Name()
		return g.made(connect.NewStruct(r.Fields(), a))
	}
	return g.made(connect.NewPrimitive(primitives[kind], a))
}

func (g *generator) logical(a connect.Attrs) *connect.Schema {
	a.Version = 1
	switch g.n(4) {
	case 0:
		a.Name = connect.DateName
		return g.made(connect.NewPrimitive(connect.Int32, a))
	case 1:
		a.Name = connect.TimeName
		return g.made(connect.NewPrimitive(connect.Int32, a))
	case 2:
		a.Name = connect.TimestampName
		return g.made(connect.NewPrimitive(connect.Int64, a))
	}
	a.Name, a.Parameters = connect.DecimalName, map[string]string{"scale": strconv.Itoa(g.n(9))}
	a.ParameterOrder = []string{"scale"}
	if g.chance(2) {
		a.Parameters["connect.decimal.precision"] = strconv.Itoa(20 + g.n(18))
	}
	return g.made(connect.NewPrimitive(connect.Bytes, a))
}

const enumParameter = "io.confluent.connect.avro.Enum"

func (g *generator) enum(a connect.Attrs) *connect.Schema {
	a.Name = g.fullName()
	a.Parameters, a.ParameterOrder = map[string]string{enumParameter: a.Name}, []string{enumParameter}
	for i := range 1 + g.n(6) {
		symbol := fmt.Sprintf("%c%d", 'Z'-rune(i), g.n(9))
		a.Parameters[enumParameter+"."+symbol] = symbol
		a.ParameterOrder = append(a.ParameterOrder, enumParameter+"."+symbol)
	}
	return g.made(connect.NewPrimitive(connect.String, a))
}

// union has a field for each of a few types.
func (g *generator) union(depth int, a connect.Attrs) *connect.Schema {
	a.Name, a.Doc = "io.confluent.connect.avro.Union", ""
	record := g.record(depth-1, false)
	record = g.made(connect.NewStruct(record.Fields(), connect.Attrs{Name: record.Name(), Optional: true}))
	enum := g.enum(connect.Attrs{Optional: true})
	all := []connect.Field{{Name: "boolean", Schema: connect.OptionalBooleanSchema}, {Name: "long", Schema: connect.OptionalInt64Schema},
		{Name: "double", Schema: connect.OptionalFloat64Schema}, {Name: "string", Schema: connect.OptionalStringSchema},
		{Name: record.Name(), Schema: record}, {Name: enum.Name(), Schema: enum},
		{Name: "array", Schema: g.made(connect.NewArray(connect.Int64Schema, connect.Attrs{Optional: true}))}}
	if g.chance(2) { // not both: generic data of other libraries does not tell them apart
		all = slices.Delete(all, 3, 4)
	} else {
		all = slices.Delete(all, 5, 6)
	}
	var fields []connect.Field
	for len(fields) < 2 {
		fields = fields[:0]
		for _, f := range all {
			if g.chance(2) {
				fields = append(fields, f)
			}
		}
	}
	return g.made(connect.NewStruct(fields, a))
}

func hasUnion(s *connect.Schema) bool {
	return isUnion(s) || s.Value() != nil && hasUnion(s.Value()) ||
		slices.ContainsFunc(s.Fields(), func(f connect.Field) bool { return hasUnion(f.Schema) })
}

func isUnion(s *connect.Schema) bool { return s.Name() == "io.confluent.connect.avro.Union" }

// value is a value of a schema.
func (g *generator) value(s *connect.Schema) connect.Value {
	if s.Optional() && g.chance(3) {
		return connect.Value{}
	}
	switch s.Type() {
	case connect.Boolean:
		return connect.BooleanValue(g.chance(2))
	case connect.Int8:
		return connect.Int8Value(int8(g.next()))
	case connect.Int16:
		return connect.Int16Value(int16(g.next()))
	case connect.Int32:
		if s.Name() != "" { // days or milliseconds of a day
			return connect.Int32Value(int32(g.n(80_000)))
		}
		return connect.Int32Value(int32(g.next() >> g.n(32)))
	case connect.Int64:
		if s.Name() != "" {
			return connect.Int64Value(int64(g.n(4_000_000_000_000)))
		}
		return connect.Int64Value(int64(g.next() >> g.n(64)))
	case connect.Float32:
		return connect.Float32Value(float32(g.float()))
	case connect.Float64:
		return connect.Float64Value(g.float())
	case connect.String:
		return g.text(s)
	case connect.Bytes:
		return g.bytes(s)
	}
	return g.nested(s)
}

func (g *generator) float() float64 {
	return float64(int32(g.next())) * math.Pow(2, float64(g.n(40)-30))
}

func (g *generator) text(s *connect.Schema) connect.Value {
	if _, ok := s.Parameter(enumParameter); ok {
		names := s.ParameterNames()[1:]
		return connect.StringValue(strings.TrimPrefix(names[g.n(len(names))], enumParameter+"."))
	}
	return connect.StringValue([]string{"", "x", "ein längerer Text\n\"\\", "日本", strings.Repeat("ab", g.n(100))}[g.n(5)])
}

func (g *generator) bytes(s *connect.Schema) connect.Value {
	n := g.n(20)
	if s.Name() == connect.DecimalName {
		n = 1 + g.n(7)
	}
	if size, ok := s.Parameter("connect.fixed.size"); ok {
		n, _ = strconv.Atoi(size)
	}
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(g.next())
	}
	if s.Name() == connect.DecimalName {
		p[0] = p[0]&0x80 | 1 // no byte too many, which other libraries would leave out
	}
	return connect.BytesValue(p)
}

func (g *generator) nested(s *connect.Schema) connect.Value {
	var cells []connect.Value
	switch s.Type() {
	case connect.Array:
		for range g.n(4) {
			cells = append(cells, g.value(s.Value()))
		}
		return connect.ArrayValue(cells)
	case connect.Map:
		for i := range g.n(4) {
			key := connect.StringValue(fmt.Sprintf("k%d", i))
			switch s.Key().Type() {
			case connect.Int32:
				key = connect.Int32Value(int32(i))
			case connect.Int64:
				key = connect.Int64Value(int64(i))
			}
			cells = append(cells, key, g.value(s.Value()))
		}
		return connect.MapValue(cells)
	}
	fields := s.Fields()
	cells = make([]connect.Value, len(fields))
	if isUnion(s) {
		for i := g.n(len(fields)); cells[i].IsNull(); { // one field is set
			cells[i] = g.value(fields[i].Schema)
		}
		return connect.StructValue(cells)
	}
	for i, f := range fields {
		cells[i] = g.value(f.Schema)
		if def, ok := f.Schema.Default(); ok && cells[i].IsNull() {
			cells[i] = def // which would be written in the place of null
		}
	}
	return connect.StructValue(cells)
}
