package convert

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		class    string
		settings map[string]string
		want     string
	}{
		{"org.apache.kafka.connect.json.JsonConvertor", nil, "value.converter: there is no converter"},
		{"org.apache.kafka.connect.json.JsonConvertor", nil, "did you mean " + JSONClass},
		{JSONClass, settings("schemas.enable", "maybe"), "value.converter.schemas.enable"},
		{JSONClass, settings("decimal.format", "HEX"), "value.converter.decimal.format"},
		{JSONClass, settings("schema.content", "{}"), "value.converter.schema.content"},
		{StringClass, settings("converter.encoding", "EBCDIC"), "use UTF-8, US-ASCII or ISO-8859-1"},
		{SimpleHeaderClass, nil, "there is no converter"},
	} {
		_, err := New(c.class, false, c.settings)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%s, %v) = %v, want %q in it", c.class, c.settings, err, c.want)
		}
	}
	_, err := New("X", true, nil)
	var config *connect.ConfigError
	if !errors.As(err, &config) || config.Option != "key.converter" {
		t.Errorf("New of a key's converter = %v, want a ConfigError of key.converter", err)
	}
}

func TestNewNames(t *testing.T) {
	c, err := New("", true, nil)
	if auto, ok := c.(*Auto); err != nil || !ok || !auto.key {
		t.Errorf("New of no class = %v, %v; want Auto for keys", c, err)
	}
	if _, err := New("JsonConverter", false, nil); err != nil {
		t.Errorf("New(JsonConverter) = %v", err)
	}
	for _, class := range append(HeaderClasses(), "") {
		if _, err := NewHeader(class, nil); err != nil {
			t.Errorf("NewHeader(%s) = %v", class, err)
		}
	}
	if _, err := NewHeader(AutoClass, nil); err == nil {
		t.Error("NewHeader takes AutoClass, want an error")
	}
}

func TestDefine(t *testing.T) {
	for _, class := range append(Classes(), SimpleHeaderClass) {
		var d connect.Def
		if err := Define(&d, class, "key.converter."); err != nil {
			t.Fatal(err)
		}
		for _, o := range d.Options() {
			if !strings.HasPrefix(o.Name, "key.converter.") || o.Doc == "" {
				t.Errorf("the option %q of %s has no prefix or no doc", o.Name, class)
			}
		}
		if err := connect.Err(d.Parse(nil)); err != nil {
			t.Errorf("the defaults of %s: %v", class, err)
		}
	}
}

func TestFixedRoundTrip(t *testing.T) {
	for class, c := range map[string]struct {
		value connect.Value
		want  string
	}{
		BooleanClass: {connect.BooleanValue(true), "\x01"},
		ShortClass:   {connect.Int16Value(-2), "\xff\xfe"},
		IntegerClass: {connect.Int32Value(258), "\x00\x00\x01\x02"},
		LongClass:    {connect.Int64Value(math.MinInt64), "\x80\x00\x00\x00\x00\x00\x00\x00"},
		FloatClass:   {connect.Float32Value(1.5), "\x3f\xc0\x00\x00"},
		DoubleClass:  {connect.Float64Value(-1.5), "\xbf\xf8\x00\x00\x00\x00\x00\x00"},
	} {
		conv := newConverter(t, class, nil)
		got, _, err := conv.FromConnect(nil, "t", nil, c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s writes %x (%v), want %x", class, got, err, c.want)
		}
		s, v, err := conv.ToConnect(nil, "t", got)
		if err != nil || !v.Equal(c.value) || s.Type() != c.value.Type() || !s.Optional() {
			t.Errorf("%s reads %v (%v), want %v", class, v, err, c.value)
		}
		if _, _, err := conv.ToConnect(nil, "t", append(got, 0)); err == nil {
			t.Errorf("%s reads a byte too many, want an error", class)
		}
		if _, _, err := conv.FromConnect(nil, "t", nil, connect.StringValue("1")); err == nil {
			t.Errorf("%s writes a STRING, want an error", class)
		}
	}
}

func TestBooleanBytes(t *testing.T) {
	if _, v, err := newConverter(t, BooleanClass, nil).ToConnect(nil, "t", []byte{2}); err == nil {
		t.Errorf("BooleanConverter reads the byte 2 as %v, want an error", v)
	}
}

