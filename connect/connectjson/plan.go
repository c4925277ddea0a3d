package connectjson

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

var errSchemaDepth = fmt.Errorf("the schema nests more than %d levels deep, too deeply for JSON", DefaultMaxDepth)

// Plan is a schema compiled: what its values need that no value changes, such as
// the text of names and the way of a logical type, is settled once. It is
// immutable and may be shared by any number of goroutines.
type Plan struct {
	root *node
	size int // of its memory in bytes, about
}

// op is how a node is written and read.
type op uint8

const (
	opBoolean op = iota
	opInteger
	opFloat32
	opFloat64
	opString
	opRaw // JSON text as it is
	opBytes
	opDecimal // base64 written
	opNumeric // a Decimal, a number written
	opArray
	opObject // a map with keys of STRING
	opPairs  // any other map
	opEntries
	opStruct
	opUnion // a struct of which one field is written
)

// node is one schema of a Plan.
type node struct {
	op         op
	typ        connect.Type
	isRaw      bool // of raw JSON, also where it is read as a string
	nullIsText bool // raw JSON without room for a null has the text null

	def        connect.Value // written for a null unless it is null itself
	writeNull  bool          // else null is an error
	missing    connect.Value // read for a null or nothing
	missingErr error
	absent     bool // nothing is null in spite of missingErr

	scale    int // of a Decimal
	scaleErr error

	key, elem *node // elem also of a map's values
	entry     *node // of a map with opEntries: key and value as fields
	fields    []field
	others    int             // one more than the index of the field that Options.Others names; 0: there is none
	schema    *connect.Schema // finds fields that are out of order
	height    int             // levels from here down, 1 without any below
}

// field is one field of a struct.
type field struct {
	name string
	// prefix is what stands before its value: what opens the object or a comma,
	// the name as a JSON string, a colon.
	prefix string
	node   *node
}

// Compile returns the plan of s, which is not nil. The only errors are those of
// a schema that nests too deeply.
func Compile(s *connect.Schema, o Options) (*Plan, error) {
	c := compiler{opts: o, done: make(map[*connect.Schema]*node)}
	root, err := c.compile(s, DefaultMaxDepth+1)
	if err != nil {
		return nil, err
	}
	return &Plan{root, c.size}, nil
}

// Size returns about how many bytes of memory the plan takes.
func (p *Plan) Size() int { return p.size }

// nodeBytes is about what a node or a field takes.
const nodeBytes = 256

// compiler makes one node of each schema, however many times it is used.
type compiler struct {
	opts Options
	done map[*connect.Schema]*node
	size int
}

// compile returns the node of s, which may be as high as depth (I5).
func (c *compiler) compile(s *connect.Schema, depth int) (*node, error) {
	if depth == 0 {
		return nil, errSchemaDepth
	}
	n := c.done[s]
	if n == nil {
		n = c.leaf(s)
		if err := c.inner(n, s, depth-1); err != nil {
			return nil, err
		}
		c.done[s] = n
		c.size += nodeBytes
	}
	if n.height > depth {
		return nil, errSchemaDepth
	}
	return n, nil
}

// leaf returns the node of s without those below.
func (c *compiler) leaf(s *connect.Schema) *node {
	n := &node{op: c.opOf(s), typ: s.Type(), isRaw: IsRaw(s), schema: s, height: 1, writeNull: s.Optional(), absent: c.opts.Absent}
	n.nullIsText = n.op == opRaw && !s.Optional()
	if n.op == opDecimal || n.op == opNumeric {
		n.scale, n.scaleErr = Scale(s)
	}
	def, hasDefault := s.Default()
	switch {
	case hasDefault && !c.opts.KeepNull:
		n.def, n.missing = def, def
	case !s.Optional():
		n.missingErr = fmt.Errorf("null for a required %s", s.Type())
	}
	return n
}

func (c *compiler) opOf(s *connect.Schema) op {
	switch s.Type() {
	case connect.Boolean:
		return opBoolean
	case connect.Float32:
		return opFloat32
	case connect.Float64:
		return opFloat64
	case connect.String:
		if IsRaw(s) && !c.opts.RawAsText {
			return opRaw
		}
		return opString
	case connect.Bytes:
		switch {
		case s.Name() != connect.DecimalName:
			return opBytes
		case c.opts.Decimal == DecimalNumeric:
			return opNumeric
		}
		return opDecimal
	case connect.Array:
		return opArray
	case connect.Map:
		switch {
		case s.Key().Type() == connect.String && !(c.opts.Entries && s.Key().Optional()):
			return opObject
		case c.opts.Entries:
			return opEntries
		}
		return opPairs
	case connect.Struct:
		if c.opts.isUnion(s) {
			return opUnion
		}
		return opStruct
	}
	return opInteger
}

