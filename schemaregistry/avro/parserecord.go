package avro

import (
	"regexp"
	"strconv"
	"strings"
)

func (p *parser) record(v Value, space string, isError bool) (*Type, error) {
	t, err := p.begin(v, space, Record)
	if err != nil {
		return nil, err
	}
	t.IsError = isError
	fields, ok := v.Get("fields")
	if !ok || fields.kind != ArrayValue {
		return nil, invalid("the record has no array \"fields\"")
	}
	if len(fields.items) > p.limits.Fields {
		return nil, &LimitError{Limit: LimitFields, Max: p.limits.Fields}
	}
	t.fieldIndex = make(map[string]int, len(fields.items))
	for i := range fields.items {
		if err := p.addField(t, fields.items[i]); err != nil {
			return nil, at(at(err, itoa(i)), "fields")
		}
	}
	return t, p.end(t, v)
}

func (p *parser) addField(t *Type, v Value) error {
	f, err := p.field(v, t.Name.Space)
	if err != nil {
		return err
	}
	if _, twice := t.fieldIndex[f.Name]; twice {
		return at(invalid("the record has a field %.100q already", f.Name), "name")
	}
	t.fieldIndex[f.Name] = len(t.Fields)
	t.Fields = append(t.Fields, f)
	return nil
}

func (p *parser) field(v Value, space string) (*Field, error) {
	name, ok := text(v, "name")
	if !ok {
		return nil, invalid("the field has no \"name\"")
	}
	if !p.registered {
		if err := p.names.check("the name", name); err != nil {
			return nil, at(err, "name")
		}
	}
	inner, ok := v.Get("type")
	if !ok {
		return nil, invalid("the field %.100q has no \"type\"", name)
	}
	t, err := p.parse(inner, space)
	if err != nil {
		return nil, at(err, "type")
	}
	f := &Field{Name: name, Type: t, Doc: optional(v, "doc")}
	if err := p.fieldAttributes(f, v); err != nil {
		return nil, err
	}
	return f, nil
}

func (p *parser) fieldAttributes(f *Field, v Value) (err error) {
	if f.Order, err = readOrder(v); err != nil {
		return at(err, "order")
	}
	if d, ok := v.Get("default"); ok {
		if f.Default, err = p.readDefault(f, d); err != nil {
			return at(err, "default")
		}
	}
	aliases, err := readAliases(v)
	if err != nil {
		return err
	}
	f.Aliases = unique(aliases)
	f.Props = otherMembers(v, fieldKey)
	return nil
}

func readOrder(v Value) (Order, error) {
	order, ok := v.Get("order")
	if !ok {
		return Ascending, nil
	}
	for _, o := range [...]Order{Ascending, Descending, Ignore} {
		if order.kind == StringValue && strings.EqualFold(order.text, string(o)) {
			return o, nil
		}
	}
	return "", invalid("%.100s is no order; it is ascending, descending or ignore", order)
}

func (p *parser) readDefault(f *Field, d Value) (*Value, error) {
	if d.kind == StringValue && (f.Type.Kind == Float || f.Type.Kind == Double) {
		// Java takes a number as text here, and needs to for NaN.
		number, ok := javaNumber(d.text)
		if !ok {
			return nil, invalid("%.100q is no number", d.text)
		}
		d = Value{kind: DecimalValue, text: number}
	}
	if p.registered {
		return &d, nil
	}
	return &d, p.defaults.check(f, &d)
}

var numberSyntax = regexp.MustCompile(`^([+-]?)(NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?$`)

// javaNumber reads what Java's Double.parseDouble reads and returns it as Go's
// ParseFloat reads it.
func javaNumber(s string) (string, bool) {
	m := numberSyntax.FindStringSubmatch(strings.Trim(s, blanks))
	if m == nil {
		return "", false
	}
	if m[2] == "NaN" {
		return m[2], true
	}
	return m[1] + m[2], true
}

// text is the value of a member that is a string. Anything else is as good as no
// member.
func text(v Value, key string) (string, bool) {
	m, ok := v.Get(key)
	return m.text, ok && m.kind == StringValue
}

func optional(v Value, key string) *string {
	if s, ok := text(v, key); ok {
		return &s
	}
	return nil
}

func readAliases(v Value) ([]string, error) {
	aliases, ok := v.Get("aliases")
	if !ok {
		return nil, nil
	}
	if aliases.kind != ArrayValue {
		return nil, at(invalid("the aliases are no array"), "aliases")
	}
	names := make([]string, 0, len(aliases.items))
	for i, a := range aliases.items {
		if a.kind != StringValue {
			return nil, at(at(invalid("an alias is a string"), itoa(i)), "aliases")
		}
		names = append(names, a.text)
	}
	return names, nil
}

// setProps keeps the attributes that Avro does not know.
func setProps(t *Type, v Value) {
	own := typeKey
	if t.Kind == Enum {
		own = func(key string) bool { return key == "default" || typeKey(key) }
	}
	t.Props = otherMembers(v, own)
}

// typeKey reports whether a key of any type is Avro's own, one without a meaning
// for this type too.
func typeKey(key string) bool {
	switch key {
	case "doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases":
		return true
	}
	return false
}

func fieldKey(key string) bool {
	switch key {
	case "default", "doc", "name", "order", "type", "aliases":
		return true
	}
	return false
}

func otherMembers(v Value, own func(string) bool) Props {
	var props Props
	for _, m := range v.members {
		if !own(m.Key) {
			props = append(props, m)
		}
	}
	return props
}

// unique leaves out what a list has had before.
func unique[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	kept := list[:0]
	for _, x := range list {
		if !seen[x] {
			seen[x] = true
			kept = append(kept, x)
		}
	}
	return kept
}

func itoa(i int) string { return strconv.Itoa(i) }
