package connectproto_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/engine/convert/connectproto"
)

// describe writes a schema on one line: its type, ? when it is optional, its name, and its parameters but for the numbers of fields.
func describe(s *connect.Schema) string {
	var b strings.Builder
	b.WriteString(s.Type().String())
	if s.Optional() {
		b.WriteByte('?')
	}
	if s.Name() != "" {
		b.WriteString(" " + s.Name())
	}
	for _, name := range s.ParameterNames() {
		if v, _ := s.Parameter(name); !strings.HasSuffix(name, ".Tag") {
			fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(name, "io.confluent.connect.protobuf."), v)
		}
	}
	switch s.Type() {
	case connect.Array:
		fmt.Fprintf(&b, "[%s]", describe(s.Value()))
	case connect.Map:
		fmt.Fprintf(&b, "[%s: %s]", describe(s.Key()), describe(s.Value()))
	case connect.Struct:
		var fields []string
		for _, f := range s.Fields() {
			fields = append(fields, f.Name+" "+describe(f.Schema))
		}
		fmt.Fprintf(&b, "{%s}", strings.Join(fields, ", "))
	}
	return b.String()
}

const shop = `syntax = "proto3"; package shop; import "google/protobuf/wrappers.proto"; import "confluent/type/decimal.proto"; import "confluent/meta.proto";
import "google/type/date.proto"; import "google/type/timeofday.proto"; import "google/protobuf/timestamp.proto";
message M { int32 a = 1; optional string b = 2; uint32 c = 3; E e = 4; N n = 5; repeated E es = 6; map<string, N> m_n = 7;
  oneof o { string x = 8; google.protobuf.Int32Value w = 9; } google.protobuf.StringValue s = 10;
  confluent.type.Decimal d = 11 [(confluent.field_meta) = {params: [{key: "scale", value: "2"}, {key: "precision", value: "9"}]}];
  google.type.Date day = 12; google.type.TimeOfDay t = 13; google.protobuf.Timestamp at = 14;
  int32 tiny = 15 [(confluent.field_meta).params = {key: "connect.type", value: "int8"}]; }
message N { bool y = 1; } enum E { A = 0; B = 1; }`

func TestToConnectSchema(t *testing.T) {
	const enum = " Enum=E Enum.A=0 Enum.B=1"
	for name, c := range map[string]struct {
		o    connectproto.Options
		want string
	}{
		"defaults": {connectproto.Options{}, "STRUCT M{o_0 STRUCT? io.confluent.connect.protobuf.Union.o{x STRING?, w STRUCT? Int32Value{value INT32?}}, a INT32?, b STRING?, c INT64? Type=uint32, " +
			"e STRING? E" + enum + ", n STRUCT? N{y BOOLEAN?}, es ARRAY?[STRING? E" + enum + "], m_n MAP? m_n[STRING?: STRUCT? N{y BOOLEAN?}], s STRUCT? StringValue{value STRING?}, " +
			"d BYTES? org.apache.kafka.connect.data.Decimal scale=2 connect.decimal.precision=9, day INT32? org.apache.kafka.connect.data.Date, t INT32? org.apache.kafka.connect.data.Time, " +
			"at INT64? org.apache.kafka.connect.data.Timestamp, tiny INT8?}"},
		"optional, enhanced": {connectproto.Options{OptionalForNullables: true, Enhanced: true, NoUnionIndex: true, IntForEnums: true},
			"STRUCT shop.M{o STRUCT? io.confluent.connect.protobuf.Union.shop.M.o{x STRING?, w STRUCT? google.protobuf.Int32Value{value INT32}}, a INT32, b STRING?, c INT64 Type=uint32, " +
				"e INT32? shop.E" + enum + ", n STRUCT? shop.N{y BOOLEAN}, es ARRAY?[INT32? shop.E" + enum + "], m_n MAP? shop.M.m_n[STRING: STRUCT? shop.N{y BOOLEAN}], " +
				"s STRUCT? google.protobuf.StringValue{value STRING}, d BYTES? org.apache.kafka.connect.data.Decimal scale=2 connect.decimal.precision=9, day INT32? org.apache.kafka.connect.data.Date, " +
				"t INT32? org.apache.kafka.connect.data.Time, at INT64? org.apache.kafka.connect.data.Timestamp, tiny INT8}"},
		"wrappers, flat": {connectproto.Options{WrapperForNullables: true, FlattenUnions: true, Generalized: true},
			"STRUCT M{x STRING?, w INT32? Wrapper=true, a INT32, b STRING, c INT64 Type=uint32, e STRING? E org.apache.kafka.connect.data.Enum=E org.apache.kafka.connect.data.Enum.A=0 " +
				"org.apache.kafka.connect.data.Enum.B=1, n STRUCT? N{y BOOLEAN}, es ARRAY?[STRING? E org.apache.kafka.connect.data.Enum=E org.apache.kafka.connect.data.Enum.A=0 " +
				"org.apache.kafka.connect.data.Enum.B=1], m_n MAP? m_n[STRING: STRUCT? N{y BOOLEAN}], s STRING?, d BYTES? org.apache.kafka.connect.data.Decimal scale=2 connect.decimal.precision=9, " +
				"day INT32? org.apache.kafka.connect.data.Date, t INT32? org.apache.kafka.connect.data.Time, at INT64? org.apache.kafka.connect.data.Timestamp, tiny INT8}"},
	} {
		d, err := connectproto.ToConnect(parse(t, shop), "", 0, c.o)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := describe(d.Schema); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, c.want)
		}
		f := d.Schema.Fields()[d.Schema.Index("a")]
		if tag, _ := f.Schema.Parameter("io.confluent.connect.protobuf.Tag"); tag != "1" {
			t.Errorf("%s: the number of a is %q", name, tag)
		}
	}
}

