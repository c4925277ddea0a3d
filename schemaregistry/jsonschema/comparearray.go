package jsonschema

import "strconv"

func (s *scope) arrays(writer, reader *ArrayRules) {
	s.in("items", func() { s.compare(writer.Items, reader.Items) })
	for i := range max(len(writer.Tuple), len(reader.Tuple)) {
		s.in("items/"+strconv.Itoa(i), func() { s.element(writer, reader, i) })
	}
	s.in("additionalItems", func() {
		s.additional(writer.Closed, reader.Closed, writer.Additional, reader.Additional,
			additionalTypes{AdditionalItemsAdded, AdditionalItemsRemoved, AdditionalItemsExtended, AdditionalItemsNarrowed})
	})
	s.in("unevaluatedItems", func() {
		s.unevaluated(writer.Unevaluated, reader.Unevaluated,
			additionalTypes{UnevaluatedItemsAdded, UnevaluatedItemsRemoved, UnevaluatedItemsExtended, UnevaluatedItemsNarrowed})
	})
	limit(s, "maxItems", writer.MaxItems, reader.MaxItems, compareIntegers, limitTypes{MaxItemsAdded, MaxItemsRemoved, MaxItemsIncreased, MaxItemsDecreased})
	limit(s, "minItems", writer.MinItems, reader.MinItems, compareIntegers, limitTypes{MinItemsAdded, MinItemsRemoved, MinItemsIncreased, MinItemsDecreased})
	if writer.Unique && !reader.Unique {
		s.addAt("uniqueItems", UniqueItemsRemoved)
	} else if !writer.Unique && reader.Unique {
		s.addAt("uniqueItems", UniqueItemsAdded)
	}
	limit(s, "maxContains", writer.MaxContains, reader.MaxContains, compareIntegers,
		limitTypes{MaxContainsAdded, MaxContainsRemoved, MaxContainsIncreased, MaxContainsDecreased})
	limit(s, "minContains", writer.MinContains, reader.MinContains, compareIntegers,
		limitTypes{MinContainsAdded, MinContainsRemoved, MinContainsIncreased, MinContainsDecreased})
}

// element compares what is at one place of two tuples.
func (s *scope) element(writer, reader *ArrayRules, i int) {
	switch {
	case i >= len(reader.Tuple):
		s.elementRemoved(writer.Tuple[i], reader)
	case i >= len(writer.Tuple):
		s.elementAdded(writer, reader.Tuple[i])
	default:
		s.compare(writer.Tuple[i], reader.Tuple[i])
	}
}

func (s *scope) elementRemoved(w *Node, reader *ArrayRules) {
	covered := reader.partlyOpen()
	switch {
	case reader.open():
		s.add(ItemRemovedFromOpenContentModel)
	case covered != nil:
		diffs, fits := s.try(w, covered)
		s.take(diffs)
		s.addIf(fits, ItemRemovedIsCoveredByPartiallyOpenContentModel, ItemRemovedNotCoveredByPartiallyOpenContentModel)
	default:
		s.addIf(w.Kind == KindFalse, ItemWithFalseRemovedFromClosedContentModel, ItemRemovedFromClosedContentModel)
	}
}

func (s *scope) elementAdded(writer *ArrayRules, r *Node) {
	covered := writer.partlyOpen()
	switch {
	case writer.open():
		s.addIf(r.Kind.anything(), ItemWithEmptySchemaAddedToOpenContentModel, ItemAddedToOpenContentModel)
	case covered != nil:
		diffs, fits := s.try(covered, r)
		s.take(diffs)
		s.addIf(fits, ItemAddedIsCoveredByPartiallyOpenContentModel, ItemAddedNotCoveredByPartiallyOpenContentModel)
	default:
		s.add(ItemAddedToClosedContentModel)
	}
}

// open tells whether elements behind the tuple may be anything.
func (a *ArrayRules) open() bool {
	return !a.Closed && a.Additional == nil && (a.Unevaluated == nil || a.Unevaluated.Kind.anything())
}

// partlyOpen is what elements behind the tuple have to be, nil when there is no such rule.
func (a *ArrayRules) partlyOpen() *Node {
	switch {
	case a.Additional != nil:
		return a.Additional
	case !a.Closed && a.Unevaluated != nil && a.Unevaluated.Kind != KindFalse && !a.Unevaluated.Kind.anything():
		return a.Unevaluated
	}
	return nil
}
