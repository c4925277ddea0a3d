package avro

import "errors"

// CanRead returns the reasons why data of writer can not be read as reader, none
// if it can. The direction says which of the two is the new schema, for messages
// and advice. The error is a *LimitError: a comparison that takes too long.
func CanRead(reader, writer *Schema, d Direction) ([]Difference, error) {
	c := newChecker()
	r, err := c.compare(nil, reader.root, writer.root)
	if e, ok := errors.AsType[*ambiguousError](err); ok {
		return []Difference{e.difference(d)}, nil
	}
	if err != nil {
		return nil, err
	}
	l := lister{direction: d}
	l.add(r)
	return l.list, nil
}

const (
	// maxCompareSteps bounds the work of a comparison: about a second.
	maxCompareSteps = 5_000_000
	// pairCost is what a pair of types costs, for which memory is taken.
	pairCost = 10
	// maxCompareDepth bounds how deep a comparison goes into types within types.
	maxCompareDepth = 10_000
	// maxDifferences and maxDifferenceText bound what is reported.
	maxDifferences    = 1000
	maxDifferenceText = 1 << 20
	// maxCauses bounds the reasons that are given for one union, maxCauseDepth the
	// reasons for reasons.
	maxCauses     = 20
	maxCauseDepth = 5
)
