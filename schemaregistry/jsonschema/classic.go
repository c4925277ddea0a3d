package jsonschema

// Keywords by the type that they are about, in drafts 4 to 7.
var (
	objectKeywords = []string{"properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties",
		"additionalProperties", "propertyNames"}
	arrayKeywords       = []string{"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"}
	numberKeywords      = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	stringKeywords      = []string{"minLength", "maxLength", "pattern", "format"}
	conditionalKeywords = []string{"if", "then", "else"}
)

// known leaves out the last keyword of objects and arrays, which draft 4 does not have.
func (d dialect) known(names []string) []string {
	if d == draft4 {
		return names[:len(names)-1]
	}
	return names
}

// classic reads a schema of drafts 4 to 7: each keyword that says all by itself is a part, a type takes the keywords about it along, and
// those without their type are parts too. Several parts have to be valid together.
func (k *keywords) classic() *Node {
	var n *Node
	if k.v.Get("$ref") != nil {
		n = k.reference("$ref") // hides what stands beside it
	} else {
		n = allOf(append(k.standalone(), append(k.typed(), k.untyped()...)...))
	}
	if n == nil {
		return nil
	}
	k.common(n)
	if n.Kind == KindArray { // of later drafts, but minded
		n.Array.MinContains, n.Array.MaxContains = extraInteger(n, "minContains"), extraInteger(n, "maxContains")
	}
	return n
}

func allOf(parts []*Node) *Node {
	switch len(parts) {
	case 0:
		return &Node{Kind: KindEmpty}
	case 1:
		return parts[0]
	}
	return &Node{Kind: KindCombined, Criterion: AllOf, Branches: combinedFirst(parts), generated: true}
}

// combinedFirst has Combined parts before others.
func combinedFirst(parts []*Node) []*Node {
	sorted := make([]*Node, 0, len(parts))
	for _, want := range []bool{true, false} {
		for _, p := range parts {
			if (p.Kind == KindCombined) == want {
				sorted = append(sorted, p)
			}
		}
	}
	return sorted
}

func extraInteger(n *Node, name string) *int64 {
	v := n.extra(name)
	if v == nil || v.Kind != Number {
		return nil
	}
	i := int64(float(v.Text))
	return &i
}

func some(parts ...*Node) (nodes []*Node) {
	for _, p := range parts {
		if p != nil {
			nodes = append(nodes, p)
		}
	}
	return nodes
}

// standalone are the keywords about any type.
func (k *keywords) standalone() []*Node {
	parts := some(k.values("enum"))
	for _, c := range []Criterion{AllOf, AnyOf, OneOf} {
		if k.v.Get(string(c)) != nil {
			parts = append(parts, &Node{Kind: KindCombined, Criterion: c, Branches: k.list(string(c))})
		}
	}
	parts = append(parts, some(k.not())...)
	if k.l.dialect != draft4 {
		parts = append(parts, some(k.constant())...)
	}
	return parts
}

func (k *keywords) typed() []*Node {
	names, list := k.types()
	var nodes []*Node
	for _, name := range names {
		nodes = append(nodes, some(k.typeNode(name))...)
	}
	if list {
		return []*Node{{Kind: KindCombined, Criterion: AnyOf, Branches: nodes}}
	}
	return nodes
}

// typeNode is a type with the keywords about it.
func (k *keywords) typeNode(name string) *Node {
	switch name {
	case "string":
		return k.strings()
	case "number":
		return k.numbers()
	case "integer":
		n := k.numbers()
		n.Numbers.Integer = true
		return n
	case "boolean":
		return &Node{Kind: KindBoolean}
	case "null":
		return &Node{Kind: KindNull}
	case "array":
		return k.array()
	case "object":
		return k.object()
	}
	k.fail(k.at.in("type"), "there is no type %q; use string, number, integer, boolean, null, array or object", name)
	return nil
}

