package protobuf

import "fmt"

// DifferenceType is the kind of a difference, with Confluent's name for it.
type DifferenceType string

// The kinds of differences. Those of the second group keep readers from reading.
const (
	MessageAdded                   DifferenceType = "MESSAGE_ADDED"
	MessageMoved                   DifferenceType = "MESSAGE_MOVED"
	EnumAdded                      DifferenceType = "ENUM_ADDED"
	EnumRemoved                    DifferenceType = "ENUM_REMOVED"
	EnumConstAdded                 DifferenceType = "ENUM_CONST_ADDED"
	EnumConstChanged               DifferenceType = "ENUM_CONST_CHANGED"
	EnumConstRemoved               DifferenceType = "ENUM_CONST_REMOVED"
	FieldAdded                     DifferenceType = "FIELD_ADDED"
	FieldRemoved                   DifferenceType = "FIELD_REMOVED"
	FieldNameChanged               DifferenceType = "FIELD_NAME_CHANGED"
	FieldStringOrBytesLabelChanged DifferenceType = "FIELD_STRING_OR_BYTES_LABEL_CHANGED"
	OneofAdded                     DifferenceType = "ONEOF_ADDED"
	OneofRemoved                   DifferenceType = "ONEOF_REMOVED"
	OneofFieldAdded                DifferenceType = "ONEOF_FIELD_ADDED"
	OneofFieldMovedToTopLevel      DifferenceType = "ONEOF_FIELD_MOVED_TO_TOP_LEVEL"

	PackageChanged             DifferenceType = "PACKAGE_CHANGED"
	MessageRemoved             DifferenceType = "MESSAGE_REMOVED"
	FieldKindChanged           DifferenceType = "FIELD_KIND_CHANGED"
	FieldScalarKindChanged     DifferenceType = "FIELD_SCALAR_KIND_CHANGED"
	FieldNamedTypeChanged      DifferenceType = "FIELD_NAMED_TYPE_CHANGED"
	FieldNumericLabelChanged   DifferenceType = "FIELD_NUMERIC_LABEL_CHANGED"
	RequiredFieldAdded         DifferenceType = "REQUIRED_FIELD_ADDED"
	RequiredFieldRemoved       DifferenceType = "REQUIRED_FIELD_REMOVED"
	OneofFieldRemoved          DifferenceType = "ONEOF_FIELD_REMOVED"
	MultipleFieldsMovedToOneof DifferenceType = "MULTIPLE_FIELDS_MOVED_TO_ONEOF"
	FieldMovedToExistingOneof  DifferenceType = "FIELD_MOVED_TO_EXISTING_ONEOF"
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

// A Difference is between what was written with and what is read with.
type Difference struct {
	Type DifferenceType
	// Path leads from "#/" over the names of messages, enums and oneofs to the number of a field. For what a field refers to in another
	// file it begins with the name of the message there.
	Path string
}

// Compatible tells whether data of the one can be read with the other all the same.
func (d *Difference) Compatible() bool {
	_, explained := explanations[d.Type]
	return !explained
}

// explanation is what is said about a difference that is not compatible.
type explanation struct {
	// message is Confluent's, with the path, the reader and the writer in this order.
	message string
	fix     string
}

var explanations = map[DifferenceType]explanation{
	PackageChanged: {"The package at '%s' in the %s schema does not match the package in the %s schema",
		"keep the package, or register the schema under another subject"},
	MessageRemoved: {"The %[2]s schema is missing a MESSAGE type at path '%[1]s' in the %[3]s schema",
		"keep the message, even when no field uses it any more"},
	FieldKindChanged: {"The type of a field at path '%s' in the %s schema does not match the %s schema",
		"keep the type, and add a field with another number for the new one"},
	FieldScalarKindChanged: {"The kind of a SCALAR field at path '%s' in the %s schema does not match its kind in the %s schema",
		"keep the type, or take one with the same encoding; a field of another type needs another number"},
	FieldNamedTypeChanged: {"The type of a MESSAGE field at path '%s' in the %s schema does not match its type in the %s schema",
		"keep the message type, and add a field with another number for the new one"},
	FieldNumericLabelChanged: {"The label for a NUMERIC field at path '%s' in the %s schema does not match its label in the %s schema",
		"keep the label: several numbers are packed, one is not"},
	RequiredFieldAdded: {"A required field  at path '%s' in the %s schema is missing in the %s schema",
		"make the field optional"},
	RequiredFieldRemoved: {"The %[2]s schema is missing a required field at path: '%[1]s' in the %[3]s schema",
		"keep the field, or make it optional first"},
	OneofFieldRemoved: {"The %[2]s schema is missing a oneof field at path '%[1]s' in the %[3]s schema",
		"keep the field, or move it out of the oneof"},
	MultipleFieldsMovedToOneof: {"Multiple fields in the oneof at path '%s' in the %s schema are outside a oneof in the %s schema",
		"keep the fields where they are: of a oneof one field is kept, and data may have several"},
	FieldMovedToExistingOneof: {"A field in the oneof at path '%s' in the %s schema is outside an existing oneof in the %s schema",
		"keep the field where it is: data may have it beside one of the oneof"},
}

// Message is the difference as Confluent's registry words it.
func (d *Difference) Message(direction Direction) string {
	text := fmt.Sprintf(explanations[d.Type].message, d.Path, direction.reader(), direction.writer())
	return fmt.Sprintf(`{errorType:"%s", description:"%s"}`, d.Type, text)
}

// Fix says what to do about it.
func (d *Difference) Fix() string { return explanations[d.Type].fix }
