package pgtype

import (
	"encoding/binary"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// pair is a key and a value of an hstore.
type pair struct {
	key, value []byte
	null       bool // the value is
}

// hstore is JSON text or a MAP, in PostgreSQL's order of keys.
func (c *compiler) hstore() *kind {
	ph := string(c.placeholder())
	if c.o.Hstore == HstoreMap {
		return &kind{
			shape: shape{typ: connect.Map, key: connect.StringSchema, value: connect.OptionalStringSchema},
			text:  func(b *connect.Batch, data []byte) (connect.Value, error) { return hstoreMap(b, data, hstoreTextPair) },
			binary: func(b *connect.Batch, data []byte) (connect.Value, error) {
				return hstoreMap(b, data, hstoreBinaryPair)
			},
			zero:        connect.MapValue(nil),
			placeholder: connect.MapValue([]connect.Value{connect.StringValue(ph), connect.StringValue(ph)})}
	}
	k := c.str(named(connect.String, jsonName))
	k.zero = connect.StringValue("{}")
	text := connectjson.AppendString([]byte{'{'}, ph)
	k.placeholder = connect.StringValue(string(append(connectjson.AppendString(append(text, ':'), ph), '}')))
	k.text = func(b *connect.Batch, data []byte) (connect.Value, error) { return hstoreJSON(b, data, hstoreTextPair) }
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) {
		return hstoreJSON(b, data, hstoreBinaryPair)
	}
	return k
}

// nextPair reads the next pair: of the text form, or of the binary form, whose
// leading number of pairs is skipped by start. more is false at the end.
type nextPair func(b *connect.Batch, data []byte, start bool) (p pair, rest []byte, more bool, err error)

func hstoreJSON(b *connect.Batch, data []byte, next nextPair) (connect.Value, error) {
	dst := append(b.Buffer(len(data)*2 + 2)[:0], '{')
	for start := true; ; start = false {
		p, rest, more, err := next(b, data, start)
		if err != nil {
			return connect.Value{}, err
		}
		if !more {
			return connect.StringValue(view(append(dst, '}'))), nil
		}
		if !start {
			dst = append(dst, ',')
		}
		dst = append(connectjson.AppendString(dst, view(p.key)), ':')
		if p.null {
			dst = append(dst, "null"...)
		} else {
			dst = connectjson.AppendString(dst, view(p.value))
		}
		data = rest
	}
}

func hstoreMap(b *connect.Batch, data []byte, next nextPair) (connect.Value, error) {
	n := 0
	for rest, start := data, true; ; n, start = n+1, false {
		_, after, more, err := next(nil, rest, start)
		if err != nil {
			return connect.Value{}, err
		}
		if !more {
			break
		}
		rest = after
	}
	cells := b.Cells(2 * n)
	for i := range n {
		p, rest, _, err := next(b, data, i == 0)
		if err != nil {
			return connect.Value{}, err
		}
		cells[2*i], _ = stringCell(b, p.key)
		if !p.null {
			cells[2*i+1], _ = stringCell(b, p.value)
		}
		data = rest
	}
	return connect.MapValue(cells), nil
}

var errHstoreText, errHstoreBinary = badText("hstore"), badBinary("hstore")

// hstoreTextPair reads "key"=>"value" or "key"=>NULL. Without a batch nothing is
// unescaped.
func hstoreTextPair(b *connect.Batch, data []byte, start bool) (p pair, rest []byte, more bool, err error) {
	if len(data) == 0 {
		return p, nil, false, nil
	}
	ok := true
	if !start {
		if data, ok = cutPrefix(data, ", "); !ok {
			return p, nil, false, errHstoreText
		}
	}
	if p.key, data, ok = quoted(b, data); !ok {
		return p, nil, false, errHstoreText
	}
	if data, ok = cutPrefix(data, "=>"); !ok {
		return p, nil, false, errHstoreText
	}
	if rest, ok = cutPrefix(data, "NULL"); ok {
		p.null = true
		return p, rest, true, nil
	}
	if p.value, rest, ok = quoted(b, data); !ok {
		return p, nil, false, errHstoreText
	}
	return p, rest, true, nil
}

func cutPrefix(data []byte, prefix string) ([]byte, bool) {
	if len(data) < len(prefix) || view(data[:len(prefix)]) != prefix {
		return data, false
	}
	return data[len(prefix):], true
}

// quoted reads a string in double quotes, in which backslashes escape. Memory for
// unescaping comes from the batch, if there is one.
func quoted(b *connect.Batch, data []byte) (s, rest []byte, ok bool) {
	if len(data) == 0 || data[0] != '"' {
		return nil, nil, false
	}
	escapes := 0
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
			escapes++
		case '"':
			s, rest = data[1:i], data[i+1:]
			if escapes > 0 && b != nil {
				s = unescape(b.Buffer(len(s) - escapes)[:0], s)
			}
			return s, rest, true
		}
	}
	return nil, nil, false
}

// unescape appends text without the backslashes that escape.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		dst = append(dst, s[i])
	}
	return dst
}

// hstoreBinaryPair reads the length and bytes of a key, then of a value; the length
// -1 is a null. The number of pairs stands before the first.
func hstoreBinaryPair(_ *connect.Batch, data []byte, start bool) (p pair, rest []byte, more bool, err error) {
	if start {
		if len(data) < 4 {
			return p, nil, false, errHstoreBinary
		}
		data = data[4:]
	}
	if len(data) == 0 {
		return p, nil, false, nil
	}
	var ok bool
	if p.key, p.null, data, ok = sized(data); !ok || p.null {
		return p, nil, false, errHstoreBinary
	}
	if p.value, p.null, rest, ok = sized(data); !ok {
		return p, nil, false, errHstoreBinary
	}
	return p, rest, true, nil
}

// sized reads a length of 32 bits and that many bytes; the length -1 is a null.
func sized(data []byte) (item []byte, null bool, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, false, nil, false
	}
	n, data := int(int32(binary.BigEndian.Uint32(data))), data[4:]
	if n == -1 {
		return nil, true, data, true
	}
	if n < 0 || n > len(data) {
		return nil, false, nil, false
	}
	return data[:n], false, data[n:], true
}