// untyped are keywords about types that the schema does not name.
func (k *keywords) untyped() (parts []*Node) {
	if k.has(k.l.dialect.known(arrayKeywords)) {
		parts = append(parts, k.array())
	}
	if k.has(k.l.dialect.known(objectKeywords)) {
		parts = append(parts, k.object())
	}
	if k.has(numberKeywords) {
		parts = append(parts, k.numbers())
	}
	if k.has(stringKeywords) {
		parts = append(parts, k.strings())
	}
	if k.l.dialect >= draft7 && k.has(conditionalKeywords) {
		parts = append(parts, some(k.conditional())...)
	}
	return parts
}

func (k *keywords) strings() *Node {
	format := k.text("format")
	return &Node{Kind: KindString, Strings: StringRules{MinLength: k.integer("minLength"), MaxLength: k.integer("maxLength"),
		Pattern: k.text("pattern"), Format: format != nil && k.l.dialect.checks(*format)}}
}

// checks tells whether a dialect's validators know a format.
func (d dialect) checks(format string) bool {
	switch format {
	case "date-time", "uri", "email", "ipv4", "ipv6", "hostname":
		return true
	case "json-pointer", "uri-reference", "uri-template":
		return d >= draft6
	case "date", "time", "regex", "relative-json-pointer":
		return d >= draft7
	}
	return false
}

func (k *keywords) numbers() *Node {
	r := NumberRules{Minimum: k.number("minimum"), Maximum: k.number("maximum"), MultipleOf: k.number("multipleOf")}
	if k.l.dialect == draft4 { // whether the limits themselves are allowed, which makes no difference between versions in Confluent's registry
		k.yes("exclusiveMinimum")
		k.yes("exclusiveMaximum")
	} else {
		r.ExclusiveMinimum, r.ExclusiveMaximum = k.number("exclusiveMinimum"), k.number("exclusiveMaximum")
	}
	if r.MultipleOf != nil && float(*r.MultipleOf) == 0 {
		k.fail(k.at.in("multipleOf"), "multipleOf should not be 0")
	}
	return &Node{Kind: KindNumber, Numbers: r}
}

func (k *keywords) object() *Node {
	o := &ObjectRules{MinProperties: k.integer("minProperties"), MaxProperties: k.integer("maxProperties"), Patterns: k.named("patternProperties")}
	k.properties(o)
	k.additional("additionalProperties", &o.Closed, &o.Additional)
	if v := k.of("dependencies", Object); v != nil {
		for i := range v.Members {
			k.dependency(o, &v.Members[i])
		}
	}
	if k.l.dialect != draft4 {
		o.Names = k.schema("propertyNames")
	}
	return &Node{Kind: KindObject, Object: o}
}

func (k *keywords) properties(o *ObjectRules) {
	for _, p := range k.named("properties") {
		o.addProperty(p.Name, p.Node)
	}
	if v := k.of("required", Array); v != nil {
		o.required = k.texts(v, k.at.in("required"))
	}
}

// additional reads a keyword that is a boolean or a schema.
func (k *keywords) additional(name string, closed *bool, schema **Node) {
	switch n := k.schema(name); {
	case n == nil || n.Kind == KindTrue:
	case n.Kind == KindFalse:
		*closed = true
	default:
		*schema = n
	}
}

func (k *keywords) dependency(o *ObjectRules, m *Member) {
	at := k.at.in("dependencies").in(m.Name)
	if m.Value.Kind == Array {
		o.PropertyDependencies = append(o.PropertyDependencies, Dependency{m.Name, k.texts(&m.Value, at)})
	} else if n := k.load(&m.Value, at); n != nil {
		o.SchemaDependencies = append(o.SchemaDependencies, Property{m.Name, n})
	}
}

func (k *keywords) array() *Node {
	a := &ArrayRules{MinItems: k.integer("minItems"), MaxItems: k.integer("maxItems"), Unique: k.yes("uniqueItems")}
	k.additional("additionalItems", &a.Closed, &a.Additional)
	if v := k.v.Get("items"); v != nil && v.Kind == Array {
		a.Tuple = k.list("items")
	} else {
		a.Items = k.schema("items")
	}
	if a.Items != nil {
		a.Closed = false // nothing is additional when one schema is for all
	}
	if k.l.dialect != draft4 {
		a.Contains = k.schema("contains")
	}
	return &Node{Kind: KindArray, Array: a}
}
