// Package avroname makes valid names of Avro of other names, as Debezium's options
// schema.name.adjustment.mode and field.name.adjustment.mode say.
//
// Characters are those of Java: two for one outside the basic plane.
package avroname

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// The modes.
const (
	None    = "none"
	Avro    = "avro"         // other characters become an underscore
	Unicode = "avro_unicode" // _u and the character's number, underscores too
)

// Modes are all modes.
var Modes = []string{None, Avro, Unicode}

// Schema adjusts the full name of a schema, in which there are dots.
func Schema(name, mode string) string { return adjust(name, mode, true) }

// Field adjusts the name of a field.
func Field(name, mode string) string { return adjust(name, mode, false) }

func adjust(name, mode string, dots bool) string {
	if mode == None || mode == "" {
		return name
	}
	unicode := mode == Unicode
	var b strings.Builder
	for i, c := range utf16.Encode([]rune(name)) {
		first := isLetter(c) || c == '_' && !unicode
		switch {
		case first || i > 0 && (isDigit(c) || dots && c == '.'):
			b.WriteByte(byte(c))
		case unicode:
			b.WriteString(Escape(c))
		default:
			b.WriteByte('_')
			if isDigit(c) {
				b.WriteByte(byte(c))
			}
		}
	}
	return b.String()
}

func isLetter(c uint16) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c uint16) bool { return c >= '0' && c <= '9' }

// Escape writes a character as _u and its number.
func Escape(c uint16) string {
	hex := strconv.FormatUint(uint64(c), 16)
	if len(hex) <= 2 {
		hex = "00" + hex
	}
	return "_u" + hex
}
