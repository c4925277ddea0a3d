package connectjsonschema

import "github.com/sluice-data/sluice/connect/connectjson"

// Names that Confluent's converter gives to what the other side has no name for.
const (
	namespace     = "io.confluent.connect.json"
	idParameter   = namespace + ".Id"
	enumParameter = namespace + ".Enum"
	unionName     = namespace + ".OneOf"
	nullSymbol    = "<NULL>"

	additionalField = "__connect_additional_properties__"

	generalEnum        = "org.apache.kafka.connect.data.Enum"
	generalUnionPrefix = "connect_union_"
)

// Members of a JSON Schema that hold what it cannot say about a Connect schema.
const (
	propType       = "connect.type"
	propIndex      = "connect.index"
	propVersion    = "connect.version"
	propParameters = "connect.parameters"
)

// maxNesting bounds how deep schemas nest (I5).
const maxNesting = 200

// Options are those of Confluent's converter. The zero value has its defaults.
type Options struct {
	// Closed forbids properties that are not named (object.additional.properties=false).
	Closed bool
	// OptionalFields reads properties that are not required as optional (use.optional.for.nonrequired).
	OptionalFields bool
	// Preserve has properties that are not named in a field of their own (preserve.additional.properties).
	Preserve bool
	// Classic reads schemas of drafts after 7 by the rules of draft 7 (ignore.modern.dialects).
	Classic bool
	// Decimal is how decimals are written (decimal.format).
	Decimal connectjson.DecimalFormat
	// Generalized names unions and enums as the converters of other formats do (generalized.sum.type.support).
	Generalized bool
	// KeepNull writes null where an optional value with a default is null (ignore.default.for.nullables).
	KeepNull bool
	// KeepSingletons reads a oneOf of one schema as a union (flatten.singleton.unions=false).
	KeepSingletons bool
}

func (o *Options) enumParameter() string {
	if o.Generalized {
		return generalEnum
	}
	return enumParameter
}

// json are the options of the values.
func (o *Options) json(writing bool) connectjson.Options {
	j := connectjson.Options{Decimal: o.Decimal, KeepNull: writing && o.KeepNull, Entries: true, Absent: true, Union: unionName}
	if o.Preserve {
		j.Others = additionalField
	}
	return j
}
