package jsonschema

import "sync"

// Options go with a text.
type Options struct {
	// References are the schemas that the text refers to, direct or through others.
	References []Reference
	// Registered is a schema that is stored already: it is read when it has to be, and held to no meta-schema.
	Registered bool
	Limits     Limits
}

// A Schema is a JSON Schema. It is immutable, and may be used by any number of goroutines.
type Schema struct {
	value      Value
	canonical  string
	references []Reference
	limits     Limits

	load sync.Once // guards root and err
	root *Node
	err  error
}

// Parse reads a schema. Errors are a *ParseError or a *LimitError.
func Parse(text string, o Options) (*Schema, error) {
	o.Limits = o.Limits.withDefaults()
	size := len(text)
	for _, r := range o.References {
		size += len(r.Text)
	}
	if size > o.Limits.Bytes { // I5
		return nil, &LimitError{Limit: LimitBytes, Max: o.Limits.Bytes}
	}
	v, err := parseValue(text, o.Limits)
	if err != nil {
		return nil, err
	}
	s := &Schema{value: v, canonical: v.String(), references: o.References, limits: o.Limits}
	if o.Registered {
		return s, nil
	}
	return s, s.check()
}

// check holds a new schema to the rules.
func (s *Schema) check() error {
	root, err := s.Root()
	if err != nil {
		return err
	}
	if root.Kind == KindObject {
		for _, p := range root.Object.Properties {
			if len(p.Name) >= 2 && p.Name[:2] == "$$" {
				return invalid("#/properties/"+p.Name, "Field names cannot start with $$ prefix")
			}
		}
	}
	return s.valid()
}

// Root returns the schema as a Node.
//
// Errors: keywords of wrong types, and references that lead nowhere.
func (s *Schema) Root() (*Node, error) {
	s.load.Do(func() { s.root, s.err = s.read(dialectOf(&s.value)) })
	return s.root, s.err
}

// RootOf is Root, with classic as if the schema were of draft 7 where it is of a later one.
func (s *Schema) RootOf(classic bool) (*Node, error) {
	if classic && dialectOf(&s.value).modern() {
		return s.read(draft7)
	}
	return s.Root()
}

func (s *Schema) read(d dialect) (*Node, error) {
	r, root := newResolver(&s.value, d)
	for _, ref := range s.references {
		v, err := parseValue(ref.Text, s.limits)
		if err != nil {
			return nil, inReference(err, ref.Name)
		}
		r.reference(ref.Name, &v, root.base)
	}
	l := &loader{resolver: r, dialect: d, nodes: make(map[*Value]*Node)}
	return l.root(place{&s.value, r.documents[baseURL].base})
}

func inReference(err error, name string) error {
	if e, ok := err.(*ParseError); ok {
		e.Reference = name
	}
	return err
}

// Canonical is the text that is stored: without white space, with numbers as Java writes them.
func (s *Schema) Canonical() string { return s.canonical }

// Normalized is Canonical with the members of all objects in order.
func (s *Schema) Normalized() string { return s.value.same() }

// Equal tells whether two schemas have the same text, and the same references by their names.
func (s *Schema) Equal(o *Schema) bool {
	return s.canonical == o.canonical
}

// Title is the title of the schema, "" for none.
func (s *Schema) Title() string {
	if t := s.value.Get("title"); t != nil {
		return t.Text
	}
	return ""
}

// HasProperty tells whether the schema names a property.
func (s *Schema) HasProperty(name string) bool {
	p := s.value.Get("properties")
	return p != nil && p.Kind == Object && p.Get(name) != nil
}
