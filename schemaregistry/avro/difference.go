package avro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DifferenceType is the kind of a difference, with Java's name for it.
type DifferenceType string

// The kinds of differences.
const (
	NameMismatch                   DifferenceType = "NAME_MISMATCH"
	FixedSizeMismatch              DifferenceType = "FIXED_SIZE_MISMATCH"
	MissingEnumSymbols             DifferenceType = "MISSING_ENUM_SYMBOLS"
	ReaderFieldMissingDefaultValue DifferenceType = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch                   DifferenceType = "TYPE_MISMATCH"
	MissingUnionBranch             DifferenceType = "MISSING_UNION_BRANCH"
	// AmbiguousAlias is a reader's field that several fields of the writer match.
	// Java throws an exception for it, so it stands alone.
	AmbiguousAlias DifferenceType = "AMBIGUOUS_ALIAS"
)

// Direction says which of two versions reads the other.
type Direction uint8

// The directions: NewReadsOld is backward compatibility, OldReadsNew forward.
const (
	NewReadsOld Direction = iota
	OldReadsNew
)

// reader and writer are what Confluent's messages call the schemas.
func (d Direction) reader() string { return [...]string{"new", "old"}[d] }
func (d Direction) writer() string { return [...]string{"old", "new"}[d] }

// A Difference is a reason why data of one schema can not be read with another.
type Difference struct {
	Type      DifferenceType
	Direction Direction
	// Pointer is the JSON pointer of the difference in the reader's schema, "/" for
	// its root, as Java writes it: a type that a name refers to has the
	// pointer of the place where the comparison met it first, and behind a union of
	// the writer stands the index of the writer's type.
	Pointer string
	// Info is what Confluent calls additional information.
	Info string
	// Reader and Writer are the types that differ, for a field the records.
	Reader, Writer *Type
	// Field is the reader's field of a missing default or ambiguous alias.
	Field *Field
	// Causes are why the type of a union that was probably meant does not do, with
	// pointers into that type. They are an addition to Confluent's message.
	Causes []Difference
}

// Message is the difference as Confluent's registry words it, without a
// trailer.
func (d *Difference) Message() string {
	if d.Type == AmbiguousAlias {
		return "Unexpected exception during compatibility check: " + d.Info
	}
	return fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", d.Type, d.description(), d.Info)
}

func (d *Difference) description() string {
	reader, writer := d.Direction.reader(), d.Direction.writer()
	switch d.Type {
	case FixedSizeMismatch:
		return fmt.Sprintf("The size of FIXED type field at path '%s' in the %s schema does not match with the %s schema", d.Pointer, reader, writer)
	case TypeMismatch:
		return fmt.Sprintf("The type (path '%s') of a field in the %s schema does not match with the %s schema", d.Pointer, reader, writer)
	case NameMismatch:
		return fmt.Sprintf("The name of the schema has changed (path '%s')", d.Pointer)
	case MissingEnumSymbols:
		return fmt.Sprintf("The %s schema is missing enum symbols '%s' at path '%s' in the %s schema", reader, d.Info, d.Pointer, writer)
	case MissingUnionBranch:
		return fmt.Sprintf("The %s schema is missing a type inside a union field at path '%s' in the %s schema", reader, d.Pointer, writer)
	}
	return fmt.Sprintf("The field '%s' at path '%s' in the %s schema has no default value and is missing in the %s schema", d.Info, d.Pointer, reader, writer)
}

// An ambiguousError is a reader's field that several fields of the writer match.
type ambiguousError struct {
	field  *Field
	index  int
	writer *Type
}

func (e *ambiguousError) Error() string {
	w := textWriter{newJSONWriter(nil)}
	w.write(e.writer, "")
	return fmt.Sprintf("Reader record field %s type:%s pos:%d matches multiple fields in writer record schema %s",
		e.field.Name, e.field.Type.Kind.upper(), e.index, w.b)
}

func (e *ambiguousError) difference(d Direction) Difference {
	return Difference{Type: AmbiguousAlias, Direction: d, Info: e.Error(), Writer: e.writer, Field: e.field}
}

// A lister makes differences of findings, as many as may be reported.
type lister struct {
	direction Direction
	list      []Difference
	text      int
	// most is how many; causes how deep the findings are among causes.
	most, causes int
	// prefix are the locations of the branches whose findings are listed, the
	// outermost first.
	prefix []*location
}

func (l *lister) full() bool {
	return len(l.list) >= max(l.most, 1) && l.most > 0 || len(l.list) >= maxDifferences || l.text > maxDifferenceText
}

func (l *lister) add(r *result) {
	for _, e := range r.entries {
		if l.full() {
			return
		}
		if e.part != nil {
			l.add(e.part)
			continue
		}
		d := l.difference(e.finding)
		l.text += len(d.Pointer) + len(d.Info)
		l.list = append(l.list, d)
	}
}

func (l *lister) difference(f *finding) Difference {
	d := Difference{
		Type:      f.kind,
		Direction: l.direction,
		Pointer:   pointer(append(slices.Clip(l.prefix), f.at)),
		Info:      f.info(),
		Reader:    f.reader,
		Writer:    f.writer,
		Field:     f.field,
	}
	if f.branch != nil && l.causes < maxCauseDepth {
		inner := lister{direction: l.direction, most: maxCauses, causes: l.causes + 1, prefix: append(slices.Clip(l.prefix), f.branch.at), text: l.text}
		inner.add(f.branch.result)
		l.text = inner.text
		d.Causes = inner.list
	}
	return d
}

func (f *finding) info() string {
	switch f.kind {
	case NameMismatch:
		return "expected: " + f.writer.Name.Full()
	case FixedSizeMismatch:
		return fmt.Sprintf("expected: %d, found: %d", f.writer.Size, f.reader.Size)
	case MissingEnumSymbols:
		return "[" + strings.Join(missingSymbols(f.reader, f.writer), ", ") + "]"
	case TypeMismatch:
		return fmt.Sprintf("reader type: %s not compatible with writer type: %s", f.reader.Kind.upper(), f.writer.Kind.upper())
	case MissingUnionBranch:
		return "reader union lacking writer type: " + f.writer.Kind.upper()
	}
	return f.field.Name
}

// pointer writes locations, each within the one before, as a JSON pointer.
func pointer(parts []*location) string {
	var steps []string
	for _, l := range slices.Backward(parts) {
		for ; l != nil; l = l.before {
			step := l.key
			if step == "" {
				step = strconv.Itoa(l.index)
			}
			steps = append(steps, step)
		}
	}
	slices.Reverse(steps)
	return "/" + strings.Join(steps, "/")
}
