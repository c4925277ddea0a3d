package jsonschema

import "strconv"

// Kind is what a Node says something about.
type Kind uint8

// The kinds of Nodes. Two Nodes of different kinds are of different types.
const (
	KindEmpty Kind = iota // anything
	KindTrue              // anything, as the schema true
	KindFalse             // nothing
	KindString
	KindNumber
	KindBoolean
	KindNull
	KindConst
	KindEnum
	KindCombined // of Criterion
	KindNot
	KindConditional
	KindObject
	KindArray
	KindReference
)

// anything tells whether every value is valid.
func (k Kind) anything() bool { return k == KindEmpty || k == KindTrue }

// A Criterion says how many of the branches of a Combined have to be valid.
type Criterion string

// The criteria.
const (
	AllOf Criterion = "allOf"
	AnyOf Criterion = "anyOf"
	OneOf Criterion = "oneOf"
)

// A Node is a schema within a schema. Only the fields of its kind are set.
type Node struct {
	Kind Kind

	// ID, Title and Description are nil where there are none.
	ID, Title, Description *string
	Default                *Value
	// Extra are the members of the text that no rule of JSON Schema has a use for, such as connect.type.
	Extra []Member

	Strings StringRules // KindString
	Numbers NumberRules // KindNumber
	Values  []Value     // KindConst: one; KindEnum
	// Criterion and Branches are a Combined's. A generated one stands for keywords side by side, not for a keyword of its own.
	Criterion Criterion
	Branches  []*Node
	generated bool
	// Target is what a Not forbids and what a Reference refers to.
	Target         *Node
	Ref            string
	If, Then, Else *Node
	Object         *ObjectRules
	Array          *ArrayRules

	source *Value // what it was made of; nil for a part of that
}

// StringRules are about strings.
type StringRules struct {
	MinLength, MaxLength *int64
	Pattern              *string
	// Format is set if there is a format that validators know.
	Format bool
}

// NumberRules are about numbers.
type NumberRules struct {
	Integer                                                          bool
	Minimum, Maximum, ExclusiveMinimum, ExclusiveMaximum, MultipleOf *string // texts of numbers
}

// ObjectRules are about objects.
type ObjectRules struct {
	Properties []Property
	index      map[string]int // of Properties
	required   map[string]bool
	// Closed refuses additional properties; else Additional is what they have to be, nil for anything.
	Closed     bool
	Additional *Node
	Patterns   []Property // by pattern
	// PropertyDependencies and SchemaDependencies are what a property requires.
	PropertyDependencies []Dependency
	SchemaDependencies   []Property
	Names                *Node
	Unevaluated          *Node
	MinProperties        *int64
	MaxProperties        *int64
}

// A Property is a schema under a name.
type Property struct {
	Name string
	Node *Node
}

// A Dependency lists the properties that one requires.
type Dependency struct {
	Name     string
	Requires map[string]bool
}

// Property returns the schema of a property, nil for none.
func (o *ObjectRules) Property(name string) *Node {
	if i, ok := o.index[name]; ok {
		return o.Properties[i].Node
	}
	return nil
}

// Required tells whether a property has to be there.
func (o *ObjectRules) Required(name string) bool { return o.required[name] }

func (o *ObjectRules) addProperty(name string, n *Node) {
	if i, ok := o.index[name]; ok {
		o.Properties[i].Node = n
		return
	}
	if o.index == nil {
		o.index = make(map[string]int)
	}
	o.index[name] = len(o.Properties)
	o.Properties = append(o.Properties, Property{name, n})
}

func (o *ObjectRules) addRequired(name string) {
	if o.required == nil {
		o.required = make(map[string]bool)
	}
	o.required[name] = true
}

// ArrayRules are about arrays.
type ArrayRules struct {
	// Items is for all elements, Tuple for the first ones in their order.
	Items *Node
	Tuple []*Node
	// Closed refuses elements behind the Tuple; else Additional is what they have to be, nil for anything.
	Closed      bool
	Additional  *Node
	Contains    *Node
	Unevaluated *Node
	MinItems    *int64
	MaxItems    *int64
	MinContains *int64
	MaxContains *int64
	Unique      bool
}

// extra returns a member that JSON Schema has no use for, nil for none.
func (n *Node) extra(name string) *Value {
	for i := range n.Extra {
		if n.Extra[i].Name == name {
			return &n.Extra[i].Value
		}
	}
	return nil
}

// ExtraInteger returns the value of such a member if it is an integer that Java has room for.
func (n *Node) ExtraInteger(name string) (int, bool) {
	v := n.extra(name)
	if v == nil || v.Kind != Number {
		return 0, false
	}
	i, err := strconv.ParseInt(v.Text, 10, 32)
	return int(i), err == nil
}

// ExtraMembers returns the members of such a member if it is an object.
func (n *Node) ExtraMembers(name string) []Member {
	if v := n.extra(name); v != nil {
		return v.Members
	}
	return nil
}

// ExtraText returns the text of such a member if it is a string, else "".
func (n *Node) ExtraText(name string) string {
	if v := n.extra(name); v != nil && v.Kind == String {
		return v.Text
	}
	return ""
}
