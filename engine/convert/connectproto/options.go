package connectproto

// Names that Confluent's converter gives to what the other side has no name for.
const (
	namespace   = "io.confluent.connect.protobuf"
	enumName    = namespace + ".Enum"
	unionPrefix = namespace + ".Union"
	tagParam    = namespace + ".Tag"
	typeParam   = namespace + ".Type"
	// wrapperParam is on a field of a oneof that is a wrapper message: all fields of oneofs are optional, which says nothing.
	wrapperParam   = namespace + ".Wrapper"
	defaultName    = "ConnectDefault"
	generalUnion   = "org.apache.kafka.connect.data.Union"
	generalEnum    = "org.apache.kafka.connect.data.Enum"
	precisionParam = "connect.decimal.precision"
	scaleParam     = "scale"
	connectType    = "connect.type"
	entrySuffix    = "Entry"
)

// Messages that stand for logical types.
const (
	decimalMessage   = "confluent.type.Decimal"
	dateMessage      = "google.type.Date"
	timeMessage      = "google.type.TimeOfDay"
	timestampMessage = "google.protobuf.Timestamp"
	wrapperPackage   = "google.protobuf."
)

// Options are those of Confluent's converter. The zero value has its defaults.
type Options struct {
	// Enhanced keeps the packages in names (enhanced.protobuf.schema.support).
	Enhanced bool
	// ScrubNames replaces what Protobuf does not allow in names (scrub.invalid.names).
	ScrubNames bool
	// Generalized names oneofs and enums as the converters of other formats do (generalized.sum.type.support).
	Generalized bool
	// KeepNull writes null and not the default where an optional value is null (ignore.default.for.nullables).
	KeepNull bool
	// IntForEnums reads enums as numbers (int.for.enums).
	IntForEnums bool
	// OptionalForNullables has the label optional for what is optional (optional.for.nullables).
	OptionalForNullables bool
	// NoProto2Optional reads fields of proto2 that are not set as their defaults (optional.for.proto2=false).
	NoProto2Optional bool
	// WrapperForNullables has wrapper messages for scalars that are optional (wrapper.for.nullables).
	WrapperForNullables bool
	// KeepRootWrapper reads a wrapper at the top as the message that it is (wrapper.for.raw.primitives=false).
	KeepRootWrapper bool
	// StructForNull reads messages that are not set as messages without fields (generate.struct.for.nulls).
	StructForNull bool
	// NoUnionIndex leaves the index out of the names of oneofs (generate.index.for.unions=false).
	NoUnionIndex bool
	// FlattenUnions has the fields of oneofs in the struct itself (flatten.unions).
	FlattenUnions bool
}

func (o Options) enumParam() string {
	if o.Generalized {
		return generalEnum
	}
	return enumName
}
