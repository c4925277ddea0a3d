package connectproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sluice-data/sluice/connect"
)

// op is how a value is written, or read.
type op uint8

const (
	opInt32 op = iota
	opInt64
	opUint32
	opUint64
	opSint32
	opSint64
	opFixed32
	opSfixed32
	opFixed64
	opSfixed64
	opFloat
	opDouble
	opBool
	opString
	opBytes
	opEnum    // a symbol as its number
	opEnumInt // a number
	// What has a length and contents.
	opMessage
	opWrapper
	opDecimal
	opDate
	opTime
	opTimestamp
	opInner // a message within itself, which is read only
	// What is several fields, or one of several.
	opList
	opMap
	opUnion
)

// part is a compiled field that is written.
type part struct {
	op   op
	typ  connect.Type // that a cell must have
	name string       // for errors
	tag  []byte       // the number and the wire type; nil: none, as for the items of packed lists
	end  []byte       // what a group ends with; nil: it is none, and has a length
	// always writes the default too: the field knows whether it is set.
	always bool
	packed bool
	// null is written in the place of null, nil: nothing is.
	null *connect.Value

	item    *part   // of a list, a wrapper's value; of a map the entry's message
	parts   []*part // of a message, in the order in which they are written, or of a union
	cells   []int   // of parts: the field of the struct that each is of
	symbols map[string]int32
	scale   int64
}

