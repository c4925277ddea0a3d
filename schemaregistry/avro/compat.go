package avro

import "errors"

// A Version is an earlier version of a schema.
type Version struct {
	// Number is the version's number, 0 if it has none.
	Number int
	Schema *Schema
}

// A Report is what Check has found.
type Report struct {
	Level Level
	// Version is the earlier version with which the schema is incompatible; its
	// Schema is nil if it is compatible.
	Version Version
	// Differences are the reasons, for both directions those of the old schema as
	// the reader first.
	Differences []Difference
}

// Compatible reports whether nothing was found.
func (r *Report) Compatible() bool { return len(r.Differences) == 0 }

// Check compares a schema with its earlier versions, of which the last one is the
// newest, and stops at the first that is incompatible, as Confluent's registry
// does. The error is a *LimitError: a comparison that takes too long.
func Check(level Level, s *Schema, earlier []Version) (*Report, error) {
	report := &Report{Level: level}
	if level == None {
		return report, nil
	}
	for i := len(earlier) - 1; i >= 0; i-- {
		for _, d := range level.directions() {
			found, err := differences(d, s, earlier[i].Schema)
			if err != nil {
				return nil, err
			}
			report.Differences = append(report.Differences, found...)
		}
		if !report.Compatible() {
			report.Version = earlier[i]
			break
		}
		if !level.Transitive() {
			break
		}
	}
	return report, nil
}

// CanRead returns the reasons why data of writer can not be read as reader, none
// if it can. The error is a *LimitError.
func CanRead(reader, writer *Schema) ([]Difference, error) {
	return differences(NewReadsOld, reader, writer)
}

func differences(d Direction, newer, older *Schema) ([]Difference, error) {
	reader, writer := newer, older
	if d == OldReadsNew {
		reader, writer = older, newer
	}
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
