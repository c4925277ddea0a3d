package pgtype

// Modes of an option, spelled as in the connector's configuration. The zero value
// of each is its default.
type (
	// DecimalMode is decimal.handling.mode.
	DecimalMode string
	// TimeMode is time.precision.mode.
	TimeMode string
	// HstoreMode is hstore.handling.mode.
	HstoreMode string
	// IntervalMode is interval.handling.mode.
	IntervalMode string
	// BinaryMode is binary.handling.mode.
	BinaryMode string
)

// The values of the modes; the first of each is the default.
const (
	DecimalPrecise DecimalMode = "precise"
	DecimalDouble  DecimalMode = "double"
	DecimalString  DecimalMode = "string"

	TimeAdaptive             TimeMode = "adaptive"
	TimeAdaptiveMicroseconds TimeMode = "adaptive_time_microseconds"
	TimeConnect              TimeMode = "connect"
	TimeISOString            TimeMode = "isostring"
	TimeMicroseconds         TimeMode = "microseconds"
	TimeNanoseconds          TimeMode = "nanoseconds"
	TimeStructured           TimeMode = "structured"

	HstoreJSON HstoreMode = "json"
	HstoreMap  HstoreMode = "map"

	IntervalNumeric IntervalMode = "numeric"
	IntervalString  IntervalMode = "string"

	BinaryBytes         BinaryMode = "bytes"
	BinaryBase64        BinaryMode = "base64"
	BinaryBase64URLSafe BinaryMode = "base64-url-safe"
	BinaryHex           BinaryMode = "hex"
)

// DefaultPlaceholder stands for a large value that an update did not touch and
// that the server therefore left out.
const DefaultPlaceholder = "__debezium_unavailable_value"

// Options say which of several forms values have. The zero value has every
// default but MoneyFractionDigits, which is 2 in Debezium.
type Options struct {
	Decimal             DecimalMode
	Time                TimeMode
	Hstore              HstoreMode
	Interval            IntervalMode
	Binary              BinaryMode
	MoneyFractionDigits int    // money.fraction.digits
	IncludeUnknown      bool   // include.unknown.datatypes
	Placeholder         []byte // unavailable.value.placeholder, its "hex:" form decoded; nil: DefaultPlaceholder
}

// Setting is a parameter of a session of PostgreSQL.
type Setting struct{ Name, Value string }

// Settings are what the text form of cells must be written with; see the package
// comment. What is not among them (lc_monetary) is read by Catalog.Load.
var Settings = []Setting{
	{"DateStyle", "ISO"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"extra_float_digits", "3"},
	{"bytea_output", "hex"},
	{"client_encoding", "UTF8"},
}
