package connectavro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sluice-data/sluice/connect"
)

// Limits of what is read (I5).
const (
	// maxEmpty bounds the elements of one value that take no bytes, such as those of an array of null.
	maxEmpty = 4096
	// maxNesting bounds how deep types may nest.
	maxNesting = 200
	// maxTypes bounds the types of a schema, where one that has a name counts in every place.
	maxTypes = 50_000
	// A value may have so many cells, and more for each of its bytes.
	minCells, cellsPerByte = 1 << 18, 16
)

// Errors of bytes that are not what the schema says.
var (
	errShort    = errors.New("the data ends before the value does")
	errTrailing = errors.New("there is data behind the value")
	errBranch   = errors.New("the union has no such branch")
	errSymbol   = errors.New("the enum has no such symbol")
	errLength   = errors.New("a length is negative or longer than the data")
	errVarint   = errors.New("a number has more than 64 bits")
	errEmpty    = fmt.Errorf("more than %d elements take no bytes", maxEmpty)
	errDeep     = fmt.Errorf("the data nests deeper than %d levels", maxNesting)
	errRange    = errors.New("a number does not fit its type")
	errCells    = errors.New("the value has too many empty elements for its length")
	errNesting  = fmt.Errorf("the schema nests deeper than %d levels", maxNesting)
	errTypes    = fmt.Errorf("the schema has more than %d types, each name counted in every place", maxTypes)
)

// kind is what a step of a decoder or encoder does.
type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt // INT8 to INT32
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindFixed
	kindEnum
	kindArray
	kindMap
	kindEntries // a map as an array of records
	kindOptional
	kindUnion // a struct with a field for each branch
	kindRecord
	kindAnything // without a schema
	kindInner    // a record within itself

	// What is written only.
	kindProjected // a record of which some fields are the struct's
	kindConstant
	kindIntAsFloat
	kindIntAsDouble
)

// reader reads one value.
type reader struct {
	data  []byte
	b     *connect.Batch
	empty int // elements so far that took no bytes
	depth int // of what has no schema, and of records within themselves
	inner int // bytes of the text of those so far, at most
	room  int // how many more cells the value may have
	err   error
}

// step is a compiled type that is read.
type step struct {
	kind kind
	// typ is the type of a kindInt.
	typ connect.Type
	// steps are the fields of a record, the branches of a union (nil: null), or key and value of entries.
	steps []*step
	// inner is the record of a kindInner.
	inner *innerRecord
	// item is the type of an array, a map's values, or an optional.
	item *step
	// size is that of a fixed, or how many fields a union has.
	size int
	// null and some are the branches of an optional that are null and its item; -1: there is none.
	null, some int
	symbols    []string
	// least is how many bytes a value takes at least.
	least int
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.data = nil
}

// cells returns null cells of the batch.
func (r *reader) cells(n int) []connect.Value {
	if r.room -= n; r.room < 0 {
		r.fail(errCells)
		return nil
	}
	return r.b.Cells(n)
}

func (r *reader) long() int64 {
	if len(r.data) > 0 && r.data[0] < 0x80 { // mostly: lengths, branches, small numbers
		n := r.data[0]
		r.data = r.data[1:]
		return int64(n>>1) ^ -int64(n&1)
	}
	return r.longer()
}

func (r *reader) longer() int64 {
	n, w := binary.Varint(r.data)
	if w <= 0 {
		if w < 0 {
			r.fail(errVarint)
		} else {
			r.fail(errShort)
		}
		return 0
	}
	r.data = r.data[w:]
	return n
}

// take returns the next n bytes.
func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.data)) {
		if r.err == nil && n >= 0 {
			r.fail(errShort)
		}
		r.fail(errLength)
		return nil
	}
	p := r.data[:n:n]
	r.data = r.data[n:]
	return p
}

// read reads a value of a step. After a failure it returns null, as often as it is called.
func (r *reader) read(s *step) connect.Value {
	switch s.kind {
	case kindBoolean:
		return r.boolean()
	case kindInt:
		return r.int(s.typ)
	case kindLong:
		return connect.Int64Value(r.long())
	case kindFloat:
		if p := r.take(4); p != nil {
			return connect.Float32Value(math.Float32frombits(binary.LittleEndian.Uint32(p)))
		}
	case kindDouble:
		if p := r.take(8); p != nil {
			return connect.Float64Value(math.Float64frombits(binary.LittleEndian.Uint64(p)))
		}
	case kindBytes:
		return connect.BytesValue(r.take(r.long()))
	case kindString:
		return connect.StringValue(text(r.take(r.long())))
	case kindFixed:
		return connect.BytesValue(r.take(int64(s.size)))
	case kindEnum:
		if i := r.long(); i >= 0 && i < int64(len(s.symbols)) {
			return connect.StringValue(s.symbols[i])
		}
		r.fail(errSymbol)
	case kindRecord:
		cells := r.cells(len(s.steps))
		for i := range cells {
			cells[i] = r.read(s.steps[i])
		}
		return connect.StructValue(cells)
	default:
		return r.readNested(s)
	}
	return connect.Value{}
}

