package postgres

import (
	"strings"
	"unicode/utf16"
)

// schemaName adjusts the name of a schema as schema.name.adjustment.mode says.
func (o *recordOptions) schemaName(name string) string { return adjust(name, o.schemaNames, true) }

// fieldName adjusts the name of a field as field.name.adjustment.mode says.
func (o *recordOptions) fieldName(name string) string { return adjust(name, o.fieldNames, false) }

// adjust makes a valid name of Avro of a name, in which dots are allowed or not.
// Characters are those of Java: two for one outside the basic plane.
func adjust(name, mode string, dots bool) string {
	if mode == adjustNone || mode == "" {
		return name
	}
	unicode := mode == adjustAvroUnicode
	var b strings.Builder
	for i, c := range utf16.Encode([]rune(name)) {
		first := isLetter(c) || c == '_' && !unicode
		switch {
		case first || i > 0 && (isDigit(c) || dots && c == '.'):
			b.WriteByte(byte(c))
		case unicode:
			b.WriteString(unicodeName(c))
		default:
			b.WriteByte('_')
			if isDigit(c) {
				b.WriteByte(byte(c))
			}
		}
	}
	return b.String()
}
