package jsonschema

import (
	"regexp"

	"github.com/sluice-data/sluice/internal/javaregex"
)

func (s *scope) objects(writer, reader *ObjectRules) {
	s.in("required", func() { s.required(writer, reader) })
	s.in("properties", func() {
		for _, p := range writer.Properties {
			s.in(p.Name, func() { s.property(writer, reader, p.Name) })
		}
		for _, p := range reader.Properties {
			if writer.Property(p.Name) == nil {
				s.in(p.Name, func() { s.property(writer, reader, p.Name) })
			}
		}
	})
	s.in("dependencies", func() { s.dependencies(writer, reader) })
	s.in("additionalProperties", func() {
		s.additional(writer.Closed, reader.Closed, writer.Additional, reader.Additional,
			additionalTypes{AdditionalPropertiesAdded, AdditionalPropertiesRemoved, AdditionalPropertiesExtended, AdditionalPropertiesNarrowed})
	})
	s.in("unevaluatedProperties", func() {
		s.unevaluated(writer.Unevaluated, reader.Unevaluated,
			additionalTypes{UnevaluatedPropertiesAdded, UnevaluatedPropertiesRemoved, UnevaluatedPropertiesExtended, UnevaluatedPropertiesNarrowed})
	})
	limit(s, "maxProperties", writer.MaxProperties, reader.MaxProperties, compareIntegers,
		limitTypes{MaxPropertiesAdded, MaxPropertiesRemoved, MaxPropertiesIncreased, MaxPropertiesDecreased})
	limit(s, "minProperties", writer.MinProperties, reader.MinProperties, compareIntegers,
		limitTypes{MinPropertiesAdded, MinPropertiesRemoved, MinPropertiesIncreased, MinPropertiesDecreased})
}

func (s *scope) required(writer, reader *ObjectRules) {
	for _, p := range writer.Properties {
		now := reader.Property(p.Name)
		if now == nil || writer.Required(p.Name) == reader.Required(p.Name) {
			continue
		}
		t := RequiredAttributeRemoved
		if reader.Required(p.Name) {
			if t = RequiredAttributeAdded; now.Default != nil {
				t = RequiredAttributeWithDefaultAdded
			}
		}
		s.addAt(p.Name, t)
	}
}

func (s *scope) property(writer, reader *ObjectRules, name string) {
	w, r := writer.Property(name), reader.Property(name)
	switch {
	case r == nil:
		s.removed(w, reader, name)
	case w == nil:
		s.added(writer, reader, r, name)
	default:
		s.compare(w, r)
	}
}

// removed is a property that the reader does not know: it depends on what the reader takes besides those that it knows.
func (s *scope) removed(w *Node, reader *ObjectRules, name string) {
	covered := s.partlyOpen(reader, name)
	switch {
	case reader.open():
		s.add(PropertyRemovedFromOpenContentModel)
	case covered != nil:
		diffs, fits := s.try(w, covered)
		s.take(diffs)
		s.addIf(fits, PropertyRemovedIsCoveredByPartiallyOpenContentModel, PropertyRemovedNotCoveredByPartiallyOpenContentModel)
	default:
		s.addIf(w.Kind == KindFalse, PropertyWithFalseRemovedFromClosedContentModel, PropertyRemovedFromClosedContentModel)
	}
}

// added is a property that the writer does not know: data may have it all the same where the writer took anything.
func (s *scope) added(writer, reader *ObjectRules, r *Node, name string) {
	required, hasDefault := reader.Required(name), r.Default != nil
	if writer.open() {
		switch {
		case r.Kind.anything():
			s.add(PropertyWithEmptySchemaAddedToOpenContentModel)
		case required:
			s.addIf(hasDefault, RequiredPropertyWithDefaultAddedToOpenContentModel, RequiredPropertyAddedToOpenContentModel)
		default:
			s.add(OptionalPropertyAddedToOpenContentModel)
		}
		return
	}
	if covered := s.partlyOpen(writer, name); covered != nil {
		diffs, fits := s.try(covered, r)
		s.take(diffs)
		s.addIf(fits, PropertyAddedIsCoveredByPartiallyOpenContentModel, PropertyAddedNotCoveredByPartiallyOpenContentModel)
	}
	if required {
		s.addIf(hasDefault, RequiredPropertyWithDefaultAddedToUnopenContentModel, RequiredPropertyAddedToUnopenContentModel)
	} else {
		s.add(OptionalPropertyAddedToUnopenContentModel)
	}
}

func (s *scope) addIf(yes bool, t, otherwise DifferenceType) {
	if yes {
		s.add(t)
	} else {
		s.add(otherwise)
	}
}

// open tells whether properties that are not named may be anything.
func (o *ObjectRules) open() bool {
	return !o.Closed && o.Additional == nil && len(o.Patterns) == 0 && (o.Unevaluated == nil || o.Unevaluated.Kind.anything())
}

