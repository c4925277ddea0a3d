package avro

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Name is the name of a record, enum or fixed.
type Name struct {
	// Space is the namespace, empty for none.
	Space string
	// Local is the name without the namespace.
	Local string
}

// newName splits a name: a dot in it overrides the namespace.
func newName(name, space string) Name {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		space, name = name[:dot], name[dot+1:]
	}
	return Name{Space: space, Local: name}
}

// Full is the name with its namespace.
func (n Name) Full() string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + "." + n.Local
}

// String is the full name.
func (n Name) String() string { return n.Full() }

// within is the name as a text within a namespace has it: short if the namespace
// is the same, unless that could be read as a type of Avro's.
func (n Name) within(space string) string {
	if n.Space == "" || n.Space != space {
		return n.Full()
	}
	for k := Null; k <= Record; k++ {
		if k.String() == n.Local {
			return n.Full()
		}
	}
	return n.Local
}

// asAlias is an alias of a type in a namespace as Java's compatibility check sees
// it. An alias without a namespace gets a dot there, with which it equals no name.
func (n Name) asAlias(space string) string {
	if n.Space == "" && space != "" {
		return "." + n.Local
	}
	return n.Full()
}

// A nameRule says which names are allowed.
type nameRule struct {
	what string
	// start and part report whether a character may begin a name, or be in it.
	start, part func(rune) bool
}

// asciiNames is the specification's rule, for new schemas.
func asciiNames() nameRule {
	start := func(r rune) bool { return r < utf8.RuneSelf && isLetter(byte(r)) || r == '_' }
	return nameRule{"A-Z, a-z, 0-9 and _", start, func(r rune) bool { return start(r) || r < utf8.RuneSelf && isDigit(byte(r)) }}
}

// letterNames is the rule for schemas that exist. Java looks at units of UTF-16,
// so a letter beyond 16 bits is none.
func letterNames() nameRule {
	start := func(r rune) bool { return r <= 0xFFFF && unicode.IsLetter(r) || r == '_' }
	return nameRule{"letters, digits and _", start, func(r rune) bool { return start(r) || r <= 0xFFFF && unicode.IsDigit(r) }}
}

func (rule nameRule) check(what, name string) error {
	if name == "" {
		return invalid("%s is empty", what)
	}
	for i, r := range name {
		if i == 0 && !rule.start(r) {
			return invalid("%s %.100q begins with %q; allowed are %s, and no digit first", what, name, r, rule.what)
		}
		if !rule.part(r) {
			return invalid("%s %.100q has %q in it; allowed are %s", what, name, r, rule.what)
		}
	}
	return nil
}

// checkFull checks a name and every part of its namespace.
func (rule nameRule) checkFull(what string, n Name) error {
	if n.Space != "" {
		for part := range strings.SplitSeq(n.Space, ".") {
			if err := rule.check("part of a namespace", part); err != nil {
				return err
			}
		}
	}
	return rule.check(what, n.Local)
}