func decode(t *testing.T, text string, o connectproto.Options, data []byte) (connect.Value, error) {
	t.Helper()
	d, err := connectproto.ToConnect(parse(t, text), "", 0, o)
	if err != nil {
		t.Fatal(err)
	}
	return d.Decode(connect.NewBatch(1, 1<<20), data)
}

func field(number protowire.Number, typ protowire.Type, data ...byte) []byte {
	return append(protowire.AppendTag(nil, number, typ), data...)
}

// Data that the writers of Go do not make, but that is Protobuf data all the same.
func TestDecodeUnusual(t *testing.T) {
	const text = `syntax = "proto3"; message M { repeated int32 a = 1; N n = 2; map<string, int32> m = 3; int32 i = 4; oneof o { N x = 5; int32 y = 6; } repeated int32 u = 7 [packed = false]; }
		message N { int32 v = 1; repeated int32 w = 2; }`
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	v, b := protowire.VarintType, protowire.BytesType
	entry := func(key, value byte) []byte { return field(3, b, 5, 0x0a, 1, key, 0x10, value) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                          {nil, "STRUCT[null ARRAY[] null MAP[] 0 ARRAY[]]"},
		"packed and not":                   {join(field(1, v, 1), field(1, b, 2, 2, 3), field(1, v, 4)), "STRUCT[null ARRAY[1 2 3 4] null MAP[] 0 ARRAY[]]"},
		"packed where it should not be":    {field(7, b, 2, 2, 3), "STRUCT[null ARRAY[] null MAP[] 0 ARRAY[2 3]]"},
		"packed, none":                     {join(field(1, b, 0), field(1, v, 1)), "STRUCT[null ARRAY[1] null MAP[] 0 ARRAY[]]"},
		"a message in pieces":              {join(field(2, b, 4, 0x08, 1, 0x10, 7), field(4, v, 9), field(2, b, 4, 0x08, 2, 0x10, 8)), "STRUCT[null ARRAY[] STRUCT[2 ARRAY[7 8]] MAP[] 9 ARRAY[]]"},
		"the last counts":                  {join(field(4, v, 1), field(4, v, 2)), "STRUCT[null ARRAY[] null MAP[] 2 ARRAY[]]"},
		"a key twice":                      {join(entry('a', 1), entry('b', 2), entry('a', 3)), `STRUCT[null ARRAY[] null MAP["a" 3 "b" 2] 0 ARRAY[]]`},
		"an entry of nothing":              {field(3, b, 0), `STRUCT[null ARRAY[] null MAP["" 0] 0 ARRAY[]]`},
		"unknown fields":                   {join(field(99, v, 1), field(4, v, 5), field(98, b, 1, 'x'), field(97, protowire.StartGroupType, 0x08, 1), field(97, protowire.EndGroupType)), "STRUCT[null ARRAY[] null MAP[] 5 ARRAY[]]"},
		"another wire type":                {join(field(4, b, 1, 'x'), field(2, v, 1)), "STRUCT[null ARRAY[] null MAP[] 0 ARRAY[]]"},
		"of a oneof the last":              {join(field(5, b, 2, 0x08, 1), field(6, v, 3)), "STRUCT[STRUCT[null 3] ARRAY[] null MAP[] 0 ARRAY[]]"},
		"of a oneof the last, the message": {join(field(6, v, 3), field(5, b, 2, 0x08, 1)), "STRUCT[STRUCT[STRUCT[1 ARRAY[]] null] ARRAY[] null MAP[] 0 ARRAY[]]"},
		"more than 32 bits":                {field(4, v, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "STRUCT[null ARRAY[] null MAP[] -1 ARRAY[]]"},
	} {
		got, err := decode(t, text, connectproto.Options{}, c.data)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, c.want)
		}
	}
	for name, data := range map[string][]byte{
		"cut off": field(4, v), "a tag alone": {0x80}, "number 0": {0x00, 0x01}, "a length beyond": field(2, b, 9, 1), "cut off inside": field(2, b, 1, 0x08),
		"packed, cut off": field(1, b, 2, 1, 0x80), "a group that does not end": field(97, protowire.StartGroupType, 0x08, 1), "wire type 7": {0x27, 1},
	} {
		if got, err := decode(t, text, connectproto.Options{}, data); err == nil {
			t.Errorf("%s: read %v", name, got)
		}
	}
}

