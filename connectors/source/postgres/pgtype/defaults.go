package pgtype

import (
	"regexp"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// defaultOf returns the default of a column for its schema, nil for none. The
// expression is what pg_get_expr shows; nothing is evaluated. A literal counts,
// whatever it is cast to, a call of a function is the zero of the type, and all
// else has no default.
func (k *kind) defaultOf(col *Column) *connect.Value {
	if !k.defaults || !col.HasDefault || col.Generated {
		return nil
	}
	text, ok := k.defaultText(col.Default)
	if !ok {
		return nil
	}
	v, err := k.text(connect.NewBatch(1, 1), []byte(text)) // a batch of its own that is never reset
	if err != nil {
		return nil
	}
	return &v
}

var call = regexp.MustCompile(`^\(?[A-Za-z0-9_.]+\(.*\)`)

// words are functions that are called without parentheses.
var words = map[string]bool{"current_timestamp": true, "current_time": true, "current_date": true, "localtime": true, "localtimestamp": true,
	"current_user": true, "session_user": true, "user": true, "current_role": true, "current_catalog": true, "current_schema": true}

// defaultText returns the text form of a default expression.
func (k *kind) defaultText(expr string) (string, bool) {
	if call.MatchString(expr) || words[strings.ToLower(expr)] {
		return k.generated, true
	}
	rest := strings.TrimLeft(expr, "(")
	if !strings.Contains(rest, "'") {
		// A number, true, false, or NULL::type.
		raw, cast, _ := strings.Cut(rest, "::")
		raw = strings.TrimRight(raw, ")")
		return raw, onlyCasts(cast) && !strings.EqualFold(raw, "NULL")
	}
	text, rest, ok := sqlString(rest)
	if !ok || !strings.HasPrefix(rest, "::") && strings.Trim(rest, ")") != "" {
		return "", false
	}
	return text, onlyCasts(rest)
}

// onlyCasts tells whether nothing but casts to types follows a literal.
var casts = regexp.MustCompile(`^[\w\s:().,"\[\]]*$`)

func onlyCasts(rest string) bool { return casts.MatchString(rest) }

// sqlString reads a string literal: '…' with doubled quotes, E'…' with backslashes
// too, B'…' for bits.
func sqlString(expr string) (text, rest string, ok bool) {
	open := strings.IndexByte(expr, '\'')
	prefix := expr[:open]
	if prefix != "" && prefix != "E" && prefix != "B" {
		return "", "", false
	}
	var out strings.Builder
	for i := open + 1; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\' && prefix == "E" && i+1 < len(expr):
			i++
			out.WriteByte(expr[i])
		case c != '\'':
			out.WriteByte(c)
		case i+1 < len(expr) && expr[i+1] == '\'':
			out.WriteByte(c)
			i++
		default:
			return out.String(), expr[i+1:], true
		}
	}
	return "", "", false
}
