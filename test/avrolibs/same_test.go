package avrolibs

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// same tells where what a library has read differs from a value. An optional value may be under the name of its type.
func same(s *connect.Schema, v connect.Value, got any) error {
	if v.IsNull() {
		return is(got == nil, v, got)
	}
	err := sameValue(s, v, got)
	if tagged, ok := got.(map[string]any); err != nil && s.Optional() && ok && len(tagged) == 1 {
		for _, inner := range tagged {
			return sameValue(s, v, inner)
		}
	}
	return err
}

func sameValue(s *connect.Schema, v connect.Value, got any) error {
	if rv := reflect.ValueOf(got); rv.Kind() == reflect.Pointer && s.Name() != connect.DecimalName && !rv.IsNil() {
		return same(s, v, rv.Elem().Interface())
	}
	switch s.Name() {
	case connect.DecimalName:
		return is(sameDecimal(s, v, got), v, got)
	case connect.DateName, connect.TimeName, connect.TimestampName:
		return is(sameTime(s, v, got), v, got)
	}
	rv := reflect.ValueOf(got)
	switch s.Type() {
	case connect.Boolean:
		return is(got == v.Boolean(), v, got)
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return is(rv.CanInt() && rv.Int() == v.Int(), v, got)
	case connect.Float32, connect.Float64:
		return is(rv.CanFloat() && rv.Float() == v.Float(), v, got)
	case connect.String:
		return is(rv.Kind() == reflect.String && rv.String() == v.Text(), v, got)
	case connect.Bytes:
		return is(string(bytesOf(rv)) == string(v.Bytes()), v, got)
	case connect.Array:
		return sameArray(s, v, got)
	case connect.Map:
		return sameMap(s, v, got)
	}
	if isUnion(s) {
		return sameUnion(s, v, got)
	}
	record, ok := got.(map[string]any)
	for i, f := range s.Fields() {
		if err := same(f.Schema, v.Cells()[i], record[f.Name]); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return is(ok && len(record) == len(s.Fields()), v, got)
}

func is(same bool, v connect.Value, got any) error {
	if same {
		return nil
	}
	return fmt.Errorf("%v was read as %T %v", v, got, got)
}

// bytesOf are those of a slice or an array.
func bytesOf(v reflect.Value) []byte {
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return []byte("no bytes")
	}
	p := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(p), v)
	return p
}

func sameDecimal(s *connect.Schema, v connect.Value, got any) bool {
	n := new(big.Int).SetBytes(v.Bytes())
	if v.Bytes()[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.Bytes()))))
	}
	text, _ := s.Parameter("scale")
	scale, _ := strconv.Atoi(text)
	want := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	switch got := got.(type) {
	case *big.Rat:
		return got.Cmp(want) == 0
	case big.Rat:
		return got.Cmp(want) == 0
	case fmt.Stringer: // a JSON number
		r, ok := new(big.Rat).SetString(got.String())
		return ok && r.Cmp(want) == 0
	}
	return false
}

func sameTime(s *connect.Schema, v connect.Value, got any) bool {
	switch got := got.(type) {
	case time.Time:
		if s.Name() == connect.DateName {
			return got.Unix() == v.Int()*86400
		}
		return got.UnixMilli() == v.Int()
	case time.Duration:
		return got.Milliseconds() == v.Int()
	}
	return false
}

func sameArray(s *connect.Schema, v connect.Value, got any) error {
	list, ok := got.([]any)
	if !ok || len(list) != v.Len() {
		return is(false, v, got)
	}
	for i, c := range v.Cells() {
		if err := same(s.Value(), c, list[i]); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

func sameMap(s *connect.Schema, v connect.Value, got any) error {
	texts, isMap := got.(map[string]any)
	entries, isList := got.([]any)
	if !isMap && !isList || isMap != (s.Key() == connect.StringSchema) || len(texts)+len(entries) != v.Len() {
		return is(false, v, got)
	}
	cells := v.Cells()
	for i := 0; i < len(cells); i += 2 {
		value := any(nil)
		if isMap {
			value = texts[cells[i].Text()]
		} else {
			entry, _ := entries[i/2].(map[string]any)
			if err := same(s.Key(), cells[i], entry["key"]); err != nil {
				return fmt.Errorf("key %d: %w", i/2, err)
			}
			value = entry["value"]
		}
		if err := same(s.Value(), cells[i+1], value); err != nil {
			return fmt.Errorf("value %d: %w", i/2, err)
		}
	}
	return nil
}

// sameUnion: libraries have the value alone, or under the name of its type.
func sameUnion(s *connect.Schema, v connect.Value, got any) error {
	for i, c := range v.Cells() {
		if c.IsNull() {
			continue
		}
		f := s.Fields()[i]
		err := same(f.Schema, c, got)
		if tagged, ok := got.(map[string]any); ok && err != nil && len(tagged) == 1 {
			err = same(f.Schema, c, tagged[f.Name])
		}
		return err
	}
	return is(got == nil, v, got)
}

// difference tells where two schemas are not the same.
func difference(a, b *connect.Schema) string {
	if a.Equal(b) {
		return ""
	}
	for i, f := range a.Fields() {
		if i < len(b.Fields()) && !f.Schema.Equal(b.Fields()[i].Schema) {
			return f.Name + "." + difference(f.Schema, b.Fields()[i].Schema)
		}
	}
	for _, inner := range [][2]*connect.Schema{{a.Key(), b.Key()}, {a.Value(), b.Value()}} {
		if inner[0] != nil && inner[1] != nil && !inner[0].Equal(inner[1]) {
			return "[]." + difference(inner[0], inner[1])
		}
	}
	da, _ := a.Default()
	db, _ := b.Default()
	return fmt.Sprintf("%s %q %d %q %t %v %v, not %s %q %d %q %t %v %v", b.Type(), b.Name(), b.Version(), b.Doc(), b.Optional(), db, b.Parameters(),
		a.Type(), a.Name(), a.Version(), a.Doc(), a.Optional(), da, a.Parameters())
}
