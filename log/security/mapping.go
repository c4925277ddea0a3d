package security

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// PrincipalRules make a user name of a certificate's distinguished name
// (ssl.principal.mapping.rules, KIP-371). None is the name as it is.
type PrincipalRules []principalRule

type principalRule struct {
	pattern     *regexp.Regexp // nil: DEFAULT
	replacement string         // with ${1} for groups
	upper       bool
	lower       bool
}

// javaGroup is how Java refers to a group in a replacement.
var javaGroup = regexp.MustCompile(`\$(\d)`)

// ParsePrincipalRules reads rules parted by commas: DEFAULT, or
// RULE:pattern/replacement/ with L or U at the end for small or capital letters.
// Patterns are RE2 and have to match the whole name.
func ParsePrincipalRules(text string) (PrincipalRules, error) {
	var rules PrincipalRules
	for rest := strings.TrimSpace(text); rest != ""; {
		var r principalRule
		var err error
		if after, ok := strings.CutPrefix(rest, "DEFAULT"); ok {
			rest = after
		} else if r, rest, err = parseRule(rest); err != nil {
			return nil, err
		}
		rules = append(rules, r)
		rest = strings.TrimSpace(rest)
		if rest != "" && rest[0] != ',' {
			return nil, fmt.Errorf("want a comma before %q", rest)
		}
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	}
	return rules, nil
}

func parseRule(text string) (r principalRule, rest string, err error) {
	body, ok := strings.CutPrefix(text, "RULE:")
	pattern, body, ok1 := cutSlash(body)
	replacement, body, ok2 := cutSlash(body)
	if !ok || !ok1 || !ok2 {
		return r, "", fmt.Errorf("%q does not begin with DEFAULT or RULE:pattern/replacement/", text)
	}
	if r.pattern, err = regexp.Compile(`^(?:` + pattern + `)$`); err != nil {
		return r, "", fmt.Errorf("rule %q: %w", text, err)
	}
	r.replacement = javaGroup.ReplaceAllString(replacement, "$${$1}")
	if body != "" {
		r.lower, r.upper = body[0] == 'L', body[0] == 'U'
	}
	if r.lower || r.upper {
		body = body[1:]
	}
	return r, body, nil
}

// cutSlash cuts at the first slash without a backslash before it.
func cutSlash(s string) (before, after string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '/':
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

var errNoRule = errors.New("no rule of ssl.principal.mapping.rules matches the name")

// Name applies the first rule that matches. It returns an error when there are
// rules and none does.
func (rules PrincipalRules) Name(distinguished string) (string, error) {
	if len(rules) == 0 {
		return distinguished, nil
	}
	for _, r := range rules {
		if r.pattern == nil {
			return distinguished, nil
		}
		if !r.pattern.MatchString(distinguished) {
			continue
		}
		name := r.pattern.ReplaceAllString(distinguished, r.replacement)
		switch {
		case r.lower:
			name = strings.ToLower(name)
		case r.upper:
			name = strings.ToUpper(name)
		}
		return name, nil
	}
	return "", errNoRule
}
