package pgtype

import (
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
)

const jsonName = "io.debezium.data.Json"

// str is a type whose text and binary forms are both its value.
func (c *compiler) str(s shape) *kind {
	return &kind{shape: s, text: stringCell, binary: stringCell, zero: connect.StringValue(""),
		placeholder: connect.StringValue(string(c.placeholder()))}
}

// placeholder returns what stands for a value that was left out.
func (c *compiler) placeholder() []byte {
	if c.o.Placeholder == nil {
		return []byte(DefaultPlaceholder)
	}
	return c.o.Placeholder
}

// defaulting lets the schema have the column's default; generated stands for the
// result of a function.
func (c *compiler) defaulting(k *kind, generated string) *kind {
	k.defaults, k.generated = true, generated
	return k
}

func stringCell(b *connect.Batch, data []byte) (connect.Value, error) {
	if !utf8.Valid(data) { // only in databases with the encoding SQL_ASCII
		return connect.StringValue(string([]rune(string(data)))), nil
	}
	return connect.StringValue(b.Text(data)), nil
}

// versioned is a type whose binary form is a version, 1, and its text.
func (c *compiler) versioned(name string, s shape) *kind {
	k := c.str(s)
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) == 0 || data[0] != 1 {
			return connect.Value{}, badBinary(name)
		}
		return stringCell(b, data[1:])
	}
	return k
}

// render appends the text form of a binary one.
type render func(dst, data []byte) ([]byte, bool)

// rendered is a type that is a string, PostgreSQL's text form of it.
func (c *compiler) rendered(t *typeInfo, r render) *kind {
	k := c.str(plain(connect.String))
	bad := badBinary(t.name)
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) {
		text, ok := r(b.Buffer(2*len(data) + 48)[:0], data)
		if !ok {
			return connect.Value{}, bad
		}
		return connect.StringValue(view(text)), nil
	}
	return k
}

// char is the type "char", one byte.
func (c *compiler) char() *kind {
	return c.rendered(&typeInfo{name: "char"}, func(dst, data []byte) ([]byte, bool) {
		switch {
		case len(data) != 1:
			return dst, false
		case data[0] == 0:
			return dst, true
		case data[0] >= utf8.RuneSelf:
			return append(dst, '\\', '0'+data[0]>>6, '0'+data[0]>>3&7, '0'+data[0]&7), true
		}
		return append(dst, data[0]), true
	})
}

// uuid is lower-case text in both forms.
func (c *compiler) uuid() *kind {
	k := c.defaulting(c.str(named(connect.String, "io.debezium.data.Uuid")), "00000000-0000-0000-0000-000000000000")
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) != 16 {
			return connect.Value{}, badBinary("uuid")
		}
		return connect.StringValue(view(appendUUID(b.Buffer(36)[:0], data))), nil
	}
	return k
}

func appendUUID(dst, data []byte) []byte {
	for i, c := range data {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// enum is a string with the labels beside it.
func (c *compiler) enum(t *typeInfo) *kind {
	known := make(map[string]bool, len(t.labels)+len(t.accepted))
	for _, l := range t.labels {
		known[l] = true
	}
	for _, l := range t.accepted {
		known[l] = true
	}
	k := c.defaulting(c.str(named(connect.String, "io.debezium.data.Enum")), "")
	k.params = []param{{"allowed", joinComma(t.labels)}}
	k.text = func(b *connect.Batch, data []byte) (connect.Value, error) {
		v, err := stringCell(b, data)
		if err == nil && !known[string(data)] {
			return v, &StaleEnumError{t.oid, string(data)}
		}
		return v, err
	}
	k.binary = k.text
	return k
}
