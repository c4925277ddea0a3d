package protobuf

// file is a .proto file as it is written: names are not resolved, and each list has the order of the text.
type file struct {
	syntax  string // proto2 or proto3, "" when none is said
	edition string // in place of a syntax
	pkg     string

	imports, publicImports, weakImports []string

	options  []option
	messages []*message
	enums    []*enum
	extends  []extend
	services []service
}

type message struct {
	name       string
	options    []option
	reserved   []ranges
	fields     []*field
	oneofs     []*oneof
	groups     []*group
	extensions []ranges
	extends    []extend
	messages   []*message
	enums      []*enum
}

// field is a field of a message, a oneof or an extension.
type field struct {
	label string // optional, required, repeated or ""
	// typ is the type as it is written: a scalar, a name, or map<key, value>.
	typ          string
	name         string
	tag          int64
	options      []option
	defaultValue *string // without quotes
	jsonName     *string
}

type oneof struct {
	name    string
	options []option
	fields  []*field
	groups  []*group
}

// group is proto2's field with its message in place.
type group struct {
	label   string
	name    string
	tag     int64
	options []option
	body    *message
}

type enum struct {
	name     string
	options  []option
	reserved []ranges
	values   []enumValue
}

type enumValue struct {
	name    string
	number  int64
	options []option
}

// extend are extensions of one message.
type extend struct {
	name   string
	fields []*field
	groups []*group
}

// ranges are what one statement reserves, or leaves to extensions.
type ranges struct {
	items   []rangeItem
	options []option
}

// rangeItem is a name, a number, or numbers from start to end, both included.
type rangeItem struct {
	name       string
	quoted     bool // the name is a string; editions have identifiers
	start, end int64
	span       bool // written with "to"
}

type service struct {
	name    string
	options []option
	methods []method
}

type method struct {
	name                      string
	input, output             string
	inputStream, outputStream bool
	options                   []option
}

// option is a setting of what it stands in: name = value, (extension) = value or (extension).path = value.
type option struct {
	name      string
	extension bool // the name is in parentheses
	path      []string
	value     value
}

// valueKind is the kind of an option's value.
type valueKind uint8

const (
	stringValue valueKind = iota
	wordValue             // true, false, a number, or the name of an enum's value: written as it is
	numberValue
	mapValue
	listValue
)

// value is what an option is set to.
type value struct {
	kind    valueKind
	text    string  // of strings without quotes and escapes
	entries []entry // of a map
	list    []value
}

// entry is one of a map's. A name in brackets is that of an extension.
type entry struct {
	name  string
	value value
}

// isMapEntry tells whether a message is what a map field is made of, spelled out as descriptors have it.
func (m *message) isMapEntry() bool {
	if m.field("key") == nil || m.field("value") == nil {
		return false
	}
	for _, o := range m.options {
		if o.name == "map_entry" && !o.extension && o.value.text == "true" {
			return true
		}
	}
	return false
}

// field returns a field of the message by name, nil when there is none.
func (m *message) field(name string) *field {
	for f := range m.allFields() {
		if f.name == name {
			return f
		}
	}
	return nil
}

// allFields are the fields of a message with those in oneofs, groups left out.
func (m *message) allFields() func(yield func(*field) bool) {
	return func(yield func(*field) bool) {
		for _, f := range m.fields {
			if !yield(f) {
				return
			}
		}
		for _, o := range m.oneofs {
			for _, f := range o.fields {
				if !yield(f) {
					return
				}
			}
		}
	}
}
