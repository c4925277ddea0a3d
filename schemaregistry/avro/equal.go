package avro

import "slices"

// Equal reports whether two schemas are the same with their references in place,
// as a lookup in Confluent's registry takes them to be: order of attributes does not
// matter, everything else does.
func (s *Schema) Equal(other *Schema) (bool, error) {
	c := comparison{budget: &budget{limit: LimitCompare, max: maxCompareSteps}, all: true}
	return c.equal(s.root, other.root)
}

// A comparison is Java's Schema.equals, which does not look at documentation and
// aliases nor at an enum's default unless all is set.
type comparison struct {
	budget *budget
	all    bool
	seen   map[pair]bool
}

// A pair of types, compared by identity.
type pair struct{ a, b *Type }

func (c *comparison) equal(a, b *Type) (bool, error) {
	if a == b {
		return true, nil
	}
	if err := c.budget.spend(1 + len(a.Symbols)); err != nil {
		return false, err
	}
	if a.Kind != b.Kind || a.Name != b.Name || a.forward != "" || b.forward != "" || !equalMembers(a.Props, b.Props) {
		return false, nil
	}
	if c.all && !sameDetails(a, b) {
		return false, nil
	}
	switch a.Kind {
	case Fixed:
		return a.Size == b.Size, nil
	case Enum:
		return slices.Equal(a.Symbols, b.Symbols), nil
	case Array, Map:
		return c.equal(a.Items, b.Items)
	case Union:
		return c.each(len(a.Branches), len(b.Branches), func(i int) (bool, error) { return c.equal(a.Branches[i], b.Branches[i]) })
	case Record:
		return c.records(a, b)
	}
	return true, nil
}

func (c *comparison) records(a, b *Type) (bool, error) {
	if c.seen == nil {
		c.seen = map[pair]bool{}
	}
	if c.seen[pair{a, b}] {
		return true, nil // being compared, or found equal
	}
	c.seen[pair{a, b}] = true
	return c.each(len(a.Fields), len(b.Fields), func(i int) (bool, error) { return c.fields(a.Fields[i], b.Fields[i]) })
}

func (c *comparison) fields(f, g *Field) (bool, error) {
	if f.Name != g.Name || f.Order != g.Order || !equalDefaults(f.Default, g.Default) || !equalMembers(f.Props, g.Props) {
		return false, nil
	}
	if c.all && (!sameSet(f.Aliases, g.Aliases) || !sameText(f.Doc, g.Doc)) {
		return false, nil
	}
	return c.equal(f.Type, g.Type)
}

func (c *comparison) each(n, m int, equal func(int) (bool, error)) (bool, error) {
	if n != m {
		return false, nil
	}
	for i := range n {
		if ok, err := equal(i); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

func sameDetails(a, b *Type) bool {
	return sameText(a.Doc, b.Doc) && sameText(a.Default, b.Default) && sameSet(a.Aliases, b.Aliases)
}

func equalDefaults(v, w *Value) bool {
	if v == nil || w == nil {
		return v == w
	}
	return v.equal(*w)
}

func sameText(s, t *string) bool {
	if s == nil || t == nil {
		return s == t
	}
	return *s == *t
}

// sameSet compares lists without repetitions in any order.
func sameSet[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	in := make(map[T]bool, len(a))
	for _, x := range a {
		in[x] = true
	}
	for _, x := range b {
		if !in[x] {
			return false
		}
	}
	return true
}

// checkNames checks the names of a schema that exists, as Confluent does after
// parsing: not those of namespaces and aliases.
func checkNames(root *Type) error {
	rule := letterNames()
	return walk(root, func(t *Type) error {
		if t.Kind.named() {
			if err := rule.check("the name", t.Name.Local); err != nil {
				return err
			}
		}
		for _, f := range t.Fields {
			if err := rule.check("the field", f.Name); err != nil {
				return err
			}
		}
		for _, s := range t.Symbols {
			if err := rule.check("the symbol", s); err != nil {
				return err
			}
		}
		return nil
	})
}

// walk visits every type of a schema once.
func walk(root *Type, visit func(*Type) error) error {
	seen := map[*Type]bool{}
	next := []*Type{root}
	for len(next) > 0 {
		t := next[len(next)-1]
		next = next[:len(next)-1]
		if seen[t] {
			continue
		}
		seen[t] = true
		if err := visit(t); err != nil {
			return err
		}
		for _, f := range t.Fields {
			next = append(next, f.Type)
		}
		if t.Items != nil {
			next = append(next, t.Items)
		}
		next = append(next, t.Branches...)
	}
	return nil
}
