package debezium

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// avroReader turns keys and values in the framing of Confluent's serializers (0, four
// bytes of a schema's id, data in Avro's binary form) into what JsonConverter writes
// with schemas: {"schema":…,"payload":…}. It reads by the writer's schema alone and
// knows nothing of either converter: what is equal here was equal in bytes, but for
// the blocks of arrays and maps.
type avroReader struct {
	schema  func(id int) (string, error) // the text of a schema
	schemas map[int]*avroSchema
}

// avroSchema is a schema and the named ones in it.
type avroSchema struct {
	root  *node
	named map[string]*node
}

func newAvroReader(schema func(id int) (string, error)) *avroReader {
	return &avroReader{schema: schema, schemas: make(map[int]*avroSchema)}
}

// json reads a key or value.
func (a *avroReader) json(framed []byte) ([]byte, error) {
	if framed == nil {
		return nil, nil
	}
	if len(framed) < 5 || framed[0] != 0 {
		return nil, fmt.Errorf("not framed: %x", framed)
	}
	schema, err := a.byID(int(binary.BigEndian.Uint32(framed[1:])))
	if err != nil {
		return nil, err
	}
	d := avroData{schema: schema, rest: framed[5:]}
	payload, err := d.value(schema.root)
	if err != nil {
		return nil, fmt.Errorf("read %x by %s: %w", framed, schema.root, err)
	}
	if len(d.rest) > 0 {
		return nil, fmt.Errorf("read %x by %s: %d bytes are left", framed, schema.root, len(d.rest))
	}
	both := &node{kind: '{', members: []member{{"schema", schema.root}, {"payload", payload}}}
	return []byte(both.String()), nil
}

func (a *avroReader) byID(id int) (*avroSchema, error) {
	if s := a.schemas[id]; s != nil {
		return s, nil
	}
	text, err := a.schema(id)
	if err != nil {
		return nil, fmt.Errorf("look up schema %d: %w", id, err)
	}
	root, err := parseJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read schema %d: %w", id, err)
	}
	s := &avroSchema{root: root, named: make(map[string]*node)}
	s.collect(root, "")
	a.schemas[id] = s
	return s, nil
}

// collect notes the named schemas by their full names.
func (s *avroSchema) collect(n *node, namespace string) {
	n.each(func(item *node) { s.collect(item, namespace) })
	if n.kind != '{' {
		return
	}
	if own := n.get("namespace"); own != nil {
		namespace = own.str()
	}
	if name := n.get("name"); name != nil && n.get("type").kind == 0 {
		s.named[fullName(name.str(), namespace)] = n
		s.named[name.str()] = n // as it is referred to from within its namespace
	}
	for _, part := range []string{"type", "items", "values"} {
		if inner := n.get(part); inner != nil {
			s.collect(inner, namespace)
		}
	}
	n.get("fields").each(func(field *node) { s.collect(field.get("type"), namespace) })
}

func fullName(name, namespace string) string {
	if namespace == "" {
		return name
	}
	return namespace + "." + name
}

// avroData is what of a record's data is to be read yet.
type avroData struct {
	schema *avroSchema
	rest   []byte
}

var errShort = errors.New("the data ends early")

// value reads one value by a schema: an object, the name of a type, or a union.
func (d *avroData) value(schema *node) (*node, error) {
	switch schema.kind {
	case '[':
		branch, err := d.long()
		if err != nil {
			return nil, err
		}
		if branch < 0 || branch >= int64(len(schema.items)) {
			return nil, fmt.Errorf("no branch %d in %s", branch, schema)
		}
		return d.value(schema.items[branch])
	case '{':
		if inner := schema.get("type"); inner.kind != 0 {
			return d.value(inner)
		}
		return d.complex(schema)
	default:
		if named := d.schema.named[schema.str()]; named != nil {
			return d.complex(named)
		}
		return d.primitive(schema.str())
	}
}

func (d *avroData) complex(schema *node) (*node, error) {
	switch kind := schema.get("type").str(); kind {
	case "record":
		return d.record(schema.get("fields"))
	case "array":
		n := &node{kind: '['}
		return n, d.blocks(func() error {
			item, err := d.value(schema.get("items"))
			n.items = append(n.items, item)
			return err
		})
	case "map":
		n := &node{kind: '{'}
		err := d.blocks(func() error {
			key, err := d.bytes()
			if err != nil {
				return err
			}
			value, err := d.value(schema.get("values"))
			n.members = append(n.members, member{string(key), value})
			return err
		})
		slices.SortFunc(n.members, func(a, b member) int { return cmp.Compare(a.name, b.name) }) // a map has no order
		return n, err
	case "enum":
		symbol, err := d.long()
		if err != nil {
			return nil, err
		}
		symbols := schema.get("symbols").items
		if symbol < 0 || symbol >= int64(len(symbols)) {
			return nil, fmt.Errorf("no symbol %d in %s", symbol, schema)
		}
		return symbols[symbol], nil
	default:
		return d.primitive(kind)
	}
}

func (d *avroData) record(fields *node) (*node, error) {
	n := &node{kind: '{'}
	for _, f := range fields.items {
		value, err := d.value(f.get("type"))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.get("name").str(), err)
		}
		n.members = append(n.members, member{f.get("name").str(), value})
	}
	return n, nil
}

// blocks reads the blocks of an array or map.
func (d *avroData) blocks(item func() error) error {
	for {
		count, err := d.long()
		if err != nil || count == 0 {
			return err
		}
		if count < 0 { // the size of the block in bytes follows
			if count = -count; count < 0 {
				return fmt.Errorf("a block of %d items", count)
			}
			if _, err := d.long(); err != nil {
				return err
			}
		}
		for range count {
			if err := item(); err != nil {
				return err
			}
		}
	}
}

func (d *avroData) primitive(kind string) (*node, error) {
	switch kind {
	case "null":
		return &node{scalar: "null"}, nil
	case "boolean":
		b, err := d.take(1)
		if err != nil {
			return nil, err
		}
		return &node{scalar: strconv.FormatBool(b[0] != 0)}, nil
	case "int", "long":
		v, err := d.long()
		return &node{scalar: strconv.FormatInt(v, 10)}, err
	case "float":
		b, err := d.take(4)
		if err != nil {
			return nil, err
		}
		return number(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32), nil
	case "double":
		b, err := d.take(8)
		if err != nil {
			return nil, err
		}
		return number(math.Float64frombits(binary.LittleEndian.Uint64(b)), 64), nil
	case "string":
		b, err := d.bytes()
		return text(string(b)), err
	case "bytes":
		b, err := d.bytes()
		return text(base64.StdEncoding.EncodeToString(b)), err
	default:
		return nil, fmt.Errorf("no type %s", kind)
	}
}

// number is JSON of a floating-point number, with names for what has no digits.
func number(v float64, bits int) *node {
	digits := []byte(strconv.FormatFloat(v, 'g', -1, bits))
	if !json.Valid(digits) {
		return text(string(digits))
	}
	return &node{scalar: string(digits)}
}

func (d *avroData) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(d.rest)) {
		return nil, errShort
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return bytes.Clone(b), nil
}

func (d *avroData) bytes() ([]byte, error) {
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

func (d *avroData) long() (int64, error) {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		return 0, errShort
	}
	d.rest = d.rest[n:]
	return v, nil
}
