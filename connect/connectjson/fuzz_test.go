package connectjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
)

var seeds = []string{
	``, ` `, `null`, `true`, `false`, `nul`, `tru e`, `0`, `-0`, `01`, `-`, `1.`, `.5`, `1e5`, `1E+05`, `1e`, `-1.5e-3`,
	`9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `1e999`, `21.5 `, `1 2`, `""`, `"`, `"a`,
	`"\"\\\/\b\f\n\r\t\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00x"`, `"\ud83d\u0041"`, `"\x"`, `"\u12g4"`, "\"a\tb\"",
	"\"\x7f\"", "\"\xff\"", "\"é漢😀 and some more text\"", "\xef\xbb\xbf1", `[]`, `[ ]`, `[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `[`,
	`]`, `{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a" : [ 1 , {"b" : null } ] }`, `{a:1}`, `{"a"}`, `{"a":}`, `{"a":1 "b":2}`,
	`{"a":1,"a":2}`, `{"ключ":"значение"}`, "{\r\n\t\"temperature\": 21.5,\r\n\t\"unit\": \"C\"\r\n}", `{"a":1}x`, `[[[[]]]]`,
	`"12345678\"1234567"`, `{"id":"sensor-1,[{:"}`,
}

// FuzzCompact takes encoding/json for the judge. It differs in two ways that the
// package comment states: UTF-8 is checked, and the depth is less.
func FuzzCompact(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Compact([]byte("x"), text)
		if (err == nil) != Valid(text) {
			t.Fatalf("Compact says %v, Valid says %v", err, Valid(text))
		}
		valid := json.Valid(text) && utf8.Valid(text)
		if tooDeep(text) {
			valid = false
		}
		if (err == nil) != valid {
			t.Fatalf("Compact(%q) = %v, want valid = %v", text, err, valid)
		}
		b := connect.NewBatch(1, 1)
		raw, ok := Raw(b, text)
		if ok != valid {
			t.Fatalf("Raw(%q) = %v, want %v", text, ok, valid)
		}
		if !valid {
			if string(got) != "x" {
				t.Fatalf("Compact left %q after an error", got)
			}
			return
		}
		var want bytes.Buffer
		want.WriteByte('x')
		if err := json.Compact(&want, text); err != nil {
			t.Fatal(err)
		}
		if string(got) != want.String() {
			t.Fatalf("Compact(%q) = %q, want %q", text, got, want.String())
		}
		if raw.Text() != want.String()[1:] {
			t.Fatalf("Raw(%q) = %q, want %q", text, raw.Text(), want.String()[1:])
		}
	})
}

func tooDeep(text []byte) bool {
	_, err := Compact(nil, text)
	var syntax *SyntaxError
	return errors.As(err, &syntax) && syntax.Reason == "nested too deeply"
}

// FuzzParse compares with encoding/json's tokens, and what Append makes of the
// value with the text.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := connect.NewBatch(1, 1)
		v, err := Parse(b, bytes.Clone(text), 0)
		var number *NumberError
		if errors.As(err, &number) {
			return
		}
		if (err == nil) != Valid(text) {
			t.Fatalf("Parse(%q) = %v, Valid says %v", text, err, Valid(text))
		}
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		sameTokens(t, d, v)
		if _, err := d.Token(); err != io.EOF {
			t.Fatalf("Parse(%q) stopped early", text)
		}
		written, err := Append(nil, nil, v, Options{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(b, written, 0)
		if err != nil || !again.Equal(v) {
			t.Fatalf("Parse(%s) = %v, %v; want %v", written, again, err, v)
		}
	})
}

func sameTokens(t *testing.T, d *json.Decoder, v connect.Value) {
	t.Helper()
	tok, err := d.Token()
	if err != nil {
		t.Fatalf("no token for %v: %v", v, err)
	}
	switch v.Type() {
	case connect.Array:
		for _, e := range v.Cells() {
			sameTokens(t, d, e)
		}
		tok, _ = d.Token()
		if tok != json.Delim(']') {
			t.Fatalf("got the end of an array, want %v", tok)
		}
	case connect.Map:
		for _, e := range v.Cells() {
			sameTokens(t, d, e)
		}
		tok, _ = d.Token()
		if tok != json.Delim('}') {
			t.Fatalf("got the end of an object, want %v", tok)
		}
	default:
		if !sameScalar(tok, v) {
			t.Fatalf("got %v, want %v", v, tok)
		}
	}
}

func sameScalar(tok json.Token, v connect.Value) bool {
	switch want := tok.(type) {
	case nil:
		return v.IsNull()
	case bool:
		return v.Type() == connect.Boolean && v.Boolean() == want
	case string:
		return v.Type() == connect.String && v.Text() == want
	case json.Number:
		if v.Type() == connect.Int64 {
			n, err := strconv.ParseInt(want.String(), 10, 64)
			return err == nil && v.Int() == n
		}
		f, err := want.Float64()
		return err == nil && v.Type() == connect.Float64 && math.Float64bits(v.Float()) == math.Float64bits(f)
	}
	return false
}
