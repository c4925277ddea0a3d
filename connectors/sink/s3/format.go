package s3

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// format turns values into the bytes of an object. It keeps nothing between records
// but schemas; formats that have a head or a foot per file will.
type format interface {
	// extension ends the object's name.
	extension() string
	// appendValue appends the record's value, which is not null, to dst.
	appendValue(dst []byte, r *connect.Record) ([]byte, error)
}

func newFormat(c *Config) format {
	if c.formatClass == byteArrayClass {
		return byteArrayFormat{c.byteExtension, c.byteSeparator}
	}
	var o connectjson.Options
	if c.decimalFormat == decimalNumeric {
		o.Decimal = connectjson.DecimalNumeric
	}
	return jsonFormat{connectjson.NewPlans(o, maxPlans)}
}

// jsonFormat writes one JSON value a line, the last line included. Raw JSON
// passes verbatim, STRING becomes a JSON string and BYTES base64.
type jsonFormat struct{ plans *connectjson.Plans }

// maxPlans is how many schemas a task keeps compiled (I5).
const maxPlans = 1000

func (jsonFormat) extension() string { return ".json" }

func (f jsonFormat) appendValue(dst []byte, r *connect.Record) ([]byte, error) {
	dst, err := f.plans.Append(dst, r.ValueSchema, r.Value)
	if err != nil {
		return dst, fmt.Errorf("write value as JSON: %w", err)
	}
	return append(dst, '\n'), nil
}

// byteArrayFormat writes the bytes of values, each followed by the separator.
type byteArrayFormat struct{ end, separator string }

func (f byteArrayFormat) extension() string { return f.end }

func (f byteArrayFormat) appendValue(dst []byte, r *connect.Record) ([]byte, error) {
	switch r.Value.Type() {
	case connect.Bytes:
		dst = append(dst, r.Value.Bytes()...)
	case connect.String:
		dst = append(dst, r.Value.Text()...)
	default:
		return dst, fmt.Errorf("ByteArrayFormat needs a value of BYTES or STRING, not %s; "+
			"set value.converter to ByteArrayConverter, or format.class to JsonFormat", r.Value.Type())
	}
	return append(dst, f.separator...), nil
}
