package avro

import "strings"

// Level is a level of compatibility.
type Level uint8

// The levels of Confluent's registry. The transitive ones compare with all earlier
// versions, the others with the last one.
const (
	None Level = iota
	Backward
	BackwardTransitive
	Forward
	ForwardTransitive
	Full
	FullTransitive
)

func levelNames() [7]string {
	return [...]string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}
}

// ParseLevel returns the level of a name in any case.
func ParseLevel(name string) (Level, bool) {
	for i, n := range levelNames() {
		if strings.EqualFold(n, name) {
			return Level(i), true
		}
	}
	return None, false
}

// String is the level's name, such as "BACKWARD".
func (l Level) String() string { return levelNames()[l] }

// Transitive reports whether all earlier versions count and not only the last.
func (l Level) Transitive() bool {
	return l == BackwardTransitive || l == ForwardTransitive || l == FullTransitive
}

// directions are the directions in which schemas must be readable, in the order
// of Confluent's messages.
func (l Level) directions() []Direction {
	switch l {
	case Backward, BackwardTransitive:
		return []Direction{NewReadsOld}
	case Forward, ForwardTransitive:
		return []Direction{OldReadsNew}
	case Full, FullTransitive:
		return []Direction{OldReadsNew, NewReadsOld}
	}
	return nil
}