// partlyOpen is what a property that is not named has to be, nil when there is no such rule.
func (s *scope) partlyOpen(o *ObjectRules, name string) *Node {
	for _, p := range o.Patterns {
		if s.c.matches(p.Name, name) {
			return p.Node
		}
	}
	switch {
	case o.Additional != nil:
		return o.Additional
	case !o.Closed && o.Unevaluated != nil && o.Unevaluated.Kind != KindFalse && !o.Unevaluated.Kind.anything():
		return o.Unevaluated
	}
	return nil
}

// matcher is a compiled pattern; nil matches nothing.
type matcher = *regexp.Regexp

// findPattern is one that matches a whole text if the given one matches a part of it.
func findPattern(pattern string) (*javaregex.Pattern, error) {
	return javaregex.Compile(`(?s:.*)(?:` + pattern + `)(?s:.*)`)
}

// compilePattern returns nil for a pattern that linear time is not enough for (I5): one with look-around or back-references.
func compilePattern(pattern string) matcher {
	p, err := findPattern(pattern)
	if err != nil {
		return nil
	}
	text, ok := p.RE2()
	if !ok {
		return nil
	}
	m, _ := regexp.Compile(text)
	return m
}

func (c *comparison) matches(pattern, name string) bool {
	if !c.spend(1 + len(name)/16) {
		return false
	}
	m, ok := c.patterns[pattern]
	if !ok {
		c.spend(len(pattern) / 16)
		m = compilePattern(pattern)
		c.patterns[pattern] = m
	}
	return m != nil && m.MatchString(name)
}

// additionalTypes are the differences of what is allowed besides what is named: more, nothing, more or fewer values.
type additionalTypes struct{ added, removed, extended, narrowed DifferenceType }

func (s *scope) additional(writerClosed, readerClosed bool, writer, reader *Node, t additionalTypes) {
	switch {
	case writerClosed && !readerClosed:
		s.add(t.added)
	case !writerClosed && readerClosed:
		s.add(t.removed)
	case writer == nil && reader != nil:
		s.add(t.narrowed)
	case writer != nil && reader == nil:
		s.add(t.extended)
	default:
		s.compare(writer, reader)
	}
}

func (s *scope) unevaluated(writer, reader *Node, t additionalTypes) {
	isFalse := func(n *Node) bool { return n != nil && n.Kind == KindFalse }
	isOpen := func(n *Node) bool { return n == nil || n.Kind.anything() }
	switch {
	case writer == nil && reader == nil:
	case writer == nil || reader == nil || isFalse(writer) != isFalse(reader) || isOpen(writer) != isOpen(reader):
		switch {
		case isFalse(reader):
			s.add(t.removed)
		case isFalse(writer):
			s.add(t.added)
		case writer == nil || isOpen(writer) && reader != nil:
			s.add(t.narrowed)
		default:
			s.add(t.extended)
		}
	default:
		s.compare(writer, reader)
	}
}

func (s *scope) dependencies(writer, reader *ObjectRules) {
	w, r := dependencies(writer), dependencies(reader)
	for _, name := range names(writer.PropertyDependencies, reader.PropertyDependencies) {
		before, was := w[name]
		after, is := r[name]
		switch {
		case !is:
			s.addAt(name, DependencyArrayRemoved)
		case !was:
			s.addAt(name, DependencyArrayAdded)
		case contains(after, before) && contains(before, after):
		case contains(after, before):
			s.addAt(name, DependencyArrayExtended)
		case contains(before, after):
			s.addAt(name, DependencyArrayNarrowed)
		default:
			s.addAt(name, DependencyArrayChanged)
		}
	}
	s.schemaDependencies(writer.SchemaDependencies, reader.SchemaDependencies)
}

func dependencies(o *ObjectRules) map[string]map[string]bool {
	m := make(map[string]map[string]bool, len(o.PropertyDependencies))
	for _, d := range o.PropertyDependencies {
		m[d.Name] = d.Requires
	}
	return m
}

// names are those of both lists, each once, in their order.
func names(a, b []Dependency) (all []string) {
	seen := make(map[string]bool, len(a))
	for _, list := range [][]Dependency{a, b} {
		for _, d := range list {
			if !seen[d.Name] {
				seen[d.Name] = true
				all = append(all, d.Name)
			}
		}
	}
	return all
}

func (s *scope) schemaDependencies(writer, reader []Property) {
	w, r := byName(writer), byName(reader)
	for _, p := range writer {
		if r[p.Name] == nil {
			s.addAt(p.Name, DependencySchemaRemoved)
			continue
		}
		s.in(p.Name, func() { s.compare(p.Node, r[p.Name]) })
	}
	for _, p := range reader {
		if w[p.Name] == nil {
			s.addAt(p.Name, DependencySchemaAdded)
		}
	}
}

func byName(properties []Property) map[string]*Node {
	m := make(map[string]*Node, len(properties))
	for _, p := range properties {
		m[p.Name] = p.Node
	}
	return m
}
