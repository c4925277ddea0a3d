package connectjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
)

func TestAppendFloat(t *testing.T) {
	for _, c := range []struct {
		f    float64
		bits int
		want string
	}{
		{0, 64, "0.0"}, {math.Copysign(0, -1), 64, "-0.0"}, {1, 64, "1.0"}, {21.5, 64, "21.5"}, {0.001, 64, "0.001"},
		{0.00099, 64, "9.9E-4"}, {9999999, 64, "9999999.0"}, {1e7, 64, "1.0E7"}, {-123456789.125, 64, "-1.23456789125E8"},
		{1e300, 64, "1.0E300"}, {5e-324, 64, "4.9E-324"}, {-5e-324, 64, "-4.9E-324"}, {1e-45, 32, "1.4E-45"}, {1e-44, 32, "9.8E-45"}, {2e-323, 64, "2.0E-323"}, {float64(float32(0.1)), 32, "0.1"}, {float64(float32(3.4e38)), 32, "3.4E38"},
		{math.NaN(), 64, `"NaN"`}, {math.Inf(1), 64, `"Infinity"`}, {math.Inf(-1), 64, `"-Infinity"`},
	} {
		if got := string(appendFloat([]byte("x"), c.f, c.bits)); got != "x"+c.want {
			t.Errorf("appendFloat(%v, %d) = %s, want x%s", c.f, c.bits, got, c.want)
		}
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  `""`,
		"plain text, longer than a word":    `"plain text, longer than a word"`,
		"<a href=\"x\">&amp;</a>":           `"<a href=\"x\">&amp;</a>"`,
		"\\ \b\f\n\r\t \x00\x1f\x7f":        "\"\\\\ \\b\\f\\n\\r\\t \\u0000\\u001F\x7f\"",
		"é漢😀 and after":                     `"é漢😀 and after"`,
		"bad \xff\xfe bytes \xc3":           "\"bad \uFFFD\uFFFD bytes \uFFFD\"",
		"\u2028":                            "\"\u2028\"",
		strings.Repeat("a", 7) + "\"" + "b": `"aaaaaaa\"b"`,
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestAppendErrorsLeaveDst(t *testing.T) {
	s := connect.MustStruct("s", connect.Field{Name: "a", Schema: connect.StringSchema}, connect.Field{Name: "b", Schema: connect.Int8Schema})
	deep := connect.Value{}
	for range DefaultMaxDepth + 1 {
		deep = connect.ArrayValue([]connect.Value{deep})
	}
	for name, c := range map[string]struct {
		s *connect.Schema
		v connect.Value
	}{
		"a required null":            {s, connect.StructValue(make([]connect.Value, 2))},
		"a struct without schema":    {nil, connect.StructValue(make([]connect.Value, 2))},
		"too few cells":              {s, connect.StructValue(make([]connect.Value, 1))},
		"another type than declared": {connect.Int8Schema, connect.StringValue("1")},
		"too deep":                   {nil, deep},
	} {
		got, err := Append([]byte("x"), c.s, c.v, Options{})
		if err == nil || string(got) != "x" {
			t.Errorf("%s: got %q, %v; want x and an error", name, got, err)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale int
		bytes string
		back  string // "": the same
	}{
		{"12.34", 2, "\x04\xd2", ""}, {"0", 0, "\x00", ""}, {"0.00", 2, "\x00", ""}, {"-1", 0, "\xff", ""}, {"-1.28", 2, "\x80", ""},
		{"1.28", 2, "\x00\x80", ""}, {"-1.29", 2, "\xff\x7f", ""}, {"5", 2, "\x01\xf4", "5.00"}, {"1e3", 0, "\x03\xe8", "1000"},
		{"1.50", 1, "\x0f", "1.5"}, {"4200", -2, "\x2a", "4.2E+3"}, {"0.0000001", 7, "\x01", "1E-7"}, {"0.000001", 6, "\x01", ""},
		{"-0.05", 2, "\xfb", ""}, {"18446744073709551616", 0, "\x01\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{"-18446744073709551616", 0, "\xff\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{"-92233720368547758.08", 2, "\x80\x00\x00\x00\x00\x00\x00\x00", ""},
	} {
		got, err := ParseDecimal(c.text, c.scale)
		if err != nil || string(got) != c.bytes {
			t.Errorf("ParseDecimal(%s, %d) = %x, %v; want %x", c.text, c.scale, got, err, c.bytes)
		}
		want := c.back
		if want == "" {
			want = c.text
		}
		back, err := AppendDecimal([]byte("x"), []byte(c.bytes), c.scale)
		if err != nil || string(back) != "x"+want {
			t.Errorf("AppendDecimal(%x, %d) = %s, %v; want x%s", c.bytes, c.scale, back, err, want)
		}
	}
	for text, scale := range map[string]int{"1.234": 2, "1e-1": 0, "1e999999999": 0, "1e99999999999": 0, "x": 0, "1e200000": 3,
		strings.Repeat("9", maxDecimalDigits+1): 0} {
		if got, err := ParseDecimal(text, scale); err == nil {
			t.Errorf("ParseDecimal(%.20s, %d) = %x, want an error", text, scale, got)
		}
	}
	if _, err := AppendDecimal(nil, make([]byte, maxDecimalBytes+1), 0); err == nil {
		t.Error("AppendDecimal takes more than its limit, want an error")
	}
}

func TestDepth(t *testing.T) {
	b := connect.NewBatch(1, 1)
	for depth, want := range map[int]bool{DefaultMaxDepth: true, DefaultMaxDepth + 1: false, 1 << 20: false} {
		text := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		if _, err := Parse(b, text, 0); (err == nil) != want {
			t.Errorf("Parse at depth %d: %v, want success %v", depth, err, want)
		}
		if Valid(text) != want {
			t.Errorf("Valid at depth %d is %v", depth, !want)
		}
	}
	if _, err := Parse(b, []byte("[[1]]"), 1); err == nil {
		t.Error("Parse does not keep to the given depth")
	}
}

func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":             "invalid JSON at byte 0: the text ends early",
		`{"a":1,}`:     "invalid JSON at byte 7: expected a name in quotes",
		`{"a" 1}`:      "invalid JSON at byte 5: expected a colon",
		`[1 2]`:        "invalid JSON at byte 3: expected a comma or the end of the array or object",
		`nil`:          "invalid JSON at byte 0: expected a value",
		`1 x`:          "invalid JSON at byte 2: something follows the value",
		"\"\xff\"":     "invalid JSON at byte 1: invalid UTF-8",
		`"abc`:         "invalid JSON at byte 4: the text ends within a string",
		"\"a\nb\"":     "invalid JSON at byte 2: control characters in strings must be escaped",
		`[1.]`:         "invalid JSON at byte 3: a number needs a digit here",
		`"\u12"`:       `invalid JSON at byte 2: \u needs four hexadecimal digits`,
		"\ufeff{}":     "invalid JSON at byte 0: expected a value",
		`{"a":[1,2}`:   "invalid JSON at byte 9: expected a comma or the end of the array or object",
		`{"a":"b"} {}`: "invalid JSON at byte 10: something follows the value",
	} {
		_, err := Compact(nil, []byte(text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("Compact(%q) = %v, want %s", text, err, want)
		}
		if _, parse := Parse(connect.NewBatch(1, 1), []byte(text), 0); parse == nil || parse.Error() != want {
			t.Errorf("Parse(%q) = %v, want %s", text, parse, want)
		}
	}
}

func TestParseAsErrorsNameThePlace(t *testing.T) {
	in := connect.MustStruct("in", connect.Field{Name: "b", Schema: mustArray(t, connect.Int8Schema)})
	s := connect.MustStruct("s", connect.Field{Name: "a", Schema: in})
	for text, want := range map[string]string{
		`{"a":{"b":[1,300]}}`:  "field a: field b: element 1: the number 300 at byte 13 does not fit INT8",
		`{"a":{"b":[1,"2"]}}`:  "field a: field b: element 1: expected INT8 but found a string at byte 13",
		`{"a":{"b":[1,null]}}`: "field a: field b: element 1: null for a required INT8",
		`{"a":{}}`:             "field a: field b: null for a required ARRAY",
		`{"a":{"b":[1,]}}`:     "invalid JSON at byte 13: expected a value",
	} {
		_, err := ParseAs(connect.NewBatch(1, 1), s, []byte(text), Options{})
		if err == nil || err.Error() != want {
			t.Errorf("ParseAs(%s) = %v, want %s", text, err, want)
		}
	}
}

// TestParseAsIsTheInverse writes and reads a value of every type.
func TestParseAsIsTheInverse(t *testing.T) {
	intMap, err := connect.NewMap(connect.Int32Schema, connect.OptionalStringSchema, connect.Attrs{})
	must(t, err)
	textMap, err := connect.NewMap(connect.StringSchema, connect.BooleanSchema, connect.Attrs{})
	must(t, err)
	decimal, err := connect.NewPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Parameters: map[string]string{"scale": "2"}})
	must(t, err)
	s := connect.MustStruct("all",
		connect.Field{Name: "i8", Schema: connect.Int8Schema}, connect.Field{Name: "i16", Schema: connect.Int16Schema},
		connect.Field{Name: "f32", Schema: connect.Float32Schema}, connect.Field{Name: "f64", Schema: connect.Float64Schema},
		connect.Field{Name: "bytes", Schema: connect.BytesSchema}, connect.Field{Name: "none", Schema: connect.OptionalInt64Schema},
		connect.Field{Name: "im", Schema: intMap}, connect.Field{Name: "tm", Schema: textMap},
		connect.Field{Name: "dec", Schema: decimal}, connect.Field{Name: "raw", Schema: Schema},
		connect.Field{Name: `q"\`, Schema: connect.StringSchema})
	v := connect.StructValue([]connect.Value{connect.Int8Value(-128), connect.Int16Value(300), connect.Float32Value(0.1),
		connect.Float64Value(math.Inf(-1)), connect.BytesValue([]byte{0, 255}), {},
		connect.MapValue([]connect.Value{connect.Int32Value(1), connect.StringValue("x"), connect.Int32Value(2), {}}),
		connect.MapValue([]connect.Value{connect.StringValue("k\n"), connect.BooleanValue(true)}),
		connect.BytesValue([]byte{4, 0xd2}), connect.StringValue(`{"a":[1.10]}`), connect.StringValue("\x00é")})
	for o, want := range map[Options]string{
		{}:                        `"dec":"BNI=","raw":{"a":[1.10]},`,
		{Decimal: DecimalNumeric}: `"dec":12.34,"raw":{"a":[1.10]},`,
		{RawAsText: true}:         `"dec":"BNI=","raw":"{\"a\":[1.10]}",`,
	} {
		text, err := Append(nil, s, v, o)
		must(t, err)
		if !strings.Contains(string(text), want) {
			t.Errorf("%+v wrote %s, want %s in it", o, text, want)
		}
		got, err := ParseAs(connect.NewBatch(1, 1), s, text, o)
		if err != nil || !got.Equal(v) {
			t.Errorf("%+v read %v, %v\nwant %v", o, got, err, v)
		}
		if o.RawAsText {
			continue // the white space would be within a string
		}
		loose, err := ParseAs(connect.NewBatch(1, 1), s, []byte(strings.ReplaceAll(string(text), `":`, "\" :\n ")), o)
		if err != nil || !loose.Equal(v) {
			t.Errorf("%+v read %v with white space, %v", o, loose, err)
		}
	}
}

