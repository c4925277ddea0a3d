package connectavro

// Names that Confluent's converter gives to what the other side has no name for.
const (
	namespace       = "io.confluent.connect.avro"
	defaultName     = namespace + ".ConnectDefault"
	unionName       = namespace + ".Union"
	enumName        = namespace + ".Enum"
	anythingName    = namespace + ".Anything"
	mapEntry        = "MapEntry"
	recordDoc       = namespace + ".record.doc"
	enumDocPrefix   = namespace + ".enum.doc."
	fieldDocPrefix  = namespace + ".field.doc."
	fieldDefault    = namespace + ".field.default"
	enumDefault     = namespace + ".enum.default."
	fixedSize       = "connect.fixed.size"
	precisionName   = "connect.decimal.precision"
	noPrecision     = 64 // of a decimal that says none
	generalUnion    = "org.apache.kafka.connect.data.Union"
	generalEnum     = "org.apache.kafka.connect.data.Enum"
	generalUnionPre = "connect_union_"
)

// Attributes of an Avro schema that hold what it cannot say about a Connect schema.
const (
	propName       = "connect.name"
	propDoc        = "connect.doc"
	propRecordDoc  = "connect.record.doc"
	propEnumDoc    = "connect.enum.doc"
	propVersion    = "connect.version"
	propDefault    = "connect.default"
	propParameters = "connect.parameters"
	propInternal   = "connect.internal.type"
	propType       = "connect.type"
)

// Options are those of Confluent's converter. The zero value has its defaults.
type Options struct {
	// Enhanced keeps enums as enums and the packages in names (enhanced.avro.schema.support).
	Enhanced bool
	// ScrubNames replaces what Avro does not allow in names (scrub.invalid.names).
	ScrubNames bool
	// NoMetadata leaves connect.* attributes out (connect.meta.data=false).
	NoMetadata bool
	// Generalized names unions and enums as other converters do (generalized.sum.type.support).
	Generalized bool
	// KeepNull writes null where an optional value with a default is null (ignore.default.for.nullables).
	KeepNull bool
	// FieldDoc takes documentation and defaults from fields and not from their types (discard.type.doc.default).
	FieldDoc bool
	// OptionalKeys writes a map whose keys are optional strings as a map (allow.optional.map.keys).
	OptionalKeys bool
	// KeepSingletons reads a union of one type as a union (flatten.singleton.unions=false).
	KeepSingletons bool
	// FailOnTrailing refuses bytes behind the value (avro.fail.on.trailing.data).
	FailOnTrailing bool
	// Extended keeps the logical types that Kafka Connect does not know, such as timestamp-micros: their name is a parameter of the
	// schema that is read, and comes back when it is written.
	Extended bool
}

// logicalParameter has the logical type that Connect does not know, with Options.Extended.
const logicalParameter = "sluice.avro.logicalType"
