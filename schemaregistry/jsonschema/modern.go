package jsonschema

import "slices"

// modern reads a schema of draft 2019-09 or later: every keyword is a part, and parts about one type are joined wherever they come
// from.
func (k *keywords) modern() *Node {
	var n *Node
	for _, p := range k.modernParts() {
		n = join(n, p)
	}
	if n == nil {
		n = &Node{Kind: KindEmpty}
	}
	for _, known := range modernAnnotations {
		k.take(known)
	}
	k.common(n)
	return n
}

// modernAnnotations make no difference to what is valid.
var modernAnnotations = []string{"format", "readOnly", "writeOnly", "deprecated", "$schema", "$anchor", "$dynamicAnchor", "$comment", "$vocabulary"}

func (k *keywords) modernParts() []*Node {
	parts := k.modernTypes()
	parts = append(parts, some(k.modernObject(), k.modernArray(), k.modernStrings(), k.modernNumbers())...)
	for _, c := range []Criterion{AllOf, AnyOf, OneOf} {
		if k.v.Get(string(c)) != nil {
			parts = append(parts, &Node{Kind: KindCombined, Criterion: c, Branches: flattenAll(k.list(string(c)))})
		}
	}
	parts = append(parts, some(k.values("enum"), k.constant(), k.not())...)
	if k.v.Get("if") != nil { // without it then and else say nothing
		parts = append(parts, some(k.conditional())...)
	}
	for _, ref := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		parts = append(parts, some(k.reference(ref))...)
	}
	return parts
}

func (k *keywords) modernTypes() []*Node {
	names, list := k.types()
	var nodes []*Node
	for _, name := range names {
		if n := emptyType(name); n != nil {
			nodes = append(nodes, n)
		} else {
			k.fail(k.at.in("type"), "there is no type %q; use string, number, integer, boolean, null, array or object", name)
		}
	}
	if list {
		return []*Node{{Kind: KindCombined, Criterion: AnyOf, Branches: nodes, generated: true}}
	}
	return nodes
}

// emptyType is a type without keywords about it.
func emptyType(name string) *Node {
	switch name {
	case "string":
		return &Node{Kind: KindString}
	case "number":
		return &Node{Kind: KindNumber}
	case "integer":
		return &Node{Kind: KindNumber, Numbers: NumberRules{Integer: true}}
	case "boolean":
		return &Node{Kind: KindBoolean}
	case "null":
		return &Node{Kind: KindNull}
	case "array":
		return &Node{Kind: KindArray, Array: &ArrayRules{}}
	case "object":
		return &Node{Kind: KindObject, Object: &ObjectRules{}}
	}
	return nil
}

func (k *keywords) modernStrings() *Node {
	if !k.has([]string{"minLength", "maxLength", "pattern"}) {
		return nil
	}
	return &Node{Kind: KindString, Strings: StringRules{MinLength: k.integer("minLength"), MaxLength: k.integer("maxLength"), Pattern: k.text("pattern")}}
}

func (k *keywords) modernNumbers() *Node {
	if !k.has(numberKeywords) {
		return nil
	}
	return k.numbers()
}

var modernObjectKeywords = []string{"properties", "required", "minProperties", "maxProperties", "patternProperties", "additionalProperties",
	"propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties"}

// says tells whether there is any of the keywords with something in it.
func (k *keywords) says(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		v := k.v.Get(name)
		return v != nil && (v.Kind != Object || len(v.Members) > 0 || !mapKeywords[name])
	})
}

// mapKeywords have schemas by name: without any they say nothing.
var mapKeywords = map[string]bool{"properties": true, "patternProperties": true}

func (k *keywords) modernObject() *Node {
	if !k.says(modernObjectKeywords) {
		return nil
	}
	o := &ObjectRules{MinProperties: k.integer("minProperties"), MaxProperties: k.integer("maxProperties"), Patterns: k.named("patternProperties"),
		Names: k.schema("propertyNames"), SchemaDependencies: k.named("dependentSchemas"), Unevaluated: k.schema("unevaluatedProperties")}
	k.properties(o)
	k.additional("additionalProperties", &o.Closed, &o.Additional)
	if v := k.of("dependentRequired", Object); v != nil {
		for i := range v.Members {
			m := &v.Members[i]
			o.PropertyDependencies = append(o.PropertyDependencies, Dependency{m.Name, k.texts(&m.Value, k.at.in("dependentRequired").in(m.Name))})
		}
	}
	return &Node{Kind: KindObject, Object: o}
}

var modernArrayKeywords = []string{"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"}

func (k *keywords) modernArray() *Node {
	if !k.says(modernArrayKeywords) {
		return nil
	}
	a := &ArrayRules{MinItems: k.integer("minItems"), MaxItems: k.integer("maxItems"), Unique: k.yes("uniqueItems"),
		Tuple: k.list("prefixItems"), Unevaluated: k.schema("unevaluatedItems")}
	if v := k.v.Get("items"); v != nil && v.Kind == Array { // 2019-09
		a.Tuple = k.list("items")
		k.additional("additionalItems", &a.Closed, &a.Additional)
	} else if k.additional("items", &a.Closed, &a.Items); len(a.Tuple) > 0 {
		a.Items, a.Additional = nil, a.Items
	}
	if a.Contains = k.schema("contains"); a.Contains != nil {
		one := int64(1)
		a.MinContains, a.MaxContains = k.integer("minContains"), k.integer("maxContains")
		if a.MinContains == nil {
			a.MinContains = &one
		}
	}
	return &Node{Kind: KindArray, Array: a}
}

