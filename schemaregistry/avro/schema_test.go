package avro

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// TestPointers: an error says where in the text it is.
func TestPointers(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null",{"type":"array","items":{"type":"x"}}]}]}`: "/fields/1/type/1/items/type",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`:                                                      "/fields/0/default",
		`{"type":"enum","name":"E","symbols":["A","b-c"]}`:                                                                                     "/symbols/1",
		`{"type":"record","name":"R","aliases":["A","2"],"fields":[]}`:                                                                         "/aliases/1",
		`["int",["null"]]`: "/1",
		`{"type":"int"`:    "",
		`"Nowhere"`:        "",
	} {
		_, err := Parse(text, Options{})
		e, ok := errors.AsType[*ParseError](err)
		if !ok || e.Pointer != want {
			t.Errorf("%s: got %v, want the pointer %q", text, err, want)
		}
		if ok && want != "" && !strings.HasSuffix(e.Error(), " at "+want) {
			t.Errorf("the message does not say where: %s", e)
		}
	}
}

func TestErrorOfReference(t *testing.T) {
	_, err := Parse(`"R"`, Options{References: []Reference{{Name: "r.avsc", Text: `{"type":"record"}`}}})
	if e, ok := errors.AsType[*ParseError](err); !ok || e.Reference != "r.avsc" || !strings.Contains(err.Error(), `"r.avsc"`) {
		t.Errorf("got %v", err)
	}
}

// TestStricterThanJava has what the package comment says is refused although Java
// takes it, or the other way round.
func TestStricterThanJava(t *testing.T) {
	if _, err := Parse(`{"type":"int","x":"\ud800"}`, Options{}); err == nil {
		t.Error("half a surrogate pair is taken")
	}
	if _, err := Parse(`"int"`+strings.Repeat(" ", 40_000)+"x", Options{}); err == nil {
		t.Error("text far behind the schema is taken")
	}
	const big = `{"type":"record","name":"R","fields":[],"x":123456789012345678901234567890}`
	if s, err := Parse(big, Options{}); err != nil || s.Canonical() != big {
		t.Errorf("a big integer: %v, %v", s, err)
	}
}

// TestLimits: each limit can be set, and a schema at the limit is taken.
func TestLimits(t *testing.T) {
	for _, test := range []struct {
		text   string
		limits Limits
		want   Limit
	}{
		{`{"type":"array","items":["int"]}`, Limits{Depth: 2}, ""},
		{`{"type":"array","items":["int"]}`, Limits{Depth: 1}, LimitDepth},
		{`["int","null"]`, Limits{Branches: 2}, ""},
		{`["int","null"]`, Limits{Branches: 1}, LimitBranches},
		{`{"type":"enum","name":"E","symbols":["A","B"]}`, Limits{Symbols: 2}, ""},
		{`{"type":"enum","name":"E","symbols":["A","B"]}`, Limits{Symbols: 1}, LimitSymbols},
		{`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}`, Limits{Fields: 2}, ""},
		{`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}`, Limits{Fields: 1}, LimitFields},
		{`"int"`, Limits{Bytes: 5}, ""},
		{`"int"`, Limits{Bytes: 4}, LimitBytes},
	} {
		_, err := Parse(test.text, Options{Limits: test.limits})
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.text, err)
			}
			continue
		}
		wantLimit(t, err, test.want)
	}
	if err := error(&LimitError{LimitBytes, 10}); !strings.HasPrefix(err.Error(), "more than 10 bytes of text") {
		t.Error(err)
	}
	_, err := Parse(`"int"`, Options{Limits: Limits{Bytes: 10}, References: []Reference{{Text: `"string"`}}})
	wantLimit(t, err, LimitBytes)
}

func TestNormalize(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"attributes sorted, nested too",
			`{"type":"record","name":"n.R","z":{"b":1,"a":[{"d":1,"c":2}]},"aliases":["x.B","A"],"doc":"","fields":[{"default":1,"z":1,"type":"int","name":"f","order":"ascending","a":2,"aliases":["z","y"],"doc":""}],"a":1}`,
			`{"type":"record","name":"R","namespace":"n","fields":[{"name":"f","type":"int","doc":"","default":1,"aliases":["y","z"],"a":2,"z":1}],"a":1,"z":{"a":[{"c":2,"d":1}],"b":1},"aliases":["A","x.B"]}`},
		{"a logical type comes first",
			`{"a":1,"logicalType":"decimal","type":"bytes","scale":2,"precision":4}`,
			`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2,"a":1}`},
		{"a scale of 0 is sorted in",
			`{"type":"bytes","a":1,"scale":0,"precision":4,"logicalType":"decimal"}`,
			`{"type":"bytes","logicalType":"decimal","precision":4,"a":1,"scale":0}`},
		{"an unknown logical type is sorted in",
			`{"type":"int","logicalType":"nonsense","a":1}`,
			`{"type":"int","a":1,"logicalType":"nonsense"}`},
		{"order of fields and branches stays, and so does documentation",
			`{"type":"record","name":"R","doc":"d","fields":[{"name":"b","type":["string","null"]},{"name":"a","type":"int","order":"ignore","doc":"e"}]}`,
			`{"type":"record","name":"R","doc":"d","fields":[{"name":"b","type":["string","null"]},{"name":"a","type":"int","doc":"e","order":"ignore"}]}`},
		{"defaults are values of their type",
			`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1},{"name":"b","type":"float","default":1.123456789},{"name":"c","type":["null","long"],"default":null},{"name":"d","type":"bytes","default":"ÿ€"}]}`,
			`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1.0},{"name":"b","type":"float","default":1.1234568},{"name":"c","type":["null","long"],"default":null},{"name":"d","type":"bytes","default":"ÿ?"}]}`},
		{"attributes are sorted as Java sorts strings, by units of UTF-16", `{"type":"int","～":1,"😀":2}`, `{"type":"int","😀":2,"～":1}`},
		{"an error is a record, as in Confluent's", `{"type":"error","name":"R","fields":[]}`, `{"type":"record","name":"R","fields":[]}`},
		{"an enum's default stays", `{"symbols":["A"],"default":"A","name":"E","type":"enum"}`, `{"type":"enum","name":"E","symbols":["A"],"default":"A"}`},
		{"an attribute's key is escaped", `{"type":"int","b\"":1,"a":2}`, `{"type":"int","a":2,"b\"":1}`},
		{"a default that is no value stays", `{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":123456789012345678901}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":123456789012345678901}]}`},
	} {
		s, err := parseRegistered(t, test.text).Normalize()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if s.Canonical() != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, s, test.want)
		}
	}
}

