package transform

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// maskField is MaskField.
type maskField struct {
	part
	nulls
	fields      []string
	replacement string

	plans compiled[maskPlan]
}

// maskPlan says which fields of a struct are masked.
type maskPlan struct{ masked []bool }

func (t *maskField) options() []connect.Option {
	return []connect.Option{
		{Name: "fields", Var: &t.fields, Required: true, Importance: connect.High, Doc: "Fields to mask."},
		{Name: "replacement", Var: &t.replacement, NoDefault: true, Check: t.checkReplacement, Importance: connect.Low,
			Doc: "Text or number that takes the place of texts and numbers. Without it masked fields are 0, false or empty."},
		t.nulls.option(),
	}
}

func (t *maskField) checkReplacement() error {
	if strings.TrimSpace(t.replacement) == "" {
		return fmt.Errorf("String must be non-empty")
	}
	return nil
}

func (t *maskField) prepare() error { return nil }

func (t *maskField) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil {
		return false, err
	}
	if s == nil {
		v, err = t.maskPairs(b, v)
	} else {
		v, err = t.maskCells(b, s, v)
	}
	if err != nil {
		return false, err
	}
	t.store(r, s, v)
	return true, nil
}

func (t *maskField) maskPairs(b *connect.Batch, v connect.Value) (connect.Value, error) {
	pairs, err := mapPairs(v, "mask fields")
	if err != nil {
		return v, err
	}
	out := copyPairs(b, pairs, len(t.fields))
	for _, name := range t.fields {
		old, _ := find(pairs, name)
		masked, err := t.mask(b, nil, old)
		if err != nil {
			return v, err
		}
		out = set(out, name, masked)
	}
	return connect.MapValue(out), nil
}

func (t *maskField) maskCells(b *connect.Batch, s *connect.Schema, v connect.Value) (connect.Value, error) {
	cells, err := structCells(s, v, "mask fields")
	if err != nil {
		return v, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return v, err
	}
	out := b.Cells(len(cells))
	fields := s.Fields()
	for i := range cells {
		c := t.get(fields[i].Schema, cells[i])
		if plan.masked[i] {
			if c, err = t.mask(b, fields[i].Schema, c); err != nil {
				return v, err
			}
		}
		if c.IsNull() && !fields[i].Schema.Optional() {
			return v, nullError(&fields[i])
		}
		out[i] = c
	}
	return connect.StructValue(out), nil
}

func (t *maskField) compile(s *connect.Schema) (*maskPlan, error) {
	p := &maskPlan{make([]bool, len(s.Fields()))}
	for _, name := range t.fields {
		if i := s.Index(name); i >= 0 {
			p.masked[i] = true
		}
	}
	return p, nil
}

func (t *maskField) mask(b *connect.Batch, s *connect.Schema, v connect.Value) (connect.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case t.replacement != "":
		return t.replace(b, s, v)
	case isDecimal(s):
		return connect.BytesValue([]byte{0}), nil
	}
	switch v.Type() {
	case connect.Boolean:
		return connect.BooleanValue(false), nil
	case connect.String:
		return connect.StringValue(""), nil
	case connect.Array:
		return connect.ArrayValue(nil), nil
	case connect.Map:
		return connect.MapValue(nil), nil
	case connect.Bytes, connect.Struct:
		return v, fmt.Errorf("Cannot mask value of type: class %s", className(s, v))
	}
	return fromInt(0, v.Type()), nil
}

// replace returns the replacement as a value of v's type.
func (t *maskField) replace(b *connect.Batch, s *connect.Schema, v connect.Value) (connect.Value, error) {
	switch {
	case isTime(s), v.Type() == connect.Boolean, v.Type() == connect.Bytes && !isDecimal(s), v.Type() >= connect.Array:
		return v, fmt.Errorf("Cannot mask value of type class %s with custom replacement.", className(s, v))
	case v.Type() == connect.String:
		return connect.StringValue(t.replacement), nil
	case isDecimal(s):
		return decimalValue(b, s, t.replacement)
	case v.Type() == connect.Float32, v.Type() == connect.Float64:
		if f, ok := decimalFloat(t.replacement, v.Type()); ok {
			return fromFloat(f, v.Type()), nil
		}
	default:
		if n, ok := decimalInt(t.replacement); ok {
			return fromInt(n, v.Type()), nil
		}
	}
	return v, fmt.Errorf("Unable to convert %s (class java.lang.String) to a number", t.replacement)
}

// maxExponent is how far a number's exponent may go (I5): its digits would all have
// to be in memory.
const maxExponent = 400

// decimalRat reads a number as Java's BigDecimal does.
func decimalRat(text string) (*big.Rat, bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.TrimLeft(mantissa, "+-")
	if len(mantissa)-len(digits) > 1 || strings.Trim(digits, "0123456789.") != "" || strings.Trim(strings.TrimLeft(exponent, "+-"), "0123456789") != "" {
		return nil, false
	}
	if e := strings.TrimLeft(exponent, "+-0"); len(e) > 3 || len(e) == 3 && e > fmt.Sprint(maxExponent) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// decimalInt returns the low 64 bits of a number's whole part.
func decimalInt(text string) (int64, bool) {
	r, ok := decimalRat(text)
	if !ok {
		return 0, false
	}
	n := new(big.Int).Quo(r.Num(), r.Denom())
	return int64(n.And(n, new(big.Int).SetUint64(1<<64-1)).Uint64()), true
}

func decimalFloat(text string, to connect.Type) (float64, bool) {
	if _, ok := decimalRat(text); !ok {
		return 0, false
	}
	return parseFloat(text, to)
}

// decimalValue is a number as a Decimal of the schema's scale.
func decimalValue(b *connect.Batch, s *connect.Schema, text string) (connect.Value, error) {
	scale, err := connectjson.Scale(s)
	if err != nil {
		return connect.Value{}, err
	}
	unscaled, err := connectjson.ParseDecimal(text, scale)
	if err != nil {
		return connect.Value{}, fmt.Errorf("Unable to convert %s (class java.lang.String) to number: %w", text, err)
	}
	return connect.BytesValue(b.Bytes(unscaled)), nil
}