// TestWriteErrorsLeaveDst has values that no converter can write.
func TestWriteErrorsLeaveDst(t *testing.T) {
	deep := connect.StringValue("x")
	for range 1000 {
		deep = connect.ArrayValue([]connect.Value{deep})
	}
	for _, class := range append(Classes(), SimpleHeaderClass) {
		got, _, err := newConverter(t, class, settings("schema.registry.url", "http://127.0.0.1:1")).FromConnect([]byte("x"), "t", nil, deep)
		if err == nil || string(got) != "x" {
			t.Errorf("%s: got %d bytes, %v; want the one there was and an error", class, len(got), err)
		}
	}
}

func TestByteArray(t *testing.T) {
	c := newConverter(t, ByteArrayClass, nil)
	got, _, err := c.FromConnect(nil, "t", nil, connect.BytesValue([]byte("\xff")))
	if err != nil || string(got) != "\xff" {
		t.Errorf("got %q, %v; want the byte ff", got, err)
	}
	if _, _, err := c.FromConnect(nil, "t", connect.StringSchema, connect.StringValue("a")); err == nil {
		t.Error("ByteArrayConverter takes a STRING, want an error")
	}
}

func TestStringEncodings(t *testing.T) {
	for _, c := range []struct{ encoding, text, data string }{
		{"UTF-8", "é漢", "é漢"},
		{"utf8", "é", "é"},
		{"ISO-8859-1", "é", "\xe9"},
		{"US-ASCII", "e", "e"},
	} {
		conv := newConverter(t, StringClass, settings("converter.encoding", c.encoding))
		got, _, err := conv.FromConnect([]byte("é"), "t", nil, connect.StringValue(c.text))
		if err != nil || string(got) != "é"+c.data {
			t.Errorf("%s writes %q as %q, %v", c.encoding, c.text, got, err)
		}
		_, v, err := conv.ToConnect(connect.NewBatch(1, 1), "t", []byte(c.data))
		if err != nil || v.Text() != c.text {
			t.Errorf("%s reads %q as %v, %v; want %q", c.encoding, c.data, v, err, c.text)
		}
	}
	for encoding, data := range map[string]string{"UTF-8": "\xff", "US-ASCII": "é"} {
		conv := newConverter(t, StringClass, settings("converter.encoding", encoding))
		if _, _, err := conv.ToConnect(connect.NewBatch(1, 1), "t", []byte(data)); err == nil {
			t.Errorf("%s reads %q, want an error", encoding, data)
		}
	}
	conv := newConverter(t, StringClass, settings("converter.encoding", "ISO-8859-1"))
	if _, _, err := conv.FromConnect(nil, "t", nil, connect.StringValue("漢")); err == nil {
		t.Error("ISO-8859-1 writes 漢, want an error")
	}
}

