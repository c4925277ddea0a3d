package avro

import (
	"math"
	"strings"
)

// Options says how Parse reads a text.
type Options struct {
	// Registered is for a schema that a registry has already, or that is looked up:
	// names may have any letters and defaults are not checked. False is for a new
	// schema.
	Registered bool
	// References are the schemas that the text refers to by name, and those that
	// they refer to; each stands after what it needs itself.
	References []Reference
	// Limits bounds the schema.
	Limits Limits
}

// A Reference is a schema that another one refers to.
type Reference struct {
	// Name is the name under which it is referred to, for errors.
	Name string
	// Text is its text.
	Text string
}

// Parse reads a schema. Errors are a *ParseError or a *LimitError.
func Parse(text string, o Options) (*Schema, error) {
	o.Limits = o.Limits.withDefaults()
	if err := checkSize(text, o); err != nil {
		return nil, err
	}
	p := newParser(o)
	s := &Schema{options: o}
	for _, ref := range o.References {
		root, err := p.text(ref.Text)
		if err != nil {
			return nil, inReference(err, ref.Name)
		}
		if root.Kind.named() {
			s.references = append(s.references, root.Name.Full())
		}
	}
	var err error
	if s.root, err = p.text(text); err != nil {
		return nil, err
	}
	if o.Registered {
		if err := checkNames(s.root); err != nil {
			return nil, err
		}
	}
	s.canonical, err = canonicalText(s)
	return s, err
}

func checkSize(text string, o Options) error {
	size := len(text)
	for _, ref := range o.References {
		size += len(ref.Text)
	}
	if size > o.Limits.Bytes {
		return &LimitError{Limit: LimitBytes, Max: o.Limits.Bytes}
	}
	return nil
}

func inReference(err error, name string) error {
	if e, ok := err.(*ParseError); ok {
		e.Reference = name
	}
	return err
}

// A parser makes types of JSON. One parser reads a schema and before it what it
// refers to.
type parser struct {
	limits     Limits
	registered bool
	names      nameRule
	// types are the named types by their full names.
	types map[string]*Type
	// fresh are those that the text at hand has defined, forward whether it used one
	// before its definition.
	fresh    []*Type
	forward  bool
	defaults defaultChecker
	steps    budget
}

const (
	maxDefaultSteps = 1_000_000
	maxNameSteps    = 5_000_000
)

func newParser(o Options) *parser {
	return &parser{
		limits:     o.Limits,
		registered: o.Registered,
		names:      asciiNames(),
		types:      map[string]*Type{},
		defaults:   defaultChecker{budget: budget{limit: LimitDefaults, max: maxDefaultSteps}, maxDepth: o.Limits.Depth},
		steps:      budget{limit: LimitNames, max: maxNameSteps},
	}
}

// text reads one text and links the names in it.
func (p *parser) text(text string) (*Type, error) {
	v, err := parseJSON(text, p.limits.Depth)
	if err != nil {
		return nil, err
	}
	p.fresh, p.forward = nil, false
	root, err := p.parse(v, "")
	if err != nil {
		return nil, err
	}
	if p.forward {
		if root, err = p.link(root); err != nil {
			return nil, err
		}
	}
	if root.Kind.named() {
		// A text that repeats a definition of its references is the first of them.
		root = p.types[root.Name.Full()]
	}
	return root, nil
}

// parse makes a type of JSON that stands within a namespace.
func (p *parser) parse(v Value, space string) (*Type, error) {
	switch v.kind {
	case StringValue:
		return p.named(v.text, space)
	case ArrayValue:
		return p.union(v, space)
	case ObjectValue:
		return p.object(v, space)
	}
	return nil, invalid("%.100s is no type; a type is a name, an object with a \"type\" or an array for a union", v)
}

// named finds a type by its name: in the namespace, then as it is.
func (p *parser) named(name, space string) (*Type, error) {
	if k, ok := primitiveKind(name); ok {
		return &Type{Kind: k}, nil
	}
	if name == "" {
		return nil, invalid("the name of a type is empty")
	}
	full := name
	if space != "" && !strings.Contains(name, ".") {
		full = space + "." + name
	}
	if t, ok := p.types[full]; ok {
		return t, nil
	}
	if t, ok := p.types[name]; ok {
		return t, nil
	}
	p.forward = true
	return &Type{Kind: Record, forward: full}, nil
}

func (p *parser) union(v Value, space string) (*Type, error) {
	t := &Type{Kind: Union}
	if len(v.items) > p.limits.Branches {
		return nil, &LimitError{Limit: LimitBranches, Max: p.limits.Branches}
	}
	for i := range v.items {
		b, err := p.parse(v.items[i], space)
		if err != nil {
			return nil, at(err, itoa(i))
		}
		t.Branches = append(t.Branches, b)
	}
	return t, checkBranches(t)
}

// checkBranches checks that the types of a union can be told apart.
func checkBranches(t *Type) error {
	seen := make(map[string]bool, len(t.Branches))
	for i, b := range t.Branches {
		if b.Kind == Union {
			return at(invalid("a union in a union; put its types into the outer one"), itoa(i))
		}
		if b.forward != "" {
			continue // looked at when the name is known
		}
		name := b.branchName()
		if seen[name] {
			return at(invalid("the union has %s twice; a logical type does not make it another type", name), itoa(i))
		}
		seen[name] = true
	}
	return nil
}

