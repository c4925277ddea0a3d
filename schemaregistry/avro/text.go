package avro

import "strconv"

// Canonical is the schema's text as Java's Schema.toString writes it, and
// Confluent's registry stores and hashes it: one line, attributes in Java's order,
// what references define by its name only.
func (s *Schema) Canonical() string { return s.canonical }

// Resolved is the canonical text with what the references define in it.
func (s *Schema) Resolved() string {
	if len(s.references) == 0 {
		return s.canonical
	}
	w := textWriter{newJSONWriter(nil)}
	w.write(s.root, "")
	return string(w.b)
}

// String is the canonical text.
func (s *Schema) String() string { return s.canonical }

// canonicalText writes the text and checks that it can be read again, since types
// that are used before their definition nest deeper in it than in the text that
// came.
func canonicalText(s *Schema) (string, error) {
	max := s.options.Limits.Depth
	if err := checkNesting(s.root, max); err != nil {
		return "", err
	}
	w := textWriter{newJSONWriter(s.references)}
	w.write(s.root, "")
	if nesting(w.b) > max {
		return "", &LimitError{Limit: LimitDepth, Max: max}
	}
	return string(w.b), nil
}

// checkNesting checks how deep the types nest when each named one stands where it
// is used first. All texts of a schema are written by recursion that deep (I5).
func checkNesting(root *Type, max int) error {
	seen := map[*Type]bool{}
	var within func(*Type, int) error
	within = func(t *Type, depth int) error {
		if depth > max {
			return &LimitError{Limit: LimitDepth, Max: max}
		}
		if t.Kind.primitive() || seen[t] {
			return nil
		}
		seen[t] = true
		return t.eachInner(func(inner *Type) error { return within(inner, depth+1) })
	}
	return within(root, 0)
}

// eachInner calls f for the types that t is made of, in order.
func (t *Type) eachInner(f func(*Type) error) error {
	for _, field := range t.Fields {
		if err := f(field.Type); err != nil {
			return err
		}
	}
	if t.Items != nil {
		return f(t.Items)
	}
	for _, b := range t.Branches {
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

// nesting is how deep the brackets of a JSON text nest.
func nesting(text []byte) int {
	depth, deepest := 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// A textWriter writes the canonical text.
type textWriter struct{ jsonWriter }

func (w *textWriter) optional(key string, v *string) {
	if v != nil {
		w.member(key, *v)
	}
}

func (w *textWriter) props(props Props) {
	for _, m := range props {
		w.key(m.Key)
		w.b = m.Value.append(w.b)
	}
}

func (w *textWriter) write(t *Type, space string) {
	switch {
	case t.Kind.named():
		w.named(t, space)
	case t.Kind == Union:
		w.raw("[")
		for i, b := range t.Branches {
			w.b = appendComma(w.b, i)
			w.write(b, space)
		}
		w.raw("]")
	case t.Kind == Array:
		w.container(t, space, "items")
	case t.Kind == Map:
		w.container(t, space, "values")
	case len(t.Props) == 0:
		w.quote(t.Kind.String())
	default:
		w.open(t.Kind.String())
		w.props(t.Props)
		w.raw("}")
	}
}

func (w *textWriter) open(kind string) {
	w.raw(`{"type":`)
	w.quote(kind)
}

func (w *textWriter) container(t *Type, space, key string) {
	w.open(t.Kind.String())
	w.key(key)
	w.write(t.Items, space)
	w.props(t.Props)
	w.raw("}")
}

func (w *textWriter) named(t *Type, space string) {
	if w.isKnown(t.Name.Full()) {
		w.quote(t.Name.within(space))
		return
	}
	kind := t.Kind.String()
	if t.IsError {
		kind = "error"
	}
	w.open(kind)
	w.member("name", t.Name.Local)
	if t.Name.Space != space {
		w.member("namespace", t.Name.Space)
	}
	w.optional("doc", t.Doc)
	switch t.Kind {
	case Record:
		w.fields(t)
	case Enum:
		w.strings("symbols", t.Symbols)
		w.optional("default", t.Default)
	case Fixed:
		w.key("size")
		w.b = strconv.AppendInt(w.b, int64(t.Size), 10)
	}
	w.props(t.Props)
	w.aliases(t)
	w.raw("}")
}

func (w *textWriter) aliases(t *Type) {
	if len(t.Aliases) == 0 {
		return
	}
	aliases := make([]string, len(t.Aliases))
	for i, a := range t.Aliases {
		aliases[i] = a.within(t.Name.Space)
	}
	w.strings("aliases", aliases)
}

func (w *textWriter) fields(t *Type) {
	w.key("fields")
	w.raw("[")
	for i, f := range t.Fields {
		w.b = appendComma(w.b, i)
		w.field(f, t.Name.Space)
	}
	w.raw("]")
}

func (w *textWriter) field(f *Field, space string) {
	w.raw(`{"name":`)
	w.quote(f.Name)
	w.key("type")
	w.write(f.Type, space)
	w.optional("doc", f.Doc)
	if f.Default != nil {
		w.key("default")
		w.b = f.Default.append(w.b)
	}
	if f.Order != Ascending {
		w.member("order", string(f.Order))
	}
	if len(f.Aliases) > 0 {
		w.strings("aliases", f.Aliases)
	}
	w.props(f.Props)
	w.raw("}")
}
