package avro

import "math"

// A defaultChecker checks default values. Records with defaults that hold records
// with defaults can make it visit far more than the text has, so it has a budget.
type defaultChecker struct {
	budget   budget
	maxDepth int
	// types is set when names are being linked; done are the records whose fields
	// Java has by then.
	types map[string]*Type
	done  map[*Type]bool
}

func (c *defaultChecker) check(f *Field, d *Value) error {
	ok, err := c.valid(f.Type, d, 0)
	if err != nil {
		return err
	}
	if !ok {
		return invalid("%.100s is no %s, which is the type of field %.100q", *d, describe(f.Type), f.Name)
	}
	return nil
}

// describe names a type for an error.
func describe(t *Type) string {
	switch {
	case t.forward != "":
		return t.forward + ", a type that is defined later; define it before it has a default"
	case t.Kind.named():
		return t.Kind.String() + " " + t.Name.Full()
	case t.Kind == Union:
		return "value of any type of the union"
	}
	return t.Kind.String()
}

// valid reports whether v, nil for none, can be a default of the type by the
// rules of Java: a union takes what any of its types takes, an enum any string.
func (c *defaultChecker) valid(t *Type, v *Value, depth int) (bool, error) {
	if err := c.budget.spend(1); err != nil {
		return false, err
	}
	if depth > c.maxDepth {
		return false, &LimitError{Limit: LimitDepth, Max: c.maxDepth}
	}
	if c.types != nil && t.forward != "" {
		t = c.types[t.forward]
	}
	if v == nil || t == nil {
		return false, nil
	}
	switch t.Kind {
	case String, Bytes, Enum, Fixed:
		return v.kind == StringValue, nil
	case Int:
		n, ok := v.Int()
		return ok && n >= math.MinInt32 && n <= math.MaxInt32, nil
	case Long:
		_, ok := v.Int()
		return ok, nil
	case Float, Double:
		return v.kind == IntegerValue || v.kind == DecimalValue, nil
	case Boolean:
		return v.kind == BooleanValue, nil
	case Null:
		return v.kind == NullValue, nil
	}
	return c.validNested(t, v, depth+1)
}

func (c *defaultChecker) validNested(t *Type, v *Value, depth int) (bool, error) {
	switch {
	case t.Kind == Union:
		for _, b := range t.Branches {
			if ok, err := c.valid(b, v, depth); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case t.Kind == Array && v.kind == ArrayValue:
		return c.all(len(v.items), func(i int) (bool, error) { return c.valid(t.Items, &v.items[i], depth) })
	case t.Kind == Map && v.kind == ObjectValue:
		return c.all(len(v.members), func(i int) (bool, error) { return c.valid(t.Items, &v.members[i].Value, depth) })
	case t.Kind == Record && v.kind == ObjectValue:
		return c.validRecord(t, v, depth)
	}
	return false, nil
}

func (c *defaultChecker) validRecord(t *Type, v *Value, depth int) (bool, error) {
	if c.types != nil && !c.done[t] {
		return false, invalid("a default needs the record %s before its definition has ended; leave the default out or let it be null", t.Name)
	}
	given := make(map[string]*Value, len(v.members))
	for i := range v.members {
		given[v.members[i].Key] = &v.members[i].Value
	}
	if err := c.budget.spend(len(given)); err != nil {
		return false, err
	}
	return c.all(len(t.Fields), func(i int) (bool, error) {
		f := t.Fields[i]
		if m, ok := given[f.Name]; ok {
			return c.valid(f.Type, m, depth)
		}
		return c.valid(f.Type, f.Default, depth)
	})
}

func (c *defaultChecker) all(n int, valid func(int) (bool, error)) (bool, error) {
	for i := range n {
		if ok, err := valid(i); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}