func (r *reader) readNested(s *step) connect.Value {
	switch s.kind {
	case kindOptional:
		branch := r.long()
		if r.err != nil {
			return connect.Value{}
		}
		switch branch {
		case int64(s.null):
			return connect.Value{}
		case int64(s.some):
			return r.read(s.item)
		}
		r.fail(errBranch)
	case kindUnion:
		return r.union(s)
	case kindArray:
		return connect.ArrayValue(r.blocks(1, s.item.least, func(cells []connect.Value) {
			for i := range cells {
				cells[i] = r.read(s.item)
			}
		}))
	case kindMap:
		return connect.MapValue(r.blocks(2, 1+s.item.least, func(cells []connect.Value) {
			for i := 0; i < len(cells); i += 2 {
				cells[i] = connect.StringValue(text(r.take(r.long())))
				cells[i+1] = r.read(s.item)
			}
		}))
	case kindEntries:
		return connect.MapValue(r.blocks(2, s.steps[0].least+s.steps[1].least, func(cells []connect.Value) {
			for i := 0; i < len(cells); i += 2 {
				cells[i] = r.read(s.steps[0])
				cells[i+1] = r.read(s.steps[1])
			}
		}))
	case kindAnything:
		return r.anything(s)
	case kindInner:
		return r.innerRecord(s.inner)
	}
	return connect.Value{}
}

func (r *reader) boolean() connect.Value {
	p := r.take(1)
	if p == nil {
		return connect.Value{}
	}
	if p[0] > 1 {
		r.fail(errRange)
	}
	return connect.BooleanValue(p[0] == 1)
}

func (r *reader) int(t connect.Type) connect.Value {
	n := r.long()
	switch t {
	case connect.Int8:
		r.within(n == int64(int8(n)))
		return connect.Int8Value(int8(n))
	case connect.Int16:
		r.within(n == int64(int16(n)))
		return connect.Int16Value(int16(n))
	}
	r.within(n == int64(int32(n)))
	return connect.Int32Value(int32(n))
}

func (r *reader) within(fits bool) {
	if !fits {
		r.fail(errRange)
	}
}

// union reads a struct in which only the field of the branch is set.
func (r *reader) union(s *step) connect.Value {
	branch := r.long()
	if branch < 0 || branch >= int64(len(s.steps)) {
		r.fail(errBranch)
		return connect.Value{}
	}
	if s.steps[branch] == nil {
		return connect.Value{}
	}
	cells := r.cells(s.size)
	if cells == nil {
		return connect.Value{}
	}
	field := 0
	for _, b := range s.steps[:branch] {
		if b != nil {
			field++
		}
	}
	cells[field] = r.read(s.steps[branch])
	return connect.StructValue(cells)
}

// blocks reads the elements of an array or map, each of which is so many cells and takes at least so many bytes. The elements come in
// blocks, mostly one.
func (r *reader) blocks(cellsEach, least int, read func([]connect.Value)) []connect.Value {
	var all []connect.Value
	for r.err == nil {
		n := r.long()
		if n < 0 {
			n = -n
			r.long() // the size of the block in bytes
		}
		if n == 0 {
			break
		}
		if !r.fits(n, least) {
			return nil
		}
		before, after := len(all), len(all)+int(n)*cellsEach
		if after > cap(all) {
			more := r.cells(max(after, 2*before))
			if more == nil {
				return nil
			}
			copy(more, all)
			all = more
		}
		all = all[:after]
		read(all[before:])
	}
	return all
}

// fits tells whether so many elements can be in what is left.
func (r *reader) fits(n int64, least int) bool {
	switch {
	case n < 0: // the smallest number has no opposite
		r.fail(errLength)
	case least > 0:
		if n > int64(len(r.data)/least) {
			r.fail(errLength)
		}
	case n > int64(maxEmpty-r.empty):
		r.fail(errEmpty)
	default:
		r.empty += int(n)
	}
	return r.err == nil
}

// anything reads schemaless data: the first field of the record that is not null.
func (r *reader) anything(s *step) connect.Value {
	if r.depth++; r.depth > maxNesting {
		r.fail(errDeep)
	}
	defer func() { r.depth-- }()
	var found connect.Value
	for i, f := range s.steps {
		if v := r.read(f); found.IsNull() && !v.IsNull() {
			found = schemaless(i, v)
		}
		if r.err != nil {
			return connect.Value{}
		}
	}
	return found
}

// schemaless gives a field of Anything the type that schemaless data has.
func schemaless(field int, v connect.Value) connect.Value {
	switch field {
	case anythingFloat:
		return connect.Float64Value(v.Float())
	case anythingInt:
		return connect.Int64Value(v.Int())
	}
	return v
}
