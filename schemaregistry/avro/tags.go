package avro

import (
	"slices"
	"strings"

	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// Tagged lists the records and fields that have tags, each record once and before its fields. Paths are full names, with that of the
// field behind it.
//
// Errors: there are too many.
func (s *Schema) Tagged() ([]tag.Tagged, error) {
	var l tag.List
	seen := make(map[*Type]bool)
	var visit func(*Type) error
	visit = func(t *Type) error {
		if t.Kind.primitive() || seen[t] {
			return nil
		}
		seen[t] = true
		if t.Kind != Record {
			return t.eachInner(visit)
		}
		if err := l.Add(t.Name.Full(), tag.Record, tagsIn(t.Props)); err != nil {
			return err
		}
		for _, f := range t.Fields {
			if err := l.Add(t.Name.Full()+"."+f.Name, tag.Field, tagsIn(f.Props)); err != nil {
				return err
			}
			if err := visit(f.Type); err != nil {
				return err
			}
		}
		return nil
	}
	return l.Tagged, visit(s.root)
}

// tagsIn are the tags among attributes, whatever their types, as text.
func tagsIn(props Props) []string {
	v, _ := props.Get(tag.Attribute)
	var tags []string
	for _, item := range v.Items() {
		text := item.text
		if item.kind != StringValue {
			text = item.String()
		}
		if !slices.Contains(tags, text) {
			tags = append(tags, text)
		}
	}
	return tags
}

// WithTags is the canonical text with other tags. A record is the first one of its name that the schema itself defines, by levels; a name
// without a namespace may be in any.
//
// Errors: an entity is not there.
func (s *Schema) WithTags(edits []tag.Edit) (string, error) {
	o := s.options
	o.Registered = true
	changed, err := Parse(s.canonical, o) // schemas are immutable: the new text is that of another one
	if err != nil {
		return "", err
	}
	records := changed.recordsByName()
	for i := range edits {
		e := &edits[i]
		props := entityProps(records, e.Entity)
		if props == nil {
			if err := e.Missing(); err != nil {
				return "", err
			}
			continue
		}
		*props = withTags(*props, e.Of(tagsIn(*props)))
	}
	return canonicalText(changed)
}

// recordsByName are the records that the schema itself defines, by their names with and without the namespace.
func (s *Schema) recordsByName() map[string]*Type {
	records := make(map[string]*Type)
	seen := make(map[*Type]bool)
	for queue := []*Type{s.root}; len(queue) > 0; queue = queue[1:] {
		t := queue[0]
		if t.Kind.primitive() || seen[t] || t.Kind.named() && slices.Contains(s.references, t.Name.Full()) {
			continue
		}
		seen[t] = true
		if t.Kind == Record {
			for _, name := range []string{t.Name.Full(), t.Name.Local} {
				if records[name] == nil {
					records[name] = t
				}
			}
		}
		_ = t.eachInner(func(inner *Type) error {
			queue = append(queue, inner)
			return nil
		})
	}
	return records
}

// entityProps are the attributes of an entity, nil when it is not there.
func entityProps(records map[string]*Type, e tag.Entity) *Props {
	steps := e.Steps()
	switch e.Type {
	case tag.Record:
		if t := records[strings.Join(steps, ".")]; t != nil {
			return &t.Props
		}
	case tag.Field:
		last := len(steps) - 1
		if t := records[strings.Join(steps[:last], ".")]; t != nil {
			if f, _ := t.Field(steps[last]); f != nil {
				return &f.Props
			}
		}
	}
	return nil
}

// withTags has tags in place of those that there are, and no attribute for none.
func withTags(props Props, tags []string) Props {
	i := slices.IndexFunc(props, func(m Member) bool { return m.Key == tag.Attribute })
	if len(tags) == 0 {
		if i < 0 {
			return props
		}
		return slices.Delete(slices.Clone(props), i, i+1)
	}
	v := Value{kind: ArrayValue}
	for _, t := range tags {
		v.items = append(v.items, Value{kind: StringValue, text: t})
	}
	if i < 0 {
		return append(slices.Clip(props), Member{tag.Attribute, v})
	}
	props = slices.Clone(props)
	props[i].Value = v
	return props
}
