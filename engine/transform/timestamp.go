package transform

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/transform/javadate"
)

// Schemas of the types that TimestampConverter makes: required, optional.
var (
	timestampSchemas = logicalSchemas(connect.Int64, connect.TimestampName)
	dateSchemas      = logicalSchemas(connect.Int32, connect.DateName)
	timeSchemas      = logicalSchemas(connect.Int32, connect.TimeName)
)

func logicalSchemas(t connect.Type, name string) (pair [2]*connect.Schema) {
	for i := range pair {
		pair[i], _ = connect.NewPrimitive(t, connect.Attrs{Name: name, Version: 1, Optional: i == 1}) // t is a primitive type
	}
	return pair
}

// The forms of a timestamp.
const (
	formString    = "string"
	formUnix      = "unix"
	formDate      = "Date"
	formTime      = "Time"
	formTimestamp = "Timestamp"
)

// The units of unix.precision in nanoseconds.
var precisions = map[string]time.Duration{"seconds": time.Second, "milliseconds": time.Millisecond,
	"microseconds": time.Microsecond, "nanoseconds": time.Nanosecond}

// timestampConverter is TimestampConverter.
type timestampConverter struct {
	part
	nulls
	field, target, pattern, precision string

	format *javadate.Format // nil: none is given
	unit   time.Duration
	plans  compiled[timestampPlan]
	text   []byte
}

// timestampPlan is what becomes of a schema.
type timestampPlan struct {
	schema *connect.Schema
	source string // the form of the field now, "" when err
	at     int    // the field, -1: there is none of the name
	err    error  // the field has a type that is no timestamp
}

func (t *timestampConverter) options() []connect.Option {
	return []connect.Option{
		{Name: "field", Var: &t.field, Importance: connect.High, Doc: "The field with the timestamp; the whole key or value when empty."},
		{Name: "target.type", Var: &t.target, Required: true, OneOf: []string{formString, formUnix, formDate, formTime, formTimestamp},
			Importance: connect.High, Doc: "What the timestamp is to be."},
		{Name: "format", Var: &t.pattern, Check: t.checkFormat, Importance: connect.Medium,
			Doc: "Pattern of Java's SimpleDateFormat, in UTC, for text that is read or written."},
		{Name: "unix.precision", Var: &t.precision, Default: "milliseconds", OneOf: []string{"nanoseconds", "microseconds", "milliseconds", "seconds"},
			Importance: connect.Low, Doc: "Unit of a number that is read or written since 1970. Less than a millisecond is lost."},
		t.nulls.option(),
	}
}

func (t *timestampConverter) checkFormat() (err error) {
	t.format = nil
	if strings.TrimSpace(t.pattern) == "" {
		return nil
	}
	if t.format, err = javadate.Compile(t.pattern, time.Now()); err != nil {
		return fmt.Errorf("TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: %w", err)
	}
	return nil
}

func (t *timestampConverter) prepare() error {
	t.unit = precisions[t.precision]
	if t.target == formString && t.format == nil {
		return &connect.ConfigError{Option: "format", Reason: "TimestampConverter requires format option to be specified when using string timestamps"}
	}
	return nil
}

func (t *timestampConverter) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	switch {
	case err != nil:
		return false, err
	case s == nil:
		v, err = t.schemaless(b, v)
	case t.field == "":
		s, v, err = t.whole(b, s, v)
	default:
		s, v, err = t.inStruct(b, s, v)
	}
	if err != nil {
		return false, err
	}
	t.store(r, s, v)
	return true, nil
}

func (t *timestampConverter) schemaless(b *connect.Batch, v connect.Value) (connect.Value, error) {
	if v.IsNull() || t.field == "" {
		return t.inferred(b, v)
	}
	pairs, err := mapPairs(v, "converting timestamp formats")
	if err != nil {
		return v, err
	}
	old, _ := find(pairs, t.field)
	converted, err := t.inferred(b, old)
	return connect.MapValue(set(copyPairs(b, pairs, 1), t.field, converted)), err
}