// Errors of values that are not what their schema says.
var (
	errNull  = errors.New("the value is null, and a list or a map has no place for that")
	errUnion = errors.New("no field of the union is set")
	errRange = errors.New("the number does not fit the type of the field")
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

// field appends a field of a message. What it has appended before an error is of no use.
func (p *part) field(dst []byte, v connect.Value) (_ []byte, err error) {
	if v.IsNull() {
		if p.null == nil {
			return dst, nil
		}
		v = *p.null
	}
	if v.Type() != p.typ {
		return dst, fmt.Errorf("the value is %s and its schema %s", v.Type(), p.typ)
	}
	switch p.op {
	case opList:
		return p.list(dst, v.Cells())
	case opMap:
		return p.entries(dst, v.Cells())
	case opUnion:
		return p.union(dst, v.Cells())
	}
	if !p.always && p.isZero(v) {
		return dst, nil
	}
	return p.single(append(dst, p.tag...), v)
}

// isZero tells whether a value is the default, which is not written.
func (p *part) isZero(v connect.Value) bool {
	o := p.op
	switch v.Type() {
	case connect.Boolean:
		return !v.Boolean()
	case connect.Float32, connect.Float64:
		return math.Float64bits(v.Float()) == 0
	case connect.String:
		if o == opEnum {
			n, ok := p.symbols[v.Text()]
			return ok && n == 0
		}
		return o == opString && v.Text() == ""
	case connect.Bytes:
		return o == opBytes && len(v.Bytes()) == 0
	case connect.Struct:
		return false
	}
	return o < opMessage && v.Int() == 0
}

// single appends a value behind its tag.
func (p *part) single(dst []byte, v connect.Value) ([]byte, error) {
	if p.op < opString {
		return appendNumber(dst, p.op, v)
	}
	switch p.op {
	case opString:
		text := v.Text()
		return append(binary.AppendUvarint(dst, uint64(len(text))), text...), nil
	case opBytes:
		return protowire.AppendBytes(dst, v.Bytes()), nil
	case opEnum:
		number, err := p.number(v.Text())
		return binary.AppendUvarint(dst, uint64(int64(number))), err
	case opEnumInt:
		return binary.AppendUvarint(dst, uint64(v.Int())), nil
	}
	if p.end != nil {
		dst, err := p.contents(dst, v)
		return append(dst, p.end...), err
	}
	start := len(dst)
	dst, err := p.contents(append(dst, 0), v)
	return closeLength(dst, start), err
}

// number is that of an enum's symbol.
func (p *part) number(symbol string) (int32, error) {
	n, ok := p.symbols[symbol]
	if !ok {
		return 0, fmt.Errorf("the enum has no symbol %q", symbol)
	}
	return n, nil
}

// closeLength puts the length of what follows it into the byte at start, and moves that when the length needs more.
func closeLength(dst []byte, start int) []byte {
	n := len(dst) - start - 1
	if n < 0x80 {
		dst[start] = byte(n)
		return dst
	}
	size := protowire.SizeVarint(uint64(n))
	var room [binary.MaxVarintLen64]byte
	dst = append(dst, room[:size-1]...)
	copy(dst[start+size:], dst[start+1:start+1+n])
	binary.PutUvarint(dst[start:], uint64(n))
	return dst
}

// contents appends what stands behind the length.
func (p *part) contents(dst []byte, v connect.Value) ([]byte, error) {
	switch p.op {
	case opMessage:
		return p.message(dst, v.Cells())
	case opWrapper:
		return p.item.field(dst, v)
	case opDecimal:
		return appendDecimal(dst, v.Bytes(), p.scale)
	case opDate:
		return appendDate(dst, v.Int()), nil
	case opTime:
		return appendTime(dst, v.Int())
	}
	return appendTimestamp(dst, v.Int()), nil
}

func (p *part) message(dst []byte, cells []connect.Value) (_ []byte, err error) {
	for i, f := range p.parts {
		if p.cells[i] >= len(cells) {
			return dst, in(f.name, fmt.Errorf("the struct has %d values and its schema more", len(cells)))
		}
		if dst, err = f.field(dst, cells[p.cells[i]]); err != nil {
			return dst, in(f.name, err)
		}
	}
	return dst, nil
}

// union appends the first field that is set.
func (p *part) union(dst []byte, cells []connect.Value) ([]byte, error) {
	for i, v := range cells {
		if !v.IsNull() && i < len(p.parts) {
			f := p.parts[i]
			if f == nil {
				return dst, nil // left out
			}
			dst, err := f.field(dst, v)
			if err != nil {
				err = in(f.name, err)
			}
			return dst, err
		}
	}
	return dst, errUnion
}

func (p *part) list(dst []byte, items []connect.Value) (_ []byte, err error) {
	if len(items) == 0 {
		return dst, nil
	}
	start := 0
	if p.packed {
		dst = append(dst, p.tag...)
		start = len(dst)
		dst = append(dst, 0)
	}
	for _, v := range items {
		switch {
		case v.IsNull():
			return dst, errNull
		case v.Type() != p.item.typ:
			return dst, fmt.Errorf("an item is %s and its schema %s", v.Type(), p.item.typ)
		}
		if dst, err = p.item.single(append(dst, p.item.tag...), v); err != nil {
			return dst, err
		}
	}
	if p.packed {
		dst = closeLength(dst, start)
	}
	return dst, nil
}

// entries appends a message for each key and its value.
func (p *part) entries(dst []byte, pairs []connect.Value) (_ []byte, err error) {
	for i := 0; i+1 < len(pairs); i += 2 {
		dst = append(dst, p.tag...)
		start := len(dst)
		if dst, err = p.item.message(append(dst, 0), pairs[i:i+2]); err != nil {
			return dst, err
		}
		dst = closeLength(dst, start)
	}
	return dst, nil
}

// appendNumber appends what has no length.
func appendNumber(dst []byte, o op, v connect.Value) ([]byte, error) {
	switch o {
	case opFloat:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	case opDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
	case opBool:
		if v.Boolean() {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	}
	n := v.Int()
	switch o {
	case opInt32, opSint32, opSfixed32:
		if n != int64(int32(n)) {
			return dst, errRange
		}
	case opUint32, opFixed32:
		if n != int64(uint32(n)) {
			return dst, errRange
		}
	}
	switch o {
	case opSint32, opSint64:
		return binary.AppendUvarint(dst, protowire.EncodeZigZag(n)), nil
	case opFixed32, opSfixed32:
		return binary.LittleEndian.AppendUint32(dst, uint32(n)), nil
	case opFixed64, opSfixed64:
		return binary.LittleEndian.AppendUint64(dst, uint64(n)), nil
	}
	return binary.AppendUvarint(dst, uint64(n)), nil
}
