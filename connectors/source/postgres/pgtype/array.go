package pgtype

import (
	"crypto/md5"
	"encoding/binary"

	"github.com/sluice-data/sluice/connect"
)

// maxDims is the most dimensions that PostgreSQL allows.
const maxDims = 6

// array returns what an array becomes: an ARRAY, of optional elements for the
// types that Debezium lists and of required ones for the others.
func (c *compiler) array(t *typeInfo, mod int32) (*kind, error) {
	elem, err := c.cat.lookup(t.elem)
	if err != nil {
		return nil, err
	}
	if t.schema == "pg_catalog" && omittedArrays[t.name] {
		return nil, nil
	}
	k := c.scalar(elem, mod) // nil for a domain: Debezium does not resolve these
	if k == nil {
		if !c.o.IncludeUnknown {
			return nil, nil
		}
		k = c.unknown()
	}
	return c.arrayOf(t, elem, k)
}

// omittedArrays are left out, whatever include.unknown.datatypes says; int2vector
// and oidvector only look like arrays.
var omittedArrays = map[string]bool{"_money": true, "_name": true, "_interval": true, "_varbit": true, "_xml": true, "_point": true,
	"_refcursor": true, "int2vector": true, "oidvector": true}

func (c *compiler) arrayOf(t, elem *typeInfo, k *kind) (*kind, error) {
	optional := optionalElements(elem)
	schema, err := k.schema(connect.Attrs{Optional: optional}, nil)
	if err != nil {
		return nil, err
	}
	a := &arrayCodec{name: t.name, elem: k, delim: elem.delim, nulls: schema.Optional()}
	out := &kind{shape: shape{typ: connect.Array, value: schema}, zero: connect.ArrayValue(nil),
		placeholder: c.arrayPlaceholder(elem, k), text: a.text}
	if k.binary != nil {
		out.binary = a.binary
	}
	return out, nil
}

// optionalElements tells whether Debezium has optional elements for the type.
func optionalElements(elem *typeInfo) bool {
	switch elem.oid {
	case oidTsvector, oidBox, oidLseg, oidPath, oidPolygon, oidCircle, oidLine:
		return false
	}
	if elem.schema == "pg_catalog" && elem.kind == 'b' {
		return true
	}
	switch elem.name {
	case "geometry", "geography", "citext", "hstore", "ltree":
		return elem.kind == 'b'
	}
	return elem.kind == 'r' && elem.schema == "pg_catalog"
}

// arrayPlaceholder stands for an array that was left out. Of numbers and dates it
// has one for each byte of the placeholder.
func (c *compiler) arrayPlaceholder(elem *typeInfo, k *kind) connect.Value {
	ph := c.placeholder()
	switch {
	case elem.oid == oidUUID:
		id := md5.Sum(ph) // a UUID of version 3, without a name space
		id[6], id[8] = id[6]&0x0f|0x30, id[8]&0x3f|0x80
		return connect.ArrayValue([]connect.Value{connect.StringValue(string(appendUUID(nil, id[:])))})
	case elem.oid == oidInt4, elem.oid == oidInt8, elem.oid == oidDate && k.typ == connect.Int32:
		cells := make([]connect.Value, len(ph))
		for i, c := range ph {
			cells[i] = intValue(k.typ, int64(int8(c)))
		}
		return connect.ArrayValue(cells)
	}
	switch elem.oid {
	case oidText, oidVarchar, oidBpchar, oidJSON, oidJSONB, oidBytea:
		return connect.ArrayValue([]connect.Value{k.placeholder})
	}
	return connect.Value{}
}

// arrayCodec reads arrays of one dimension.
type arrayCodec struct {
	name  string
	elem  *kind
	delim byte
	nulls bool // elements may be null
}

func (a *arrayCodec) malformed(form string) error {
	return &ValueError{a.name, "its " + form + " form is malformed"}
}

func (a *arrayCodec) null() (connect.Value, error) {
	if a.nulls {
		return connect.Value{}, nil
	}
	return connect.Value{}, &ValueError{a.name, "an element is null, which the schema does not allow"}
}

var errDimensions = "it has several dimensions, and the schema has one"

