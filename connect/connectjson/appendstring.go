package connectjson

import (
	"unicode/utf8"
	"unsafe"
)

const hexDigits = "0123456789ABCDEF"

// AppendString appends s as a JSON string as Jackson writes it: only quotes,
// backslashes and control characters are escaped.
func AppendString(dst []byte, s string) []byte {
	text := unsafe.Slice(unsafe.StringData(s), len(s))
	dst = append(dst, '"')
	for from, i := 0, 0; ; {
		i = plainRun(text, i)
		if i == len(text) {
			dst = append(dst, text[from:]...)
			return append(dst, '"')
		}
		if c := text[i]; c < utf8.RuneSelf {
			dst = appendEscape(append(dst, text[from:i]...), c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			dst = utf8.AppendRune(append(dst, text[from:i]...), utf8.RuneError)
			from = i + 1
		}
		i += n
	}
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
