package jsonschema

import "fmt"

// Direction says which of two versions reads the other.
type Direction uint8

// The directions: NewReadsOld is backward compatibility, OldReadsNew forward.
const (
	NewReadsOld Direction = iota
	OldReadsNew
)

func (d Direction) reader() string { return [...]string{"new", "old"}[d] }
func (d Direction) writer() string { return [...]string{"old", "new"}[d] }

// A Difference is something that two versions of a schema do not have in common.
type Difference struct {
	Type DifferenceType
	// Pointer is the JSON pointer of the place, "#/" for the root.
	Pointer string
}

// Breaks tells whether there may be data by the writer that a reader refuses. LENIENT takes what data by both has in common.
func (d Difference) Breaks(lenientPolicy bool) bool {
	a := differenceFacts[d.Type].allowed
	return a == never || a == lenient && !lenientPolicy
}

// How Confluent's registry words differences; the path comes first, then the reader and the writer.
const (
	wordsKeyword          = "The keyword at path '%[1]s' in the %[2]s schema is not present in the %[3]s schema"
	wordsMore             = "The value at path '%[1]s' in the %[2]s schema is more than its value in the %[3]s schema"
	wordsLess             = "The value at path '%[1]s' in the %[2]s schema is less than its value in the %[3]s schema"
	wordsValue            = "The value at path '%[1]s' is different between the %[2]s and %[3]s schema"
	wordsFewer            = "An array or combined type at path '%[1]s' has fewer elements in the %[2]s schema than the %[3]s schema"
	wordsMoreElements     = "An array or combined type at path '%[1]s' has more elements in the %[2]s schema than the %[3]s schema"
	wordsType             = "A type at path '%[1]s' is different between the %[2]s schema and the %[3]s schema"
	wordsOpen             = "The %[2]s schema has an open content model and has a property or item at path '%[1]s' which is missing in the %[3]s schema"
	wordsUnopen           = "The %[2]s schema has an unopen content model and has a required property at path '%[1]s' which is missing in the %[3]s schema"
	wordsClosed           = "The %[2]s has a closed content model and is missing a property or item present at path '%[1]s' in the %[3]s schema"
	wordsRemovedUncovered = "A property or item is missing in the %[2]s schema but present at path '%[1]s' in the %[3]s schema and is not covered by its partially open content model"
	wordsAddedUncovered   = "The %[2]s schema has a property or item at path '%[1]s' which is missing in the %[3]s schema and is not covered by its partially open content model"
)

// Message is the difference as Confluent's registry words it, quotes and all.
func (d Difference) Message(dir Direction) string {
	text := ""
	if words := differenceFacts[d.Type].words; words != "" {
		text = fmt.Sprintf(words, d.Pointer, dir.reader(), dir.writer())
	}
	return fmt.Sprintf("{errorType:\"%s\", description:\"%s'}", d.Type, text)
}
