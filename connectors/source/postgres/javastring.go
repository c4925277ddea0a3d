package postgres

import (
	"encoding/binary"
	"io"
	"unicode/utf16"
)

// writeJavaString writes a text as java.io.ObjectOutputStream does a String: its
// header, TC_STRING and a length of two bytes or TC_LONGSTRING and one of eight, and
// the text in Java's modified UTF-8.
func writeJavaString(w io.Writer, text string) {
	utf := modifiedUTF8(text)
	head := []byte{0xac, 0xed, 0, 5}
	if len(utf) <= 0xffff {
		head = binary.BigEndian.AppendUint16(append(head, 't'), uint16(len(utf)))
	} else {
		head = binary.BigEndian.AppendUint64(append(head, '|'), uint64(len(utf)))
	}
	_, _ = w.Write(head) // a hash never fails
	_, _ = w.Write(utf)
}

// modifiedUTF8 encodes NUL in two bytes, and a character outside the basic plane as
// its two surrogates in three bytes each.
func modifiedUTF8(text string) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range utf16.Encode([]rune(text)) {
		switch {
		case c != 0 && c < 0x80:
			out = append(out, byte(c))
		case c < 0x800:
			out = append(out, 0xc0|byte(c>>6), 0x80|byte(c&0x3f))
		default:
			out = append(out, 0xe0|byte(c>>12), 0x80|byte(c>>6&0x3f), 0x80|byte(c&0x3f))
		}
	}
	return out
}