func TestEnvelopeFindsSchemasAgain(t *testing.T) {
	c := newConverter(t, JSONClass, nil)
	b := connect.NewBatch(1, 1)
	read := func(data string) *connect.Schema {
		t.Helper()
		s, _, err := c.ToConnect(b, "t", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := read(`{"schema":{"type":"int32","optional":false},"payload":1}`)
	other := read(`{"schema":{"type":"int64","optional":false},"payload":1}`)
	if got := read(`{"payload":2,"schema":{"type":"int32","optional":false}}`); got != first || got == other {
		t.Error("the same schema text gave another schema")
	}
}

func TestEnvelopeLikeLastIsStrict(t *testing.T) {
	c := newConverter(t, JSONClass, nil)
	b := connect.NewBatch(1, 1)
	const head = `{"schema":{"type":"int32","optional":false},"payload":`
	for _, data := range []string{head + `1}`, head + ` 2 }`, head + "3}\n"} {
		if _, _, err := c.ToConnect(b, "t", []byte(data)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	for _, data := range []string{head + `1,"more":2}`, head + `1}}`, head + `}`, head + `1`, head + `"1"}`} {
		if _, v, err := c.ToConnect(b, "t", []byte(data)); err == nil {
			t.Errorf("%s is read as %v, want an error", data, v)
		}
	}
}

func TestEnvelopeCacheIsBounded(t *testing.T) {
	c := newEnvelope(connectjson.Options{}, 10)
	for i := range 1000 {
		doc := strings.Repeat("x", i)
		s := mustPrimitive(connect.Int32, connect.Attrs{Doc: doc})
		data, _, err := c.FromConnect(nil, "t", s, connect.Int32Value(1))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := c.ToConnect(connect.NewBatch(1, 1), "t", data)
		if err != nil || got.Doc() != doc {
			t.Fatalf("schema %d came back as %v, %v", i, got, err)
		}
		if n := len(c.read) + len(c.written); n > 10 {
			t.Fatalf("%d schemas are kept, want at most 10", n)
		}
	}
}

func TestEnvelopeCacheIsBoundedInBytes(t *testing.T) {
	c := newEnvelope(connectjson.Options{}, 1000)
	for range 20 {
		s := mustPrimitive(connect.Int32, connect.Attrs{Doc: strings.Repeat("x", maxSchemaBytes)})
		if _, _, err := c.FromConnect(nil, "t", s, connect.Int32Value(1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.written) * maxSchemaBytes; n > maxCachedBytes {
		t.Errorf("%d bytes are kept, want at most %d", n, maxCachedBytes)
	}
}

func TestEnvelopeLimits(t *testing.T) {
	c := newConverter(t, JSONClass, nil)
	wide := `{"type":"array","items":{"type":"struct","fields":[` +
		strings.TrimSuffix(strings.Repeat(`{"type":"int8","optional":true,"field":"f#"},`, 4000), ",") + `]}}`
	for i := strings.Index(wide, "#"); i >= 0; i = strings.Index(wide, "#") {
		wide = wide[:i] + strings.Repeat("x", 1+strings.Count(wide[:i], "field")%97) + itoa(i) + wide[i+1:]
	}
	for name, data := range map[string]string{
		"deep schema":  `{"schema":` + strings.Repeat(`{"type":"array","items":`, 70) + `{"type":"int8"}` + strings.Repeat("}", 70) + `,"payload":[]}`,
		"large schema": `{"schema":{"type":"int8","doc":"` + strings.Repeat("x", maxSchemaBytes) + `"},"payload":1}`,
		"wide structs": `{"schema":` + wide + `,"payload":[` + strings.TrimSuffix(strings.Repeat("{},", 20000), ",") + `]}`,
	} {
		b := connect.NewBatch(1, 1)
		if _, _, err := c.ToConnect(b, "t", []byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func itoa(i int) string {
	out, _ := connectjson.Append(nil, nil, connect.Int64Value(int64(i)), connectjson.Options{})
	return string(out)
}

func TestEnvelopeOfRawJSON(t *testing.T) {
	c := newConverter(t, JSONClass, nil)
	within := connect.MustStruct("", connect.Field{Name: "doc", Schema: connectjson.Schema})
	doc := connect.StringValue(`{"a":1}`)
	for _, x := range []struct {
		s    *connect.Schema
		v    connect.Value
		want string
	}{
		{connectjson.Schema, doc, `{"schema":null,"payload":{"a":1}}`},
		{within, connect.StructValue([]connect.Value{doc}), `{"schema":{"type":"struct","fields":[{"type":"string",` +
			`"optional":false,"name":"sluice.data.Json","field":"doc"}],"optional":false},"payload":{"doc":"{\"a\":1}"}}`},
	} {
		got, _, err := c.FromConnect(nil, "t", x.s, x.v)
		if err != nil || string(got) != x.want {
			t.Errorf("got %s, %v\nwant %s", got, err, x.want)
		}
		if _, _, err := c.ToConnect(connect.NewBatch(1, 1), "t", got); err != nil {
			t.Errorf("reading it back: %v", err)
		}
	}
}

func TestSchemaContent(t *testing.T) {
	c := newConverter(t, JSONClass, settings("schema.content", `{"type":"struct","fields":[{"type":"int8","field":"a"}]}`))
	s, v, err := c.ToConnect(connect.NewBatch(1, 1), "t", []byte(`{"a":1}`))
	if err != nil || s.Type() != connect.Struct || v.Cells()[0].Int() != 1 {
		t.Errorf("got %v, %v; want a struct with a = 1", v, err)
	}
}

func TestHugeNumberNamesTheWayOut(t *testing.T) {
	c := newConverter(t, JSONClass, settings("schemas.enable", "false"))
	_, _, err := c.ToConnect(connect.NewBatch(1, 1), "t", []byte(`{"id":18446744073709551615}`))
	var number *connectjson.NumberError
	if !errors.As(err, &number) || !strings.Contains(err.Error(), "18446744073709551615") || !strings.Contains(err.Error(), AutoClass) {
		t.Errorf("got %v, want a NumberError that names the number and %s", err, AutoClass)
	}
}

func TestHeaderLimits(t *testing.T) {
	for _, text := range []string{strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("9", 2000),
		"[" + strings.Repeat("1,", maxInferBytes) + "1]", "1e400", "1e-400000000000"} {
		s, v, err := simpleHeader{}.ToConnect(connect.NewBatch(1, 1), "t", []byte(text))
		if err != nil || s != connect.StringSchema || v.Text() != text {
			t.Errorf("%.20s... is read as %v, %v; want STRING", text, s, err)
		}
	}
}
