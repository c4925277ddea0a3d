package pgtype

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

func joinComma(s []string) string { return strings.Join(s, ",") }

// byteForm makes a value of n bytes that fill writes.
type byteForm struct {
	shape
	value func(b *connect.Batch, data []byte) connect.Value // data is not kept
}

// form is binary.handling.mode.
func (c *compiler) form() byteForm {
	switch c.o.Binary {
	case BinaryBase64:
		return byteForm{plain(connect.String), base64Value(base64.StdEncoding)}
	case BinaryBase64URLSafe:
		return byteForm{plain(connect.String), base64Value(base64.URLEncoding)}
	case BinaryHex:
		return byteForm{plain(connect.String), func(b *connect.Batch, data []byte) connect.Value {
			return connect.StringValue(view(hex.AppendEncode(b.Buffer(2 * len(data))[:0], data)))
		}}
	default:
		return byteForm{plain(connect.Bytes), func(b *connect.Batch, data []byte) connect.Value {
			return connect.BytesValue(b.Bytes(data))
		}}
	}
}

func base64Value(e *base64.Encoding) func(*connect.Batch, []byte) connect.Value {
	return func(b *connect.Batch, data []byte) connect.Value {
		out := b.Buffer(e.EncodedLen(len(data)))
		e.Encode(out, data)
		return connect.StringValue(view(out))
	}
}

// bytesKind has the schema, zero and placeholder of bytes in this form. The
// placeholder of the string forms is its text: Debezium has a null for base64,
// which nobody could tell from a null in the table.
func (c *compiler) bytesKind(f byteForm) *kind {
	if f.typ == connect.Bytes {
		return &kind{shape: f.shape, zero: connect.BytesValue([]byte{}), placeholder: connect.BytesValue(c.placeholder())}
	}
	return &kind{shape: f.shape, zero: connect.StringValue(""), placeholder: connect.StringValue(string(c.placeholder()))}
}

func (c *compiler) bytea() *kind {
	f := c.form()
	k := c.bytesKind(f)
	k.text = func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) < 2 || data[0] != '\\' || data[1] != 'x' {
			return connect.Value{}, badText("bytea")
		}
		raw := b.Buffer(hex.DecodedLen(len(data) - 2))
		if _, err := hex.Decode(raw, data[2:]); err != nil {
			return connect.Value{}, badText("bytea")
		}
		if f.typ == connect.Bytes {
			return connect.BytesValue(raw), nil
		}
		return f.value(b, raw), nil
	}
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) { return f.value(b, data), nil }
	return k
}

// unknown is a type without a mapping: its text form, as bytes.
func (c *compiler) unknown() *kind {
	f := c.form()
	k := c.bytesKind(f)
	k.text = func(b *connect.Batch, data []byte) (connect.Value, error) { return f.value(b, data), nil }
	return k
}

// bitString is a BOOLEAN when there is one of them, else BYTES of which the first has
// the last eight, without the bytes that hold no 1.
func bitString(t *typeInfo, mod int32) *kind {
	n := mod // the number of bits
	if n == -1 && t.oid == oidVarbit {
		n = 1<<31 - 1
	}
	k := &kind{defaults: true, generated: "0",
		text:   func(b *connect.Batch, data []byte) (connect.Value, error) { return bitsText(b, t.name, data, n <= 1) },
		binary: func(b *connect.Batch, data []byte) (connect.Value, error) { return bitsBinary(b, t.name, data, n <= 1) }}
	if n <= 1 {
		k.shape, k.zero = plain(connect.Boolean), connect.BooleanValue(false)
		return k
	}
	k.shape, k.zero = named(connect.Bytes, "io.debezium.data.Bits"), connect.BytesValue([]byte{})
	k.params = []param{{"length", strconv.Itoa(int(n))}}
	return k
}

func bitsText(b *connect.Batch, name string, data []byte, single bool) (connect.Value, error) {
	for _, c := range data {
		if c != '0' && c != '1' {
			return connect.Value{}, badText(name)
		}
	}
	if single {
		if len(data) == 0 {
			return connect.Value{}, &ValueError{name, "there is no bit in it"}
		}
		return connect.BooleanValue(data[len(data)-1] == '1'), nil
	}
	out := b.Buffer((len(data) + 7) / 8)
	clear(out)
	for i := range data {
		bit := len(data) - 1 - i
		out[bit/8] |= (data[i] - '0') << (bit % 8)
	}
	return connect.BytesValue(trimZeros(out)), nil
}

func bitsBinary(b *connect.Batch, name string, data []byte, single bool) (connect.Value, error) {
	if len(data) < 4 {
		return connect.Value{}, badBinary(name)
	}
	n, data := int(bigEndianInt(data[:4])), data[4:]
	if n < 0 || (n+7)/8 != len(data) {
		return connect.Value{}, badBinary(name)
	}
	if single {
		if n == 0 {
			return connect.Value{}, &ValueError{name, "there is no bit in it"}
		}
		return connect.BooleanValue(data[(n-1)/8]>>(7-(n-1)%8)&1 == 1), nil
	}
	out := b.Buffer(len(data))
	clear(out)
	for i := range n { // the first bit is the highest of the first byte, and comes last
		bit := n - 1 - i
		out[bit/8] |= data[i/8] >> (7 - i%8) & 1 << (bit % 8)
	}
	return connect.BytesValue(trimZeros(out)), nil
}

// trimZeros cuts the zero bytes at the end.
func trimZeros(p []byte) []byte {
	for len(p) > 0 && p[len(p)-1] == 0 {
		p = p[:len(p)-1]
	}
	return p
}
