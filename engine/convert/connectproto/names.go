package connectproto

import (
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// scrub replaces what a name may not have: as in a URL, then by _.
func (o Options) scrub(name string) string {
	if !o.ScrubNames || name == "" {
		return name
	}
	valid := func(i int, c byte) bool {
		return c|' ' >= 'a' && c|' ' <= 'z' && c != '@'|' ' || i > 0 && (c >= '0' && c <= '9' || c == '_')
	}
	ok := true
	for i := range len(name) {
		ok = ok && valid(i, name[i])
	}
	if ok {
		return name
	}
	var text []byte
	for _, c := range []byte(name) {
		switch {
		case valid(1, c):
			text = append(text, c)
		case strings.IndexByte(".-* ", c) >= 0: // what a URL has as one character
			text = append(text, '_')
		default:
			text = append(text, '_', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	if first := name[0]; first >= '0' && first <= '9' || first == '_' {
		text = append([]byte{'x'}, text...)
	}
	return string(text)
}

const hexDigits = "0123456789ABCDEF"

// namer gives names to schemas that have none.
type namer struct {
	o     Options
	count int
}

func (n *namer) full(s *connect.Schema) string {
	if s.Name() != "" {
		return s.Name()
	}
	n.count++
	return defaultName + strconv.Itoa(n.count)
}

// split returns the package and the name of a schema at the top.
func (n *namer) split(s *connect.Schema) (pkg, name string) {
	parts := strings.Split(n.full(s), ".")
	for i, p := range parts {
		parts[i] = n.o.scrub(p)
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "."), parts[last]
}

// local is the name of a schema without its package.
func (n *namer) local(s *connect.Schema) string {
	full := n.full(s)
	return n.o.scrub(full[strings.LastIndexByte(full, '.')+1:])
}

// entryName is the name of the message of a map: tag_values becomes TagValuesEntry.
func entryName(name string) string {
	if !strings.Contains(name, "_") {
		return name + entrySuffix
	}
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + strings.ToLower(word[1:]))
		}
	}
	return b.String() + entrySuffix
}

// mapName is the reverse: what the message of a map was called after.
func mapName(message string) string {
	start := strings.LastIndexByte(message, '.') + 1
	name, ok := strings.CutSuffix(message[start:], entrySuffix)
	if !ok {
		return message
	}
	var b strings.Builder
	for i, c := range []byte(name) {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c |= ' '
		}
		b.WriteByte(c)
	}
	return message[:start] + b.String()
}

func param(s *connect.Schema, name string) string {
	v, _ := s.Parameter(name)
	return v
}

func hasParam(s *connect.Schema, name string) bool {
	_, ok := s.Parameter(name)
	return ok
}

// isUnion tells whether a struct stands for a oneof.
func isUnion(s *connect.Schema) bool {
	return s.Type() == connect.Struct && (strings.HasPrefix(s.Name(), unionPrefix) || hasParam(s, generalUnion))
}

// isEnum tells whether a schema stands for an enum.
func isEnum(s *connect.Schema) bool {
	switch s.Type() {
	case connect.String:
		return hasParam(s, generalEnum) || hasParam(s, enumName)
	case connect.Int32:
		return hasParam(s, enumName)
	}
	return false
}
