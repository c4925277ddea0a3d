package rest

import (
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// appender is an answer that writes its own JSON: schemas are what clients ask for most, and encoding/json takes longer for one
// than all else of a request.
type appender interface{ appendJSON(dst []byte) []byte }

// maxKeptBuffer is the size above which a buffer is not used again (I5).
const maxKeptBuffer = 64 << 10

// buffers are for answers of appenders.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, usualAnswer)) }}

// schemaList is an array in answers.
type schemaList []schemaJSON

func (l schemaList) appendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = l[i].appendJSON(dst)
	}
	return append(dst, ']')
}

// appendJSON writes what the tags of the fields say.
func (j schemaJSON) appendJSON(dst []byte) []byte {
	o := object{append(dst, '{')}
	o.text("subject", j.Subject)
	o.number("version", int64(j.Version))
	o.number("id", int64(j.ID))
	o.text("guid", j.GUID)
	o.text("schemaType", j.Type)
	if len(j.References) > 0 {
		o.value("references", j.References)
	}
	if j.Metadata != nil {
		o.value("metadata", j.Metadata)
	}
	o.text("schema", j.Schema)
	o.number("maxId", int64(j.MaxID))
	o.number("ts", j.TimeMs)
	if j.Deleted != nil {
		o.name("deleted")
		o.dst = strconv.AppendBool(o.dst, *j.Deleted)
	}
	return append(o.dst, '}')
}

// object is a JSON object that is being written. Members without a value are left out.
type object struct{ dst []byte }

func (o *object) name(name string) {
	if o.dst[len(o.dst)-1] != '{' {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) text(name, text string) {
	if text != "" {
		o.name(name)
		o.dst = appendText(o.dst, text)
	}
}

func (o *object) number(name string, n int64) {
	if n != 0 {
		o.name(name)
		o.dst = strconv.AppendInt(o.dst, n, 10)
	}
}

func (o *object) value(name string, v any) {
	o.name(name)
	o.dst = append(o.dst, encode(v)...)
}

// plain are the bytes that stand in a JSON string as they are.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendText writes a JSON string as encoding/json does without the escapes of HTML. Schemas have a quote every few bytes: single bytes are
// faster there than runs of them.
func appendText(dst []byte, s string) []byte {
	dst = slices.Grow(append(dst, '"'), 2*len(s)+1)
	buf, n := dst[len(dst):cap(dst)], 0
	for i := range len(s) {
		c := s[i]
		if !plain[c] {
			if c != '"' && c != '\\' {
				return appendRest(dst[:len(dst)+n], s[i:])
			}
			buf[n] = '\\'
			n++
		}
		buf[n] = c
		n++
	}
	return append(dst[:len(dst)+n], '"')
}

// appendRest writes the rest of a string that has more to escape than quotes.
func appendRest(dst []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		c := s[i]
		if plain[c] {
			continue
		}
		dst = append(dst, s[from:i]...)
		switch {
		case c >= utf8.RuneSelf:
			return append(dst, encode(s[i:])[1:]...) // rare in schemas, and has rules of its own
		case c < ' ':
			dst = appendControl(dst, c)
		default:
			dst = append(dst, '\\', c)
		}
		from = i + 1
	}
	return append(append(dst, s[from:]...), '"')
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