func TestDecodeMore(t *testing.T) {
	const enum = `syntax = "proto3"; message M { E e = 1; N n = 2; string s = 3; } enum E { A = 0; } message N { int32 a = 1; optional int32 b = 2; }`
	if got, err := decode(t, enum, connectproto.Options{}, field(1, protowire.VarintType, 5)); err != nil || got.String() != `STRUCT["UNKNOWN_ENUM_VALUE_E_5" null ""]` {
		t.Errorf("a symbol that nobody knows: %v, %v", got, err)
	}
	if got, err := decode(t, enum, connectproto.Options{StructForNull: true}, nil); err != nil || got.String() != `STRUCT["A" STRUCT[0 0] ""]` {
		t.Errorf("a struct for null: %v, %v", got, err)
	}
	if _, err := decode(t, enum, connectproto.Options{}, field(3, protowire.BytesType, 1, 0xff)); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("no UTF-8: %v", err)
	}
	const proto2 = `syntax = "proto2"; message M { optional int32 a = 1 [default = 7]; required string b = 2; optional E e = 3; enum E { X = 3; Y = 4; } }`
	if got, err := decode(t, proto2, connectproto.Options{}, nil); err != nil || got.String() != `STRUCT[null "" null]` {
		t.Errorf("proto2: %v, %v", got, err)
	}
	if got, err := decode(t, proto2, connectproto.Options{NoProto2Optional: true}, nil); err != nil || got.String() != `STRUCT[7 "" "X"]` {
		t.Errorf("proto2 with defaults: %v, %v", got, err)
	}
}

