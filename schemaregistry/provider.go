package schemaregistry

// The types of schemas, as requests name them.
const (
	Avro     = "AVRO"
	JSON     = "JSON"
	Protobuf = "PROTOBUF"
)

// Provider knows one type of schemas. Its methods may be called from any number of goroutines.
type Provider interface {
	// Type is one of the constants above.
	Type() string
	// Parse reads a schema. references are the texts of all schemas that it refers to, direct or through others, each before those
	// that use it, by the name under which it is referred to. A new schema is held to stricter rules than one that is stored
	// already. An error says what is wrong and where; it never depends on anything but the arguments, and hostile text costs no more
	// than the provider's limits (I5).
	Parse(text string, references []Referenced, isNew bool) (Schema, error)
	// CanRead lists what keeps reader from reading data written with writer, nil when nothing does. newReads says that the reader is the
	// new schema, else it is the old one. An error means that they are too large to compare (I5).
	CanRead(reader, writer Schema, newReads bool) ([]Difference, error)
}

// Referenced is the text of a schema under the name by which another refers to it.
type Referenced struct {
	Name, Text string
}

// Schema is a parsed schema. It is immutable.
type Schema interface {
	// Canonical is the text that is stored and compared: white space and the order of keys do not matter in it, all else does.
	Canonical() string
	// Normalized is Canonical in the form that normalize=true asks for.
	Normalized() string
	// Inlined is Canonical with the references in it.
	Inlined() string
	// Equal tells whether another schema of the type says the same, with the references of both in it. Where that cannot be told within
	// the provider's limits (I5) it does not.
	Equal(other Schema) bool
	// HasField tells whether there is a field of that name at the top.
	HasField(name string) bool
}

// Formatter is a Schema that has more forms than Inlined, which is the format "resolved".
type Formatter interface {
	// Formatted returns the text in a format that clients ask for by name. For a name that it does not know it is Canonical, as formats
	// may be added. An error means that the schema has no such form.
	Formatted(format string) (string, error)
}

// LenientProvider is a Provider that has other rules for subjects with the policy LENIENT.
type LenientProvider interface {
	// Lenient returns the Provider with those rules.
	Lenient() Provider
}

// Providers are those of all types that can be served, in the order in which Confluent's registry lists them.
func Providers() []Provider {
	return []Provider{
		JSONProvider{},
		ProtobufProvider{},
		AvroProvider{},
	}
}

// Difference is a reason why one schema cannot read what another wrote.
type Difference struct {
	Type string // such as READER_FIELD_MISSING_DEFAULT_VALUE
	Path string // a JSON pointer into the reader
	// Message is in Confluent's form, which clients take apart.
	Message string
	Fix     string // what to do about it, in plain words
	// NewReads says that the new schema is the reader.
	NewReads bool
}
