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
		return plainJSON{o}, nil
	}
	e := newEnvelope(o, c.cacheSize)
	if c.schemaContent != "" {
		s, err := parseSchema([]byte(c.schemaContent), e.opts)
		if err != nil {
			return nil, err
		}
		e.content = s
	}
	return e, nil
}

// plainJSON is JsonConverter with schemas.enable=false.
type plainJSON struct{ opts connectjson.Options }

func (c plainJSON) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if s == nil && v.IsNull() {
		return dst, true, nil
	}
	dst, err := connectjson.Append(dst, s, v, c.opts)
	return dst, false, err
}

func (c plainJSON) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
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
	content *connect.Schema // describes all data read, if set

	written     map[*connect.Schema][]byte // {"schema":...,"payload":
	read        map[string]*connect.Schema // by text
	cacheSize   int
	cachedBytes int // of text in both

	// The envelope of the last record read up to its payload, which the next one
	// most likely begins with.
	lastHead   []byte
	lastSchema *connect.Schema
}

// maxCachedBytes bounds the text that an envelope's caches hold, in bytes (I5).
const maxCachedBytes = 16 << 20

func newEnvelope(o connectjson.Options, cacheSize int) *envelope {
	o.RawAsText = true
	return &envelope{opts: o, cacheSize: cacheSize,
		written: make(map[*connect.Schema][]byte), read: make(map[string]*connect.Schema)}
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

// FromConnect implements Converter. Raw JSON has no schema in the envelope, since
// what it contains is not the STRING that its schema says; within a struct it is
// a string.
func (c *envelope) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if s == nil && v.IsNull() {
		return dst, true, nil
	}
	start := len(dst)
	o := c.opts
	if connectjson.IsRaw(s) {
		o.RawAsText = false
		dst = append(dst, `{"schema":null,"payload":`...)
	} else {
		head, err := c.head(s)
		if err != nil {
			return dst, false, err
		}
		dst = append(dst, head...)
	}
	dst, err := connectjson.Append(dst, s, v, o)
	if err != nil {
		return dst[:start], false, err
	}
	return append(dst, '}'), false, nil
}

// head returns the envelope of schema s up to the payload.
func (c *envelope) head(s *connect.Schema) ([]byte, error) {
	if head, ok := c.written[s]; ok {
		return head, nil
	}
	head, err := appendSchema([]byte(`{"schema":`), s, c.opts)
	if err != nil {
		return nil, err
	}
	head = append(head, `,"payload":`...)
	c.room(len(head))
	c.written[s] = head
	return head, nil
}

// ToConnect implements Converter.
func (c *envelope) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return nil, connect.Value{}, nil
	}
	if c.content != nil {
		v, err := connectjson.ParseAs(b, c.content, data, c.opts)
		return c.content, v, err
	}
	if s, v, ok := c.likeLast(b, data); ok {
		return s, v, nil
	}
	e, err := splitEnvelope(data)
	if err != nil {
		return nil, connect.Value{}, err
	}
	s, err := c.schema(e.schema)
	if err != nil {
		return nil, connect.Value{}, err
	}
	c.lastHead, c.lastSchema = append(c.lastHead[:0], e.head...), s
	v, err := connectjson.ParseAs(b, s, e.payload, c.opts)
	return s, v, err
}

// likeLast reads data that begins as the last record did. Whatever does not fit,
// ToConnect looks at again, more slowly and with better errors.
func (c *envelope) likeLast(b *connect.Batch, data []byte) (*connect.Schema, connect.Value, bool) {
	n := len(c.lastHead)
	if n == 0 || len(data) <= n || data[len(data)-1] != '}' || !bytes.HasPrefix(data, c.lastHead) {
		return nil, connect.Value{}, false
	}
	v, err := connectjson.ParseAs(b, c.lastSchema, data[n:len(data)-1], c.opts)
	return c.lastSchema, v, err == nil
}

// schema returns the schema that text describes.
func (c *envelope) schema(text []byte) (*connect.Schema, error) {
	if s, ok := c.read[string(text)]; ok {
		return s, nil
	}
	text = bytes.Clone(text)
	s, err := parseSchema(text, c.opts)
	if err != nil {
		return nil, err
	}
	c.room(len(text))
	c.read[string(text)] = s
	return s, nil
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
