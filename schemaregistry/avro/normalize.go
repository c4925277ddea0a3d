package avro

import (
	"slices"
	"strconv"
)

// Normalize returns the schema that Confluent's registry makes of this one with
// normalize=true: attributes that Avro does not know are sorted, those of a logical type first,
// aliases are full names and sorted, defaults are written as values of their type, an empty
// documentation of a type is left out. Order of fields and branches stays, and so
// does documentation.
//
// A default that Java cannot make a value of its type, such as an integer beyond 64
// bits for a double, is left out there; here it stays as it is.
func (s *Schema) Normalize() (*Schema, error) {
	w := normalWriter{newJSONWriter(s.references), typer{budget{limit: LimitDefaults, max: maxDefaultSteps}}}
	w.write(s.root)
	if err := w.defaults.budget.spend(0); err != nil {
		return nil, err
	}
	o := s.options
	o.Limits.Bytes *= 4 // the text to be parsed has some attributes twice
	normal, err := Parse(string(w.b), o)
	if err != nil {
		return nil, err
	}
	normal.options = s.options
	return normal, nil
}

// A normalWriter writes a text that, parsed and written again, is the normalised
// one. Attributes of a logical type come twice in it, and the parser lets the
// first place count.
type normalWriter struct {
	jsonWriter
	defaults typer
}

func (w *normalWriter) write(t *Type) {
	switch {
	case t.Kind.named():
		w.named(t)
	case t.Kind == Union:
		w.raw("[")
		for i, b := range t.Branches {
			w.b = appendComma(w.b, i)
			w.write(b)
		}
		w.raw("]")
	case t.Kind == Array:
		w.container(t, "items")
	case t.Kind == Map:
		w.container(t, "values")
	case len(t.Props) == 0:
		w.quote(t.Kind.String())
	default:
		w.raw(`{"type":`)
		w.quote(t.Kind.String())
		w.logical(t)
		w.props(t.Props)
		w.raw("}")
	}
}

func (w *normalWriter) container(t *Type, key string) {
	w.raw(`{"type":`)
	w.quote(t.Kind.String())
	w.key(key)
	w.write(t.Items)
	w.props(t.Props)
	w.raw("}")
}

func (w *normalWriter) named(t *Type) {
	full := t.Name.Full()
	if w.isKnown(full) {
		w.quote(full)
		return
	}
	w.raw(`{"name":`)
	w.quote(full)
	w.member("type", t.Kind.String())
	switch t.Kind {
	case Enum:
		w.strings("symbols", t.Symbols)
	case Fixed:
		w.key("size")
		w.b = strconv.AppendInt(w.b, int64(t.Size), 10)
	case Record:
		w.fields(t)
	}
	w.logical(t)
	w.details(t)
	w.props(t.Props)
	w.raw("}")
}

func (w *normalWriter) details(t *Type) {
	if t.Doc != nil && *t.Doc != "" {
		w.member("doc", *t.Doc)
	}
	aliases := make([]string, len(t.Aliases))
	for i, a := range t.Aliases {
		aliases[i] = a.asAlias(t.Name.Space)
	}
	w.aliases(aliases)
	if t.Default != nil {
		w.member("default", *t.Default)
	}
}

func (w *normalWriter) aliases(aliases []string) {
	if len(aliases) == 0 {
		return
	}
	aliases = slices.Clone(aliases)
	slices.SortFunc(aliases, compareJava)
	w.strings("aliases", aliases)
}

func (w *normalWriter) fields(t *Type) {
	w.key("fields")
	w.raw("[")
	for i, f := range t.Fields {
		w.b = appendComma(w.b, i)
		w.raw(`{"name":`)
		w.quote(f.Name)
		w.key("type")
		w.write(f.Type)
		w.fieldDetails(f)
		w.raw("}")
	}
	w.raw("]")
}

func (w *normalWriter) fieldDetails(f *Field) {
	w.member("order", string(f.Order))
	if f.Doc != nil {
		w.member("doc", *f.Doc)
	}
	w.aliases(f.Aliases)
	if f.Default != nil {
		v, ok := w.defaults.typed(*f.Default, f.Type)
		if !ok {
			v = *f.Default
		}
		w.key("default")
		w.b = sortKeys(v).append(w.b)
	}
	w.props(f.Props)
}

func (w *normalWriter) logical(t *Type) {
	l := t.Logical()
	if l.Name == "" {
		return
	}
	w.member("logicalType", l.Name)
	if l.Name != "decimal" {
		return
	}
	w.key("precision")
	w.b = strconv.AppendInt(w.b, int64(l.Precision), 10)
	if l.Scale != 0 {
		w.key("scale")
		w.b = strconv.AppendInt(w.b, int64(l.Scale), 10)
	}
}

func (w *normalWriter) props(props Props) {
	for _, m := range sorted(props) {
		w.key(m.Key)
		w.b = sortKeys(m.Value).append(w.b)
	}
}

// sortKeys sorts the members of all objects in a value.
func sortKeys(v Value) Value {
	switch v.kind {
	case ArrayValue:
		items := make([]Value, len(v.items))
		for i := range items {
			items[i] = sortKeys(v.items[i])
		}
		v.items = items
	case ObjectValue:
		v.members = sorted(v.members)
		for i := range v.members {
			v.members[i].Value = sortKeys(v.members[i].Value)
		}
	}
	return v
}
