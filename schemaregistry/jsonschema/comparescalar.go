package jsonschema

// limitTypes are the differences of a limit: one that is new, one that is gone, one that is larger or smaller.
type limitTypes struct{ added, removed, increased, decreased DifferenceType }

// limit compares numbers; nil is no limit.
func limit[T any](s *scope, keyword string, writer, reader *T, compare func(a, b T) int, t limitTypes) {
	switch {
	case writer == nil && reader == nil:
	case writer == nil:
		s.addAt(keyword, t.added)
	case reader == nil:
		s.addAt(keyword, t.removed)
	default:
		if c := compare(*writer, *reader); c < 0 {
			s.addAt(keyword, t.increased)
		} else if c > 0 {
			s.addAt(keyword, t.decreased)
		}
	}
}

func compareIntegers(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareNumbers(a, b string) int {
	x, y := float(a), float(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (s *scope) strings(writer, reader *StringRules) {
	limit(s, "maxLength", writer.MaxLength, reader.MaxLength, compareIntegers, limitTypes{MaxLengthAdded, MaxLengthRemoved, MaxLengthIncreased, MaxLengthDecreased})
	limit(s, "minLength", writer.MinLength, reader.MinLength, compareIntegers, limitTypes{MinLengthAdded, MinLengthRemoved, MinLengthIncreased, MinLengthDecreased})
	switch {
	case writer.Pattern == nil && reader.Pattern != nil:
		s.addAt("pattern", PatternAdded)
	case writer.Pattern != nil && reader.Pattern == nil:
		s.addAt("pattern", PatternRemoved)
	case writer.Pattern != nil && *writer.Pattern != *reader.Pattern:
		s.addAt("pattern", PatternChanged)
	}
}

func (s *scope) numbers(writer, reader *NumberRules) {
	limit(s, "maximum", writer.Maximum, reader.Maximum, compareNumbers, limitTypes{MaximumAdded, MaximumRemoved, MaximumIncreased, MaximumDecreased})
	limit(s, "minimum", writer.Minimum, reader.Minimum, compareNumbers, limitTypes{MinimumAdded, MinimumRemoved, MinimumIncreased, MinimumDecreased})
	limit(s, "exclusiveMaximum", writer.ExclusiveMaximum, reader.ExclusiveMaximum, compareNumbers,
		limitTypes{ExclusiveMaximumAdded, ExclusiveMaximumRemoved, ExclusiveMaximumIncreased, ExclusiveMaximumDecreased})
	limit(s, "exclusiveMinimum", writer.ExclusiveMinimum, reader.ExclusiveMinimum, compareNumbers,
		limitTypes{ExclusiveMinimumAdded, ExclusiveMinimumRemoved, ExclusiveMinimumIncreased, ExclusiveMinimumDecreased})
	s.multipleOf(writer.MultipleOf, reader.MultipleOf)
	if writer.Integer && !reader.Integer {
		s.add(TypeExtended)
	} else if !writer.Integer && reader.Integer {
		s.add(TypeNarrowed)
	}
}

func (s *scope) multipleOf(writer, reader *string) {
	if writer == nil && reader == nil {
		return
	}
	t := MultipleOfChanged
	switch {
	case writer == nil:
		t = MultipleOfAdded
	case reader == nil:
		t = MultipleOfRemoved
	default:
		w, ok := rational(*writer)
		r, alsoOK := rational(*reader)
		switch {
		case !ok || !alsoOK:
			if *writer == *reader {
				return
			}
		case w.Cmp(r) == 0:
			return
		case isMultiple(r, w):
			t = MultipleOfExpanded
		case isMultiple(w, r):
			t = MultipleOfReduced
		}
	}
	s.addAt("multipleOf", t)
}

func (s *scope) enums(writer, reader []Value) {
	w, r := valueSet(writer), valueSet(reader)
	lost, gained := !contains(r, w), !contains(w, r)
	switch {
	case lost && gained:
		s.addAt("enum", EnumArrayChanged)
	case lost:
		s.addAt("enum", EnumArrayNarrowed)
	case gained:
		s.addAt("enum", EnumArrayExtended)
	}
	s.c.spend((len(w) + len(r)) / 64)
}

func valueSet(values []Value) map[string]bool {
	set := make(map[string]bool, len(values))
	for i := range values {
		set[values[i].same()] = true
	}
	return set
}

// contains tells whether a has all that b has.
func contains(a, b map[string]bool) bool {
	for k := range b {
		if !a[k] {
			return false
		}
	}
	return true
}
