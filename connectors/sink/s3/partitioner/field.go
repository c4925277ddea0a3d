package partitioner

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// Field divides records by fields of their values.
type Field struct {
	untimed
	paths     []*path
	delimiter string
}

// NewField returns a partitioner by fields, whose names may be paths with dots.
func NewField(names []string, delimiter string) (*Field, error) {
	f := &Field{delimiter: delimiter}
	for _, name := range names {
		p, err := newPath(name)
		if err != nil {
			return nil, err
		}
		f.paths = append(f.paths, p)
	}
	if len(f.paths) == 0 {
		return nil, errors.New("no field is named")
	}
	return f, nil
}

// Append adds name=value for each field.
func (f *Field) Append(dst []byte, r *connect.Record, _ int32, _ int64) ([]byte, error) {
	for i, p := range f.paths {
		if i > 0 {
			dst = append(dst, f.delimiter...)
		}
		dst = append(append(dst, p.text...), '=')
		_, v, err := p.find(r)
		if err != nil {
			return dst, err
		}
		if dst, err = appendValue(dst, v); err != nil {
			return dst, fmt.Errorf("field %s: %w", p.text, err)
		}
	}
	return dst, nil
}

// Expression has any text for values: they may have the delimiter in them.
func (f *Field) Expression(int32) string {
	var e strings.Builder
	for i, p := range f.paths {
		if i > 0 {
			e.WriteString(regexp.QuoteMeta(f.delimiter))
		}
		e.WriteString(regexp.QuoteMeta(p.text) + "=.*")
	}
	return e.String()
}

func appendValue(dst []byte, v connect.Value) ([]byte, error) {
	switch v.Type() {
	case connect.Null:
		return append(dst, "null"...), nil
	case connect.Boolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case connect.String:
		return append(dst, v.Text()...), nil
	}
	return dst, fmt.Errorf("%s is not a type to partition by; integers, STRING and BOOLEAN are", v.Type())
}
