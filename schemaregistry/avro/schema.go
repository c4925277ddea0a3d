package avro

import "strings"

// Kind is the kind of a type.
type Kind uint8

// The kinds of Avro.
const (
	Null Kind = iota
	Boolean
	Int
	Long
	Float
	Double
	Bytes
	String
	Array
	Map
	Union
	Fixed
	Enum
	Record
)

// String is the kind's name in a schema, such as "int".
func (k Kind) String() string {
	names := [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map", "union", "fixed", "enum", "record"}
	return names[k]
}

// upper is the kind's name in Java's messages, such as "INT".
func (k Kind) upper() string { return strings.ToUpper(k.String()) }

func (k Kind) primitive() bool { return k <= String }
func (k Kind) named() bool     { return k >= Fixed }

// primitiveKind is the kind that a primitive's name stands for.
func primitiveKind(name string) (Kind, bool) {
	for k := Null; k <= String; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// A Type is a node of a schema. Types are shared where a name refers to them, and
// a record may be reached from itself.
type Type struct {
	Kind Kind
	// Name is the name of a record, enum or fixed.
	Name Name
	// Doc is the documentation of a record, enum or fixed, nil if there is none.
	Doc *string
	// Aliases are other names of a record, enum or fixed.
	Aliases []Name
	// Fields are a record's fields.
	Fields []*Field
	// IsError says that a record was written as "error".
	IsError bool
	// Symbols are an enum's symbols, Default the one that readers take for a
	// symbol they do not know, nil if there is none.
	Symbols []string
	Default *string
	// Items is the type of an array's items or a map's values.
	Items *Type
	// Branches are the types of a union.
	Branches []*Type
	// Size is the number of bytes of a fixed.
	Size int
	// Props are the attributes that Avro does not know, those of a logical type
	// among them.
	Props Props

	fieldIndex map[string]int
	// forward is the full name of a type that was used before its definition. Only
	// while parsing.
	forward string
}

// A Field is a field of a record.
type Field struct {
	Name string
	Type *Type
	// Doc is the documentation, nil if there is none.
	Doc *string
	// Default is the value for writers that do not have the field, nil if there is
	// none.
	Default *Value
	// Order is how records are sorted by this field.
	Order Order
	// Aliases are other names of the field.
	Aliases []string
	// Props are the attributes that Avro does not know.
	Props Props
}

// Order is how records are sorted by a field.
type Order string

// The orders of Avro.
const (
	Ascending  Order = "ascending"
	Descending Order = "descending"
	Ignore     Order = "ignore"
)

// Field returns a record's field and its position, or nil and -1.
func (t *Type) Field(name string) (*Field, int) {
	if i, ok := t.fieldIndex[name]; ok {
		return t.Fields[i], i
	}
	return nil, -1
}

// HasSymbol reports whether an enum has a symbol.
func (t *Type) HasSymbol(symbol string) bool {
	for _, s := range t.Symbols {
		if s == symbol {
			return true
		}
	}
	return false
}

// Nullable reports whether null is a value of the type.
func (t *Type) Nullable() bool {
	for _, b := range t.Branches {
		if b.Kind == Null {
			return true
		}
	}
	return t.Kind == Null
}

// branchName is what makes a type unique in a union.
func (t *Type) branchName() string {
	if t.Kind.named() {
		return t.Name.Full()
	}
	return t.Kind.String()
}

// A Schema is a parsed text.
type Schema struct {
	root *Type
	// references are the full names of what the referenced texts define at their
	// top, which the canonical text does not repeat.
	references []string
	options    Options
	canonical  string
}

// Root is the schema's type.
func (s *Schema) Root() *Type { return s.root }
