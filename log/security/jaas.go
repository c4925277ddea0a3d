package security

import (
	"errors"
	"fmt"
	"strings"
)

const plainLoginModule = "org.apache.kafka.common.security.plain.PlainLoginModule"

// ParsePlainJAAS reads the users of a PLAIN login module as sasl.jaas.config has
// them:
//
//	org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret" user_bob="other";
//
// Its errors do not quote values, which are passwords (I6).
func ParsePlainJAAS(text string) (map[string]string, error) {
	s := jaasScanner{text: text}
	module, flag := s.word(), s.word()
	if module != plainLoginModule {
		return nil, fmt.Errorf("the login module is %q, want %s", module, plainLoginModule)
	}
	if flag != "required" {
		return nil, fmt.Errorf("the login module is %q, want required", flag)
	}
	users := map[string]string{}
	for !s.accept(';') {
		name := s.word()
		if name == "" || !s.accept('=') {
			return nil, errors.New("want NAME=\"VALUE\" options and a semicolon at the end")
		}
		value, ok := s.value()
		if !ok {
			return nil, fmt.Errorf("the value of %s has no end", name)
		}
		if user, ok := strings.CutPrefix(name, "user_"); ok {
			if user == "" || value == "" {
				return nil, fmt.Errorf("option %s: give a user and a password", name)
			}
			users[user] = value
		}
	}
	if s.space(); s.text != "" {
		return nil, errors.New("there is something after the semicolon")
	}
	return users, nil
}

// jaasScanner takes tokens from the front of its text.
type jaasScanner struct{ text string }

func (s *jaasScanner) space() { s.text = strings.TrimLeft(s.text, " \t\r\n\f") }

func (s *jaasScanner) accept(c byte) bool {
	s.space()
	if s.text == "" || s.text[0] != c {
		return false
	}
	s.text = s.text[1:]
	return true
}

// word takes what has no space, quote or punctuation of the format.
func (s *jaasScanner) word() string {
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
func (s *jaasScanner) value() (string, bool) {
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
