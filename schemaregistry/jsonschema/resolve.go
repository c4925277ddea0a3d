package jsonschema

import (
	"net/url"
	"strconv"
	"strings"
)

// baseURL is where a schema without an identifier is.
const baseURL = "mem://input"

// A Reference is a schema that another one refers to.
type Reference struct {
	Name string // under which it is referred to
	Text string
}

// place is a value in a document, and the URL that references in it are relative to.
type place struct {
	value *Value
	base  *url.URL
}

// resolver finds what a $ref leads to.
type resolver struct {
	dialect dialect
	// documents are the roots of schemas by their URL without fragment: the schema, the references, and what has an identifier in them.
	documents map[string]place
	// anchors are the places with a name of their own, by URL and fragment.
	anchors map[string]place
	// members are those of large objects by their name.
	members map[*Value]map[string]*Value
}

func newResolver(root *Value, d dialect) (*resolver, place) {
	r := &resolver{dialect: d, documents: make(map[string]place), anchors: make(map[string]place),
		members: make(map[*Value]map[string]*Value)}
	base, _ := url.Parse(baseURL)
	r.documents[baseURL] = place{root, base}
	r.index(root, base)
	return r, place{root, r.baseOf(root, base)}
}

// baseOf is the base inside of a schema.
func (r *resolver) baseOf(v *Value, base *url.URL) *url.URL {
	id := v.Get(r.dialect.idKeyword())
	if id == nil || id.Kind != String || strings.HasPrefix(id.Text, "#") {
		return base
	}
	u, err := url.Parse(id.Text)
	if err != nil {
		return base
	}
	inner := base.ResolveReference(u)
	inner.Fragment = ""
	return inner
}

// index finds the identifiers and anchors of a document.
func (r *resolver) index(v *Value, base *url.URL) {
	if v.Kind == Object {
		inner := r.baseOf(v, base)
		if inner != base {
			r.add(r.documents, inner.String(), place{v, inner})
		}
		base = inner
		r.anchor(v, base)
		for i := range v.Members {
			if name := v.Members[i].Name; name != "enum" && name != "const" && name != "default" {
				r.index(&v.Members[i].Value, base)
			}
		}
	}
	for i := range v.Elements {
		r.index(&v.Elements[i], base)
	}
}

func (*resolver) add(to map[string]place, key string, p place) {
	if _, taken := to[key]; !taken {
		to[key] = p
	}
}

func (r *resolver) anchor(v *Value, base *url.URL) {
	for _, keyword := range []string{"$anchor", "$dynamicAnchor", r.dialect.idKeyword()} {
		a := v.Get(keyword)
		if a == nil || a.Kind != String {
			continue
		}
		name, isFragment := strings.CutPrefix(a.Text, "#")
		if (keyword[0] != '$' || keyword == "$id") && !isFragment {
			continue
		}
		r.add(r.anchors, withFragment(base, name), place{v, base})
	}
}

func withFragment(base *url.URL, fragment string) string { return base.String() + "#" + fragment }

// reference adds a schema that is referred to by a name, which stands for itself and for what it is relative to the schema.
func (r *resolver) reference(name string, v *Value, root *url.URL) {
	u, err := url.Parse(name)
	if err != nil {
		return // no $ref can have such a name
	}
	base, _ := url.Parse(baseURL)
	own := base.ResolveReference(u)
	own.Fragment = ""
	p := place{v, r.baseOf(v, own)}
	for _, key := range []*url.URL{u, own, root.ResolveReference(u)} {
		k := *key
		k.Fragment = ""
		r.add(r.documents, k.String(), p)
	}
	r.index(v, own)
}

// find returns where a $ref at a place leads; ok is false for nowhere. The place of a meta-schema has no value.
func (r *resolver) find(ref string, base *url.URL) (p place, ok bool) {
	u, err := url.Parse(ref)
	if err != nil {
		return p, false
	}
	target := base.ResolveReference(u)
	fragment := target.Fragment
	if anchored, ok := r.anchors[withFragment(withoutFragment(target), fragment)]; ok {
		return anchored, true
	}
	document, ok := r.documents[withoutFragment(target).String()]
	if !ok && withoutFragment(u).String() != "" {
		document, ok = r.documents[withoutFragment(u).String()]
	}
	if !ok {
		return p, isMetaSchema(withoutFragment(target).String())
	}
	if fragment != "" && fragment[0] != '/' {
		return p, false
	}
	return r.pointer(document, fragment)
}

func withoutFragment(u *url.URL) *url.URL {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	return &c
}

var unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")

// pointer follows a JSON pointer, which is decoded from its form in a URL already. What is looked for in the $defs of a document may be in its
// definitions too: both names have been used in all drafts.
func (r *resolver) pointer(p place, pointer string) (place, bool) {
	if pointer == "" {
		return p, true
	}
	root := p.value
	for i, token := range strings.Split(pointer[1:], "/") {
		if p.value != root {
			p.base = r.baseOf(p.value, p.base)
		}
		next := r.step(p.value, unescapePointer.Replace(token))
		if i == 0 && token == "$defs" && !r.hasNext(next, pointer) {
			if other := r.step(p.value, "definitions"); other != nil {
				next = other
			}
		}
		if next == nil {
			return p, false
		}
		p.value = next
	}
	return place{p.value, r.baseOf(p.value, p.base)}, true
}

// hasNext tells whether the second step of a pointer leads anywhere from v.
func (r *resolver) hasNext(v *Value, pointer string) bool {
	tokens := strings.SplitN(pointer[1:], "/", 3)
	return v != nil && (len(tokens) < 2 || r.step(v, unescapePointer.Replace(tokens[1])) != nil)
}

// largeObject is how many members make an index worth its while.
const largeObject = 32

func (r *resolver) step(v *Value, token string) *Value {
	switch {
	case v.Kind == Object && len(v.Members) < largeObject:
		return v.Get(token)
	case v.Kind == Object:
		return r.indexed(v)[token]
	}
	if i, err := strconv.Atoi(token); err == nil && v.Kind == Array && i >= 0 && i < len(v.Elements) {
		return &v.Elements[i]
	}
	return nil
}

func (r *resolver) indexed(v *Value) map[string]*Value {
	m := r.members[v]
	if m == nil {
		m = make(map[string]*Value, len(v.Members))
		for i := range v.Members {
			m[v.Members[i].Name] = &v.Members[i].Value
		}
		r.members[v] = m
	}
	return m
}
