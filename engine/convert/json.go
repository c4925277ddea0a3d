package convert

import (
	"bytes"
	"errors"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// jsonConfig has the options of JsonConverter.
type jsonConfig struct {
	schemasEnable bool
	cacheSize     int
	decimalFormat string
	replaceNull   bool
	schemaContent string
}

func (c *jsonConfig) define(d *connect.Def, prefix string) {
	d.Add(
		connect.Option{
			Name: prefix + "schemas.enable", Var: &c.schemasEnable, Default: "true",
			Doc:   "Write and expect an object with the members schema and payload; false is plain JSON.",
			Group: "Schemas", Importance: connect.High, Width: connect.WidthMedium, Display: "Enable Schemas",
		},
		connect.Option{
			Name: prefix + "schemas.cache.size", Var: &c.cacheSize, Default: "1000",
			Doc:   "How many schemas are kept so that they need not be read or written again.",
			Group: "Schemas", Importance: connect.High, Width: connect.WidthMedium, Display: "Schema Cache Size",
		},
		connect.Option{
			Name: prefix + "schema.content", Var: &c.schemaContent, NoDefault: true, Check: c.checkContent,
			Doc: "A schema, in JSON as the envelope has it, that describes every value read. The data then has " +
				"no envelope. Needs schemas.enable.",
			Group: "Schemas", Importance: connect.High, Width: connect.WidthMedium, Display: "Schema Content",
		},
		connect.Option{
			Name: prefix + "decimal.format", Var: &c.decimalFormat, Default: "BASE64", Check: c.checkDecimal,
			Doc:   "How a Decimal is written: BASE64 or NUMERIC. Both are read.",
			Group: "Serialization", Importance: connect.Low, Width: connect.WidthMedium, Display: "Decimal Format",
		},
		connect.Option{
			Name: prefix + "replace.null.with.default", Var: &c.replaceNull, Default: "true",
			Doc:   "Put the default of its schema in the place of a null.",
			Group: "Serialization", Importance: connect.Low, Width: connect.WidthMedium, Display: "Replace Null With Default",
		},
	)
}

func (c *jsonConfig) checkDecimal() error {
	switch c.decimalFormat = strings.ToUpper(c.decimalFormat); c.decimalFormat {
	case "BASE64", "NUMERIC":
		return nil
	}
	return errors.New("String must be one of (case insensitive): BASE64, NUMERIC")
}

func (c *jsonConfig) checkContent() error {
	if c.schemaContent == "" {
		return nil
	}
	_, err := parseSchema([]byte(c.schemaContent), connectjson.Options{})
	return err
}

func (c *jsonConfig) converter() (Converter, error) {
	o := connectjson.Options{KeepNull: !c.replaceNull}
	if c.decimalFormat == "NUMERIC" {
		o.Decimal = connectjson.DecimalNumeric
	}
	if !c.schemasEnable {
		return &plainJSON{connectjson.NewPlans(o, max(c.cacheSize, 1))}, nil
	}
	e := newEnvelope(o, c.cacheSize)
	if c.schemaContent != "" {
		content, err := e.parseSchema([]byte(c.schemaContent))
		if err != nil {
			return nil, err
		}
		e.content = content
	}
	return e, nil
}

// plainJSON is JsonConverter with schemas.enable=false.
type plainJSON struct{ plans *connectjson.Plans }

func (c *plainJSON) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if s == nil && v.IsNull() {
		return dst, true, nil
	}
	dst, err := c.plans.Append(dst, s, v)
	return dst, false, err
}

func (c *plainJSON) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if len(data) == 0 { // no bytes are null here, in Kafka too
		return nil, connect.Value{}, nil
	}
	v, err := connectjson.Parse(b, data, 0)
	if err != nil {
		return nil, v, withAdvice(err)
	}
	return nil, v, nil
}

func withAdvice(err error) error {
	var number *connectjson.NumberError
	if errors.As(err, &number) {
		return &unfitNumber{number}
	}
	return err
}

// unfitNumber adds the next step to a number that schemaless JSON cannot hold.
type unfitNumber struct{ *connectjson.NumberError }

func (e *unfitNumber) Error() string {
	return e.NumberError.Error() + "; " + AutoClass + " passes such JSON unchanged"
}

func (e *unfitNumber) Unwrap() error { return e.NumberError }

// envelope is JsonConverter with schemas.enable=true. Schemas are written and
// read once and then found again: a written one by its pointer, a read one by its
// text.
type envelope struct {
	opts    connectjson.Options
	content *described // describes all data read, if set

	written     map[*connect.Schema]*described
	read        map[string]*described // by text
	cacheSize   int
	cachedBytes int // of text and plans in both

	// What was written last and, up to its payload, the envelope of the last record
	// read: the next one is most likely the same.
	lastWritten *described
	lastHead    []byte
	lastRead    *described
}

// described is a schema with what it takes to write and read its values.
type described struct {
	schema *connect.Schema
	plan   *connectjson.Plan // nil without a schema
	head   []byte            // {"schema":...,"payload": if it is for writing
}

// maxCachedBytes bounds the text and plans that an envelope's caches hold, in bytes (I5).
const maxCachedBytes = 16 << 20

func newEnvelope(o connectjson.Options, cacheSize int) *envelope {
	o.RawAsText = true
	return &envelope{opts: o, cacheSize: cacheSize,
		written: make(map[*connect.Schema]*described), read: make(map[string]*described)}
}

