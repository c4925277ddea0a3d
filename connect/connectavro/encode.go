package connectavro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sluice-data/sluice/connect"
)

// part is a compiled type that is written.
type part struct {
	kind kind
	// typ is the type that a cell must have.
	typ connect.Type
	// parts are the fields of a record, those of a union, or key and value of entries.
	parts []*part
	names []string // of parts, for errors
	item  *part    // of an array or a map
	// null is the branch of an optional type that stands for null, some the one of its value; both are written as one byte. -1: the type
	// is not optional.
	null, some int
	// size is that of a fixed; padded: shorter numbers are extended to it.
	size    int
	padded  bool
	symbols map[string]int
	// branches are those of the fields of a union; nil: the first one's is size, and so on. Of a projected record they are the cells of its
	// fields, -1 for a constant, and size is how many cells there are.
	branches []int
	constant []byte
	// value is written in the place of null, nil: null is.
	value *connect.Value
}

// Errors of values that are not what their schema says.
var (
	errNull     = errors.New("the value is null and its schema is not optional")
	errStruct   = errors.New("a struct needs a schema")
	errTextKeys = errors.New("a key is null, and Avro's maps have no such key")
)

// pathError says where in a value an error is.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// in puts the name of a field in front of an error's path.
func in(name string, err error) error {
	var e *pathError
	if errors.As(err, &e) {
		return &pathError{name + "." + e.path, e.err}
	}
	return &pathError{name, err}
}

// write appends a value. What it has appended before an error is of no use.
func (p *part) write(dst []byte, v connect.Value) ([]byte, error) {
	if v.IsNull() {
		if p.value == nil || p.value.IsNull() {
			return p.writeNull(dst)
		}
		v = *p.value
	}
	if p.some >= 0 {
		dst = append(dst, byte(p.some)<<1)
	}
	if v.Type() != p.typ && p.kind != kindAnything {
		return dst, fmt.Errorf("the value is %s and its schema %s", v.Type(), p.typ)
	}
	switch p.kind {
	case kindBoolean:
		if v.Boolean() {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case kindInt, kindLong:
		return binary.AppendVarint(dst, v.Int()), nil
	case kindFloat:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	case kindDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
	case kindBytes:
		return append(binary.AppendVarint(dst, int64(v.Len())), v.Bytes()...), nil
	case kindString:
		return append(binary.AppendVarint(dst, int64(v.Len())), v.Text()...), nil
	case kindRecord:
		return p.writeRecord(dst, v)
	}
	return p.writeOther(dst, v)
}

func (p *part) writeNull(dst []byte) ([]byte, error) {
	switch {
	case p.null >= 0:
		return append(dst, byte(p.null)<<1), nil
	case p.kind == kindAnything:
		return appendAnything(dst, connect.Value{}, 0)
	}
	return dst, errNull
}

func (p *part) writeOther(dst []byte, v connect.Value) ([]byte, error) {
	switch p.kind {
	case kindFixed:
		return p.writeFixed(dst, v.Bytes())
	case kindEnum:
		i, ok := p.symbols[v.Text()]
		if !ok {
			return dst, fmt.Errorf("%q is no symbol of the enum", v.Text())
		}
		return binary.AppendVarint(dst, int64(i)), nil
	case kindArray:
		return p.writeArray(dst, v.Cells())
	case kindMap:
		return p.writeMap(dst, v.Cells())
	case kindEntries:
		return p.writeEntries(dst, v.Cells())
	case kindUnion:
		return p.writeUnion(dst, v.Cells())
	case kindProjected:
		return p.writeProjected(dst, v.Cells())
	case kindIntAsFloat:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Int()))), nil
	case kindIntAsDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(v.Int()))), nil
	}
	return appendAnything(dst, v, 0)
}

func (p *part) writeRecord(dst []byte, v connect.Value) ([]byte, error) {
	cells := v.Cells()
	if len(cells) != len(p.parts) {
		return dst, fmt.Errorf("the struct has %d cells and its schema %d fields", len(cells), len(p.parts))
	}
	var err error
	for i, f := range p.parts {
		if dst, err = f.write(dst, cells[i]); err != nil {
			return dst, in(p.names[i], err)
		}
	}
	return dst, nil
}

func (p *part) writeProjected(dst []byte, cells []connect.Value) ([]byte, error) {
	if len(cells) != p.size {
		return dst, fmt.Errorf("the struct has %d cells and its schema %d fields", len(cells), p.size)
	}
	var err error
	for i, f := range p.parts {
		if f.kind == kindConstant {
			dst = append(dst, f.constant...)
		} else if dst, err = f.write(dst, cells[p.branches[i]]); err != nil {
			return dst, in(p.names[i], err)
		}
	}
	return dst, nil
}

