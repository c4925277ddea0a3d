package connectjson

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestFloatsAsTheGeneralWay compares the short way of FLOAT64 with strconv, on numbers
// with few places, their neighbours and any others.
func TestFloatsAsTheGeneralWay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	check := func(f float64) {
		t.Helper()
		want := string(appendFraction(strconv.AppendFloat(nil, f, 'f', -1, 64), 0))
		if got := string(appendFloat(nil, f, 64)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	for range 300_000 {
		places := math.Pow(10, float64(random.IntN(6)))
		f := math.Round(random.Float64()*math.Pow(10, float64(random.IntN(8)))*places) / places
		for _, f := range []float64{f, -f, math.Nextafter(f, 1e9), math.Nextafter(f, 0), f * random.Float64()} {
			if abs := math.Abs(f); abs >= 1e-3 && abs < 1e7 {
				check(f)
			}
		}
	}
	for _, f := range []float64{0.001, 0.0011, 0.00105, 9999999.9999, 9999999.99995, math.Nextafter(1e7, 0), 0.1 + 0.2, 1, 10, 1e6, 1234567.1} {
		check(f)
		check(-f)
	}
}

func TestPlansAreBounded(t *testing.T) {
	p := NewPlans(Options{}, 10)
	for i := range 100 {
		s := connect.MustStruct("s", connect.Field{Name: strconv.Itoa(i), Schema: connect.Int8Schema})
		for range 2 {
			got, err := p.Append(nil, s, connect.StructValue([]connect.Value{connect.Int8Value(1)}))
			if want := `{"` + strconv.Itoa(i) + `":1}`; err != nil || string(got) != want {
				t.Fatalf("got %s, %v; want %s", got, err, want)
			}
		}
		if len(p.plans) > 10 {
			t.Fatalf("%d plans are kept, want at most 10", len(p.plans))
		}
	}
	p = NewPlans(Options{}, 1000)
	for range 20 {
		if _, err := p.Of(connect.MustStruct("s", connect.Field{Name: strings.Repeat("x", 1<<20), Schema: connect.Int8Schema})); err != nil {
			t.Fatal(err)
		}
		if p.size > maxPlansBytes || len(p.plans) > 16 {
			t.Fatalf("%d plans of %d bytes are kept, want at most %d", len(p.plans), p.size, maxPlansBytes)
		}
	}
}

// TestSchemasOfManyLevels wants a schema that is used again and again compiled once,
// and one that is too deep refused, whichever way it is reached (I5).
func TestSchemasOfManyLevels(t *testing.T) {
	shared := connect.Int8Schema
	for range 60 { // 2^60 ways down
		shared = connect.MustStruct("", connect.Field{Name: "a", Schema: shared}, connect.Field{Name: "b", Schema: shared})
	}
	if p, err := Compile(shared, Options{}); err != nil || p.size > 1<<20 {
		t.Errorf("a schema of shared parts: %v", err)
	}
	array := func(levels int, s *connect.Schema) *connect.Schema {
		for range levels {
			s = mustArray(t, s)
		}
		return s
	}
	half := array(DefaultMaxDepth/2, connect.Int8Schema)
	both := func(levels int) *connect.Schema { // half is compiled before it is reached far down
		return connect.MustStruct("", connect.Field{Name: "near", Schema: half}, connect.Field{Name: "far", Schema: array(levels, half)})
	}
	for name, c := range map[string]struct {
		s  *connect.Schema
		ok bool
	}{
		"just":            {array(DefaultMaxDepth, connect.Int8Schema), true},
		"too deep":        {array(DefaultMaxDepth+1, connect.Int8Schema), false},
		"just, shared":    {both(DefaultMaxDepth/2 - 1), true},
		"too deep shared": {both(DefaultMaxDepth / 2), false},
	} {
		if _, err := Compile(c.s, Options{}); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestReadingInAnyOrder reads members in the order of the schema, in another one,
// with some missing, unknown or repeated.
func TestReadingInAnyOrder(t *testing.T) {
	five := connect.Int32Value(5)
	def, err := connect.NewPrimitive(connect.Int32, connect.Attrs{Default: &five})
	must(t, err)
	s := connect.MustStruct("", connect.Field{Name: "a", Schema: connect.Int32Schema}, connect.Field{Name: "b\"", Schema: connect.OptionalInt32Schema},
		connect.Field{Name: "c", Schema: def})
	p, err := Compile(s, Options{})
	must(t, err)
	for text, want := range map[string]string{
		`{"a":1,"b\"":2,"c":3}`:                        `{"a":1,"b\"":2,"c":3}`,
		`{"a":1,"b\"":2}`:                              `{"a":1,"b\"":2,"c":5}`,
		`{"a":1}`:                                      `{"a":1,"b\"":null,"c":5}`,
		`{"c":3,"b\"":2,"a":1}`:                        `{"a":1,"b\"":2,"c":3}`,
		`{"a":1,"c":3,"b\u0022":2}`:                    `{"a":1,"b\"":2,"c":3}`,
		`{"a":1,"x":[{}],"b\"":2,"c":3,"y":null}`:      `{"a":1,"b\"":2,"c":3}`,
		`{"a":1,"b\"":2,"c":3,"a":7,"b\"":null}`:       `{"a":7,"b\"":null,"c":3}`,
		" { \"a\" : 1 ,\n\"b\\\"\":2 , \"c\": null } ": `{"a":1,"b\"":2,"c":5}`,
		`{"a":1 ,"b\"":2}`:                             `{"a":1,"b\"":2,"c":5}`,
	} {
		v, err := p.Parse(connect.NewBatch(1, 1), []byte(text))
		must(t, err)
		if got, err := p.Append(nil, v); err != nil || string(got) != want {
			t.Errorf("%s is read as %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{``, `{`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a":1 "c":2}`, `{"a":1,"b\"":2,"c":3`, `{"a":1}}`, `{}`, `[]`, `{"b\"":1}`, `{"a":null}`} {
		if v, err := p.Parse(connect.NewBatch(1, 1), []byte(text)); err == nil {
			t.Errorf("%s is read as %v, want an error", text, v)
		}
	}
}
