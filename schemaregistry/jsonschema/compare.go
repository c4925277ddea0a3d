package jsonschema

import (
	"fmt"
	"strings"
)

// Compare lists the differences between what data was written by and what is to read it, those that break nothing too. They have the
// order in which they are found, which is not Confluent's.
//
// Errors: the schemas are too large to compare, or one of them can not be read.
func Compare(writer, reader *Schema, lenientPolicy bool) ([]Difference, error) {
	w, err := writer.Root()
	if err != nil {
		return nil, err
	}
	r, err := reader.Root()
	if err != nil {
		return nil, err
	}
	c := &comparison{lenient: lenientPolicy, max: writer.limits.Pairs, patterns: make(map[string]matcher)}
	return c.run(w, r)
}

// pair is a writer's and a reader's Node.
type pair struct{ writer, reader *Node }

// comparison is the work of one Compare. A pair is compared once, with paths relative to it. Within itself a pair counts as
// compatible, which may turn out wrong: then all is compared again with what is known by then, until nothing changes.
type comparison struct {
	lenient bool
	max     int

	done map[pair][]found
	busy map[pair]bool
	// broken are the pairs of the pass before that do not fit.
	broken map[pair][]found
	// assumed is set when a pair counted as compatible within itself.
	assumed bool

	names    map[*Node]string // of branches: equal branches have one
	patterns map[string]matcher
	depth    int
	work     int
	again    int // how often a pair was met again, which is cheap
	err      error
}

// found is a difference with the path from the pair that it was found in, "" for that itself.
type found struct {
	typ  DifferenceType
	path string
}

// maxNestedPairs bounds the recursion of a comparison (I5).
const maxNestedPairs = 5000

func (c *comparison) run(writer, reader *Node) ([]Difference, error) {
	for {
		c.done, c.busy, c.names, c.assumed = make(map[pair][]found), make(map[pair]bool), make(map[*Node]string), false
		s := &scope{c: c}
		s.compare(writer, reader)
		if c.err != nil {
			return nil, c.err
		}
		broken := c.brokenPairs()
		if !c.assumed || len(broken) == len(c.broken) { // pairs are only ever added
			return s.differences(), nil
		}
		c.broken = broken
	}
}

func (c *comparison) brokenPairs() map[pair][]found {
	broken := make(map[pair][]found)
	for p, diffs := range c.done {
		if !c.fits(diffs) {
			broken[p] = diffs
		}
	}
	return broken
}

func (c *comparison) fits(diffs []found) bool {
	for _, d := range diffs {
		if (Difference{Type: d.typ}).Breaks(c.lenient) {
			return false
		}
	}
	return true
}

// spend counts work and tells whether there may be more (I5).
func (c *comparison) spend(n int) bool {
	if c.work += n; c.work > c.max && c.err == nil {
		c.err = &LimitError{Limit: LimitPairs, Max: c.max}
	}
	return c.err == nil
}

// pair returns the differences of a pair, relative to it.
func (c *comparison) pair(p pair) []found {
	if diffs, ok := c.done[p]; ok {
		if c.again++; c.again%16 == 0 {
			c.spend(1)
		}
		return diffs
	}
	if c.busy[p] {
		diffs, ok := c.broken[p]
		c.assumed = c.assumed || !ok
		return diffs
	}
	if !c.spend(1) {
		return nil
	}
	if c.depth++; c.depth > maxNestedPairs {
		c.err = &LimitError{Limit: LimitDepth, Max: maxNestedPairs}
		return nil
	}
	c.busy[p] = true
	s := &scope{c: c}
	s.types(p.writer, p.reader)
	c.depth--
	delete(c.busy, p)
	c.done[p] = s.found
	return s.found
}

// scope collects the differences of one pair, or of a try that may be dropped.
type scope struct {
	c     *comparison
	path  []string
	found []found
}

func (s *scope) at() string { return strings.Join(s.path, "/") }

// in runs f with a longer path.
func (s *scope) in(token string, f func()) {
	s.path = append(s.path, token)
	f()
	s.path = s.path[:len(s.path)-1]
}

func (s *scope) add(t DifferenceType) { s.addAt("", t) }

// addAt adds a difference of a keyword.
func (s *scope) addAt(keyword string, t DifferenceType) {
	path := s.at()
	if keyword != "" {
		path = rebase(path, keyword)
	}
	s.take([]found{{t, path}})
}

// take adds differences whose paths are right already.
func (s *scope) take(diffs []found) {
	for _, d := range diffs {
		if !s.c.spend(1 + len(d.path)/64) {
			return
		}
		s.found = append(s.found, d)
	}
}

func rebase(prefix, path string) string {
	switch {
	case prefix == "":
		return path
	case path == "":
		return prefix
	}
	return prefix + "/" + path
}

