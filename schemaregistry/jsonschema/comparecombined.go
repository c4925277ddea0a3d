package jsonschema

import "strconv"

// singleBranch compares a Combined with what is none, branch by branch. It tells whether that is all: a branch that fits decides.
func (s *scope) singleBranch(writer, reader *Node) bool {
	var branches []*Node
	extra := DifferenceType("")
	switch {
	case writer.Kind != KindCombined && reader.Kind == KindCombined:
		if branches = reader.Branches; len(branches) != 1 {
			extra = SumTypeExtended
			if reader.Criterion == AllOf {
				return false
			}
		}
		return s.anyBranch(branches, extra, func(b *Node) (*Node, *Node) { return writer, b })
	case writer.Kind == KindCombined && reader.Kind != KindCombined:
		if branches = writer.Branches; len(branches) != 1 {
			extra = ProductTypeNarrowed
			if writer.Criterion != AllOf {
				return false
			}
		}
		return s.anyBranch(branches, extra, func(b *Node) (*Node, *Node) { return b, reader })
	}
	return false
}

// anyBranch looks for a branch that fits.
func (s *scope) anyBranch(branches []*Node, extra DifferenceType, sides func(*Node) (writer, reader *Node)) bool {
	for _, b := range branches {
		w, r := sides(b)
		diffs, fits := s.try(w, r)
		if !fits {
			continue
		}
		s.take(diffs)
		if extra != "" {
			s.add(extra)
		}
		return true
	}
	return false
}

// combined compares the branches of two Combined: as many as the smaller one has need a partner of their own that fits.
func (s *scope) combined(writer, reader *Node) {
	if !s.criteria(writer, reader) {
		return
	}
	w, r := s.c.distinct(writer.Branches), s.c.distinct(reader.Branches)
	switch {
	case len(w) < len(r) && reader.Criterion == AllOf:
		s.add(ProductTypeExtended)
	case len(w) < len(r):
		s.add(SumTypeExtended)
	case len(w) > len(r) && writer.Criterion == AllOf:
		s.add(ProductTypeNarrowed)
	case len(w) > len(r):
		s.add(SumTypeNarrowed)
	}
	m := matching{scope: s, edges: make([][]edge, len(w)), partner: make([]int, len(r)), of: make([]int, len(w))}
	for i, a := range w {
		s.in(string(writer.Criterion)+"/"+strconv.Itoa(i), func() {
			for j, b := range r {
				if diffs, fits := s.try(a, b); fits {
					m.edges[i] = append(m.edges[i], edge{j, diffs})
				}
			}
		})
	}
	if m.run() < min(len(w), len(r)) {
		s.add(CombinedTypeSubschemasChanged)
	}
}

// criteria compares how many branches have to be valid; false: the branches do not matter any more.
func (s *scope) criteria(writer, reader *Node) bool {
	w, r := writer.Criterion, reader.Criterion
	oneOfW, oneOfR := len(writer.Branches) == 1, len(reader.Branches) == 1
	switch {
	case w == r:
		return true
	case r == AnyOf, oneOfW && oneOfR, oneOfW && r == OneOf, oneOfR && w == AllOf:
		s.add(CombinedTypeExtended)
		return true
	}
	s.add(CombinedTypeChanged)
	return false
}

// distinct leaves out branches that say the same as an earlier one.
func (c *comparison) distinct(branches []*Node) (nodes []*Node) {
	seen := make(map[string]bool, len(branches))
	for _, b := range branches {
		if c.err != nil {
			return nil
		}
		if name := c.name(b); !seen[name] {
			seen[name] = true
			nodes = append(nodes, b)
		}
	}
	return nodes
}

// edge is a reader's branch that fits a writer's.
type edge struct {
	to    int
	diffs []found
}

// matching gives as many branches of the writer as possible a partner of the reader.
type matching struct {
	scope   *scope
	edges   [][]edge
	partner []int // of a reader's branch, plus one; 0 is none
	of      []int // the edge of a writer's branch, plus one
	seen    []bool
}

// run returns how many have a partner, and adds their differences.
func (m *matching) run() int {
	n := 0
	for i := range m.edges {
		m.seen = make([]bool, len(m.partner))
		if m.scope.c.spend(len(m.partner)/64) && m.find(i) {
			n++
		}
	}
	for i, e := range m.of {
		if e > 0 {
			m.scope.take(m.edges[i][e-1].diffs)
		}
	}
	return n
}

// find looks for a partner, for whose sake others may change theirs.
func (m *matching) find(i int) bool {
	m.scope.c.spend(1 + len(m.edges[i])/16)
	for n, e := range m.edges[i] {
		if m.seen[e.to] || m.scope.c.err != nil {
			continue
		}
		m.seen[e.to] = true
		if other := m.partner[e.to]; other == 0 || m.find(other-1) {
			m.partner[e.to], m.of[i] = i+1, n+1
			return true
		}
	}
	return false
}
