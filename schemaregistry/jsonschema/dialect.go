package jsonschema

import "strings"

// dialect is a draft of JSON Schema.
type dialect uint8

const (
	draft4 dialect = iota
	draft6
	draft7
	draft2019
	draft2020
)

// modern dialects are read by the rules of modern.go.
func (d dialect) modern() bool { return d >= draft2019 }

// idKeyword names the member with the identifier of a schema.
func (d dialect) idKeyword() string {
	if d == draft4 {
		return "id"
	}
	return "$id"
}

// dialects are the drafts by the path of their meta-schemas.
var dialects = [...]string{"draft-04/schema", "draft-06/schema", "draft-07/schema", "draft/2019-09/schema", "draft/2020-12/schema"}

// metaSchema is the URL of a dialect's meta-schema, in the form that validators know.
func (d dialect) metaSchema() string {
	if d.modern() {
		return "https://json-schema.org/" + dialects[d]
	}
	return "http://json-schema.org/" + dialects[d]
}

// dialectOf reads a $schema; what is not known, and nothing, is draft 7.
func dialectOf(root *Value) dialect {
	s := root.Get("$schema")
	if s == nil || s.Kind != String {
		return draft7
	}
	if d, ok := dialectByURL(s.Text); ok {
		return d
	}
	return draft7
}

func dialectByURL(url string) (dialect, bool) {
	path, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(url, "https:"), "http:"), "//json-schema.org/")
	if !ok {
		return 0, false
	}
	path = strings.TrimSuffix(path, "#")
	for d, p := range dialects {
		if path == p {
			return dialect(d), true
		}
	}
	return 0, false
}

// isMetaSchema tells whether a URL is in a meta-schema, or in a vocabulary of one.
func isMetaSchema(url string) bool {
	if _, ok := dialectByURL(url); ok {
		return true
	}
	for _, p := range []string{"//json-schema.org/draft/2019-09/meta/", "//json-schema.org/draft/2020-12/meta/"} {
		if strings.HasPrefix(url, "https:"+p) || strings.HasPrefix(url, "http:"+p) {
			return true
		}
	}
	return false
}
