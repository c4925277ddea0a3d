package pgtype

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

var update = flag.Bool("update", false, "write what the code does into testdata")

// Types of a made-up database beside PostgreSQL's own.
const (
	oidMood = 90000 + iota
	oidMoodArray
	oidHstore
	oidHstoreArray
	oidCitext
	oidCitextArray
	oidLtree
	oidLtreeArray
	oidIsbn
	oidGeometry
	oidGeometryArray
	oidGeography
	oidVector
	oidHalfvec
	oidSparsevec
	oidPrice
	oidPrice2
	oidPriceArray
	oidPair
	oidTags
	oidBitArrayDomain
)

func testCatalog() *Catalog {
	c := NewCatalog()
	ext := func(oid uint32, name string) *typeInfo {
		return &typeInfo{oid: oid, name: name, schema: "public", kind: 'b', mod: -1, delim: ','}
	}
	arr := func(oid, elem uint32, name string) *typeInfo {
		t := ext(oid, name)
		t.category, t.elem = 'A', elem
		return t
	}
	dom := func(oid, base uint32, mod int32, name string) *typeInfo {
		t := ext(oid, name)
		t.kind, t.base, t.mod = 'd', base, mod
		return t
	}
	mood := ext(oidMood, "mood")
	mood.kind, mood.labels = 'e', []string{"sad", "ok", "it's"}
	pair := ext(oidPair, "pair")
	pair.kind = 'c'
	c.add([]*typeInfo{mood, arr(oidMoodArray, oidMood, "_mood"), ext(oidHstore, "hstore"), arr(oidHstoreArray, oidHstore, "_hstore"),
		ext(oidCitext, "citext"), arr(oidCitextArray, oidCitext, "_citext"), ext(oidLtree, "ltree"), arr(oidLtreeArray, oidLtree, "_ltree"), ext(oidIsbn, "isbn"),
		ext(oidGeometry, "geometry"), arr(oidGeometryArray, oidGeometry, "_geometry"), ext(oidGeography, "geography"),
		ext(oidVector, "vector"), ext(oidHalfvec, "halfvec"), ext(oidSparsevec, "sparsevec"),
		dom(oidPrice, oidNumeric, 8<<16+2+4, "price"), dom(oidPrice2, oidPrice, -1, "price2"), arr(oidPriceArray, oidPrice, "_price"), pair,
		dom(oidTags, 1009, -1, "tags")})
	return c
}

// oidMod finds a type by its SQL name, such as numeric(10,2) or time(3)[].
func oidMod(t testing.TB, c *Catalog, sql string) (oid uint32, mod int32) {
	t.Helper()
	name, isArray := strings.CutSuffix(sql, "[]")
	name, args, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	if isArray {
		name = "_" + name
	}
	for _, typ := range c.types {
		if typ.name == name {
			oid = typ.oid
		}
	}
	if oid == 0 {
		t.Fatalf("there is no type %q", sql)
	}
	if args == "" {
		return oid, -1
	}
	a, b, _ := strings.Cut(args, ",")
	n, err := strconv.Atoi(a)
	if err != nil {
		t.Fatal(err)
	}
	switch strings.TrimPrefix(name, "_") {
	case "numeric":
		scale, _ := strconv.Atoi(b)
		return oid, int32(n<<16|scale&0x7ff) + 4
	case "varchar", "bpchar":
		return oid, int32(n) + 4
	}
	return oid, int32(n)
}

// schemaJSON is a schema as Kafka's JsonConverter shows it.
func schemaJSON(t testing.TB, s *connect.Schema) string {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, `{"type":%q`, jsonTypes[s.Type()])
	switch s.Type() {
	case connect.Struct:
		out.WriteString(`,"fields":[`)
		for i, f := range s.Fields() {
			if i > 0 {
				out.WriteByte(',')
			}
			inner := schemaJSON(t, f.Schema)
			fmt.Fprintf(&out, `%s,"field":%q}`, strings.TrimSuffix(inner, "}"), f.Name)
		}
		out.WriteByte(']')
	case connect.Array:
		out.WriteString(`,"items":` + schemaJSON(t, s.Value()))
	case connect.Map:
		out.WriteString(`,"keys":` + schemaJSON(t, s.Key()) + `,"values":` + schemaJSON(t, s.Value()))
	}
	fmt.Fprintf(&out, `,"optional":%t`, s.Optional())
	if s.Name() != "" {
		fmt.Fprintf(&out, `,"name":%q`, s.Name())
	}
	if s.Version() != 0 {
		fmt.Fprintf(&out, `,"version":%d`, s.Version())
	}
	if s.Doc() != "" {
		fmt.Fprintf(&out, `,"doc":%q`, s.Doc())
	}
	for i, name := range s.ParameterNames() {
		v, _ := s.Parameter(name)
		out.WriteString([]string{`,"parameters":{`, ","}[min(i, 1)])
		fmt.Fprintf(&out, `%q:%q`, name, v)
		if i == len(s.ParameterNames())-1 {
			out.WriteByte('}')
		}
	}
	if d, ok := s.Default(); ok {
		out.WriteString(`,"default":` + valueJSON(s, d))
	}
	return out.String() + "}"
}

