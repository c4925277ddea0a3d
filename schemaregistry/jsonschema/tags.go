package jsonschema

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// Tagged lists what has tags: objects, and properties of objects. A path leads from the root through the kinds of schemas and the names of
// properties: object.address.object.street, object.tags.array.object, object.pay.oneof.1.object, object.definitions.Name.object. Branches
// are counted in the order of their kinds, titles, descriptions and defaults.
//
// Errors: the schema cannot be read, or there are too many.
func (s *Schema) Tagged() ([]tag.Tagged, error) {
	t, root, err := newTagReader(&s.value)
	if err != nil {
		return nil, err
	}
	return t.found.Tagged, t.list(root, nil, false)
}

// WithTags is the canonical text with other tags, at the paths of Tagged. A property with dots in its name may stand in a path as it is.
//
// Errors: the schema cannot be read, or an entity is not there.
func (s *Schema) WithTags(edits []tag.Edit) (string, error) {
	v, err := parseValue(s.canonical, s.limits) // schemas are immutable: the new text is that of another value
	if err != nil {
		return "", err
	}
	t, root, err := newTagReader(&v)
	if err != nil {
		return "", err
	}
	changed := make(map[*Value][]string)
	for i := range edits {
		e := &edits[i]
		at := t.find(root, strings.Join(e.Entity.Steps(), "."), e.Entity.Type)
		if at == nil || at.Kind != Object {
			if err := e.Missing(); err != nil {
				return "", err
			}
			continue
		}
		tags, ok := changed[at]
		if !ok {
			tags = tagsIn(at)
		}
		changed[at] = e.Of(tags)
	}
	v.setTags(changed)
	return v.String(), nil
}

// setTags sets the tags of values within v. Members of an object move when one is added: what is in it comes first.
func (v *Value) setTags(changed map[*Value][]string) {
	for i := range v.Elements {
		v.Elements[i].setTags(changed)
	}
	for i := range v.Members {
		v.Members[i].Value.setTags(changed)
	}
	tags, ok := changed[v]
	if !ok {
		return
	}
	list := Value{Kind: Array}
	for _, t := range tags {
		list.Elements = append(list.Elements, Value{Kind: String, Text: t})
	}
	i := slices.IndexFunc(v.Members, func(m Member) bool { return m.Name == tag.Attribute })
	switch {
	case i >= 0 && len(tags) == 0:
		v.Members = slices.Delete(v.Members, i, i+1)
	case i >= 0:
		v.Members[i].Value = list
	case len(tags) > 0:
		v.Members = append(v.Members, Member{tag.Attribute, list})
	}
}

// tagsIn are the tags of a schema, whatever their types, as text.
func tagsIn(v *Value) []string {
	list := v.Get(tag.Attribute)
	if list == nil {
		return nil
	}
	var tags []string
	for i := range list.Elements {
		text := list.Elements[i].Text
		if list.Elements[i].Kind > String {
			text = list.Elements[i].String()
		}
		if !slices.Contains(tags, text) {
			tags = append(tags, text)
		}
	}
	return tags
}

// part is a Node and the value that it is, or is a part of.
type part struct {
	node  *Node
	value *Value
}

// in is a node within p.
func (p part) in(n *Node) part {
	if n.source != nil {
		return part{n, n.source}
	}
	return part{n, p.value}
}

// tagReader goes through a schema along the paths of tags. It follows no reference, so how deep it goes the text's depth bounds (I5).
type tagReader struct {
	loader *loader
	root   place
	// ordered are the branches of nodes in the order in which paths count them.
	ordered map[*Node][]*Node
	found   tag.List
}

func newTagReader(v *Value) (*tagReader, part, error) {
	d := dialectOf(v)
	r, root := newResolver(v, d)
	t := &tagReader{loader: &loader{resolver: r, dialect: d, nodes: make(map[*Value]*Node)}, root: place{v, root.base}, ordered: make(map[*Node][]*Node)}
	n, err := t.loader.load(v, root.base, &trail{})
	return t, part{n, v}, err
}

// list adds what has tags in a part. What stands in a field has its tags as a field.
func (t *tagReader) list(p part, path []byte, inField bool) error {
	switch n := p.node; n.Kind {
	case KindCombined:
		path = append(path, strings.ToLower(string(n.Criterion))...)
		for i, branch := range t.branches(n) {
			if err := t.list(p.in(branch), append(strconv.AppendInt(append(path, '.'), int64(i), 10), '.'), false); err != nil {
				return err
			}
		}
	case KindArray:
		if n.Array.Items != nil {
			return t.list(p.in(n.Array.Items), append(path, "array."...), false)
		}
	case KindNot:
		return t.list(p.in(n.Target), append(path, "not."...), false)
	case KindConditional:
		for i, branch := range []*Node{n.If, n.Then, n.Else} {
			if branch == nil {
				continue
			}
			if err := t.list(p.in(branch), append(append(path, "conditional."...), conditionals[i]...), false); err != nil {
				return err
			}
		}
	case KindObject:
		return t.listObject(p, append(path, "object"...), inField)
	}
	return nil
}

