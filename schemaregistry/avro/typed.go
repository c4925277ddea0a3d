package avro

import "strconv"

// A typer makes values of defaults. Where several types of a union could take
// a default it may have to try them at each level, so it has a budget.
type typer struct{ budget budget }

// typed is a default as Java turns it into a value of the type and back into
// JSON: an integer for a double becomes a decimal, a decimal for a float is cut to
// its precision, bytes lose what is no byte. For a union the first type counts that
// makes anything of it. Ok is false where Java makes nothing of the default.
func (c *typer) typed(v Value, t *Type) (Value, bool) {
	if c.budget.spend(1) != nil {
		return v, false // Normalize sees it
	}
	if v.kind == NullValue {
		return v, true
	}
	if t.Kind == Union {
		for _, b := range t.Branches {
			if b.Kind == Null {
				continue
			}
			if w, ok := c.typed(v, b); ok {
				return w, true
			}
		}
		return v, false
	}
	switch v.kind {
	case BooleanValue:
		return v, true
	case IntegerValue:
		return typedInteger(v, t)
	case DecimalValue:
		return typedDecimal(v, t)
	case StringValue:
		return typedString(v, t)
	case ArrayValue:
		return c.array(v, t)
	}
	return c.object(v, t)
}

func typedInteger(v Value, t *Type) (Value, bool) {
	n, fits := v.Int()
	switch t.Kind {
	case Int, Long:
		return v, fits
	case Float, Double:
		return decimal(float64(n), t), fits
	}
	return v, false
}

func typedDecimal(v Value, t *Type) (Value, bool) {
	return decimal(v.Float(), t), t.Kind == Float || t.Kind == Double
}

// decimal is a number as the type holds it.
func decimal(f float64, t *Type) Value {
	bits := 64
	if t.Kind == Float {
		bits = 32
	}
	return Value{kind: DecimalValue, text: strconv.FormatFloat(f, 'g', -1, bits)}
}

func typedString(v Value, t *Type) (Value, bool) {
	switch t.Kind {
	case String, Enum:
		return v, true
	case Bytes, Fixed:
		latin := make([]rune, 0, len(v.text))
		for _, r := range v.text {
			if r > 0xFF {
				r = '?'
			}
			latin = append(latin, r)
		}
		return Value{kind: StringValue, text: string(latin)}, true
	}
	return v, false
}

func (c *typer) array(v Value, t *Type) (Value, bool) {
	if t.Kind != Array {
		return v, len(v.items) == 0 // as Java has it
	}
	out := Value{kind: ArrayValue, items: make([]Value, len(v.items))}
	for i := range v.items {
		w, ok := c.typed(v.items[i], t.Items)
		if !ok {
			return v, false
		}
		out.items[i] = w
	}
	return out, true
}

// object takes an object for whatever type, as Java does, and as it is if
// that is neither a map nor a record.
func (c *typer) object(v Value, t *Type) (Value, bool) {
	out := Value{kind: ObjectValue, members: make([]Member, len(v.members))}
	for i, m := range v.members {
		out.members[i] = m
		inner := t.Items
		if f, _ := t.Field(m.Key); f != nil {
			inner = f.Type
		}
		if inner == nil || t.Kind == Array {
			continue
		}
		w, ok := c.typed(m.Value, inner)
		if !ok {
			return v, false
		}
		out.members[i].Value = w
	}
	return out, true
}