// TestNormalizeReferences: what a reference defines stays a name.
func TestNormalizeReferences(t *testing.T) {
	o := Options{References: []Reference{{Text: `{"type":"enum","name":"n.E","symbols":["A"]}`}}}
	s, err := Parse(`{"type":"record","name":"n.R","fields":[{"name":"e","type":"E"}]}`, o)
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Normalize()
	const want = `{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":"E"}]}`
	if err != nil || n.Canonical() != want {
		t.Errorf("got %v, %v", n, err)
	}
	if want := `{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}}]}`; n.Resolved() != want {
		t.Errorf("resolved %s", n.Resolved())
	}
}

func TestEqual(t *testing.T) {
	const schema = `{"type":"record","name":"R","doc":"d","x":1,"y":2,"aliases":["A","B"],"fields":[{"name":"f","type":["null","R"],"default":null,"doc":"e"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}}]}`
	for text, want := range map[string]bool{
		schema: true,
		strings.Replace(schema, `"x":1,"y":2`, `"y":2,"x":1`, 1):        true,
		strings.Replace(schema, `"A","B"`, `"B","A"`, 1):                true,
		strings.Replace(schema, `"doc":"d"`, `"doc":"D"`, 1):            false,
		strings.Replace(schema, `"doc":"e"`, `"doc":"E"`, 1):            false,
		strings.Replace(schema, `"x":1`, `"x":2`, 1):                    false,
		strings.Replace(schema, `"A","B"`, `"A"`, 1):                    false,
		strings.Replace(schema, `,"default":"A"`, ``, 1):                false,
		strings.Replace(schema, `"default":null,`, ``, 1):               false,
		strings.Replace(schema, `["null","R"]`, `["null","string"]`, 1): false,
	} {
		got, err := parseRegistered(t, schema).Equal(parseRegistered(t, text))
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	// With references in place, as a lookup sees it.
	o := Options{References: []Reference{{Text: `{"type":"enum","name":"E","symbols":["A"]}`}}}
	s, err := Parse(`{"type":"array","items":"E"}`, o)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := s.Equal(parseRegistered(t, s.Resolved())); err != nil || !same {
		t.Errorf("with the references in place: %v, %v", same, err)
	}
}

// TestShared: a schema may be used by goroutines at the same time (the race
// detector is the judge).
func TestShared(t *testing.T) {
	s := parseRegistered(t, userV1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s.Resolved()
			s.Fingerprint64()
			if _, err := s.Normalize(); err != nil {
				t.Error(err)
			}
			if found, err := CanRead(s, s, NewReadsOld); err != nil || len(found) > 0 {
				t.Errorf("%v, %v", found, err)
			}
		})
	}
	wg.Wait()
}

// TestTypes walks a schema as the converter does.
func TestTypes(t *testing.T) {
	root := parseRegistered(t, `{"type":"record","name":"n.R","doc":"d","fields":[
		{"name":"a","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],"default":null},
		{"name":"m","type":{"type":"map","values":"R"},"connect.name":"x"},
		{"name":"n","type":"long","default":9007199254740993}]}`).Root()
	if root.Kind != Record || root.Name.Full() != "n.R" || *root.Doc != "d" || len(root.Fields) != 3 {
		t.Fatalf("%+v", root)
	}
	a, i := root.Field("a")
	if i != 0 || !a.Type.Nullable() || a.Default.Kind() != NullValue {
		t.Errorf("%+v", a)
	}
	if l := a.Type.Branches[1].Logical(); l != (Logical{"decimal", 9, 2}) {
		t.Errorf("%+v", l)
	}
	m, _ := root.Field("m")
	if m.Type.Items != root || m.Props.Text("connect.name") != "x" {
		t.Errorf("%+v", m)
	}
	n, _ := root.Field("n")
	if v, ok := n.Default.Int(); !ok || v != 9007199254740993 {
		t.Errorf("%d, %v", v, ok)
	}
	if f, i := root.Field("z"); f != nil || i != -1 {
		t.Errorf("%v, %d", f, i)
	}
}