func TestNumbersThatDoNotFit(t *testing.T) {
	for _, text := range []string{"9223372036854775808", "-9223372036854775809", "18446744073709551617", "100000000000000000000", "1e999"} {
		v, err := Parse(connect.NewBatch(1, 1), []byte(text), 0)
		var number *NumberError
		if !errors.As(err, &number) || number.Number != text {
			t.Errorf("Parse(%s) = %v, %v; want a NumberError", text, v, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	five := connect.Int32Value(5)
	def, err := connect.NewPrimitive(connect.Int32, connect.Attrs{Optional: true, Default: &five})
	must(t, err)
	for keep, want := range map[bool]string{false: "5", true: "null"} {
		o := Options{KeepNull: keep}
		if got, err := Append(nil, def, connect.Value{}, o); err != nil || string(got) != want {
			t.Errorf("KeepNull %v: null is written as %s, %v; want %s", keep, got, err, want)
		}
		got, err := ParseAs(connect.NewBatch(1, 1), def, []byte("null"), o)
		if err != nil || got.String() != want {
			t.Errorf("KeepNull %v: null is read as %v, %v; want %s", keep, got, err, want)
		}
	}
}

// TestParseAsMemory bounds what many small values take (I5).
func TestParseAsMemory(t *testing.T) {
	const elements = 20000
	text := []byte("[" + strings.TrimSuffix(strings.Repeat("[ 1],", elements), ",") + "]")
	b := connect.NewBatch(1, elements*int(unsafe.Sizeof(connect.Value{}))+6*len(text)) // each element is a cell
	if _, err := ParseAs(b, mustArray(t, Schema), text, Options{}); err != nil {
		t.Fatal(err)
	}
	if b.Full() {
		t.Errorf("raw JSON of %d bytes took more than six times as many beside the cells", len(text))
	}
}

func TestMembers(t *testing.T) {
	var got []string
	err := Members([]byte(` { "a" : [1, 2] , "\u0062":{"x":"}"} } `), func(name string, value []byte) error {
		got = append(got, name+"="+string(value))
		return nil
	})
	if want := `a=[1, 2]|b={"x":"}"}`; err != nil || strings.Join(got, "|") != want {
		t.Errorf("got %q, %v; want %s", got, err, want)
	}
	for _, text := range []string{`[]`, `{"a":1`, `{"a":1} x`, ``, `{"a":}`} {
		if err := Members([]byte(text), func(string, []byte) error { return nil }); err == nil {
			t.Errorf("Members(%s): no error", text)
		}
	}
	stop := errors.New("stop")
	if err := Elements([]byte(`[1,2]`), func(string, []byte) error { return stop }); err != stop {
		t.Errorf("got %v, want the error of yield", err)
	}
}

// FuzzParseAs reads by a schema; what it accepts is written and read the same.
func FuzzParseAs(f *testing.F) {
	decimal, err := connect.NewPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Parameters: map[string]string{"scale": "2"}})
	must(f, err)
	intMap, err := connect.NewMap(connect.Int32Schema, connect.OptionalStringSchema, connect.Attrs{})
	must(f, err)
	in := connect.MustStruct("in", connect.Field{Name: "d", Schema: decimal}, connect.Field{Name: "b", Schema: connect.OptionalBytesSchema},
		connect.Field{Name: "m", Schema: intMap}, connect.Field{Name: "raw", Schema: OptionalSchema})
	s := connect.MustStruct("s", connect.Field{Name: "a", Schema: mustArray(f, in)}, connect.Field{Name: "f", Schema: connect.OptionalFloat32Schema},
		connect.Field{Name: "i", Schema: connect.OptionalInt16Schema})
	f.Add([]byte(`{"a":[{"d":"BNI=","b":"AAE=","m":[[1,"x"],[2,null]],"raw":{"x": 1}}],"f":1.5,"i":1e3}`))
	f.Add([]byte(`{"i":null,"zz":[1],"a":[{"d":12.34,"m":[]},{"d":1e2,"m":[[-1,"\u00e9"]],"raw":null}],"f":"NaN"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := connect.NewBatch(1, 1)
		v, err := ParseAs(b, s, []byte(string(text)), Options{})
		if err != nil {
			return
		}
		if !Valid(text) {
			t.Fatalf("ParseAs(%q) succeeds for what is not JSON", text)
		}
		for _, o := range []Options{{}, {Decimal: DecimalNumeric}, {RawAsText: true}} {
			written, err := Append(nil, s, v, o)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseAs(b, s, written, o)
			if err != nil {
				t.Fatalf("ParseAs(%s): %v", written, err)
			}
			if twice, _ := Append(nil, s, again, o); string(twice) != string(written) {
				t.Fatalf("%s became %s", written, twice)
			}
			var loose bytes.Buffer
			must(t, json.Indent(&loose, written, "", " "))
			if spaced, err := ParseAs(b, s, loose.Bytes(), o); err != nil || !spaced.Equal(again) {
				t.Fatalf("%s is read as %v, %v; want %v", loose.Bytes(), spaced, err, again)
			}
		}
	})
}