func TestToConnectRefused(t *testing.T) {
	for text, want := range map[string]string{
		`enum E { A = 0; }`: "no message",
	} {
		if _, err := connectproto.ToConnect(parse(t, `syntax = "proto3"; `+text), "", 0, connectproto.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A group is a message in another form, of which its field has the name in lower case.
func TestGroups(t *testing.T) {
	const text = `syntax = "proto2"; message M { optional group Single = 1 { optional int32 a = 1; } repeated group Many = 2 { optional string s = 1; optional group Deep = 2 { required bool b = 1; } }
		oneof o { group Choice = 3 { optional int64 n = 1; } string t = 4; } optional M within = 5; }`
	group := func(number protowire.Number, parts ...[]byte) []byte {
		return slices.Concat(field(number, protowire.StartGroupType), slices.Concat(parts...), field(number, protowire.EndGroupType))
	}
	v, b := protowire.VarintType, protowire.BytesType
	first := group(2, field(1, b, 1, 'x'), group(2, field(1, v, 1)))
	choice := group(3, field(1, v, 9))
	all := slices.Concat(group(1, field(1, v, 7)), first, group(2), choice)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"all":           {all, `STRUCT[STRUCT[STRUCT[9] null] STRUCT[7] ARRAY[STRUCT["x" STRUCT[true]] STRUCT[null null]] null]`},
		"none":          {nil, "STRUCT[null null ARRAY[] null]"},
		"in pieces":     {slices.Concat(group(1, field(1, v, 7)), group(1, field(99, v, 1))), "STRUCT[null STRUCT[7] ARRAY[] null]"},
		"of a oneof":    {slices.Concat(choice, field(4, b, 1, 'y')), `STRUCT[STRUCT[null "y"] null ARRAY[] null]`},
		"with a length": {slices.Concat(field(1, b, 2, 0x08, 7), field(2, b, 0)), "STRUCT[null null ARRAY[] null]"},
		"within itself": {field(5, b, append([]byte{byte(len(all))}, all...)...), `STRUCT[null null ARRAY[] "{\"o_0\":{\"choice\":{\"n\":9},\"t\":null},\"single\":{\"a\":7},\"many\":[{\"s\":\"x\",\"deep\":{\"b\":true}},{\"s\":null,\"deep\":null}],\"within\":null}"]`},
	} {
		got, err := decode(t, text, connectproto.Options{}, c.data)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, c.want)
		}
	}
	for name, data := range map[string][]byte{
		"no end": field(1, protowire.StartGroupType, 0x08, 1), "the end of another": slices.Concat(field(1, protowire.StartGroupType), field(2, protowire.EndGroupType)),
		"in a list": field(2, protowire.StartGroupType, 0x0a, 9), "the end alone": field(1, protowire.EndGroupType),
	} {
		if got, err := decode(t, text, connectproto.Options{}, data); err == nil {
			t.Errorf("%s: read %v", name, got)
		}
	}
	// They are written to a registered schema that has them.
	p := parse(t, text)
	d, err := connectproto.ToConnect(p, "", 0, connectproto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch := connect.NewBatch(1, 1<<10)
	value, err := d.Decode(batch, all)
	if err != nil {
		t.Fatal(err)
	}
	e, err := connectproto.FromConnectTo(connect.MustStruct("M", d.Schema.Fields()[:3]...), p, connectproto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wrote, err := e.Append(nil, connect.StructValue(value.Cells()[:3]))
	if err != nil || !slices.Equal(wrote, all) {
		t.Errorf("wrote %x, %v\nwant  %x", wrote, err, all)
	}
}

// A message within itself is the JSON of what it would be.
func TestToConnectRecursive(t *testing.T) {
	const text = `syntax = "proto3"; message M { int32 n = 1; M m = 2; repeated M all = 3; oneof o { M other = 4; string s = 5; } map<string, M> by = 6; }`
	one := field(1, protowire.VarintType, 7)
	nested := append(field(1, protowire.VarintType, 8), field(2, protowire.BytesType, append([]byte{byte(len(one))}, one...)...)...)
	message := func(number protowire.Number, m []byte) []byte {
		return field(number, protowire.BytesType, append([]byte{byte(len(m))}, m...)...)
	}
	data := slices.Concat(message(2, nested), message(3, one), message(3, nil), message(4, one), message(6, append(message(1, []byte("k")), message(2, one)...)),
		message(6, message(1, []byte("none"))))
	const empty = `{"o_0":null,"n":0,"m":null,"all":[],"by":[]}`
	seven := strings.Replace(empty, `"n":0`, `"n":7`, 1)
	eight := strings.Replace(strings.Replace(empty, `"n":0`, `"n":8`, 1), `"m":null`, `"m":`+seven, 1)
	got, err := decode(t, text, connectproto.Options{}, data)
	if err != nil {
		t.Fatal(err)
	}
	cells := got.Cells()
	for what, c := range map[string]struct {
		got  connect.Value
		want string
	}{
		"message": {cells[2], eight}, "list": {cells[3].Cells()[0], seven}, "an empty one": {cells[3].Cells()[1], empty}, "oneof": {cells[0].Cells()[0], seven},
		"map": {cells[4].Cells()[1], seven}, "no value in a map": {cells[4].Cells()[3], empty},
	} {
		if c.got.Text() != c.want {
			t.Errorf("%s: %s, want %s", what, c.got.Text(), c.want)
		}
	}
	d, err := connectproto.ToConnect(parse(t, text), "", 0, connectproto.Options{})
	if err != nil || !connectjson.IsRaw(d.Schema.Fields()[2].Schema) || !d.Schema.Fields()[2].Schema.Optional() {
		t.Errorf("the schema is %v, %v", d.Schema.Fields()[2].Schema, err)
	}
	if v, err := decode(t, text, connectproto.Options{StructForNull: true}, nil); err != nil || !v.Cells()[2].IsNull() {
		t.Errorf("with structs for null: %v, %v", v, err)
	}
	var deep []byte
	for range 60 {
		deep = message(2, deep)
		if len(deep) > 120 {
			break
		}
	}
	for range 200 {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), deep)
	}
	if _, err := decode(t, text, connectproto.Options{}, deep); err == nil || !strings.Contains(err.Error(), "nests deeper than 100") {
		t.Errorf("200 levels: %v", err)
	}
	long := strings.Repeat("n", 1000)
	var many []byte
	for range 100_000 {
		many = append(many, message(1, nil)...)
	}
	many = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), many)
	if _, err := decode(t, `syntax = "proto3"; message M { repeated M m = 1; int32 `+long+` = 2; }`, connectproto.Options{}, many); err == nil || !strings.Contains(err.Error(), "as JSON") {
		t.Errorf("much text of few bytes: %v", err)
	}
}