// try compares without keeping what it finds.
func (s *scope) try(writer, reader *Node) (diffs []found, fits bool) {
	t := &scope{c: s.c, path: s.path}
	t.compare(writer, reader)
	return t.found, s.c.fits(t.found)
}

func (s *scope) differences() []Difference {
	diffs := make([]Difference, len(s.found))
	for i, d := range s.found {
		diffs[i] = Difference{d.typ, "#/" + d.path}
	}
	return diffs
}

// compare adds the differences of two Nodes, either of which may be nil.
func (s *scope) compare(writer, reader *Node) {
	switch {
	case writer == nil && reader == nil || s.c.err != nil:
		return
	case writer == nil:
		s.add(SchemaAdded)
		return
	case reader == nil:
		s.add(SchemaRemoved)
		return
	}
	prefix := s.at()
	for _, d := range s.c.pair(pair{dereference(writer), dereference(reader)}) {
		if !s.c.spend(1 + (len(prefix)+len(d.path))/64) {
			return
		}
		s.found = append(s.found, found{d.typ, rebase(prefix, d.path)})
	}
}

// maxHops bounds references to references (I5); one that leads back to itself says nothing.
const maxHops = 100

// dereference follows references. Confluent's registry follows one only, and takes references to references for equal.
func dereference(n *Node) *Node {
	for range maxHops {
		if n.Kind != KindReference || n.Target == nil {
			return n
		}
		n = n.Target
	}
	return n
}

// types compares two Nodes that are no references.
func (s *scope) types(writer, reader *Node) {
	if s.singleBranch(writer, reader) {
		return
	}
	if writer.Kind != reader.Kind {
		bothBytes := writer.ExtraText("connect.type") == "bytes" && reader.ExtraText("connect.type") == "bytes" // a Decimal as text or as a number
		if writer.Kind != KindFalse && !reader.Kind.anything() && !bothBytes {
			s.add(TypeChanged)
		}
		return
	}
	s.annotations(writer, reader)
	switch writer.Kind {
	case KindString:
		s.strings(&writer.Strings, &reader.Strings)
	case KindNumber:
		s.numbers(&writer.Numbers, &reader.Numbers)
	case KindConst:
		if writer.Values[0].same() != reader.Values[0].same() {
			s.addAt("const", EnumArrayChanged)
		}
	case KindEnum:
		s.enums(writer.Values, reader.Values)
	case KindCombined:
		s.combined(writer, reader)
	case KindNot:
		s.not(writer, reader)
	case KindObject:
		s.objects(writer.Object, reader.Object)
	case KindArray:
		s.arrays(writer.Array, reader.Array)
	}
}

func (s *scope) annotations(writer, reader *Node) {
	changed := func(a, b *string, t DifferenceType) {
		if (a == nil) != (b == nil) || a != nil && *a != *b {
			s.add(t)
		}
	}
	changed(writer.ID, reader.ID, IDChanged)
	changed(writer.Title, reader.Title, TitleChanged)
	changed(writer.Description, reader.Description, DescriptionChanged)
	if (writer.Default == nil) != (reader.Default == nil) || writer.Default != nil && writer.Default.same() != reader.Default.same() {
		s.add(DefaultChanged)
	}
}

// not compares what must not be valid, the other way around.
func (s *scope) not(writer, reader *Node) {
	s.in("not", func() {
		if _, fits := s.try(reader.Target, writer.Target); fits {
			s.add(NotTypeNarrowed)
		} else {
			s.add(NotTypeExtended)
		}
	})
}

// name is the same for branches of a Combined that say the same.
func (c *comparison) name(n *Node) string {
	if name, ok := c.names[n]; ok {
		return name
	}
	name := ""
	switch {
	case n.plain():
		name = fmt.Sprint(n.Kind, n.Numbers.Integer, text(n.Strings.MinLength), text(n.Strings.MaxLength), text(n.Strings.Pattern), text(n.Numbers.Minimum),
			text(n.Numbers.Maximum), text(n.Numbers.ExclusiveMinimum), text(n.Numbers.ExclusiveMaximum), text(n.Numbers.MultipleOf))
	case n.source != nil:
		name = n.source.same()
	default:
		name = fmt.Sprintf("%p", n)
	}
	c.spend(len(name) / 64)
	c.names[n] = name
	return name
}

// plain tells whether the rules of a scalar type are all that a Node says.
func (n *Node) plain() bool {
	scalar := n.Kind == KindString && !n.Strings.Format || n.Kind == KindNumber || n.Kind == KindBoolean || n.Kind == KindNull
	return scalar && n.ID == nil && n.Title == nil && n.Description == nil && n.Default == nil && len(n.Extra) == 0
}

func text[T any](p *T) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}
