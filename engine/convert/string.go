package convert

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttext"
)

// The encodings of StringConverter.
const (
	utf8Encoding   = "UTF-8"
	asciiEncoding  = "US-ASCII"
	latin1Encoding = "ISO-8859-1"
)

var javaText = connecttext.Java()

type stringConfig struct{ encoding string }

func (c *stringConfig) define(d *connect.Def, prefix string) {
	d.Add(connect.Option{
		Name: prefix + "converter.encoding", Var: &c.encoding, Default: "UTF8",
		Doc:   "The character set of the text in the log: UTF-8, US-ASCII or ISO-8859-1.",
		Check: c.check, Importance: connect.High, Width: connect.WidthMedium, Display: "Encoding",
	})
}

// check accepts Java's names of the encodings, in any case.
func (c *stringConfig) check() error {
	switch strings.ToUpper(c.encoding) {
	case utf8Encoding, "UTF8":
		c.encoding = utf8Encoding
	case asciiEncoding, "ASCII":
		c.encoding = asciiEncoding
	case latin1Encoding, "ISO8859_1", "LATIN1":
		c.encoding = latin1Encoding
	default:
		return errors.New("use UTF-8, US-ASCII or ISO-8859-1")
	}
	return nil
}

func (c *stringConfig) converter() (Converter, error) { return stringConverter{c.encoding}, nil }

// stringConverter writes any value as text and reads text as STRING.
//
// BYTES that are text pass as they are, where Kafka writes the Java object's
// identity. Data that is not in the encoding is an error, where Kafka replaces
// what it cannot read.
type stringConverter struct{ encoding string }

func (c stringConverter) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if v.IsNull() {
		return dst, true, nil
	}
	start := len(dst)
	dst, err := javaText.Append(dst, s, v)
	if err != nil || c.encoding == utf8Encoding {
		return dst, false, err
	}
	dst, err = c.encode(dst, start)
	return dst, false, err
}

// encode turns the UTF-8 from start on into the encoding, which never is longer.
func (c stringConverter) encode(dst []byte, start int) ([]byte, error) {
	limit := rune(0x100)
	if c.encoding == asciiEncoding {
		limit = 0x80
	}
	out := start
	for i := start; i < len(dst); {
		r, n := utf8.DecodeRune(dst[i:])
		if r >= limit {
			return dst[:start], fmt.Errorf("the character %q is not in %s; set converter.encoding to UTF-8", r, c.encoding)
		}
		dst[out] = byte(r)
		out++
		i += n
	}
	return dst[:out], nil
}

func (c stringConverter) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return connect.OptionalStringSchema, connect.Value{}, nil
	}
	if isASCII(data) || c.encoding == utf8Encoding && utf8.Valid(data) {
		return connect.OptionalStringSchema, sharedText(data), nil
	}
	if c.encoding != latin1Encoding {
		return nil, connect.Value{}, fmt.Errorf("the data is not %s text; use ByteArrayConverter, "+
			"or set converter.encoding to what it is", c.encoding)
	}
	text := b.Buffer(2 * len(data))[:0]
	for _, c := range data {
		text = utf8.AppendRune(text, rune(c))
	}
	return connect.OptionalStringSchema, sharedText(text), nil
}

func isASCII(data []byte) bool {
	for _, c := range data {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
