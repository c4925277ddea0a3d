package connectjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the text that the inside of a recognised string stands for,
// which is never longer.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if c := raw[i]; c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if raw[i+1] == 'u' {
			r, n := escapedRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		dst = append(dst, escaped(raw[i+1]))
		i += 2
	}
	return dst
}

// escaped returns what a letter after a backslash stands for.
func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// escapedRune reads the \u escape, or the surrogate pair of two, that raw begins
// with and returns its length too. A lone surrogate is U+FFFD.
func escapedRune(raw []byte) (rune, int) {
	r, _ := hex4(raw, 2)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		low, _ := hex4(raw, 8)
		if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
			return full, 12
		}
	}
	return utf8.RuneError, 6
}
