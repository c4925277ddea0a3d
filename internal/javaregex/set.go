package javaregex

import (
	"slices"
	"strings"
	"unicode"
)

// span is a range of characters, both ends included.
type span struct{ lo, hi rune }

// set is characters as spans that are sorted and do not touch.
type set []span

// universe is every character that text can have: UTF-8 has no surrogates.
var universe = set{{0, 0xD7FF}, {0xE000, unicode.MaxRune}}

// normal sorts spans and joins those that touch.
func normal(spans []span) set {
	slices.SortFunc(spans, func(a, b span) int { return int(a.lo) - int(b.lo) })
	out := set{}
	for _, s := range spans {
		if n := len(out); n > 0 && s.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

func (s set) union(o set) set { return normal(slices.Concat(s, o)) }

// intersect returns what is in both, not nil even when it is nothing.
func (s set) intersect(o set) set {
	out := []span{}
	for i, j := 0, 0; i < len(s) && j < len(o); {
		if lo, hi := max(s[i].lo, o[j].lo), min(s[i].hi, o[j].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if s[i].hi < o[j].hi {
			i++
		} else {
			j++
		}
	}
	return normal(out)
}

func (s set) negate() set {
	var out []span
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, span{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, span{next, unicode.MaxRune})
	}
	return normal(out).intersect(universe)
}

// foldCase adds the other case of each ASCII letter, as Java's flag i does.
func (s set) foldCase() set {
	upper, lower := s.intersect(set{{'A', 'Z'}}), s.intersect(set{{'a', 'z'}})
	out := slices.Clone(s)
	for _, r := range upper {
		out = append(out, span{r.lo + 'a' - 'A', r.hi + 'a' - 'A'})
	}
	for _, r := range lower {
		out = append(out, span{r.lo - 'a' + 'A', r.hi - 'a' + 'A'})
	}
	return normal(out)
}

// write writes the set as a class that both engines read alike.
func (s set) write(w *strings.Builder) {
	w.WriteByte('[')
	for _, r := range s {
		writeClassRune(w, r.lo)
		if r.hi > r.lo {
			w.WriteByte('-')
			writeClassRune(w, r.hi)
		}
	}
	w.WriteByte(']')
}

func writeClassRune(w *strings.Builder, r rune) {
	if strings.ContainsRune(`\[]^-`, r) {
		w.WriteByte('\\')
	}
	w.WriteRune(r)
}

// tableSet is the set of a table of package unicode.
func tableSet(t *unicode.RangeTable) set {
	var spans []span
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			spans = append(spans, span{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			spans = append(spans, span{r, r})
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return normal(spans).intersect(universe)
}

// The sets that have names.
var (
	digits      = set{{'0', '9'}}
	spaces      = set{{'\t', '\r'}, {' ', ' '}}
	letters     = set{{'A', 'Z'}, {'a', 'z'}}
	words       = set{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	horizontals = set{{'\t', '\t'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200A}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}}
	verticals   = set{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}
	// lineEnds are what a dot does not match.
	lineEnds = set{{'\n', '\n'}, {'\r', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}
	graphs   = set{{'!', '~'}}

	posix = map[string]set{
		"Lower": {{'a', 'z'}}, "Upper": {{'A', 'Z'}}, "ASCII": {{0, 0x7F}}, "Alpha": letters, "Digit": digits,
		"Alnum": {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, "Punct": {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, "Graph": graphs,
		"Print": {{' ', '~'}}, "Blank": {{'\t', '\t'}, {' ', ' '}}, "Cntrl": {{0, 0x1F}, {0x7F, 0x7F}},
		"XDigit": {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, "Space": spaces,
	}
)

// propertySet returns the set of \p{name}: a POSIX name, a general category or a
// script.
func propertySet(name string) (set, bool) {
	if s, ok := posix[name]; ok {
		return s, true
	}
	plain := strings.TrimPrefix(name, "Is")
	switch plain {
	case "Alphabetic":
		plain = "L"
	case "Lowercase":
		plain = "Ll"
	case "Uppercase":
		plain = "Lu"
	}
	if t := unicode.Categories[plain]; t != nil {
		return tableSet(t), true
	}
	if t := unicode.Scripts[plain]; t != nil && plain != name {
		return tableSet(t), true
	}
	return nil, false
}
