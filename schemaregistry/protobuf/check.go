package protobuf

// checker bounds the width of what a file declares (I5).
type checker struct {
	limits Limits
	err    error
}

func (f *file) check(l Limits) error {
	c := &checker{limits: l}
	c.most(len(f.imports)+len(f.publicImports)+len(f.weakImports), maxImports, LimitImports)
	c.options(f.options)
	c.types(f.messages, f.enums)
	c.extends(f.extends)
	for _, s := range f.services {
		c.options(s.options)
		for _, m := range s.methods {
			c.options(m.options)
		}
	}
	return c.err
}

func (c *checker) most(n, limit int, what Limit) {
	if n > limit && c.err == nil {
		c.err = &LimitError{Limit: what, Max: limit}
	}
}

func (c *checker) options(options []option) { c.most(len(options), maxOptions, LimitOptions) }

func (c *checker) types(messages []*message, enums []*enum) {
	for _, m := range messages {
		c.message(m)
	}
	for _, e := range enums {
		c.most(len(e.values), c.limits.Values, LimitValues)
		c.options(e.options)
		for _, v := range e.values {
			c.options(v.options)
		}
	}
}

func (c *checker) message(m *message) {
	n := len(m.fields) + len(m.groups)
	c.options(m.options)
	c.fields(m.fields)
	for _, o := range m.oneofs {
		n += len(o.fields) + len(o.groups)
		c.options(o.options)
		c.fields(o.fields)
		c.groups(o.groups)
	}
	c.most(n, c.limits.Fields, LimitFields)
	c.groups(m.groups)
	for _, r := range m.extensions {
		c.options(r.options)
	}
	c.extends(m.extends)
	c.types(m.messages, m.enums)
}

func (c *checker) fields(fields []*field) {
	for _, f := range fields {
		c.options(f.options)
	}
}

func (c *checker) groups(groups []*group) {
	for _, g := range groups {
		c.options(g.options)
		c.message(g.body)
	}
}

func (c *checker) extends(list []extend) {
	for _, e := range list {
		c.most(len(e.fields)+len(e.groups), c.limits.Fields, LimitFields)
		c.fields(e.fields)
		c.groups(e.groups)
	}
}