// room makes room for one more schema of n bytes. When a cache is full it starts
// afresh, which for schemas that do repeat costs little.
func (c *envelope) room(n int) {
	if len(c.written)+len(c.read) >= c.cacheSize || c.cachedBytes+n > maxCachedBytes {
		clear(c.written)
		clear(c.read)
		c.cachedBytes = 0
	}
	c.cachedBytes += n
}

// FromConnect implements Converter.
func (c *envelope) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if s == nil && v.IsNull() {
		return dst, true, nil
	}
	d, err := c.forWriting(s)
	if err != nil {
		return dst, false, err
	}
	start := len(dst)
	dst = append(dst, d.head...)
	if d.plan == nil {
		dst, err = connectjson.AppendSchemaless(dst, v)
	} else {
		dst, err = d.plan.Append(dst, v)
	}
	if err != nil {
		return dst[:start], false, err
	}
	return append(dst, '}'), false, nil
}

// forWriting returns what it takes to write values of schema s.
func (c *envelope) forWriting(s *connect.Schema) (*described, error) {
	if last := c.lastWritten; last != nil && last.schema == s {
		return last, nil
	}
	d, ok := c.written[s]
	if !ok {
		var err error
		if d, err = c.newHead(s); err != nil {
			return nil, err
		}
		c.room(len(d.head) + d.size())
		c.written[s] = d
	}
	c.lastWritten = d
	return d, nil
}

// newHead writes the envelope of schema s up to the payload. Raw JSON has no schema
// there, since what it contains is not the STRING that its schema says; within a
// struct it is a string.
func (c *envelope) newHead(s *connect.Schema) (*described, error) {
	o, shown := c.opts, s
	if connectjson.IsRaw(s) {
		o.RawAsText, shown = false, nil
	}
	head, err := appendSchema([]byte(`{"schema":`), shown, o)
	if err != nil {
		return nil, err
	}
	d, err := describe(s, o)
	if err != nil {
		return nil, err
	}
	d.head = append(head, `,"payload":`...)
	return d, nil
}

func describe(s *connect.Schema, o connectjson.Options) (*described, error) {
	d := &described{schema: s}
	if s == nil {
		return d, nil
	}
	var err error
	d.plan, err = connectjson.Compile(s, o)
	return d, err
}

// size is that of the plan, in bytes.
func (d *described) size() int {
	if d.plan == nil {
		return 0
	}
	return d.plan.Size()
}

// parse reads a payload.
func (d *described) parse(b *connect.Batch, payload []byte) (*connect.Schema, connect.Value, error) {
	var v connect.Value
	var err error
	if d.plan == nil {
		v, err = connectjson.Parse(b, payload, 0)
	} else {
		v, err = d.plan.Parse(b, payload)
	}
	return d.schema, v, err
}

// ToConnect implements Converter.
func (c *envelope) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return nil, connect.Value{}, nil
	}
	if c.content != nil {
		return c.content.parse(b, data)
	}
	if s, v, ok := c.likeLast(b, data); ok {
		return s, v, nil
	}
	e, err := splitEnvelope(data)
	if err != nil {
		return nil, connect.Value{}, err
	}
	d, err := c.forReading(e.schema)
	if err != nil {
		return nil, connect.Value{}, err
	}
	c.lastHead, c.lastRead = append(c.lastHead[:0], e.head...), d
	return d.parse(b, e.payload)
}

// likeLast reads data that begins as the last record did. Whatever does not fit,
// ToConnect looks at again, more slowly and with better errors.
func (c *envelope) likeLast(b *connect.Batch, data []byte) (*connect.Schema, connect.Value, bool) {
	n := len(c.lastHead)
	if n == 0 || len(data) <= n || data[len(data)-1] != '}' || !bytes.HasPrefix(data, c.lastHead) {
		return nil, connect.Value{}, false
	}
	s, v, err := c.lastRead.parse(b, data[n:len(data)-1])
	return s, v, err == nil
}

// forReading returns what it takes to read values of the schema that text describes.
func (c *envelope) forReading(text []byte) (*described, error) {
	if d, ok := c.read[string(text)]; ok {
		return d, nil
	}
	text = bytes.Clone(text)
	d, err := c.parseSchema(text)
	if err != nil {
		return nil, err
	}
	c.room(len(text) + d.size())
	c.read[string(text)] = d
	return d, nil
}

func (c *envelope) parseSchema(text []byte) (*described, error) {
	s, err := parseSchema(text, c.opts)
	if err != nil {
		return nil, err
	}
	return describe(s, c.opts)
}

var errEnvelope = errors.New(`JsonConverter with schemas.enable=true takes an object with exactly the members ` +
	`"schema" and "payload"; set schemas.enable=false to read plain JSON`)

// parts are where an envelope's members are in its text.
type parts struct {
	schema, payload []byte
	head            []byte // everything before the payload; nil when it is not last
}

func splitEnvelope(data []byte) (parts, error) {
	var p parts
	members := 0
	err := connectjson.Members(data, func(name string, value []byte) error {
		members++
		switch name {
		case "schema":
			p.schema = value
			p.head = nil
		case "payload":
			p.payload = value
			p.head = data[:cap(data)-cap(value)] // value is a slice of data
		}
		return nil
	})
	if err != nil && connectjson.Valid(data) {
		return p, errEnvelope // JSON, but not an object
	}
	if err == nil && (members != 2 || p.schema == nil || p.payload == nil) {
		return p, errEnvelope
	}
	return p, err
}
