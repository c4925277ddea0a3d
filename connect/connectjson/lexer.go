package connectjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// failed is the position that lexer methods return after fail.
const failed = -1

// lexer recognises the tokens of a JSON text. Its methods take the position to
// start at and return the position after what they found, or failed.
type lexer struct {
	text   []byte
	failAt int
	reason string // why it failed, "" while it has not
}

// fail notes the first violation.
func (l *lexer) fail(i int, reason string) int {
	if l.reason == "" {
		l.failAt, l.reason = i, reason
	}
	return failed
}

// err returns what fail noted. Only callers who show it pay for it.
func (l *lexer) err() error {
	return &SyntaxError{Offset: l.failAt, Reason: l.reason}
}

// unexpected fails at a byte that cannot stand at i.
func (l *lexer) unexpected(i int, want string) int {
	if i >= len(l.text) {
		return l.fail(len(l.text), "the text ends early")
	}
	return l.fail(i, want)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// space skips white space.
func (l *lexer) space(i int) int {
	for i < len(l.text) && isSpace(l.text[i]) {
		i++
	}
	return i
}

// end checks that only white space follows the value.
func (l *lexer) end(i int) int {
	if i == failed {
		return failed
	}
	if i = l.space(i); i < len(l.text) {
		return l.fail(i, "something follows the value")
	}
	return i
}

// str recognises the string whose opening quote is at i and tells whether it has
// no escapes, so that its bytes are its value.
func (l *lexer) str(i int) (end int, plain bool) {
	text := l.text
	// Most strings are short and plain: their end is found without another call.
	for i++; len(text)-i >= 8; i += 8 {
		if hit := specials(binary.LittleEndian.Uint64(text[i:])); hit != 0 {
			i += bits.TrailingZeros64(hit) >> 3
			if text[i] == '"' {
				return i + 1, true
			}
			break
		}
	}
	return l.anyStr(i)
}

// anyStr goes on within a string at i.
func (l *lexer) anyStr(i int) (end int, plain bool) {
	for plain = true; ; {
		i = plainRun(l.text, i)
		if i >= len(l.text) {
			return l.fail(i, "the text ends within a string"), false
		}
		switch c := l.text[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			i = l.escape(i + 1)
		case c < ' ':
			return l.fail(i, "control characters in strings must be escaped"), false
		default:
			i = l.nonASCII(i)
		}
		if i == failed {
			return failed, false
		}
	}
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainRun returns the position of the first byte from i on that is not a plain
// character of a string: a quote, a backslash, a control character or not ASCII.
// It looks at eight bytes at once; in each test a borrow can only spoil bytes
// above the first hit, which is the one that counts.
func plainRun(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		if hit := specials(w); hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for i < len(text) && isPlain[text[i]] {
		i++
	}
	return i
}

// specials has the high bit set of the lowest byte of w that is not plain.
func specials(w uint64) uint64 {
	quote := w ^ lowBits*'"'
	slash := w ^ lowBits*'\\'
	return ((w-lowBits*' ')&^w | (quote-lowBits)&^quote | (slash-lowBits)&^slash | w) & highBits
}

// isPlain is specials for one byte.
var isPlain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// nonASCII skips a run of UTF-8 beyond ASCII.
func (l *lexer) nonASCII(i int) int {
	for i < len(l.text) && l.text[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(l.text[i:])
		if r == utf8.RuneError && n == 1 {
			return l.fail(i, "invalid UTF-8")
		}
		i += n
	}
	return i
}

// escape recognises what follows a backslash.
func (l *lexer) escape(i int) int {
	if i >= len(l.text) {
		return l.unexpected(i, "")
	}
	switch l.text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if _, ok := hex4(l.text, i+1); ok {
			return i + 5
		}
		return l.unexpected(i, `\u needs four hexadecimal digits`)
	}
	return l.fail(i, "unknown escape")
}

// hex4 reads the four hexadecimal digits at i.
func hex4(text []byte, i int) (rune, bool) {
	if i+4 > len(text) {
		return 0, false
	}
	var r rune
	for _, c := range text[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number recognises the number at i and tells whether it is written as an
// integer.
func (l *lexer) number(i int) (end int, integer bool) {
	if l.text[i] == '-' {
		i++
	}
	switch start := i; {
	case i < len(l.text) && l.text[i] == '0':
		i++
	default:
		if i = l.digits(i); i == start {
			return l.unexpected(i, "a number needs a digit here"), false
		}
	}
	integer = true
	if i < len(l.text) && l.text[i] == '.' {
		integer = false
		if i = l.someDigits(i + 1); i == failed {
			return failed, false
		}
	}
	if i < len(l.text) && l.text[i]|0x20 == 'e' {
		integer = false
		i++
		if i < len(l.text) && (l.text[i] == '+' || l.text[i] == '-') {
			i++
		}
		i = l.someDigits(i)
	}
	return i, integer
}

// digits skips digits, which may be none.
func (l *lexer) digits(i int) int {
	for i < len(l.text) && l.text[i]-'0' <= 9 {
		i++
	}
	return i
}

// someDigits skips digits, at least one.
func (l *lexer) someDigits(i int) int {
	end := l.digits(i)
	if end == i {
		return l.unexpected(i, "a number needs a digit here")
	}
	return end
}

// literal recognises true, false or null.
func (l *lexer) literal(i int) int {
	want := "null"
	switch l.text[i] {
	case 't':
		want = "true"
	case 'f':
		want = "false"
	}
	if end := i + len(want); end <= len(l.text) && string(l.text[i:end]) == want {
		return end
	}
	return l.fail(i, "expected a value")
}