var conditionals = []string{"if.", "then.", "else."}

func (t *tagReader) listObject(p part, path []byte, inField bool) error {
	if !inField {
		if err := t.add(path, tag.Record, p.value); err != nil {
			return err
		}
	}
	path = append(path, '.')
	for _, property := range p.node.Object.Properties {
		field, at := p.in(property.Node), append(path, property.Name...)
		if err := t.add(at, tag.Field, field.value); err != nil {
			return err
		}
		if err := t.list(field, append(at, '.'), true); err != nil {
			return err
		}
	}
	for _, keyword := range definitionKeywords {
		definitions := p.value.Get(keyword)
		if definitions == nil {
			continue
		}
		for i := range definitions.Members {
			m := &definitions.Members[i]
			d, err := t.definition(&m.Value)
			if err != nil {
				return err
			}
			if err := t.list(d, append(append(append(append(path, keyword...), '.'), m.Name...), '.'), false); err != nil {
				return err
			}
		}
	}
	return nil
}

var definitionKeywords = []string{"definitions", "$defs"}

func (t *tagReader) add(path []byte, typ tag.EntityType, v *Value) error {
	if tags := tagsIn(v); len(tags) > 0 {
		return t.found.Add(string(path), typ, tags)
	}
	return nil
}

// definition is a schema that is defined for references.
func (t *tagReader) definition(v *Value) (part, error) {
	n, err := t.loader.load(v, t.root.base, &trail{})
	return part{n, v}, err
}

// find returns the value of the entity that a path leads to, nil for none.
func (t *tagReader) find(p part, path string, typ tag.EntityType) *Value {
	kind, rest, _ := strings.Cut(path, ".")
	n := p.node
	switch {
	case n.Kind == KindCombined && kind == strings.ToLower(string(n.Criterion)):
		index, rest, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(n.Branches) {
			return nil
		}
		return t.find(p.in(t.branches(n)[i]), rest, typ)
	case n.Kind == KindArray && kind == "array" && n.Array.Items != nil:
		return t.find(p.in(n.Array.Items), rest, typ)
	case n.Kind == KindNot && kind == "not":
		return t.find(p.in(n.Target), rest, typ)
	case n.Kind == KindConditional && kind == "conditional":
		which, rest, _ := strings.Cut(rest, ".")
		if branch := map[string]*Node{"if": n.If, "then": n.Then, "else": n.Else}[which]; branch != nil {
			return t.find(p.in(branch), rest, typ)
		}
	case n.Kind == KindObject && kind == "object":
		return t.findInObject(p, rest, typ)
	}
	return nil
}

func (t *tagReader) findInObject(p part, path string, typ tag.EntityType) *Value {
	if path == "" {
		if typ == tag.Record {
			return p.value
		}
		return nil
	}
	if keyword, rest, _ := strings.Cut(path, "."); slices.Contains(definitionKeywords, keyword) {
		if definitions := p.value.Get(keyword); definitions != nil {
			return t.named(rest, typ, func(name string) (part, bool) {
				v := definitions.Get(name)
				if v == nil {
					return part{}, false
				}
				d, err := t.definition(v)
				return d, err == nil
			})
		}
	}
	return t.named(path, typ, func(name string) (part, bool) {
		n := p.node.Object.Property(name)
		if n == nil {
			return part{}, false
		}
		return p.in(n), true
	})
}

// named finds an entity behind the shortest name at the beginning of a path that there is.
func (t *tagReader) named(path string, typ tag.EntityType, get func(name string) (part, bool)) *Value {
	for end := 0; end <= len(path); end++ {
		if end < len(path) && path[end] != '.' {
			continue
		}
		p, ok := get(path[:end])
		switch {
		case !ok:
		case end < len(path):
			return t.find(p, path[end+1:], typ)
		case typ == tag.Field:
			return p.value
		}
	}
	return nil
}

// kindOrder is how Confluent's registry orders branches by their kinds.
var kindOrder = []Kind{KindArray, KindBoolean, KindCombined, KindConditional, KindConst, KindEmpty, KindEnum, KindFalse, KindNot, KindNull,
	KindNumber, KindObject, KindReference, KindString, KindTrue}

// branches are those of a Combined in the order in which paths count them.
func (t *tagReader) branches(n *Node) []*Node {
	sorted, ok := t.ordered[n]
	if !ok {
		sorted = slices.SortedStableFunc(slices.Values(n.Branches), compareBranches)
		t.ordered[n] = sorted
	}
	return sorted
}

func compareBranches(a, b *Node) int {
	return cmp.Or(slices.Index(kindOrder, a.Kind)-slices.Index(kindOrder, b.Kind), compareTexts(a.Title, b.Title),
		compareTexts(a.Description, b.Description), compareTexts(defaultText(a), defaultText(b)))
}

func defaultText(n *Node) *string {
	if n.Default == nil {
		return nil
	}
	text := n.Default.String()
	return &text
}

// compareTexts has nothing before everything.
func compareTexts(a, b *string) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return compareUTF16(*a, *b)
}
