package partitioner

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Extractor finds the time of a record, in milliseconds since 1970.
type Extractor func(r *connect.Record) (int64, error)

// Wallclock takes the time of processing.
func Wallclock(now func() time.Time) Extractor {
	return func(*connect.Record) (int64, error) { return now().UnixMilli(), nil }
}

var errNoTimestamp = errors.New("the record has no timestamp; set timestamp.extractor to Wallclock or RecordField")

// RecordTime takes the timestamp of the record.
func RecordTime(r *connect.Record) (int64, error) {
	if r.Timestamp == connect.NoTimestamp {
		return 0, errNoTimestamp
	}
	return r.Timestamp, nil
}

// RecordField takes a field of the value: milliseconds as an INT32, an INT64, a Timestamp or digits, or a date and time of ISO 8601.
func RecordField(name string) (Extractor, error) {
	p, err := newPath(name)
	if err != nil {
		return nil, err
	}
	return func(r *connect.Record) (int64, error) {
		_, v, err := p.find(r)
		if err != nil {
			return 0, err
		}
		ms, err := millis(v)
		if err != nil {
			return 0, fmt.Errorf("timestamp.field %s: %w", name, err)
		}
		return ms, nil
	}, nil
}

func millis(v connect.Value) (int64, error) {
	switch v.Type() {
	case connect.Int32, connect.Int64:
		return v.Int(), nil
	case connect.Float64: // a number of schemaless JSON
		if ms := int64(v.Float()); float64(ms) == v.Float() {
			return ms, nil
		}
	case connect.String:
		if ms, err := strconv.ParseInt(v.Text(), 10, 64); err == nil && v.Text()[0] != '+' && v.Text()[0] != '-' {
			return ms, nil
		}
		return parseISO(v.Text())
	case connect.Null:
		return 0, errors.New("it is null or missing, so the record has no time")
	}
	return 0, fmt.Errorf("%s %s is no time; milliseconds and text of ISO 8601 are", v.Type(), v)
}