func (n *Node) generatedBy(c Criterion) bool {
	return n.Kind == KindCombined && n.generated && n.Criterion == c
}

// flatten takes a Combined apart that stands for keywords side by side.
func flatten(n *Node) []*Node {
	if n.generatedBy(AllOf) {
		return n.Branches
	}
	return []*Node{n}
}

// flattenAll does so with the branches of a keyword: Confluent's registry counts their keywords as branches.
func flattenAll(branches []*Node) []*Node {
	var flat []*Node
	for _, b := range branches {
		flat = append(flat, flatten(b)...)
	}
	return flat
}

// join puts what two parts say together.
func join(a, b *Node) *Node {
	switch {
	case a == nil:
		return b
	case a.Kind == b.Kind && a.mergeable():
		return merge(a, b)
	case a.generatedBy(AnyOf) && hasKind(a.Branches, b.Kind):
		return &Node{Kind: KindCombined, Criterion: AnyOf, generated: true, Branches: accumulate(slices.Clone(a.Branches), b)}
	}
	var branches []*Node
	for _, n := range append(slices.Clone(flatten(a)), flatten(b)...) {
		branches = accumulate(branches, n)
	}
	return &Node{Kind: KindCombined, Criterion: AllOf, generated: true, Branches: branches}
}

func hasKind(nodes []*Node, k Kind) bool {
	return slices.ContainsFunc(nodes, func(n *Node) bool { return n.Kind == k })
}

func accumulate(nodes []*Node, n *Node) []*Node {
	for i, other := range nodes {
		if other.Kind == n.Kind && n.mergeable() {
			nodes[i] = merge(other, n)
			return nodes
		}
	}
	return append(nodes, n)
}

func (n *Node) mergeable() bool {
	return n.Kind == KindString || n.Kind == KindNumber || n.Kind == KindObject || n.Kind == KindArray
}

// merge returns a with what b says; both are of one mergeable kind.
func merge(a, b *Node) *Node {
	m := *a
	set(&m.ID, b.ID)
	set(&m.Title, b.Title)
	set(&m.Description, b.Description)
	set(&m.Default, b.Default)
	m.Extra = append(slices.Clone(a.Extra), b.Extra...)
	switch a.Kind {
	case KindString:
		s := b.Strings
		set(&m.Strings.MinLength, s.MinLength)
		set(&m.Strings.MaxLength, s.MaxLength)
		set(&m.Strings.Pattern, s.Pattern)
	case KindNumber:
		r := b.Numbers
		m.Numbers.Integer = m.Numbers.Integer || r.Integer
		set(&m.Numbers.Minimum, r.Minimum)
		set(&m.Numbers.Maximum, r.Maximum)
		set(&m.Numbers.ExclusiveMinimum, r.ExclusiveMinimum)
		set(&m.Numbers.ExclusiveMaximum, r.ExclusiveMaximum)
		set(&m.Numbers.MultipleOf, r.MultipleOf)
	case KindObject:
		m.Object = mergeObjects(a.Object, b.Object)
	case KindArray:
		m.Array = mergeArrays(a.Array, b.Array)
	}
	return &m
}

func set[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

func mergeObjects(a, b *ObjectRules) *ObjectRules {
	m := &ObjectRules{Closed: a.Closed || b.Closed, Additional: a.Additional, Names: a.Names, Unevaluated: a.Unevaluated,
		MinProperties: a.MinProperties, MaxProperties: a.MaxProperties, Patterns: append(slices.Clone(a.Patterns), b.Patterns...),
		PropertyDependencies: append(slices.Clone(a.PropertyDependencies), b.PropertyDependencies...),
		SchemaDependencies:   append(slices.Clone(a.SchemaDependencies), b.SchemaDependencies...)}
	for _, o := range []*ObjectRules{a, b} {
		for _, p := range o.Properties {
			m.addProperty(p.Name, p.Node)
		}
		for name := range o.required {
			m.addRequired(name)
		}
	}
	set(&m.Additional, b.Additional)
	set(&m.Names, b.Names)
	set(&m.Unevaluated, b.Unevaluated)
	set(&m.MinProperties, b.MinProperties)
	set(&m.MaxProperties, b.MaxProperties)
	return m
}

func mergeArrays(a, b *ArrayRules) *ArrayRules {
	m := *a
	m.Closed, m.Unique = a.Closed || b.Closed, a.Unique || b.Unique
	m.Tuple = append(slices.Clone(a.Tuple), b.Tuple...)
	set(&m.Items, b.Items)
	set(&m.Additional, b.Additional)
	set(&m.Contains, b.Contains)
	set(&m.Unevaluated, b.Unevaluated)
	set(&m.MinItems, b.MinItems)
	set(&m.MaxItems, b.MaxItems)
	set(&m.MinContains, b.MinContains)
	set(&m.MaxContains, b.MaxContains)
	return &m
}
