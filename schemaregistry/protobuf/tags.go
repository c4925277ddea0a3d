package protobuf

import (
	"slices"
	"strings"

	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// Confluent's options that have tags.
const (
	messageMeta = "confluent.message_meta"
	fieldMeta   = "confluent.field_meta"
	tagsField   = "tags"
)

// Tagged lists the messages and fields that have tags. A path is the name of a message behind those of the messages that it is in, and the
// name of the field behind that; there is no package in it.
//
// Errors: there are too many.
func (s *Schema) Tagged() ([]tag.Tagged, error) {
	var l tag.List
	err := listTagged(&l, s.file.messages, "")
	return l.Tagged, err
}

func listTagged(l *tag.List, messages []*message, prefix string) error {
	for _, m := range messages {
		path := prefix + m.name
		if err := l.Add(path, tag.Record, tagsIn(messageMeta, m.options)); err != nil {
			return err
		}
		for _, f := range m.taggedFields() {
			if err := l.Add(path+"."+f.name, tag.Field, tagsIn(fieldMeta, f.options)); err != nil {
				return err
			}
		}
		if err := listTagged(l, m.messages, path+"."); err != nil {
			return err
		}
	}
	return nil
}

// taggedFields are those in oneofs, then the others.
func (m *message) taggedFields() []*field {
	var fields []*field
	for _, o := range m.oneofs {
		fields = append(fields, o.fields...)
	}
	return append(fields, m.fields...)
}

// tagsIn are the tags that options set.
func tagsIn(name string, options []option) []string {
	meta, _ := mergedMeta(name, options)
	var tags []string
	for _, e := range meta.entries {
		if e.name != tagsField {
			continue
		}
		for _, v := range (value{kind: listValue}).with(e.value).list {
			if !slices.Contains(tags, v.text) {
				tags = append(tags, v.text)
			}
		}
	}
	return tags
}

// mergedMeta is what options set one of Confluent's options to, whether in one statement or in several, and the other options.
func mergedMeta(name string, options []option) (meta value, others []option) {
	meta.kind = mapValue
	for _, o := range options {
		if !o.extension || strings.TrimPrefix(o.name, ".") != name {
			others = append(others, o)
			continue
		}
		for _, e := range nested(o.path, o.value).entries {
			i := slices.IndexFunc(meta.entries, func(x entry) bool { return x.name == e.name })
			if i < 0 {
				meta.entries = append(meta.entries, e)
			} else {
				meta.entries[i].value = (value{kind: listValue}).with(meta.entries[i].value).with(e.value)
			}
		}
	}
	return meta, others
}

// WithTags is the canonical text with other tags, at the paths of Tagged. The name of the oneof may stand in front of a field's.
//
// Errors: an entity is not there.
func (s *Schema) WithTags(edits []tag.Edit) (string, error) {
	file, err := parseFile(s.canonical) // schemas are immutable: the new text is that of another file
	if err != nil {
		return "", err
	}
	entities := make(map[tag.Entity]*[]option)
	indexEntities(entities, file.messages, "")
	for i := range edits {
		e := &edits[i]
		options := entities[tag.Entity{Path: strings.Join(e.Entity.Steps(), "."), Type: e.Entity.Type}]
		if options == nil {
			if err := e.Missing(); err != nil {
				return "", err
			}
			continue
		}
		name := fieldMeta
		if e.Entity.Type == tag.Record {
			name = messageMeta
		}
		*options = withTags(name, *options, e.Of(tagsIn(name, *options)))
	}
	return file.text(), nil
}

// indexEntities finds the options of messages and fields by what tags name them.
func indexEntities(to map[tag.Entity]*[]option, messages []*message, prefix string) {
	add := func(path string, typ tag.EntityType, options *[]option) {
		if e := (tag.Entity{Path: path, Type: typ}); to[e] == nil {
			to[e] = options
		}
	}
	for _, m := range messages {
		path := prefix + m.name
		add(path, tag.Record, &m.options)
		for _, f := range m.fields {
			add(path+"."+f.name, tag.Field, &f.options)
		}
		for _, o := range m.oneofs {
			for _, f := range o.fields {
				add(path+"."+f.name, tag.Field, &f.options)
				add(path+"."+o.name+"."+f.name, tag.Field, &f.options)
			}
		}
		indexEntities(to, m.messages, path+".")
	}
}

// withTags has tags in place of those that there are, in one statement with all else that the option sets.
func withTags(name string, options []option, tags []string) []option {
	meta, others := mergedMeta(name, options)
	i := slices.IndexFunc(meta.entries, func(e entry) bool { return e.name == tagsField })
	list := value{kind: listValue}
	for _, t := range tags {
		list.list = append(list.list, value{kind: stringValue, text: t})
	}
	switch {
	case i >= 0 && len(tags) == 0:
		meta.entries = slices.Delete(meta.entries, i, i+1)
	case i >= 0:
		meta.entries[i].value = list
	case len(tags) > 0:
		meta.entries = append(meta.entries, entry{tagsField, list})
	}
	if len(meta.entries) == 0 {
		return others
	}
	return append(others, option{name: name, extension: true, value: meta})
}