// text reads {1,NULL,"a\"b"}, perhaps with its bounds before it: [2:4]={...}.
func (a *arrayCodec) text(b *connect.Batch, data []byte) (connect.Value, error) {
	if len(data) > 0 && data[0] == '[' {
		i := 0
		for i < len(data) && data[i] != '=' {
			i++
		}
		data = data[min(i+1, len(data)):]
	}
	if len(data) < 2 || data[0] != '{' || data[len(data)-1] != '}' {
		return connect.Value{}, a.malformed("text")
	}
	data = data[1 : len(data)-1]
	if len(data) == 0 {
		return connect.ArrayValue(nil), nil
	}
	if data[0] == '{' {
		return connect.Value{}, &ValueError{a.name, errDimensions}
	}
	return a.elements(b, data)
}

func (a *arrayCodec) elements(b *connect.Batch, data []byte) (connect.Value, error) {
	cells := b.Cells(countElements(data, a.delim))
	var stale error
	for i := range cells {
		item, isQuoted, rest, ok := a.element(b, data)
		if !ok || (len(rest) == 0) != (i == len(cells)-1) {
			return connect.Value{}, a.malformed("text")
		}
		if len(rest) > 0 {
			rest = rest[1:]
		}
		var err error
		if !isQuoted && view(item) == "NULL" {
			cells[i], err = a.null()
		} else {
			cells[i], err = a.elem.text(b, item)
		}
		if err = keepStale(err, &stale); err != nil {
			return connect.Value{}, err
		}
		data = rest
	}
	return connect.ArrayValue(cells), stale
}

// keepStale takes the sign of a stale enum out of err, for the end.
func keepStale(err error, stale *error) error {
	if s, ok := err.(*StaleEnumError); ok {
		*stale = s
		return nil
	}
	return err
}

// countElements counts the elements of a list that is not empty.
func countElements(data []byte, delim byte) int {
	n, inQuotes := 1, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\\':
			i++
		case c == '"':
			inQuotes = !inQuotes
		case c == delim && !inQuotes:
			n++
		}
	}
	return n
}

// element reads an element up to the delimiter, which stays.
func (a *arrayCodec) element(b *connect.Batch, data []byte) (item []byte, isQuoted bool, rest []byte, ok bool) {
	if len(data) > 0 && data[0] == '"' {
		item, rest, ok = quoted(b, data)
		return item, true, rest, ok && (len(rest) == 0 || rest[0] == a.delim)
	}
	i, escapes := 0, 0
	for i < len(data) && data[i] != a.delim {
		switch data[i] {
		case '"', '{', '}':
			return nil, false, nil, false
		case '\\':
			i++
			escapes++
		}
		i++
	}
	i = min(i, len(data))
	item = data[:i]
	if escapes > 0 {
		item = unescape(b.Buffer(len(item))[:0], item)
	}
	return item, false, data[i:], len(item) > 0
}

// binary reads the number of dimensions, whether there are nulls, the OID of the
// elements, for each dimension its length and lower bound, then the elements with
// their lengths before them.
func (a *arrayCodec) binary(b *connect.Batch, data []byte) (connect.Value, error) {
	if len(data) < 12 {
		return connect.Value{}, a.malformed("binary")
	}
	dims := binary.BigEndian.Uint32(data)
	switch {
	case dims == 0 && len(data) == 12:
		return connect.ArrayValue(nil), nil
	case dims > 1 && dims <= maxDims:
		return connect.Value{}, &ValueError{a.name, errDimensions}
	case dims != 1 || len(data) < 20:
		return connect.Value{}, a.malformed("binary")
	}
	n, data := int64(binary.BigEndian.Uint32(data[12:])), data[20:]
	if n > int64(len(data)/4) { // each has at least its length: memory grows with the cell (I5)
		return connect.Value{}, a.malformed("binary")
	}
	return a.binaryElements(b, data, int(n))
}

func (a *arrayCodec) binaryElements(b *connect.Batch, data []byte, n int) (connect.Value, error) {
	cells := b.Cells(n)
	var stale error
	for i := range cells {
		item, null, rest, ok := sized(data)
		if !ok {
			return connect.Value{}, a.malformed("binary")
		}
		var err error
		if null {
			cells[i], err = a.null()
		} else {
			cells[i], err = a.elem.binary(b, item)
		}
		if err = keepStale(err, &stale); err != nil {
			return connect.Value{}, err
		}
		data = rest
	}
	if len(data) > 0 {
		return connect.Value{}, a.malformed("binary")
	}
	return connect.ArrayValue(cells), stale
}
