package log

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// line writes an entry: its kind and its fields.
func (d *dumper) line(kind string, fields ...DumpField) error {
	var b []byte
	if d.o.JSON {
		b = appendJSON(nil, append([]DumpField{{"type", kind}}, fields...))
	} else {
		b = append(b, kind...)
		for _, f := range fields {
			b = append(append(append(b, ' '), f.Name...), ": "...)
			b = appendText(b, f.Value)
		}
	}
	if _, err := d.w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write dump: %w", err)
	}
	return nil
}

// appendText writes a value for a person. Strings and bytes are quoted, so that nothing in them reaches the terminal or looks like a
// field.
func appendText(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case []byte:
		if v == nil {
			return append(b, "null"...)
		}
		return strconv.AppendQuote(b, string(v))
	case []DumpField:
		if v == nil {
			return append(b, "null"...)
		}
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(append(b, f.Name...), ": "...)
			b = appendText(b, f.Value)
		}
		return append(b, '}')
	case [][]DumpField:
		b = append(b, '[')
		for i, fields := range v {
			if i > 0 {
				b = append(b, ' ')
			}
			b = appendText(b, fields)
		}
		return append(b, ']')
	case string:
		if plain(v) {
			return append(b, v...)
		}
		return strconv.AppendQuote(b, v)
	}
	return fmt.Append(b, value)
}

// plain reports whether a string needs no quotes.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return s != ""
}

// appendJSON writes a value as JSON. Bytes that are no text become an object with their base64.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case []byte:
		switch {
		case v == nil:
			return append(b, "null"...)
		case !utf8.Valid(v):
			return appendJSON(b, []DumpField{{"base64", base64.StdEncoding.EncodeToString(v)}})
		}
		return appendJSON(b, string(v))
	case []DumpField:
		if v == nil {
			return append(b, "null"...)
		}
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, f.Name), ':')
			b = appendJSON(b, f.Value)
		}
		return append(b, '}')
	case [][]DumpField:
		b = append(b, '[')
		for i, fields := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, fields)
		}
		return append(b, ']')
	}
	text, err := json.Marshal(value)
	if err != nil { // a number, string or bool has none
		return append(b, "null"...)
	}
	return append(b, text...)
}