// inner compiles what s is made of.
func (c *compiler) inner(n *node, s *connect.Schema, depth int) (err error) {
	below := func(s *connect.Schema) (*node, error) {
		in, err := c.compile(s, depth)
		if err == nil {
			n.height = max(n.height, 1+in.height)
		}
		return in, err
	}
	if s.Key() != nil {
		if n.key, err = below(s.Key()); err != nil {
			return err
		}
	}
	if s.Value() != nil {
		if n.elem, err = below(s.Value()); err != nil {
			return err
		}
	}
	if n.op == opEntries {
		n.entry = entryOf(s, n.key, n.elem)
	}
	n.fields = make([]field, len(s.Fields()))
	for i, f := range s.Fields() {
		in, err := below(f.Schema)
		if err != nil {
			return err
		}
		if n.op == opStruct && c.opts.IsOthers(f) {
			n.others = i + 1
		}
		opening := byte(',')
		if i == 0 || i == 1 && n.others == 1 {
			opening = '{'
		}
		prefix := append(AppendString([]byte{opening}, f.Name), ':')
		n.fields[i] = field{f.Name, string(prefix), in}
		c.size += nodeBytes + len(prefix)
	}
	return nil
}

// entryOf is the node of one object with key and value.
func entryOf(s *connect.Schema, key, elem *node) *node {
	names := connect.MustStruct("", connect.Field{Name: "key", Schema: s.Key()}, connect.Field{Name: "value", Schema: s.Value()})
	return &node{op: opStruct, typ: connect.Struct, schema: names, fields: []field{{"key", `{"key":`, key}, {"value", `,"value":`, elem}}}
}

// maxPlansBytes bounds the memory of Plans, in bytes (I5).
const maxPlansBytes = 16 << 20

// Plans has the plans of the schemas that come by, each found again by the
// schema's pointer. It is for one goroutine at a time.
type Plans struct {
	opts  Options
	most  int
	plans map[*connect.Schema]*Plan
	size  int

	// Most values have the schema of the one before.
	last     *connect.Schema
	lastPlan *Plan
}

// NewPlans returns plans for values that are written and read with o, most at
// one time.
func NewPlans(o Options, most int) *Plans {
	return &Plans{opts: o, most: most, plans: make(map[*connect.Schema]*Plan)}
}

// Of returns the plan of s, which is not nil. When there are too many plans it
// starts afresh, which for schemas that do repeat costs little.
func (p *Plans) Of(s *connect.Schema) (*Plan, error) {
	if s == p.last && s != nil {
		return p.lastPlan, nil
	}
	plan, ok := p.plans[s]
	if !ok {
		var err error
		if plan, err = Compile(s, p.opts); err != nil {
			return nil, err
		}
		if len(p.plans) >= p.most || p.size+plan.size > maxPlansBytes {
			clear(p.plans)
			p.size = 0
		}
		p.plans[s] = plan
		p.size += plan.size
	}
	p.last, p.lastPlan = s, plan
	return plan, nil
}

// Append is the function Append for many values.
func (p *Plans) Append(dst []byte, s *connect.Schema, v connect.Value) ([]byte, error) {
	if s == nil {
		return AppendSchemaless(dst, v)
	}
	plan, err := p.Of(s)
	if err != nil {
		return dst, err
	}
	return plan.Append(dst, v)
}

// Append appends v, which schema s describes (nil: schemaless), to dst as JSON
// text in one line and without white space. On an error dst comes back as it
// was. It compiles s each time: Plans is for many values.
//
// Numbers are written as Java writes them, so that 1.0 stays a FLOAT64; NaN and
// infinities, which JSON has no numbers for, as "NaN", "Infinity" and
// "-Infinity". A STRING that is not UTF-8 gets U+FFFD in the bad places.
func Append(dst []byte, s *connect.Schema, v connect.Value, o Options) ([]byte, error) {
	if s == nil {
		return AppendSchemaless(dst, v)
	}
	p, err := Compile(s, o)
	if err != nil {
		return dst, err
	}
	return p.Append(dst, v)
}

// ParseAs reads JSON text that schema s describes, the inverse of Append; with a
// nil schema it is Parse. It compiles s each time: Plan.Parse is for many values.
func ParseAs(b *connect.Batch, s *connect.Schema, text []byte, o Options) (connect.Value, error) {
	if s == nil {
		return Parse(b, text, 0)
	}
	p, err := Compile(s, o)
	if err != nil {
		return connect.Value{}, err
	}
	return p.Parse(b, text)
}

var errRequired = errors.New("null for a value that is required and has no default")
