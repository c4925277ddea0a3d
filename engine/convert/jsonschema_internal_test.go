package convert

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/engine/convert/connectjsonschema"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// mapping is a case of testdata/jsonschema.txt.
type mapping struct {
	options map[string]string
	lines   map[string]string
}

func readMappings(t *testing.T) (cases []mapping) {
	t.Helper()
	f, err := os.Open("testdata/jsonschema.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for fresh := true; scanner.Scan(); {
		kind, rest, _ := strings.Cut(scanner.Text(), " ")
		switch kind {
		case "#", "":
			fresh = true
			continue
		}
		if fresh {
			cases = append(cases, mapping{make(map[string]string), make(map[string]string)})
			fresh = false
		}
		c := cases[len(cases)-1]
		if kind == "option" {
			name, value, _ := strings.Cut(rest, "=")
			c.options["value.converter."+name] = value
		} else {
			c.lines[kind] = rest
		}
	}
	return cases
}

// converterOptions are those that a case's options mean, as a converter's config reads them.
func converterOptions(t *testing.T, settings map[string]string) connectjsonschema.Options {
	t.Helper()
	c := jsonSchemaConfig{}
	var d connect.Def
	c.define(&d, "value.converter.")
	if err := connect.Err(d.Parse(settings)); err != nil {
		t.Fatal(err)
	}
	c.json.Closed, c.json.KeepSingletons = !c.open, !c.flatten
	return c.json
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	for text, to := range map[*any]string{&x: a, &y: b} {
		d := json.NewDecoder(strings.NewReader(to))
		d.UseNumber()
		if err := d.Decode(text); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
	}
	return reflect.DeepEqual(x, y)
}

// TestJSONSchemaMappings compares with what Confluent's converter makes of schemas and values.
func TestJSONSchemaMappings(t *testing.T) {
	cases := readMappings(t)
	if len(cases) < 120 {
		t.Fatalf("%d cases, the file has more", len(cases))
	}
	for i, c := range cases {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			o := converterOptions(t, c.options)
			if c.lines["read"] != "" {
				readsAs(t, c.lines, o)
			} else {
				writesAs(t, c.lines, o)
			}
		})
	}
}

func writesAs(t *testing.T, c map[string]string, o connectjsonschema.Options) {
	s, err := parseSchema([]byte(c["connect"]), connectjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := connectjson.ParseAs(connect.NewBatch(1, 1), s, []byte(c["payload"]), connectjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := connectjsonschema.FromConnect(s, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Schema.Canonical(); got != c["json"] {
		t.Errorf("%s\nbecomes %s\nwant    %s", c["connect"], got, c["json"])
	}
	data, err := e.Append(nil, v)
	if err != nil || !sameJSON(t, string(data), c["value"]) {
		t.Errorf("%s\nbecomes %s, %v\nwant    %s", c["payload"], data, err, c["value"])
	}
	d, err := connectjsonschema.ToConnect(e.Schema, 0, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, back, err := d.Decode(connect.NewBatch(1, 1), data); err != nil || !sameAfterDefaults(s, v, back, o) {
		t.Errorf("%s\ncomes back as %v, %v\nwant %v", data, back, err, v)
	}
}

// sameAfterDefaults compares a value with what came back, in the schema of the first, with defaults in place of nulls.
func sameAfterDefaults(s *connect.Schema, a, b connect.Value, o connectjsonschema.Options) bool {
	x, err := connectjson.Append(nil, s, a, connectjson.Options{Decimal: o.Decimal})
	if err != nil {
		return false
	}
	y, err := connectjson.Append(nil, s, b, connectjson.Options{Decimal: o.Decimal})
	return err == nil && string(x) == string(y)
}

func readsAs(t *testing.T, c map[string]string, o connectjsonschema.Options) {
	js, err := jsonschema.Parse(c["read"], jsonschema.Options{Registered: true})
	if err != nil {
		t.Fatal(err)
	}
	version, _ := strconv.Atoi(c["version"])
	d, err := connectjsonschema.ToConnect(js, version, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := appendSchema(nil, d.Schema, connectjson.Options{})
	if err != nil || !sameJSON(t, string(text), c["connect"]) {
		t.Errorf("%s\nbecomes %s, %v\nwant    %s", c["read"], text, err, c["connect"])
	}
	_, v, err := d.Decode(connect.NewBatch(1, 1), []byte(c["value"]))
	if err != nil {
		t.Fatal(err)
	}
	data, err := connectjson.Append(nil, d.Schema, v, connectjson.Options{KeepNull: true})
	if err != nil || !sameJSON(t, string(data), c["payload"]) {
		t.Errorf("%s of %s\nbecomes %s, %v\nwant    %s", c["value"], c["read"], data, err, c["payload"])
	}
}
