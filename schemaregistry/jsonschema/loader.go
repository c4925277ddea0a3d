package jsonschema

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// loader makes Nodes of Values.
type loader struct {
	resolver *resolver
	dialect  dialect
	// nodes are those that are made already: a place that several $refs lead to has one.
	nodes map[*Value]*Node
	// references are Nodes whose target is to be found yet. It comes after the tree around them, so that a tree is always whole when a
	// reference leads into it.
	references []unresolved
}

type unresolved struct {
	node *Node
	base *url.URL
	at   *trail
}

// trail is the way to a place, for errors.
type trail struct {
	parent *trail
	token  string
}

func (t *trail) String() string {
	var tokens []string
	for ; t != nil && t.parent != nil; t = t.parent {
		tokens = append(tokens, strings.NewReplacer("~", "~0", "/", "~1").Replace(t.token))
	}
	slices.Reverse(tokens)
	return "#/" + strings.Join(tokens, "/")
}

func (t *trail) in(token string) *trail { return &trail{t, token} }

// root makes the Node of a schema and of all that it refers to.
func (l *loader) root(p place) (*Node, error) {
	n, err := l.load(p.value, p.base, &trail{})
	for err == nil && len(l.references) > 0 {
		u := l.references[0]
		l.references = l.references[1:]
		err = l.resolve(u)
	}
	return n, err
}

func (l *loader) resolve(u unresolved) error {
	target, ok := l.resolver.find(u.node.Ref, u.base)
	switch {
	case !ok:
		return invalid(u.at.String(), "$ref %q leads nowhere; name the schema in references, or define it here", u.node.Ref)
	case target.value == nil: // a meta-schema, which is not looked into
		u.node.Target = &Node{Kind: KindEmpty}
		return nil
	}
	n, err := l.load(target.value, target.base, u.at)
	u.node.Target = n
	return err
}

// load makes a Node. The base is that of the schema around it.
func (l *loader) load(v *Value, base *url.URL, at *trail) (*Node, error) {
	if n := l.nodes[v]; n != nil {
		return n, nil
	}
	var n *Node
	switch {
	case v.Kind == Bool && v.Text == "true":
		n = &Node{Kind: KindTrue}
	case v.Kind == Bool:
		n = &Node{Kind: KindFalse}
	case v.Kind != Object:
		return nil, invalid(at.String(), "a schema is an object or a boolean, not %s", v.Kind)
	default:
		k := &keywords{l: l, v: v, base: l.resolver.baseOf(v, base), at: at, taken: make(map[string]bool)}
		if l.dialect.modern() {
			n = k.modern()
		} else {
			n = k.classic()
		}
		if k.err != nil {
			return nil, k.err
		}
	}
	n.source = v
	l.nodes[v] = n
	return n, nil
}

// keywords reads the members of one schema. The first error stays; what is read after it is of no use.
type keywords struct {
	l     *loader
	v     *Value
	base  *url.URL // inside of the schema
	at    *trail
	taken map[string]bool
	err   error
}

// take returns the value of a keyword, nil when there is none, which then counts as understood.
func (k *keywords) take(name string) *Value {
	v := k.v.Get(name)
	if v != nil {
		k.taken[name] = true
	}
	return v
}

// has tells whether there is any of the keywords that has not been taken.
func (k *keywords) has(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return !k.taken[name] && k.v.Get(name) != nil })
}

func (k *keywords) fail(at *trail, format string, args ...any) {
	if k.err == nil {
		k.err = invalid(at.String(), format, args...)
	}
}

// of takes a keyword whose value has to be of a kind.
func (k *keywords) of(name string, kind ValueKind) *Value {
	v := k.take(name)
	if v != nil && v.Kind != kind {
		k.fail(k.at.in(name), "%s has to be %s, not %s", name, kind, v.Kind)
		return nil
	}
	return v
}

func (k *keywords) text(name string) *string {
	if v := k.of(name, String); v != nil {
		return &v.Text
	}
	return nil
}

func (k *keywords) number(name string) *string {
	if v := k.of(name, Number); v != nil {
		return &v.Text
	}
	return nil
}

func (k *keywords) integer(name string) *int64 {
	v := k.of(name, Number)
	if v == nil {
		return nil
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		whole, ok := rational(v.Text)
		if !ok || !whole.IsInt() || !whole.Num().IsInt64() {
			k.fail(k.at.in(name), "%s has to be an integer, not %s", name, v.Text)
			return nil
		}
		n = whole.Num().Int64()
	}
	return &n
}

