package connectproto

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-data/sluice/connect"
)

// A value may have so many cells, and more for each of its bytes (I5).
const minCells, cellsPerByte = 1 << 18, 16

// Errors of bytes that are not what the schema says.
var (
	errShort = errors.New("the data ends before the value does, or is no Protobuf data")
	errCells = errors.New("the value has too many empty elements for its length")
	errUTF8  = errors.New("a string is not UTF-8")
)

// Decoder reads values of one message. It may be used by any number of goroutines.
type Decoder struct {
	Schema *connect.Schema
	root   *slot
}

// Decode reads one value. Its memory is the batch's or that of data, which must not change until the batch is reset.
func (d *Decoder) Decode(b *connect.Batch, data []byte) (connect.Value, error) {
	r := reader{b: b, room: minCells + cellsPerByte*len(data)}
	v, err := r.contents(d.root, data)
	if err != nil {
		return connect.Value{}, fmt.Errorf("read Protobuf data: %w", err)
	}
	return v, nil
}

// consumeTag reads the number and the wire type of a field. n is below zero where there is none.
func consumeTag(data []byte) (number protowire.Number, typ protowire.Type, n int) {
	number, typ, n = protowire.ConsumeTag(data)
	if number > protowire.MaxValidNumber {
		n = -1
	}
	return number, typ, n
}

// slot is a compiled field that is read.
type slot struct {
	number  protoreflect.FieldNumber
	op      op
	wire    protowire.Type // that of a group is the one of its beginning
	typ     connect.Type
	initial connect.Value // what it is when it is not in the data

	cell   int     // of the struct
	member int     // of the union that the cell is, -1: it is none
	peers  []*slot // the other fields of its oneof
	// count is the position of a repeated field's among the counts of its message.
	count   int
	item    *slot // of a list, or a wrapper's value
	message *message
	inner   *innerMessage
	symbols map[int32]string
	enum    string
	scale   int64
	forNull bool // a message that is not in the data is one without fields
}

// message is a compiled message.
type message struct {
	cells    []connect.Value // what they are when nothing is in the data
	sizes    []int           // of unions by cell, 0 for others
	low      []*slot         // by number, for those below len(low)
	high     map[protoreflect.FieldNumber]*slot
	repeated []*slot
	nested   []*slot // of messages, which are read when all that belongs to them has been found
}

// lowNumbers are how many numbers of fields are looked up without a map.
const lowNumbers = 128

func newMessage(fields int) *message {
	return &message{low: make([]*slot, min(2*fields+8, lowNumbers)), high: make(map[protoreflect.FieldNumber]*slot)}
}

func (m *message) slot(n protoreflect.FieldNumber) *slot {
	if int(n) < len(m.low) {
		return m.low[n]
	}
	return m.high[n]
}

func (m *message) index(s *slot) {
	if int(s.number) < len(m.low) {
		m.low[s.number] = s
	} else {
		m.high[s.number] = s
	}
	switch s.op {
	case opList, opMap:
		s.count = len(m.repeated)
		m.repeated = append(m.repeated, s)
	default:
		if s.op >= opMessage {
			m.nested = append(m.nested, s)
		}
	}
}

// add takes in a field with a cell of its own.
func (m *message) add(s *slot) {
	s.cell, s.member = len(m.cells), -1
	switch s.op {
	case opList:
		m.cells = append(m.cells, connect.ArrayValue(nil))
	case opMap:
		m.cells = append(m.cells, connect.MapValue(nil))
	default:
		m.cells = append(m.cells, s.initial)
	}
	m.sizes = append(m.sizes, 0)
	m.index(s)
}

// addFlat takes in the fields of a oneof, each with a cell of its own.
func (m *message) addFlat(slots []*slot) {
	for _, s := range slots {
		m.add(s)
	}
	setPeers(slots)
}

