package javadate

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxPatternBytes bounds a pattern, and with it the width of its fields (I5).
const maxPatternBytes = 256

// letters are those that stand for a field.
const letters = "GyYMLwWDdFEuaHkKhmsSzZX"

// Format is a compiled pattern. It is not changed by use.
type Format struct {
	pattern string
	items   []item
	// century is the first year of the hundred that years of two digits are in,
	// centuryStart its exact beginning in milliseconds.
	century      int
	centuryStart int64
}

// item is a field, or a literal.
type item struct {
	letter  byte // 0: a literal
	count   int
	literal string
}

// Compile reads a pattern. now is what the century of two-digit years goes by.
func Compile(pattern string, now time.Time) (*Format, error) {
	if len(pattern) > maxPatternBytes {
		return nil, fmt.Errorf("the pattern has %d bytes, more than %d", len(pattern), maxPatternBytes)
	}
	start := now.UTC().AddDate(-80, 0, 0)
	f := &Format{pattern: pattern, century: start.Year(), centuryStart: start.UnixMilli()}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, size, err := quoted(pattern[i:])
			if err != nil {
				return nil, err
			}
			f.addLiteral(text)
			i += size
		case isLetter(c):
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if err := checkField(c, n); err != nil {
				return nil, err
			}
			f.items = append(f.items, item{letter: c, count: n})
			i += n
		default:
			f.addLiteral(pattern[i : i+1])
			i++
		}
	}
	return f, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func checkField(c byte, n int) error {
	if strings.IndexByte(letters, c) < 0 {
		return fmt.Errorf("Illegal pattern character '%c'", c)
	}
	if c == 'X' && n > 3 {
		return fmt.Errorf("invalid ISO 8601 format: length=%d", n)
	}
	return nil
}

// quoted reads text between quotes, in which two quotes are one; two quotes alone
// are one too.
func quoted(s string) (text string, size int, err error) {
	if strings.HasPrefix(s, "''") {
		return "'", 2, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, errors.New("Unterminated quote")
}

func (f *Format) addLiteral(text string) {
	if n := len(f.items); n > 0 && f.items[n-1].letter == 0 {
		f.items[n-1].literal += text
		return
	}
	f.items = append(f.items, item{literal: text})
}

// String returns the pattern.
func (f *Format) String() string { return f.pattern }