func (k *keywords) yes(name string) bool {
	v := k.of(name, Bool)
	return v != nil && v.Text == "true"
}

func (k *keywords) load(v *Value, at *trail) *Node {
	n, err := k.l.load(v, k.base, at)
	if err != nil && k.err == nil {
		k.err = err
	}
	return n
}

func (k *keywords) schema(name string) *Node {
	v := k.take(name)
	if v == nil {
		return nil
	}
	return k.load(v, k.at.in(name))
}

// list loads the schemas of an array.
func (k *keywords) list(name string) (nodes []*Node) {
	v := k.of(name, Array)
	if v == nil {
		return nil
	}
	for i := range v.Elements {
		if n := k.load(&v.Elements[i], k.at.in(name).in(strconv.Itoa(i))); n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// named loads the schemas of an object.
func (k *keywords) named(name string) (nodes []Property) {
	v := k.of(name, Object)
	if v == nil {
		return nil
	}
	for i := range v.Members {
		m := &v.Members[i]
		if n := k.load(&m.Value, k.at.in(name).in(m.Name)); n != nil {
			nodes = append(nodes, Property{m.Name, n})
		}
	}
	return nodes
}

// texts are the strings of an array.
func (k *keywords) texts(v *Value, at *trail) map[string]bool {
	if v.Kind != Array {
		k.fail(at, "has to be an array of strings, not %s", v.Kind)
		return nil
	}
	set := make(map[string]bool, len(v.Elements))
	for i := range v.Elements {
		if e := &v.Elements[i]; e.Kind != String {
			k.fail(at.in(strconv.Itoa(i)), "has to be a string, not %s", e.Kind)
		} else {
			set[e.Text] = true
		}
	}
	return set
}

// reference makes a Node of a $ref.
func (k *keywords) reference(keyword string) *Node {
	ref := k.text(keyword)
	if ref == nil {
		return nil
	}
	n := &Node{Kind: KindReference, Ref: *ref}
	k.l.references = append(k.l.references, unresolved{n, k.base, k.at.in(keyword)})
	return n
}

// common reads what every schema may have, into the Node that stands for it.
func (k *keywords) common(n *Node) {
	n.ID, n.Title, n.Description = k.text(k.l.dialect.idKeyword()), k.text("title"), k.text("description")
	n.Default = k.take("default")
	for i := range k.v.Members {
		if m := &k.v.Members[i]; !k.taken[m.Name] {
			n.Extra = append(n.Extra, *m)
		}
	}
}

// maxTypes bounds a list of types, for each is made of all keywords (I5). There are seven.
const maxTypes = 16

// types are the names of a type, and whether they are a list.
func (k *keywords) types() (names []string, list bool) {
	v := k.take("type")
	switch {
	case v == nil:
		return nil, false
	case v.Kind == String:
		return []string{v.Text}, false
	case v.Kind != Array:
		k.fail(k.at.in("type"), "type has to be a string or an array, not %s", v.Kind)
		return nil, false
	case len(v.Elements) > maxTypes:
		k.fail(k.at.in("type"), "type has more than %d elements", maxTypes)
		return nil, false
	}
	for i := range v.Elements {
		if e := &v.Elements[i]; e.Kind != String {
			k.fail(k.at.in("type"), "type has to have names of types, not %s", e.Kind)
		} else {
			names = append(names, e.Text)
		}
	}
	return names, true
}

func (k *keywords) values(name string) *Node {
	v := k.of(name, Array)
	if v == nil {
		return nil
	}
	return &Node{Kind: KindEnum, Values: v.Elements}
}

func (k *keywords) constant() *Node {
	v := k.take("const")
	if v == nil {
		return nil
	}
	return &Node{Kind: KindConst, Values: []Value{*v}}
}

func (k *keywords) not() *Node {
	target := k.schema("not")
	if target == nil {
		return nil
	}
	return &Node{Kind: KindNot, Target: target}
}

func (k *keywords) conditional() *Node {
	n := &Node{Kind: KindConditional, If: k.schema("if"), Then: k.schema("then"), Else: k.schema("else")}
	if n.If == nil && n.Then == nil && n.Else == nil {
		return nil
	}
	return n
}