// addUnion takes in the fields of a oneof, whose cell is a struct of them.
func (m *message) addUnion(slots []*slot) {
	for i, s := range slots {
		s.cell, s.member = len(m.cells), i
		m.index(s)
	}
	setPeers(slots)
	m.cells, m.sizes = append(m.cells, connect.Value{}), append(m.sizes, len(slots))
}

func setPeers(slots []*slot) {
	for i, s := range slots {
		s.peers = append(append(s.peers, slots[:i]...), slots[i+1:]...)
	}
}

// reader reads one value.
type reader struct {
	b    *connect.Batch
	room int // how many more cells the value may have
	// depth is how many messages within themselves are being read, inner the bytes of the text of those so far, at most.
	depth, inner int
}

// cells takes cells of the batch.
func (r *reader) cells(n int) ([]connect.Value, error) {
	if r.room -= n; r.room < 0 {
		return nil, errCells
	}
	return r.b.Cells(n), nil
}

// contents reads what stands behind a length.
func (r *reader) contents(s *slot, data []byte) (connect.Value, error) {
	switch s.op {
	case opMessage:
		return r.message(s.message, data)
	case opWrapper:
		return r.wrapper(s.item, data)
	case opDecimal:
		return readDecimal(r.b, data, s.scale)
	case opDate:
		return readDate(data)
	case opTime:
		return readTime(data)
	case opInner:
		return r.innerMessage(s.inner, data)
	}
	return readTimestamp(data)
}

