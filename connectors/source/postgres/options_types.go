package postgres

import (
	"encoding/hex"
	"errors"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// Names of the options that messages refer to.
const (
	optPlaceholder = "unavailable.value.placeholder"
	optConverting  = "event.converting.failure.handling.mode"
	optProcessing  = "event.processing.failure.handling.mode"
)

// failureMode is what happens to a value or event that cannot be handled.
type failureMode string

// The failure modes.
const (
	failureFail failureMode = "fail"
	failureWarn failureMode = "warn"
	failureSkip failureMode = "skip"
)

// typeOptions say which form values have.
type typeOptions struct {
	options     pgtype.Options
	placeholder string
	// converting: fail, or null in place of the value, with a warning or without.
	converting failureMode
	comments   bool // schemas have the comments of columns

	decimal, time, hstore, interval, binary string
	money                                   int16
	unknown                                 bool
	refresh, convertText                    string
	converters, postProcessors              string
}

func (o *typeOptions) define(d *connect.Def) {
	d.Add(group(groupTypes, o.modes()...)...)
	d.Add(group(groupTypes,
		connect.Option{Name: "money.fraction.digits", Var: &o.money, Default: "2", Check: atLeast(&o.money, 0),
			Doc:        "Decimal places of money.",
			Importance: connect.Low, Display: "Money Fraction Digits"},
		connect.Option{Name: "include.unknown.datatypes", Var: &o.unknown, Default: "false",
			Doc: "Whether columns of types that have no form of their own become fields with the text that the server makes of them, " +
				"as binary.handling.mode says. Otherwise they are left out.",
			Importance: connect.Medium, Display: "Include Unknown Types"},
		connect.Option{Name: optPlaceholder, Var: &o.placeholder, Default: pgtype.DefaultPlaceholder, Aliases: []string{"toasted.value.placeholder"},
			Check: o.parsePlaceholder,
			Doc: "What stands for a large value that an update did not touch and that the server does not send (TOAST). " +
				"After hex: it is bytes. With REPLICA IDENTITY FULL the value itself is there.",
			Importance: connect.Medium, Display: "Unavailable Value Placeholder"},
		connect.Option{Name: optConverting, Var: &o.convertText, Default: string(failureWarn), IgnoreCase: true,
			OneOf: []string{string(failureFail), string(failureWarn), string(failureSkip)},
			Check: func() error { o.converting = failureMode(o.convertText); return nil },
			Doc: "What happens to a value that does not fit its type, such as NaN in a numeric: fail stops the task, warn and skip put null, " +
				"or the type's zero where null is not allowed, in its place.",
			Importance: connect.Medium, Display: "Converting Failures"},
		connect.Option{Name: "include.schema.comments", Var: &o.comments, Default: "false",
			Doc:        "Whether schemas carry the comments of columns.",
			Importance: connect.Medium, Display: "Include Comments"},
		connect.Option{Name: "schema.refresh.mode", Var: &o.refresh, Default: "columns_diff", IgnoreCase: true,
			OneOf:      []string{"columns_diff", "columns_diff_exclude_unchanged_toast"},
			Doc:        "No effect: pgoutput says by itself when a table has changed.",
			Importance: connect.Medium, Display: "Schema Refresh Mode"},
	)...)
	d.Add(group(groupTypes, o.refusedOptions()...)...)
}

func (o *typeOptions) modes() []connect.Option {
	return []connect.Option{
		{Name: "decimal.handling.mode", Var: &o.decimal, Default: string(pgtype.DecimalPrecise), IgnoreCase: true,
			OneOf:      []string{"precise", "double", "string"},
			Doc:        "The form of numeric and money: Connect's Decimal (VariableScaleDecimal where the scale is open), FLOAT64, or text.",
			Importance: connect.Medium, Display: "Decimal Handling"},
		{Name: "time.precision.mode", Var: &o.time, Default: string(pgtype.TimeAdaptive), IgnoreCase: true,
			OneOf:      []string{"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds", "structured"},
			Doc:        "The form of date, time and timestamp: by the column's precision, Connect's logical types in milliseconds, text, or a fixed unit.",
			Importance: connect.Medium, Display: "Time Precision"},
		{Name: "hstore.handling.mode", Var: &o.hstore, Default: string(pgtype.HstoreJSON), IgnoreCase: true,
			OneOf:      []string{"json", "map"},
			Doc:        "The form of hstore: JSON text or a MAP.",
			Importance: connect.Low, Display: "HStore Handling"},
		{Name: "interval.handling.mode", Var: &o.interval, Default: string(pgtype.IntervalNumeric), IgnoreCase: true,
			OneOf:      []string{"numeric", "string"},
			Doc:        "The form of interval: microseconds, with months of 365.25/12 days, or ISO 8601 text.",
			Importance: connect.Low, Display: "Interval Handling"},
		{Name: "binary.handling.mode", Var: &o.binary, Default: string(pgtype.BinaryBytes), IgnoreCase: true,
			OneOf:      []string{"bytes", "base64", "base64-url-safe", "hex"},
			Doc:        "The form of bytea, and of the content of logical decoding messages.",
			Importance: connect.Low, Display: "Binary Handling"},
	}
}

func (o *typeOptions) refusedOptions() []connect.Option {
	const remedy = "it names Java code, which cannot be loaded: leave it out; "
	return []connect.Option{
		{Name: "converters", Var: &o.converters,
			Check:      refuse(&o.converters, remedy+"the handling modes choose among the forms of values, transforms (SMTs) change single fields"),
			Doc:        "Not supported: Java code that converts values.",
			Importance: connect.Low, Display: "Converters"},
		{Name: "post.processors", Var: &o.postProcessors,
			Check:      refuse(&o.postProcessors, remedy+"for large values that updates leave out, set REPLICA IDENTITY FULL on the table (see "+optReplicaIdentity+")"),
			Doc:        "Not supported: Java code that changes records.",
			Importance: connect.Low, Display: "Post Processors"},
	}
}

func (o *typeOptions) parsePlaceholder() error {
	text, isHex := strings.CutPrefix(o.placeholder, "hex:")
	o.options.Placeholder = []byte(o.placeholder)
	if !isHex {
		return nil
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return errors.New("hex: is followed by an even number of hexadecimal digits")
	}
	o.options.Placeholder = b
	return nil
}

// resolve hands the modes to the codecs.
func (o *typeOptions) resolve() {
	o.options.Decimal = pgtype.DecimalMode(o.decimal)
	o.options.Time = pgtype.TimeMode(o.time)
	o.options.Hstore = pgtype.HstoreMode(o.hstore)
	o.options.Interval = pgtype.IntervalMode(o.interval)
	o.options.Binary = pgtype.BinaryMode(o.binary)
	o.options.MoneyFractionDigits = int(o.money)
	o.options.IncludeUnknown = o.unknown
}