// inferred converts a schemaless value, whose type tells its form.
func (t *timestampConverter) inferred(b *connect.Batch, v connect.Value) (connect.Value, error) {
	switch v.Type() {
	case connect.Null:
		return v, nil
	case connect.Int64:
		return t.convert(b, formUnix, v, true)
	case connect.String:
		return t.convert(b, formString, v, true)
	}
	return v, fmt.Errorf("TimestampConverter does not support class %s objects as timestamps", className(nil, v))
}

func (t *timestampConverter) whole(b *connect.Batch, s *connect.Schema, v connect.Value) (*connect.Schema, connect.Value, error) {
	source, err := timestampForm(s)
	if err == nil {
		v, err = t.convert(b, source, v, false)
	}
	return t.targetSchema(s.Optional()), v, err
}

func (t *timestampConverter) inStruct(b *connect.Batch, s *connect.Schema, v connect.Value) (*connect.Schema, connect.Value, error) {
	var cells []connect.Value
	var err error
	if !v.IsNull() {
		if cells, err = structCells(s, v, "converting timestamp formats"); err != nil {
			return nil, v, err
		}
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil || v.IsNull() {
		return plan.schemaOr(s), v, err
	}
	v, err = t.convertCells(b, s, plan, cells)
	return plan.schema, v, err
}

func (p *timestampPlan) schemaOr(s *connect.Schema) *connect.Schema {
	if p == nil {
		return s
	}
	return p.schema
}

func (t *timestampConverter) convertCells(b *connect.Batch, s *connect.Schema, plan *timestampPlan, cells []connect.Value) (connect.Value, error) {
	out := b.Cells(len(cells))
	from, to := s.Fields(), plan.schema.Fields()
	for i, c := range cells {
		c = t.get(from[i].Schema, c)
		if i == plan.at {
			if plan.err != nil {
				return c, plan.err
			}
			var err error
			if c, err = t.convert(b, plan.source, c, false); err != nil {
				return c, err
			}
		}
		if c.IsNull() && !to[i].Schema.Optional() {
			return c, nullError(&to[i])
		}
		out[i] = c
	}
	return connect.StructValue(out), nil
}

func (t *timestampConverter) compile(s *connect.Schema) (*timestampPlan, error) {
	if s.Type() != connect.Struct {
		return nil, errors.New("Only Struct objects supported for [converting timestamp formats], found: a schema of type " + s.Type().String())
	}
	p := &timestampPlan{at: s.Index(t.field)}
	fields := append([]connect.Field(nil), s.Fields()...)
	if p.at >= 0 {
		f := &fields[p.at]
		p.source, p.err = timestampForm(f.Schema)
		f.Schema = t.targetSchema(f.Schema.Optional())
	}
	a := basics(s)
	a.Optional = s.Optional()
	var err error
	if p.schema, err = connect.NewStruct(fields, a); err != nil {
		return nil, err
	}
	if d, ok := s.Default(); ok && d.Type() == connect.Struct {
		return t.withDefault(s, p, d)
	}
	return p, nil
}

// withDefault converts the default of a struct as a value of it.
func (t *timestampConverter) withDefault(s *connect.Schema, p *timestampPlan, d connect.Value) (*timestampPlan, error) {
	d, err := t.convertCells(connect.NewBatch(1, 1), s, p, d.Cells())
	if err != nil {
		return nil, err
	}
	a := attrs(p.schema)
	a.Default = &d
	p.schema, err = withAttrs(p.schema, a)
	return p, err
}

func (t *timestampConverter) targetSchema(optional bool) *connect.Schema {
	i := 0
	if optional {
		i = 1
	}
	switch t.target {
	case formString:
		return [...]*connect.Schema{connect.StringSchema, connect.OptionalStringSchema}[i]
	case formUnix:
		return [...]*connect.Schema{connect.Int64Schema, connect.OptionalInt64Schema}[i]
	case formDate:
		return dateSchemas[i]
	case formTime:
		return timeSchemas[i]
	}
	return timestampSchemas[i]
}

// timestampForm returns the form that values of a schema have.
func timestampForm(s *connect.Schema) (string, error) {
	switch {
	case s.Name() == connect.TimestampName:
		return formTimestamp, nil
	case s.Name() == connect.DateName:
		return formDate, nil
	case s.Name() == connect.TimeName:
		return formTime, nil
	case s.Type() == connect.String:
		return formString, nil
	case s.Type() == connect.Int64:
		return formUnix, nil
	}
	return "", fmt.Errorf("Schema %s does not correspond to a known timestamp type format", schemaText(s))
}

// schemaText is Java's text of a schema.
func schemaText(s *connect.Schema) string {
	if s.Name() != "" {
		return "Schema{" + s.Name() + ":" + s.Type().String() + "}"
	}
	return "Schema{" + s.Type().String() + "}"
}

// convert turns a value of one form into the target's. Schemaless data has no Date
// or Time: they stay milliseconds.
func (t *timestampConverter) convert(b *connect.Batch, source string, v connect.Value, schemaless bool) (connect.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	ms, err := t.read(source, v)
	if err != nil {
		return v, err
	}
	switch t.target {
	case formString:
		t.text = t.format.Append(t.text[:0], ms)
		return connect.StringValue(b.Text(t.text)), nil
	case formUnix:
		return connect.Int64Value(fromMillis(ms, t.unit)), nil
	case formDate:
		days := floorDays(ms)
		if schemaless {
			return connect.Int64Value(days * millisPerDay), nil
		}
		if days != int64(int32(days)) {
			return v, fmt.Errorf("the day of the timestamp %d does not fit into a Date", ms)
		}
		return connect.Int32Value(int32(days)), nil
	case formTime:
		inDay := ms - floorDays(ms)*millisPerDay
		if schemaless {
			return connect.Int64Value(inDay), nil
		}
		return connect.Int32Value(int32(inDay)), nil
	}
	return connect.Int64Value(ms), nil
}

func floorDays(ms int64) int64 {
	days := ms / millisPerDay
	if ms%millisPerDay < 0 {
		days--
	}
	return days
}

// read returns the milliseconds of a value.
func (t *timestampConverter) read(source string, v connect.Value) (int64, error) {
	switch {
	case source == formString && v.Type() == connect.String:
		return t.parse(v.Text())
	case source == formUnix && v.Type() == connect.Int64:
		return toMillis(v.Int(), t.unit), nil
	case source == formDate && v.Type() == connect.Int32:
		return v.Int() * millisPerDay, nil
	case source == formTime && v.Type() == connect.Int32, source == formTimestamp && v.Type() == connect.Int64:
		return v.Int(), nil
	}
	return 0, fmt.Errorf("Expected %s timestamp, but found class %s", source, className(nil, v))
}

func (t *timestampConverter) parse(text string) (int64, error) {
	if t.format == nil {
		return 0, errors.New("Could not parse timestamp: the option format is needed to read text")
	}
	ms, ok := t.format.Parse(text)
	if !ok {
		return 0, fmt.Errorf("Could not parse timestamp: value (%s) does not match pattern (%s)", text, t.format)
	}
	return ms, nil
}

// toMillis converts as Java's TimeUnit does: it cuts what is less than a
// millisecond and stops at the largest number.
func toMillis(n int64, unit time.Duration) int64 {
	if unit < time.Millisecond {
		return n / int64(time.Millisecond/unit)
	}
	return saturated(n, int64(unit/time.Millisecond))
}

func fromMillis(ms int64, unit time.Duration) int64 {
	if unit > time.Millisecond {
		return ms / int64(unit/time.Millisecond)
	}
	return saturated(ms, int64(time.Millisecond/unit))
}

func saturated(n, factor int64) int64 {
	switch {
	case n > math.MaxInt64/factor:
		return math.MaxInt64
	case n < math.MinInt64/factor:
		return math.MinInt64
	}
	return n * factor
}
