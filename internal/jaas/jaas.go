// Package jaas reads the login modules that sasl.jaas.config names, in the format of
// Java's configuration:
//
//	MODULE FLAG NAME="VALUE" NAME="VALUE";
//
// A value may stand without quotes, and has backslash escapes within them.
package jaas

import (
	"errors"
	"fmt"
	"strings"
)

// Option is one NAME="VALUE".
type Option struct{ Name, Value string }

// Login is a login module and its options in their order.
type Login struct {
	Module, Flag string
	Options      []Option
}

// Parse reads one login module. With an error Module and Flag are there, as far as the
// text has them. Errors do not quote values, which are passwords (I6).
func Parse(text string) (Login, error) {
	s := scanner{text: text}
	l := Login{Module: s.word(), Flag: s.word()}
	for !s.accept(';') {
		name := s.word()
		if name == "" || !s.accept('=') {
			return l, errors.New("want NAME=\"VALUE\" options and a semicolon at the end")
		}
		value, ok := s.value()
		if !ok {
			return l, fmt.Errorf("the value of %s has no end", name)
		}
		l.Options = append(l.Options, Option{name, value})
	}
	if s.space(); s.text != "" {
		return l, errors.New("there is something after the semicolon")
	}
	return l, nil
}

// scanner takes tokens from the front of its text.
type scanner struct{ text string }

func (s *scanner) space() { s.text = strings.TrimLeft(s.text, " \t\r\n\f") }

func (s *scanner) accept(c byte) bool {
	s.space()
	if s.text == "" || s.text[0] != c {
		return false
	}
	s.text = s.text[1:]
	return true
}

// word takes what has no space, quote or punctuation of the format.
func (s *scanner) word() string {
	s.space()
	end := strings.IndexAny(s.text, " \t\r\n\f=;\"'")
	if end < 0 {
		end = len(s.text)
	}
	word := s.text[:end]
	s.text = s.text[end:]
	return word
}

// value takes a word or a quoted text with backslash escapes.
func (s *scanner) value() (string, bool) {
	s.space()
	if s.text == "" || (s.text[0] != '"' && s.text[0] != '\'') {
		return s.word(), true
	}
	quote := s.text[0]
	var b strings.Builder
	for i := 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == quote:
			s.text = s.text[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(s.text):
			i++
			b.WriteByte(s.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
