package avro

// link puts types in the place of names that were used before their definitions.
//
// Java makes a second pass over the schema for that, in which it checks the
// defaults again, and what it accepts depends on the order of the pass: a default of
// a record type fails while that record is still being copied. So the order is
// the same here: definitions as they ended in the text, depth first, and for a
// name a pass of its own.
func (p *parser) link(root *Type) (*Type, error) {
	l := &linker{parser: p, begun: map[*Type]bool{}, done: map[*Type]bool{}}
	for _, t := range p.types {
		l.done[t], l.begun[t] = true, true
	}
	for _, t := range p.fresh {
		delete(l.done, t)
		delete(l.begun, t)
	}
	p.defaults.types, p.defaults.done = p.types, l.done
	defer func() { p.defaults.types, p.defaults.done = nil, nil }()
	for _, t := range append(p.fresh[:len(p.fresh):len(p.fresh)], root) {
		if err := l.pass(t, 0); err != nil {
			return nil, err
		}
	}
	return l.replaceAll(root)
}

type linker struct {
	*parser
	// begun and done are the records that a pass has come to, and left.
	begun, done map[*Type]bool
}

// pass visits what a type is made of; depth counts the passes within passes.
func (l *linker) pass(t *Type, depth int) error {
	if depth > l.limits.Depth {
		return &LimitError{Limit: LimitDepth, Max: l.limits.Depth}
	}
	v := visit{linker: l, depth: depth, seen: map[*Type]bool{}}
	return v.walk(t)
}

type visit struct {
	*linker
	depth int
	seen  map[*Type]bool
}

func (v *visit) walk(t *Type) error {
	if err := v.steps.spend(1); err != nil {
		return err
	}
	switch {
	case t.forward != "":
		return v.forwardTo(t)
	case v.seen[t] || v.done[t]:
		return nil
	}
	v.seen[t] = true
	switch t.Kind {
	case Record:
		return v.record(t)
	case Array, Map:
		return v.walk(t.Items)
	case Union:
		for i := len(t.Branches) - 1; i >= 0; i-- {
			if err := v.walk(t.Branches[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *visit) forwardTo(t *Type) error {
	target, ok := v.types[t.forward]
	if !ok {
		return invalid("the type %.200s is defined nowhere; define it, or refer to the schema that does", t.forward)
	}
	if v.begun[target] {
		return nil
	}
	return v.pass(target, v.depth+1)
}

func (v *visit) record(t *Type) error {
	v.begun[t] = true
	for _, f := range t.Fields {
		if err := v.walk(f.Type); err != nil {
			return err
		}
	}
	if v.done[t] {
		return nil // a pass within this one
	}
	for _, f := range t.Fields {
		if f.Default == nil || v.registered {
			continue
		}
		if err := v.defaults.check(f, f.Default); err != nil {
			return err
		}
	}
	v.done[t] = true
	return nil
}

// replaceAll puts the types in place, after which unions are checked again.
func (l *linker) replaceAll(root *Type) (*Type, error) {
	r := replacement{linker: l, seen: map[*Type]bool{}}
	for _, t := range l.fresh {
		if err := r.within(t); err != nil {
			return nil, err
		}
	}
	err := r.replace(&root)
	return root, err
}

type replacement struct {
	*linker
	seen map[*Type]bool
}

func (r *replacement) replace(t **Type) error {
	if name := (*t).forward; name != "" {
		*t = r.types[name]
		return nil
	}
	return r.within(*t)
}

func (r *replacement) within(t *Type) error {
	if t.Kind.primitive() || r.seen[t] {
		return nil
	}
	r.seen[t] = true
	for _, f := range t.Fields {
		if err := r.replace(&f.Type); err != nil {
			return err
		}
	}
	if t.Items != nil {
		if err := r.replace(&t.Items); err != nil {
			return err
		}
	}
	for i := range t.Branches {
		if err := r.replace(&t.Branches[i]); err != nil {
			return err
		}
	}
	return checkBranches(t)
}
