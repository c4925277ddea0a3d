package avro

import (
	"fmt"
	"slices"
	"strings"
)

// The corpus: schemas that a seeded generator makes, each with a changed copy,
// and the pairs of them. Java has answered to all of it (see oracle_test.go), so a
// change here needs new answers.

const corpusFamilies = 5200

// A generator makes schemas of random numbers that no Go release will change
// (splitmix64).
type generator struct {
	state uint64
	names int
	// defined are the full names that a type may refer to, open among them the
	// records that it stands in.
	defined []string
	space   string
}

func (g *generator) next() uint64 {
	g.state += 0x9e3779b97f4a7c15
	z := g.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (g *generator) n(n int) int          { return int(g.next() % uint64(n)) }
func (g *generator) chance(in int) bool   { return g.n(in) == 0 }
func pick[T any](g *generator, of ...T) T { return of[g.n(len(of))] }

// A node is JSON that can be changed: a raw text, an array or an object.
type node struct {
	raw     string
	items   []*node
	members []*item
	object  bool
}

type item struct {
	key   string
	value *node
}

func raw(format string, args ...any) *node { return &node{raw: fmt.Sprintf(format, args...)} }
func str(s string) *node                   { return raw("%q", s) }
func array(items ...*node) *node           { return &node{items: items} }

func object(kv ...any) *node {
	o := &node{object: true}
	for i := 0; i < len(kv); i += 2 {
		o.set(kv[i].(string), kv[i+1].(*node))
	}
	return o
}

func (o *node) set(key string, v *node) {
	for _, m := range o.members {
		if m.key == key {
			m.value = v
			return
		}
	}
	o.members = append(o.members, &item{key, v})
}

func (o *node) get(key string) *node {
	for _, m := range o.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

func (o *node) remove(key string) {
	o.members = slices.DeleteFunc(o.members, func(m *item) bool { return m.key == key })
}

func (o *node) is(kind string) bool {
	t := o.get("type")
	return o.object && t != nil && t.raw == `"`+kind+`"`
}

func (o *node) clone() *node {
	c := *o
	c.items, c.members = nil, nil
	for _, i := range o.items {
		c.items = append(c.items, i.clone())
	}
	for _, m := range o.members {
		c.members = append(c.members, &item{m.key, m.value.clone()})
	}
	return &c
}

// write writes the JSON with white space and comments here and there.
func (o *node) write(g *generator, b *strings.Builder) {
	if g.chance(40) {
		b.WriteString(pick(g, " ", "\n", "\t", "/* x */", " // y\n"))
	}
	switch {
	case o.raw != "":
		b.WriteString(o.raw)
	case o.object:
		b.WriteByte('{')
		for i, m := range o.members {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q:", m.key)
			m.value.write(g, b)
		}
		b.WriteByte('}')
	default:
		b.WriteByte('[')
		for i, v := range o.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.write(g, b)
		}
		b.WriteByte(']')
	}
}

func (g *generator) text(o *node) string {
	var b strings.Builder
	o.write(g, &b)
	return strings.TrimSpace(b.String())
}

func (g *generator) primitive() string {
	return pick(g, "null", "boolean", "int", "long", "float", "double", "bytes", "string")
}

// typ makes a type that nests at most so deep.
func (g *generator) typ(depth int) *node {
	switch n := g.n(20); {
	case n < 7 || depth == 0:
		return str(g.primitive())
	case n < 9:
		return g.logical()
	case n < 10 && len(g.defined) > 0:
		return g.reference()
	case n < 12:
		return g.extras(object("type", str("array"), "items", g.typ(depth-1)))
	case n < 13:
		return g.extras(object("type", str("map"), "values", g.typ(depth-1)))
	case n < 15:
		return g.union(depth - 1)
	case n < 17:
		return g.enum()
	case n < 18:
		return g.fixed()
	}
	return g.record(depth - 1)
}

func (g *generator) logical() *node {
	return g.extras(pick(g,
		object("type", str("bytes"), "logicalType", str("decimal"), "precision", raw("%d", g.n(12)), "scale", raw("%d", g.n(4))),
		object("type", str("int"), "logicalType", str(pick(g, "date", "time-millis", "nonsense", "timestamp-millis"))),
		object("type", str("long"), "logicalType", str(pick(g, "timestamp-micros", "local-timestamp-nanos", "date"))),
		object("type", str("string"), "logicalType", str("uuid"), "avro.java.string", str("String")),
		object("type", str(g.primitive())),
	))
}

func (g *generator) reference() *node {
	if g.chance(30) {
		return str(fmt.Sprintf("T%d", g.names+g.n(3))) // may be defined later, or nowhere
	}
	name := pick(g, g.defined...)
	if short, ok := strings.CutPrefix(name, g.space+"."); ok && g.chance(2) {
		name = short
	}
	return str(name)
}

// extras adds attributes that Avro does not know, or has no use for here.
func (g *generator) extras(o *node) *node {
	for g.chance(6) {
		o.set(pick(g, "x", "a.b", "doc", "order", "größe", "default", "precision"), g.json(2))
	}
	return o
}

func (g *generator) json(depth int) *node {
	switch n := g.n(12); {
	case n < 2:
		return raw("%d", g.n(3000)-1000)
	case n < 4:
		return raw("%s", pick(g, "1.0", "1e3", "0.1", "-2.50", "1e-7", "1234567.125", "9007199254740993", "-0", "-0.0", "1E400"))
	case n < 7:
		return str(pick(g, "", "A", "text", "ä€", "a\"b\\c", "tab\t", "NaN", "1.5"))
	case n < 8:
		return raw("true")
	case n < 9:
		return raw("null")
	case depth == 0:
		return array()
	case n < 11:
		return array(g.json(depth-1), g.json(depth-1))
	}
	return object("b", g.json(depth-1), "a", g.json(depth-1))
}

// named makes a named type; its name is known from now on.
func (g *generator) named(kind string) *node {
	o := object("type", str(kind))
	g.names++
	name, space := fmt.Sprintf("T%d", g.names), g.space
	switch g.n(8) {
	case 0:
		space = pick(g, "", "n", "n.m", "other")
		o.set("namespace", str(space))
	case 1:
		space = pick(g, "n", "n.m")
		o.set("name", str(space+"."+name))
	}
	if o.get("name") == nil {
		o.set("name", str(name))
	}
	if g.chance(5) {
		o.set("doc", g.json(0))
	}
	if g.chance(8) {
		o.set("aliases", array(str(pick(g, "Old", "n.Old", "x.y.Z", name))))
	}
	g.space = space
	if space != "" {
		name = space + "." + name
	}
	g.defined = append(g.defined, name)
	return o
}

func (g *generator) enum() *node {
	space := g.space
	o := g.named("enum")
	g.space = space
	var symbols []*node
	for _, s := range [...]string{"A", "B", "C", "D"} {
		if !g.chance(4) {
			symbols = append(symbols, str(s))
		}
	}
	o.set("symbols", array(symbols...))
	if len(symbols) > 0 && g.chance(3) {
		o.set("default", symbols[0].clone())
	}
	return g.extras(o)
}

func (g *generator) fixed() *node {
	space := g.space
	o := g.named("fixed")
	g.space = space
	o.set("size", raw("%s", pick(g, "0", "4", "12", "16", "8")))
	if g.chance(3) {
		o.set("logicalType", str(pick(g, "uuid", "duration", "decimal")))
		o.set("precision", raw("%d", g.n(12)))
	}
	return o
}

func (g *generator) union(depth int) *node {
	u := array()
	if g.chance(2) {
		u.items = append(u.items, str("null"))
	}
	for range 1 + g.n(3) {
		u.items = append(u.items, g.typ(depth))
	}
	if g.chance(4) {
		slices.Reverse(u.items)
	}
	return u
}

func (g *generator) record(depth int) *node {
	space := g.space
	o := g.named(pick(g, "record", "record", "record", "record", "record", "error"))
	var fields []*node
	for i := range g.n(5) {
		fields = append(fields, g.field(fmt.Sprintf("f%d", i), depth))
	}
	o.set("fields", array(fields...))
	g.space = space
	return g.extras(o)
}

func (g *generator) field(name string, depth int) *node {
	f := object("name", str(name), "type", g.typ(depth))
	if g.chance(3) {
		f.set("default", g.value(f.get("type"), 3))
	}
	if g.chance(8) {
		f.set("aliases", array(str(pick(g, "f0", "f1", "old", "old")), str("old")))
	}
	if g.chance(8) {
		f.set("order", str(pick(g, "ascending", "descending", "IGNORE", "Ascending")))
	}
	if g.chance(8) {
		f.set("doc", str("what\nit is"))
	}
	return g.extras(f)
}

// value makes a default that mostly fits the type.
func (g *generator) value(t *node, depth int) *node {
	switch {
	case depth == 0 || g.chance(25):
		return g.json(1)
	case t.object && (t.is("array")):
		return array(g.value(t.get("items"), depth-1))
	case t.object && t.is("map"):
		return object("k", g.value(t.get("values"), depth-1))
	case t.object && (t.is("record") || t.is("error")):
		v := object()
		for _, f := range t.get("fields").items {
			if f.get("default") == nil || g.chance(2) {
				v.set(strings.Trim(f.get("name").raw, `"`), g.value(f.get("type"), depth-1))
			}
		}
		return v
	case !t.object && t.raw == "" && len(t.items) > 0:
		return g.value(pick(g, t.items...), depth-1)
	case t.object:
		return g.primitiveValue(strings.Trim(t.get("type").raw, `"`))
	}
	return g.primitiveValue(strings.Trim(t.raw, `"`))
}

func (g *generator) primitiveValue(name string) *node {
	switch name {
	case "null":
		return raw("null")
	case "boolean":
		return raw("true")
	case "int", "long":
		return raw("%s", pick(g, "0", "-1", "2147483647", "2147483648", "9223372036854775807", "1.0"))
	case "float", "double":
		return raw("%s", pick(g, "0", "1.5", "1e10", "0.1", "1234567", "\"NaN\"", "\"-1.5e3\"", "1.123456789012"))
	case "bytes", "fixed":
		return raw("%s", pick(g, `"\u00ff\u0000"`, `""`, `"ab"`, `"€"`))
	case "string", "enum":
		return str(pick(g, "A", "D", ""))
	}
	return g.json(1)
}

// nodes lists the nodes of a schema that satisfy a condition.
func nodes(o *node, is func(*node) bool) []*node {
	var found []*node
	if is(o) {
		found = append(found, o)
	}
	for _, i := range o.items {
		found = append(found, nodes(i, is)...)
	}
	for _, m := range o.members {
		if m.key != "default" {
			found = append(found, nodes(m.value, is)...)
		}
	}
	return found
}

func (g *generator) one(o *node, is func(*node) bool) *node {
	found := nodes(o, is)
	if len(found) == 0 {
		return nil
	}
	return pick(g, found...)
}

func isRecord(o *node) bool { return (o.is("record") || o.is("error")) && o.get("fields") != nil }
func isField(o *node) bool {
	return o.object && o.get("type") != nil && o.get("name") != nil && o.get("name").raw[:2] == `"f`
}
func isNamed(o *node) bool { return isRecord(o) || o.is("enum") || o.is("fixed") }

// mutate changes a schema in one place.
func (g *generator) mutate(o *node) {
	switch g.n(12) {
	case 0:
		if r := g.one(o, isRecord); r != nil {
			r.get("fields").items = append(r.get("fields").items, g.field(fmt.Sprintf("f%d", 5+g.n(3)), 1))
		}
	case 1:
		if r := g.one(o, isRecord); r != nil && len(r.get("fields").items) > 0 {
			fields := r.get("fields")
			i := g.n(len(fields.items))
			fields.items = slices.Delete(fields.items, i, i+1)
		}
	case 2:
		if f := g.one(o, isField); f != nil {
			if g.chance(2) {
				f.set("aliases", array(f.get("name").clone()))
			}
			f.set("name", str(fmt.Sprintf("f%d", 8+g.n(2))))
		}
	case 3, 4:
		if f := g.one(o, isField); f != nil {
			f.set("type", g.typ(1))
		}
	case 5:
		if f := g.one(o, isField); f != nil && f.get("type").raw != "" {
			f.set("type", str(g.primitive()))
		}
	case 6:
		if f := g.one(o, isField); f != nil {
			g.wrap(f)
		}
	case 7:
		g.rename(g.one(o, isNamed))
	case 8:
		if e := g.one(o, func(o *node) bool { return o.is("enum") }); e != nil {
			e.set("symbols", array(str("A"), str("E"), str(pick(g, "B", "C", "A"))))
		}
	case 9:
		if f := g.one(o, func(o *node) bool { return o.is("fixed") }); f != nil {
			f.set("size", raw("%d", g.n(20)))
		}
	case 10:
		if f := g.one(o, isField); f != nil {
			if f.get("default") != nil {
				f.remove("default")
			} else {
				f.set("default", g.value(f.get("type"), 3))
			}
		}
	case 11:
		if u := g.one(o, func(o *node) bool { return len(o.items) > 1 && o.items[0].raw != "" && !o.items[0].object }); u != nil {
			u.items = append(u.items[1:], g.typ(0))
		}
	}
}

// wrap puts a field's type into a union, or takes it out of one.
func (g *generator) wrap(f *node) {
	t := f.get("type")
	if !t.object && t.raw == "" && len(t.items) > 0 {
		f.set("type", t.items[len(t.items)-1])
		return
	}
	f.set("type", array(str("null"), t))
}

func (g *generator) rename(t *node) {
	if t == nil {
		return
	}
	if g.chance(2) {
		t.set("aliases", array(t.get("name").clone()))
	}
	t.set("name", str(pick(g, "New", "n.New", "T1", "int")))
}

// corpus calls f with each family: a schema and its changed copy.
func corpus(f func(base, changed string)) {
	for i := range corpusFamilies {
		g := &generator{state: uint64(i) << 20}
		tree := g.typ(3)
		if i%4 != 0 {
			tree = g.record(3)
		}
		changed := tree.clone()
		for range 1 + g.n(3) {
			g.mutate(changed)
		}
		f(g.text(tree), g.text(changed))
	}
}