// Protobuf's own messages for JSON contain themselves.
func TestToConnectStruct(t *testing.T) {
	const text = `syntax = "proto3"; import "google/protobuf/struct.proto"; message M { google.protobuf.Struct s = 1; }`
	want, err := structpb.NewStruct(map[string]any{"a": map[string]any{"b": []any{1.5, "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(t, text, connectproto.Options{}, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data))
	if err != nil || !strings.Contains(got.String(), "1.5") {
		t.Errorf("%v, %v", got, err)
	}
}

// Few bytes do not become many cells.
func TestDecodeBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString(`syntax = "proto3"; message M { repeated W w = 1; } message W {`)
	for i := range 2000 {
		fmt.Fprintf(&text, "int32 f%d = %d;", i, i+1)
	}
	text.WriteString("}")
	var data []byte
	for range 500_000 {
		data = append(data, field(1, protowire.BytesType, 0)...)
	}
	if _, err := decode(t, text.String(), connectproto.Options{}, data); err == nil || !strings.Contains(err.Error(), "too many empty elements") {
		t.Errorf("%v", err)
	}
}

func TestDecimals(t *testing.T) {
	const text = `syntax = "proto3"; import "confluent/type/decimal.proto"; import "confluent/meta.proto";
		message M { confluent.type.Decimal d = 1 [(confluent.field_meta) = {params: [{key: "scale", value: "2"}]}]; }`
	dec := func(unscaled []byte, scale uint64) []byte {
		var d []byte
		d = protowire.AppendBytes(protowire.AppendTag(d, 1, protowire.BytesType), unscaled)
		d = protowire.AppendVarint(protowire.AppendTag(d, 3, protowire.VarintType), scale)
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), d)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"the same scale":  {dec([]byte{0x04, 0xd2}, 2), "STRUCT[04d2]"},
		"another scale":   {dec([]byte{0x0c}, 0), "STRUCT[04b0]"},
		"below zero":      {dec([]byte{0xff}, 1), "STRUCT[f6]"},
		"fewer digits":    {dec([]byte{0x04, 0xb0}, 3), "STRUCT[78]"},
		"-128":            {dec([]byte{0xfb, 0x00}, 3), "STRUCT[80]"},
		"nothing is zero": {dec(nil, 2), "STRUCT[00]"},
	} {
		if got, err := decode(t, text, connectproto.Options{}, c.data); err != nil || got.String() != c.want {
			t.Errorf("%s: %v, %v; want %s", name, got, err, c.want)
		}
	}
	for name, data := range map[string][]byte{"a digit too many": dec([]byte{1}, 3), "a scale far away": dec([]byte{1}, 1<<31-1), "long": dec(make([]byte, 5000), 2)} {
		if got, err := decode(t, text, connectproto.Options{}, data); err == nil {
			t.Errorf("%s: read %v", name, got)
		}
	}
}
