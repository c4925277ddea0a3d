package connectjsonschema

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// combined maps oneOf, anyOf and allOf: of null and one other it is that one, optional; else a struct with a field for each.
func (m *toMapper) combined(n *jsonschema.Node, version int, optional bool) (*connect.Schema, error) {
	if len(n.Branches) == 1 && !m.o.KeepSingletons {
		return m.schema(n.Branches[0], version, optional)
	}
	if n.Criterion == jsonschema.AllOf {
		return m.allOf(n, version, optional)
	}
	name := generalUnionPrefix + strconv.Itoa(m.unions)
	m.unions++ // also for what turns out to be optional, as in Confluent's converter
	if other := besidesNull(n.Branches); other != nil {
		return m.schema(other, version, true)
	}
	b := &builder{typ: connect.Struct}
	prefix := unionName + ".field."
	if m.o.Generalized {
		prefix = generalUnionPrefix + "field_"
		b.parameter(connectjson.UnionParameter, name)
	} else {
		name = unionName
	}
	b.attrs.Name = name
	for _, branch := range n.Branches {
		if branch.Kind == jsonschema.KindNull {
			b.attrs.Optional = true
			continue
		}
		s, err := m.schema(branch, 0, true)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Criterion, err)
		}
		b.fields = append(b.fields, connect.Field{Name: prefix + strconv.Itoa(len(b.fields)), Schema: s})
	}
	return m.finish(n, b, version, optional)
}

// besidesNull is the other one of two branches of which one is null.
func besidesNull(branches []*jsonschema.Node) *jsonschema.Node {
	if len(branches) != 2 {
		return nil
	}
	for i, b := range branches {
		if b.Kind == jsonschema.KindNull {
			return branches[1-i]
		}
	}
	return nil
}

// allOf is a struct with the properties of all branches; without any it is the branch that says most about a value.
func (m *toMapper) allOf(n *jsonschema.Node, version int, optional bool) (*connect.Schema, error) {
	c := collector{seen: make(map[*jsonschema.Node]bool), index: make(map[string]int)}
	if err := c.collect(n, 0); err != nil {
		return nil, err
	}
	if len(c.properties) > 0 {
		b := &builder{typ: connect.Struct, attrs: connect.Attrs{Optional: optional}}
		for i, p := range c.properties {
			if err := m.property(b, p, c.required[i]); err != nil {
				return nil, err
			}
		}
		return b.build()
	}
	if best := telling(n.Branches); best != nil {
		return m.schema(best, version, optional)
	}
	return nil, errors.New("Unsupported criterion allOf: no branch has properties or a type")
}

// telling is the branch that decides the type.
func telling(branches []*jsonschema.Node) *jsonschema.Node {
	last := make(map[jsonschema.Kind]*jsonschema.Node)
	for _, b := range branches {
		last[b.Kind] = b
	}
	text, number := last[jsonschema.KindString], last[jsonschema.KindNumber]
	first := func(nodes ...*jsonschema.Node) *jsonschema.Node {
		for _, n := range nodes {
			if n != nil {
				return n
			}
		}
		return nil
	}
	switch {
	case last[jsonschema.KindCombined] != nil:
		return last[jsonschema.KindCombined]
	case last[jsonschema.KindConst] != nil:
		return first(text, number)
	case last[jsonschema.KindEnum] != nil && text != nil:
		return last[jsonschema.KindEnum]
	case last[jsonschema.KindEnum] != nil:
		return number
	case text != nil && text.Strings.Format:
		return first(number, text)
	}
	return last[jsonschema.KindReference]
}

// collector finds the properties of all branches of allOf, within each other and behind references.
type collector struct {
	seen       map[*jsonschema.Node]bool
	properties []jsonschema.Property
	required   []bool
	index      map[string]int
}

func (c *collector) collect(n *jsonschema.Node, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("allOf nests deeper than %d levels", maxNesting)
	}
	if n == nil || c.seen[n] {
		return nil
	}
	c.seen[n] = true
	switch n.Kind {
	case jsonschema.KindReference:
		return c.collect(n.Target, depth+1)
	case jsonschema.KindCombined:
		if n.Criterion != jsonschema.AllOf {
			return nil
		}
		for _, b := range n.Branches {
			if err := c.collect(b, depth+1); err != nil {
				return err
			}
		}
	case jsonschema.KindObject:
		for _, p := range inOrder(n.Object.Properties) {
			c.add(p, n.Object.Required(p.Name))
		}
	}
	return nil
}

// add has the last of properties with one name, at the first one's place.
func (c *collector) add(p jsonschema.Property, required bool) {
	if i, ok := c.index[p.Name]; ok {
		c.properties[i], c.required[i] = p, required
		return
	}
	c.index[p.Name] = len(c.properties)
	c.properties, c.required = append(c.properties, p), append(c.required, required)
}