var jsonTypes = map[connect.Type]string{connect.Boolean: "boolean", connect.Int8: "int8", connect.Int16: "int16", connect.Int32: "int32",
	connect.Int64: "int64", connect.Float32: "float", connect.Float64: "double", connect.String: "string", connect.Bytes: "bytes",
	connect.Array: "array", connect.Map: "map", connect.Struct: "struct"}

func valueJSON(s *connect.Schema, v connect.Value) string {
	if v.IsNull() {
		return "null"
	}
	out, err := connectjson.Append(nil, s, v, connectjson.Options{})
	if err != nil {
		return "ERROR " + err.Error()
	}
	return string(out)
}

func parseModes(t testing.TB, words []string) *Options {
	o := &Options{MoneyFractionDigits: 2}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "decimal":
			o.Decimal = DecimalMode(v)
		case "time":
			o.Time = TimeMode(v)
		case "hstore":
			o.Hstore = HstoreMode(v)
		case "interval":
			o.Interval = IntervalMode(v)
		case "binary":
			o.Binary = BinaryMode(v)
		case "unknown":
			o.IncludeUnknown = true
		case "digits":
			o.MoneyFractionDigits, _ = strconv.Atoi(v)
		case "placeholder":
			o.Placeholder = []byte(v)
		default:
			t.Fatalf("there is no mode %q", w)
		}
	}
	return o
}

// TestCases reads testdata/*.txt. A line "= TYPE MODE..." compiles an optional
// column; "schema", "zero" (of a NOT NULL column) and "placeholder" show what came
// of it; "default EXPR" compiles it again with that default; "'TEXT" reads a cell.
// What each gives stands after " => ".
func TestCases(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("there are no cases")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r caseRunner
			r.catalog, r.batch = testCatalog(), connect.NewBatch(1, 1)
			var out bytes.Buffer
			for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
				got := r.line(t, line)
				if got != line && !*update {
					t.Errorf("%s:%d\ngot  %s\nwant %s", file, i+1, got, line)
				}
				out.WriteString(got + "\n")
			}
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

type caseRunner struct {
	catalog *Catalog
	batch   *connect.Batch
	column  Column
	options *Options
	codec   *Codec
}

func (r *caseRunner) compile(t *testing.T, col Column) *Codec {
	codec, err := r.catalog.Compile(col, r.options)
	if err != nil {
		t.Fatalf("compile %+v: %v", col, err)
	}
	return codec
}

func (r *caseRunner) line(t *testing.T, line string) string {
	in, _, _ := strings.Cut(line, " => ")
	switch {
	case strings.HasPrefix(line, "= "):
		line = strings.TrimSuffix(line, " OMITTED")
		words := strings.Fields(line[2:])
		r.options = parseModes(t, words[1:])
		oid, mod := oidMod(t, r.catalog, words[0])
		r.column = Column{Name: "c", TypeOID: oid, TypeMod: mod}
		r.codec = r.compile(t, r.column)
		if r.codec == nil {
			return line + " OMITTED"
		}
		return line
	case line == "" || strings.HasPrefix(line, "#"):
		return line
	case in == "schema":
		return in + " => " + schemaJSON(t, r.codec.Schema)
	case in == "zero":
		col := r.column
		col.NotNull = true
		c := r.compile(t, col)
		return in + " => " + valueJSON(c.Schema, c.Zero)
	case in == "placeholder":
		return in + " => " + valueJSON(r.codec.Schema, r.codec.Placeholder)
	case in == "propagate":
		col := r.column
		col.PropagateType = true
		return in + " => " + schemaJSON(t, r.compile(t, col).Schema)
	case strings.HasPrefix(in, "default "):
		col := r.column
		col.HasDefault, col.Default = true, strings.TrimPrefix(in, "default ")
		c := r.compile(t, col)
		d, ok := c.Schema.Default()
		if !ok {
			return in + " => none"
		}
		return in + " => " + valueJSON(c.Schema, d)
	case strings.HasPrefix(in, "'"):
		v, err := r.codec.Text(r.batch, []byte(in[1:]))
		if err != nil {
			return in + " => error: " + err.Error()
		}
		return in + " => " + valueJSON(r.codec.Schema, v)
	}
	t.Fatalf("what is %q?", line)
	return ""
}