// writeFixed pads numbers, as two's complement, to the size.
func (p *part) writeFixed(dst, b []byte) ([]byte, error) {
	if len(b) == p.size {
		return append(dst, b...), nil
	}
	if !p.padded || len(b) > p.size {
		return dst, fmt.Errorf("%d bytes for a fixed of %d", len(b), p.size)
	}
	fill := byte(0)
	if len(b) > 0 && b[0]&0x80 != 0 {
		fill = 0xff
	}
	for range p.size - len(b) {
		dst = append(dst, fill)
	}
	return append(dst, b...), nil
}

func (p *part) writeArray(dst []byte, cells []connect.Value) ([]byte, error) {
	var err error
	if len(cells) > 0 {
		dst = binary.AppendVarint(dst, int64(len(cells)))
	}
	for i, c := range cells {
		if dst, err = p.item.write(dst, c); err != nil {
			return dst, in(fmt.Sprintf("[%d]", i), err)
		}
	}
	return append(dst, 0), nil
}

func (p *part) writeMap(dst []byte, cells []connect.Value) ([]byte, error) {
	var err error
	if len(cells) > 0 {
		dst = binary.AppendVarint(dst, int64(len(cells)/2))
	}
	for i := 0; i < len(cells); i += 2 {
		if cells[i].Type() != connect.String {
			return dst, errTextKeys
		}
		dst = append(binary.AppendVarint(dst, int64(cells[i].Len())), cells[i].Text()...)
		if dst, err = p.item.write(dst, cells[i+1]); err != nil {
			return dst, in(fmt.Sprintf("[%q]", cells[i].Text()), err)
		}
	}
	return append(dst, 0), nil
}

func (p *part) writeEntries(dst []byte, cells []connect.Value) ([]byte, error) {
	var err error
	if len(cells) > 0 {
		dst = binary.AppendVarint(dst, int64(len(cells)/2))
	}
	for i, c := range cells {
		if dst, err = p.parts[i%2].write(dst, c); err != nil {
			return dst, in(fmt.Sprintf("[%d].%s", i/2, p.names[i%2]), err)
		}
	}
	return append(dst, 0), nil
}

// writeUnion writes the first field that is set.
func (p *part) writeUnion(dst []byte, cells []connect.Value) ([]byte, error) {
	for i, c := range cells {
		if i >= len(p.parts) || c.IsNull() && p.parts[i].value == nil {
			continue
		}
		branch := p.size + i
		if p.branches != nil {
			branch = p.branches[i]
		}
		dst, err := p.parts[i].write(binary.AppendVarint(dst, int64(branch)), c)
		if err != nil {
			return dst, in(p.names[i], err)
		}
		return dst, nil
	}
	return p.writeNull(dst)
}

// appendAnything appends data that has no schema, as the record Anything.
func appendAnything(dst []byte, v connect.Value, depth int) ([]byte, error) {
	if depth > maxNesting {
		return dst, errDeep
	}
	if v.Type() == connect.Struct {
		return dst, errStruct
	}
	field, p := anythingPart(v.Type())
	for i := range anythingFields {
		if i != field {
			dst = append(dst, 0) // null
			continue
		}
		dst = append(dst, 1<<1)
		var err error
		if p != nil {
			dst, err = p.write(dst, v)
		} else {
			dst, err = appendAnythings(dst, v, depth)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// appendAnythings appends the elements of an array, or keys and values of a map.
func appendAnythings(dst []byte, v connect.Value, depth int) ([]byte, error) {
	cells := v.Cells()
	if len(cells) > 0 {
		dst = binary.AppendVarint(dst, int64(v.Len()))
	}
	var err error
	for _, c := range cells {
		if dst, err = appendAnything(dst, c, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, 0), nil
}

// anythingPart is the field for a type, -1 for null, and how it is written, nil for arrays and maps.
func anythingPart(t connect.Type) (int, *part) {
	one := func(field int, k kind) (int, *part) { return field, &part{kind: k, typ: t, null: -1, some: -1} }
	switch t {
	case connect.Boolean:
		return one(anythingBoolean, kindBoolean)
	case connect.Int8, connect.Int16, connect.Int32:
		return one(anythingInt, kindInt)
	case connect.Int64:
		return one(anythingLong, kindLong)
	case connect.Float32:
		return one(anythingFloat, kindFloat)
	case connect.Float64:
		return one(anythingDouble, kindDouble)
	case connect.String:
		return one(anythingString, kindString)
	case connect.Bytes:
		return one(anythingBytes, kindBytes)
	case connect.Array:
		return anythingArray, nil
	case connect.Map:
		return anythingMap, nil
	}
	return -1, nil
}