func (p *parser) object(v Value, space string) (*Type, error) {
	name, ok := text(v, "type")
	if !ok {
		return nil, noType(v)
	}
	if k, ok := primitiveKind(name); ok {
		t := &Type{Kind: k}
		setProps(t, v)
		return t, nil
	}
	switch name {
	case "record", "error":
		return p.record(v, space, name == "error")
	case "enum":
		return p.enum(v, space)
	case "fixed":
		return p.fixed(v, space)
	case "array":
		return p.container(v, space, Array, "items")
	case "map":
		return p.container(v, space, Map, "values")
	}
	return nil, at(invalid("%.100q is no kind of type; it is a primitive, record, error, enum, fixed, array or map, and a defined type is named without an object around the name", name), "type")
}

func noType(v Value) error {
	if _, has := v.Get("type"); has {
		return at(invalid("the \"type\" of an object must be a string; write a union or a nested type without the object around it"), "type")
	}
	return invalid("the object has no \"type\"")
}

func (p *parser) container(v Value, space string, k Kind, key string) (*Type, error) {
	inner, ok := v.Get(key)
	if !ok {
		return nil, invalid("the %s has no %q", k, key)
	}
	items, err := p.parse(inner, space)
	if err != nil {
		return nil, at(err, key)
	}
	t := &Type{Kind: k, Items: items}
	setProps(t, v)
	return t, nil
}

// begin makes a named type of what all of them have.
func (p *parser) begin(v Value, space string, k Kind) (*Type, error) {
	if s, ok := text(v, "namespace"); ok {
		space = s
	}
	name, ok := text(v, "name")
	if !ok {
		return nil, invalid("the %s has no \"name\"", k)
	}
	t := &Type{Kind: k, Name: newName(name, space), Doc: optional(v, "doc")}
	if _, primitive := primitiveKind(t.Name.Full()); primitive {
		return nil, at(invalid("%q is the name of a primitive type; choose another", name), "name")
	}
	if !p.registered {
		if err := p.names.checkFull("the name", t.Name); err != nil {
			return nil, at(err, "name")
		}
	}
	return t, nil
}

// end reads aliases and attributes of a named type and makes it known.
func (p *parser) end(t *Type, v Value) error {
	aliases, err := readAliases(v)
	if err != nil {
		return err
	}
	for i, a := range aliases {
		alias := newName(a, t.Name.Space)
		if !p.registered {
			if err := p.names.check("the alias", alias.Local); err != nil {
				return at(at(err, itoa(i)), "aliases")
			}
		}
		t.Aliases = append(t.Aliases, alias)
	}
	t.Aliases = unique(t.Aliases)
	setProps(t, v)
	return p.define(t)
}

// define makes a named type known. The same definition may come again.
func (p *parser) define(t *Type) error {
	full := t.Name.Full()
	known, ok := p.types[full]
	if !ok {
		p.types[full] = t
		p.fresh = append(p.fresh, t)
		return nil
	}
	c := comparison{budget: &p.steps}
	same, err := c.equal(known, t)
	if err != nil {
		return err
	}
	if !same {
		return at(invalid("%s is defined before, otherwise; refer to it by its name", full), "name")
	}
	return nil
}

func (p *parser) fixed(v Value, space string) (*Type, error) {
	t, err := p.begin(v, space, Fixed)
	if err != nil {
		return nil, err
	}
	size, _ := v.Get("size")
	n, ok := size.Int()
	if !ok || n < 0 || n > math.MaxInt32-8 {
		return nil, invalid("the fixed has no \"size\" that is a number of bytes")
	}
	t.Size = int(n)
	return t, p.end(t, v)
}

func (p *parser) enum(v Value, space string) (*Type, error) {
	t, err := p.begin(v, space, Enum)
	if err != nil {
		return nil, err
	}
	symbols, ok := v.Get("symbols")
	if !ok || symbols.kind != ArrayValue {
		return nil, invalid("the enum has no array \"symbols\"")
	}
	if len(symbols.items) > p.limits.Symbols {
		return nil, &LimitError{Limit: LimitSymbols, Max: p.limits.Symbols}
	}
	if err := p.symbols(t, symbols.items); err != nil {
		return nil, at(err, "symbols")
	}
	t.Default = optional(v, "default")
	if t.Default != nil && !t.HasSymbol(*t.Default) {
		return nil, at(invalid("%.100q is no symbol of the enum", *t.Default), "default")
	}
	return t, p.end(t, v)
}

func (p *parser) symbols(t *Type, symbols []Value) error {
	seen := make(map[string]bool, len(symbols))
	for i, s := range symbols {
		if s.kind != StringValue {
			return at(invalid("a symbol is a string"), itoa(i))
		}
		if !p.registered {
			if err := p.names.check("the symbol", s.text); err != nil {
				return at(err, itoa(i))
			}
		}
		if seen[s.text] {
			return at(invalid("the enum has %.100q twice", s.text), itoa(i))
		}
		seen[s.text] = true
		t.Symbols = append(t.Symbols, s.text)
	}
	return nil
}