func (r *reader) wrapper(item *slot, data []byte) (connect.Value, error) {
	v := item.initial
	for len(data) > 0 {
		number, typ, n := consumeTag(data)
		if n < 0 {
			return v, errShort
		}
		data = data[n:]
		if number != item.number || typ != item.wire {
			if n = protowire.ConsumeFieldValue(number, typ, data); n < 0 {
				return v, errShort
			}
			data = data[n:]
			continue
		}
		var err error
		if v, data, err = item.scalar(data); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (r *reader) message(m *message, data []byte) (connect.Value, error) {
	cells, err := r.cells(len(m.cells))
	if err != nil {
		return connect.Value{}, err
	}
	copy(cells, m.cells)
	var counts counts
	if len(m.repeated) > 0 {
		if counts, err = r.counts(len(m.repeated)); err != nil {
			return connect.Value{}, err
		}
	}
	if err := r.scan(m, cells, data, counts); err != nil {
		return connect.Value{}, err
	}
	if len(m.repeated) > 0 {
		if err := r.fill(m, cells, data, counts); err != nil {
			return connect.Value{}, err
		}
	}
	for _, s := range m.nested {
		if err := r.finish(s, cells); err != nil {
			return connect.Value{}, err
		}
	}
	return connect.StructValue(cells), nil
}

// counts are how many items the repeated fields of a message have, in cells: those are there already.
type counts []connect.Value

func (r *reader) counts(n int) (counts, error) {
	c, err := r.cells(n)
	for i := range c {
		c[i] = connect.Int64Value(0)
	}
	return c, err
}

func (c counts) of(s *slot) int     { return int(c[s.count].Int()) }
func (c counts) add(s *slot, n int) { c[s.count] = connect.Int64Value(c[s.count].Int() + int64(n)) }
func (c counts) reset(s *slot)      { c[s.count] = connect.Int64Value(0) }

// scan reads the fields that stand once, keeps the bytes of messages, and counts the items of the others.
func (r *reader) scan(m *message, cells []connect.Value, data []byte, counts counts) error {
	for len(data) > 0 {
		number, typ, n := consumeTag(data)
		if n < 0 {
			return errShort
		}
		data = data[n:]
		s := m.slot(number)
		if s == nil || !s.takes(typ) {
			if n = protowire.ConsumeFieldValue(number, typ, data); n < 0 {
				return errShort
			}
			data = data[n:]
			continue
		}
		if s.op == opList || s.op == opMap {
			items, n := s.items(typ, data)
			if n < 0 {
				return errShort
			}
			counts.add(s, items)
			data = data[n:]
			continue
		}
		cell, err := r.place(m, s, cells)
		if err != nil {
			return err
		}
		if data, err = r.one(s, cell, data); err != nil {
			return err
		}
	}
	return nil
}

// takes tells whether a field may come with a wire type.
func (s *slot) takes(typ protowire.Type) bool {
	switch s.op {
	case opList:
		packed := typ == protowire.BytesType && s.item.wire != protowire.BytesType && s.item.wire != protowire.StartGroupType
		return typ == s.item.wire || packed
	case opMap:
		return typ == protowire.BytesType
	}
	return typ == s.wire
}

// place is the cell of a field. Of a oneof the last field counts.
func (r *reader) place(m *message, s *slot, cells []connect.Value) (*connect.Value, error) {
	if s.member < 0 {
		return &cells[s.cell], r.forget(s.peers, cells)
	}
	union := &cells[s.cell]
	if union.IsNull() {
		members, err := r.cells(m.sizes[s.cell])
		if err != nil {
			return nil, err
		}
		*union = connect.StructValue(members)
	}
	members := union.Cells()
	return &members[s.member], r.forget(s.peers, members)
}

// forget drops the fields of a oneof that another has come after. What is dropped has to be data too.
func (r *reader) forget(peers []*slot, cells []connect.Value) (err error) {
	for _, p := range peers {
		at := p.member
		if at < 0 {
			at = p.cell
		}
		if p.op >= opMessage && !cells[at].IsNull() {
			_, err = r.contents(p, cells[at].Bytes())
		}
		if cells[at] = (connect.Value{}); err != nil {
			return err
		}
	}
	return nil
}

// one reads a value that stands once. A message that comes in several pieces is the one of all of them.
func (r *reader) one(s *slot, cell *connect.Value, data []byte) ([]byte, error) {
	if s.op < opMessage {
		v, rest, err := s.scalar(data)
		*cell = v
		return rest, err
	}
	p, n := s.body(data)
	if n < 0 {
		return nil, errShort
	}
	if cell.Type() == connect.Bytes && len(cell.Bytes()) > 0 {
		before := cell.Bytes()
		if r.room -= (len(before) + len(p)) / 8; r.room < 0 {
			return nil, errCells
		}
		whole := r.b.Buffer(len(before) + len(p))
		copy(whole[copy(whole, before):], p)
		p = whole
	}
	*cell = connect.BytesValue(p)
	return data[n:], nil
}

// body is what a message consists of: behind its length, or before the end of the group that it is. n is below zero where it is cut off.
func (s *slot) body(data []byte) (p []byte, n int) {
	if s.wire == protowire.StartGroupType {
		return protowire.ConsumeGroup(s.number, data)
	}
	return protowire.ConsumeBytes(data)
}

// finish reads a message whose bytes have been kept.
func (r *reader) finish(s *slot, cells []connect.Value) error {
	cell := &cells[s.cell]
	if s.member >= 0 {
		if cell.IsNull() {
			return nil
		}
		cell = &cell.Cells()[s.member]
	}
	if cell.IsNull() {
		if !s.forNull {
			return nil
		}
		*cell = connect.BytesValue(nil)
	}
	v, err := r.contents(s, cell.Bytes())
	*cell = v
	return err
}

// items counts those that stand at the beginning of data, and returns how long they are; below zero: they are cut off.
func (s *slot) items(typ protowire.Type, data []byte) (items, n int) {
	if s.op == opMap || typ == s.item.wire {
		return 1, protowire.ConsumeFieldValue(s.number, typ, data)
	}
	p, n := protowire.ConsumeBytes(data)
	if n < 0 {
		return 0, n
	}
	size := 0
	switch s.item.wire {
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	}
	if size > 0 {
		if len(p)%size != 0 {
			return 0, -1
		}
		return len(p) / size, n
	}
	for _, c := range p {
		if c < 0x80 {
			items++
		}
	}
	if len(p) > 0 && p[len(p)-1] >= 0x80 {
		return 0, -1
	}
	return items, n
}

// fill reads the items that were counted.
func (r *reader) fill(m *message, cells []connect.Value, data []byte, counts counts) error {
	total := 0
	for _, s := range m.repeated {
		n := counts.of(s)
		total += n
		if n == 0 {
			continue
		}
		if s.op == opMap {
			pairs, err := r.cells(2 * n)
			if err != nil {
				return err
			}
			cells[s.cell] = connect.MapValue(pairs)
		} else {
			items, err := r.cells(n)
			if err != nil {
				return err
			}
			cells[s.cell] = connect.ArrayValue(items)
		}
		counts.reset(s) // from here on how many are read
	}
	for total > 0 {
		number, typ, n := consumeTag(data)
		data = data[n:] // scan has looked at all of it
		size := protowire.ConsumeFieldValue(number, typ, data)
		if s := m.slot(number); s != nil && (s.op == opList || s.op == opMap) && s.takes(typ) {
			read, err := r.read(s, cells[s.cell], counts.of(s), typ, data[:size])
			if err != nil {
				return err
			}
			counts.add(s, read)
			total -= read
		}
		data = data[size:]
	}
	shorten(m, cells, counts)
	return nil
}

// read reads the items in data into a list or a map, from a position on, and returns how many there are.
func (r *reader) read(s *slot, into connect.Value, at int, typ protowire.Type, data []byte) (int, error) {
	if s.op == opMap {
		p, _ := protowire.ConsumeBytes(data)
		entry, err := r.message(s.message, p)
		if err != nil {
			return 0, err
		}
		copy(into.Cells()[2*at:], entry.Cells())
		return 1, nil
	}
	cells := into.Cells()
	if typ == s.item.wire {
		v, err := r.item(s.item, data)
		cells[at] = v
		return 1, err
	}
	p, _ := protowire.ConsumeBytes(data)
	n := 0
	for ; len(p) > 0; n++ {
		v, rest, err := s.item.scalar(p)
		if err != nil || at+n >= len(cells) {
			return n, errShort
		}
		cells[at+n], p = v, rest
	}
	return n, nil
}

func (r *reader) item(s *slot, data []byte) (connect.Value, error) {
	if s.op < opMessage {
		v, _, err := s.scalar(data)
		return v, err
	}
	p, _ := s.body(data)
	return r.contents(s, p)
}

// shorten takes entries out of maps whose keys come again: the last one counts.
func shorten(m *message, cells []connect.Value, counts counts) {
	for _, s := range m.repeated {
		if s.op == opMap && counts.of(s) > 1 {
			cells[s.cell] = connect.MapValue(distinct(cells[s.cell].Cells()))
		}
	}
}

// fewEntries are so few that comparing all keys is faster than to look them up.
const fewEntries = 16

// distinct are pairs without those whose key comes again behind them.
func distinct(pairs []connect.Value) []connect.Value {
	if len(pairs) <= 2*fewEntries {
		return distinctFew(pairs)
	}
	seen := make(map[mapKey]int, len(pairs)/2)
	kept := pairs[:0]
	for i := 0; i < len(pairs); i += 2 {
		k := keyOf(pairs[i])
		if at, ok := seen[k]; ok {
			kept[at+1] = pairs[i+1]
			continue
		}
		seen[k] = len(kept)
		kept = append(kept, pairs[i], pairs[i+1])
	}
	return kept
}

func distinctFew(pairs []connect.Value) []connect.Value {
	kept := pairs[:0]
next:
	for i := 0; i < len(pairs); i += 2 {
		for j := 0; j < len(kept); j += 2 {
			if kept[j].Equal(pairs[i]) {
				kept[j+1] = pairs[i+1]
				continue next
			}
		}
		kept = append(kept, pairs[i], pairs[i+1])
	}
	return kept
}

type mapKey struct {
	text   string
	number int64
}

func keyOf(v connect.Value) mapKey {
	switch v.Type() {
	case connect.String:
		return mapKey{text: v.Text()}
	case connect.Boolean:
		if v.Boolean() {
			return mapKey{number: 1}
		}
		return mapKey{}
	case connect.Int32, connect.Int64, connect.Int8, connect.Int16:
		return mapKey{number: v.Int()}
	}
	return mapKey{text: v.String()}
}

// scalar reads a value that is no message, and returns what is behind it.
func (s *slot) scalar(data []byte) (v connect.Value, rest []byte, err error) {
	switch s.wire {
	case protowire.Fixed32Type:
		bits, n := protowire.ConsumeFixed32(data)
		if n < 0 {
			return v, nil, errShort
		}
		return s.bits(uint64(bits)), data[n:], nil
	case protowire.Fixed64Type:
		bits, n := protowire.ConsumeFixed64(data)
		if n < 0 {
			return v, nil, errShort
		}
		return s.bits(bits), data[n:], nil
	case protowire.BytesType:
		p, n := protowire.ConsumeBytes(data)
		switch {
		case n < 0:
			return v, nil, errShort
		case s.op == opBytes:
			return connect.BytesValue(p), data[n:], nil
		case !utf8.Valid(p):
			return v, nil, errUTF8
		}
		return connect.StringValue(unsafe.String(unsafe.SliceData(p), len(p))), data[n:], nil
	}
	bits, n := protowire.ConsumeVarint(data)
	if n < 0 {
		return v, nil, errShort
	}
	return s.bits(bits), data[n:], nil
}

// bits makes a value of what is on the wire.
func (s *slot) bits(bits uint64) connect.Value {
	switch s.op {
	case opFloat:
		return connect.Float32Value(math.Float32frombits(uint32(bits)))
	case opDouble:
		return connect.Float64Value(math.Float64frombits(bits))
	case opBool:
		return connect.BooleanValue(bits != 0)
	case opEnum:
		return connect.StringValue(s.symbol(int32(bits)))
	case opSint32:
		return s.integer(int64(int32(protowire.DecodeZigZag(bits & math.MaxUint32))))
	case opSint64:
		return s.integer(protowire.DecodeZigZag(bits))
	case opInt32, opSfixed32, opEnumInt:
		return s.integer(int64(int32(bits)))
	case opUint32, opFixed32:
		return s.integer(int64(uint32(bits)))
	}
	return s.integer(int64(bits))
}

// symbol is that of a number, as Java calls those that the schema does not know.
func (s *slot) symbol(number int32) string {
	if symbol, ok := s.symbols[number]; ok {
		return symbol
	}
	return "UNKNOWN_ENUM_VALUE_" + s.enum + "_" + strconv.Itoa(int(number))
}

func (s *slot) integer(v int64) connect.Value {
	switch s.typ {
	case connect.Int8:
		return connect.Int8Value(int8(v))
	case connect.Int16:
		return connect.Int16Value(int16(v))
	case connect.Int32:
		return connect.Int32Value(int32(v))
	}
	return connect.Int64Value(v)
}

// valueOf is the value of a field's default.
func (s *slot) valueOf(v protoreflect.Value) connect.Value {
	switch s.op {
	case opFloat:
		return connect.Float32Value(float32(v.Float()))
	case opDouble:
		return connect.Float64Value(v.Float())
	case opBool:
		return connect.BooleanValue(v.Bool())
	case opString:
		return connect.StringValue(v.String())
	case opBytes:
		return connect.BytesValue(append([]byte{}, v.Bytes()...))
	case opEnum:
		return connect.StringValue(s.symbol(int32(v.Enum())))
	case opEnumInt:
		return s.integer(int64(v.Enum()))
	case opUint32, opUint64, opFixed32, opFixed64:
		return s.integer(int64(v.Uint()))
	}
	return s.integer(v.Int())
}
