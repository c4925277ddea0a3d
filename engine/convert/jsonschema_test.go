package convert_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/schemaregistry"
)

func jsonSchemaConverter(t testing.TB, url string, more map[string]string) convert.Converter {
	t.Helper()
	settings := map[string]string{"value.converter.schema.registry.url": url}
	for k, v := range more {
		settings["value.converter."+k] = v
	}
	c, err := convert.New("JsonSchemaConverter", false, settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var orderSchema = connect.MustStruct("shop.Order", connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "note", Schema: connect.OptionalStringSchema})

func order(id int64, note string) connect.Value {
	return connect.StructValue([]connect.Value{connect.Int64Value(id), connect.StringValue(note)})
}

// What one converter writes another reads, by the schema that the first has registered.
func TestJSONSchemaConverter(t *testing.T) {
	reg, server := registry(t)
	data, null, err := jsonSchemaConverter(t, server.URL, nil).FromConnect([]byte("before"), "orders", orderSchema, order(7, "x"))
	if err != nil || null {
		t.Fatal(null, err)
	}
	if want := "before\x00\x00\x00\x00\x01" + `{"id":7,"note":"x"}`; string(data) != want {
		t.Errorf("wrote %q, want %q", data, want)
	}
	registered, err := reg.Version(t.Context(), schemaregistry.ParseName("orders-value"), -1, false)
	if err != nil || registered.ID != 1 || registered.Type != schemaregistry.JSON {
		t.Fatalf("registered %+v, %v", registered, err)
	}
	const text = `{"type":"object","title":"shop.Order","properties":{"note":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string"}]},"id":{"type":"integer","connect.index":0,"connect.type":"int64"}}}`
	if registered.Schema.String() != text {
		t.Errorf("registered %s\nwant       %s", registered.Schema, text)
	}
	gotSchema, got, err := jsonSchemaConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<20), "orders", data[len("before"):])
	if err != nil || !got.Equal(order(7, "x")) {
		t.Fatalf("read %v, %v", got, err)
	}
	if gotSchema.Version() != 1 || gotSchema.Name() != "shop.Order" || len(gotSchema.Fields()) != 2 {
		t.Errorf("the schema is %s version %d", gotSchema.Name(), gotSchema.Version())
	}
}

// Data that has no schema gets one that says nothing, and comes back as the JSON that it is.
func TestJSONSchemaless(t *testing.T) {
	reg, server := registry(t)
	c := jsonSchemaConverter(t, server.URL, nil)
	v := connect.MapValue([]connect.Value{connect.StringValue("a"), connect.Int64Value(1)})
	data, _, err := c.FromConnect(nil, "t", nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if registered, err := reg.Version(t.Context(), schemaregistry.ParseName("t-value"), -1, false); err != nil || registered.Schema.String() != "{}" {
		t.Errorf("registered %+v, %v", registered, err)
	}
	s, got, err := c.ToConnect(connect.NewBatch(1, 1), "t", data)
	if err != nil || s.Type() != connect.String || got.Text() != `{"a":1}` {
		t.Errorf("read %v of %v, %v", got, s, err)
	}
}

// A null is a null record, whatever its schema: that is what compaction takes for a deletion.
func TestJSONSchemaNull(t *testing.T) {
	_, server := registry(t)
	c := jsonSchemaConverter(t, server.URL, nil)
	if data, null, err := c.FromConnect(nil, "t", connect.OptionalStringSchema, connect.Value{}); err != nil || !null || len(data) > 0 {
		t.Errorf("wrote %q, %v, %v", data, null, err)
	}
	if s, v, err := c.ToConnect(connect.NewBatch(1, 1), "t", nil); err != nil || s != nil || !v.IsNull() {
		t.Errorf("read %v, %v", v, err)
	}
}

func TestJSONSchemaHeader(t *testing.T) {
	_, server := registry(t)
	c := jsonSchemaConverter(t, server.URL, map[string]string{"value.schema.id.serializer": "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"}).(convert.HeaderIDs)
	data, _, err := c.FromConnect(nil, "t", orderSchema, order(7, "x"))
	if err != nil || string(data) != `{"id":7,"note":"x"}` {
		t.Fatalf("wrote %q, %v", data, err)
	}
	id := c.LastID()
	if len(id) != 17 || id[0] != 1 {
		t.Fatalf("the header is %x", id)
	}
	_, got, err := c.ToConnectByID(connect.NewBatch(1, 1), "t", data, id)
	if err != nil || !got.Equal(order(7, "x")) {
		t.Errorf("read %v, %v", got, err)
	}
}

// With use.latest.version a registered schema stands in for the data's own, if readers of that can read it.
func TestJSONSchemaLatest(t *testing.T) {
	reg, server := registry(t)
	register := func(subject, text string) {
		t.Helper()
		if _, err := reg.Register(t.Context(), schemaregistry.ParseName(subject), schemaregistry.Input{Type: schemaregistry.JSON, Text: text}, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(err)
		}
	}
	register("wide-value", `{"type":"object","properties":{"id":{"type":"number"}}}`)
	register("narrow-value", `{"type":"object","properties":{"id":{"type":"string"}}}`)
	latest := map[string]string{"auto.register.schemas": "false", "use.latest.version": "true"}
	data, _, err := jsonSchemaConverter(t, server.URL, latest).FromConnect(nil, "wide", orderSchema, order(7, "x"))
	if want := "\x00\x00\x00\x00\x01" + `{"id":7,"note":"x"}`; err != nil || string(data) != want {
		t.Errorf("wrote %q, %v", data, err)
	}
	if _, _, err = jsonSchemaConverter(t, server.URL, latest).FromConnect(nil, "narrow", orderSchema, order(7, "x")); err == nil || !strings.Contains(err.Error(), "TYPE_CHANGED") {
		t.Errorf("got %v", err)
	}
}

// A schema may refer to others by name.
func TestJSONSchemaReferences(t *testing.T) {
	reg, server := registry(t)
	for _, s := range []struct {
		subject string
		in      schemaregistry.Input
	}{
		{"customer", schemaregistry.Input{Type: schemaregistry.JSON, Text: `{"type":"object","properties":{"name":{"type":"string"}}}`}},
		{"t-value", schemaregistry.Input{Type: schemaregistry.JSON, Text: `{"type":"object","properties":{"who":{"$ref":"customer.json"}}}`,
			References: []schemaregistry.Reference{{Name: "customer.json", Subject: "customer", Version: 1}}}},
	} {
		if _, err := reg.Register(t.Context(), schemaregistry.ParseName(s.subject), s.in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(err)
		}
	}
	s, v, err := jsonSchemaConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1), "t", []byte("\x00\x00\x00\x00\x02"+`{"who":{"name":"ada"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Cells()[0].Cells()[0].Text(); got != "ada" || s.Fields()[0].Schema.Fields()[0].Name != "name" {
		t.Errorf("read %v of %v", v, s)
	}
}

// A schema that is not compatible is an error with the registry's reason, and no retry.
func TestJSONSchemaIncompatible(t *testing.T) {
	_, server := registry(t)
	c := jsonSchemaConverter(t, server.URL, nil)
	if _, _, err := c.FromConnect(nil, "t", orderSchema, order(1, "")); err != nil {
		t.Fatal(err)
	}
	other := connect.MustStruct("shop.Order", connect.Field{Name: "id", Schema: connect.StringSchema})
	_, _, err := c.FromConnect(nil, "t", other, connect.StructValue([]connect.Value{connect.StringValue("1")}))
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "subject t-value") || !strings.Contains(err.Error(), "TYPE_CHANGED") {
		t.Errorf("got %v", err)
	}
}

// A registry that does not answer is worth another try.
func TestJSONSchemaRegistryDown(t *testing.T) {
	_, server := registry(t)
	c := jsonSchemaConverter(t, server.URL, nil)
	server.Close()
	_, _, err := c.FromConnect(nil, "t", connect.StringSchema, connect.StringValue("x"))
	if !connect.IsRetriable(err) || !convert.IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

// Bytes that no converter with a registry wrote, ids that nobody has, schemas of another type, and JSON that does not fit.
func TestJSONSchemaForeignBytes(t *testing.T) {
	reg, server := registry(t)
	for subject, in := range map[string]schemaregistry.Input{"avro": {Text: `"string"`}, "t-value": {Type: schemaregistry.JSON, Text: `{"type":"object","properties":{"a":{"type":"string"}}}`}} {
		if _, err := reg.Register(t.Context(), schemaregistry.ParseName(subject), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(err)
		}
	}
	c := jsonSchemaConverter(t, server.URL, nil)
	for _, id := range []string{"\x01", "\x02", "\x09"} {
		for _, data := range []string{"", "{", "[]", `{"a":5}`, `{"a":null}`, "null"} {
			if _, v, err := c.ToConnect(connect.NewBatch(1, 1<<20), "t", []byte("\x00\x00\x00\x00"+id+data)); err == nil || connect.IsRetriable(err) {
				t.Errorf("%q: %v, %v", id+data, v, err)
			}
		}
	}
}

// With json.fail.invalid.schema values are held to the registered schema when they are written and when they are read.
func TestJSONSchemaValidates(t *testing.T) {
	reg, server := registry(t)
	in := schemaregistry.Input{Type: schemaregistry.JSON, Text: `{"type":"object","properties":{"id":{"type":"integer","maximum":9},"note":{"type":["string","null"]}}}`}
	if _, err := reg.Register(t.Context(), schemaregistry.ParseName("t-value"), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
		t.Fatal(err)
	}
	latest := map[string]string{"auto.register.schemas": "false", "use.latest.version": "true", "latest.compatibility.strict": "false"}
	for _, validates := range []string{"false", "true"} {
		latest["json.fail.invalid.schema"] = validates
		c := jsonSchemaConverter(t, server.URL, latest)
		for id, fits := range map[int64]bool{7: true, 10: validates == "false"} {
			before := []byte("before")
			data, _, err := c.FromConnect(before, "t", orderSchema, order(id, "x"))
			if (err == nil) != fits || err != nil && (!strings.Contains(err.Error(), "maximum") || string(data) != "before" || convert.IsUnavailable(err)) {
				t.Errorf("validation %s: write %d: %q, %v", validates, id, data, err)
			}
			text := strings.Replace("\x00\x00\x00\x00\x01"+`{"id":N,"note":"x"}`, "N", strconv.FormatInt(id, 10), 1)
			if _, _, err := c.ToConnect(connect.NewBatch(1, 1<<10), "t", []byte(text)); (err == nil) != fits || err != nil && !strings.Contains(err.Error(), "at #/id") {
				t.Errorf("validation %s: read %d: %v", validates, id, err)
			}
		}
	}
}

// With preserve.additional.properties what a schema allows and does not name comes through a pipeline, each value with its type.
func TestJSONSchemaPreserves(t *testing.T) {
	reg, server := registry(t)
	register := func(subject, text string) {
		t.Helper()
		if _, err := reg.Register(t.Context(), schemaregistry.ParseName(subject), schemaregistry.Input{Type: schemaregistry.JSON, Text: text}, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(err)
		}
	}
	const address = `{"type":"object","properties":{"city":{"type":"string"}},"additionalProperties":{"type":"integer"}}`
	register("open-value", `{"type":"object","title":"shop.Order","properties":{"id":{"type":"integer","connect.index":0},"to":`+address+`}}`)
	register("closed-value", `{"type":"object","properties":{"id":{"type":"integer"}},"additionalProperties":false}`)
	register("bag-value", `{"type":"object"}`)
	register("taken-value", `{"type":"object","properties":{"__connect_additional_properties__":{"type":"string"}}}`)
	read := func(preserve string, id byte, text string) (*connect.Schema, connect.Value, error) {
		c := jsonSchemaConverter(t, server.URL, map[string]string{"preserve.additional.properties": preserve})
		return c.ToConnect(connect.NewBatch(1, 1<<12), "t", append([]byte{0, 0, 0, 0, id}, text...))
	}
	for _, c := range []struct {
		preserve string
		id       byte
		in, out  string // out: what is written of what was read
	}{
		{"true", 1, `{"id":1,"to":{"city":"x","zip":12},"a":null,"b":{"c":[1,null,1.50]},"":12345678901234567890}`, `{"id":1,"to":{"city":"x","zip":12},"a":null,"b":{"c":[1,null,1.50]},"":12345678901234567890}`},
		{"true", 1, `{ "x" : [ 1 ] , "id":1,"to":{"zip":12,"city":"x"}}`, `{"id":1,"to":{"city":"x","zip":12},"x":[1]}`},
		{"true", 1, `{"id":1,"to":{"city":"x"}}`, `{"id":1,"to":{"city":"x"}}`},
		{"true", 2, `{"id":1,"a":2}`, `{"id":1}`},
		{"true", 3, `{"a":2,"b":"x"}`, `{"a":2,"b":"x"}`},
		{"true", 3, `{}`, `{}`},
		{"false", 1, `{"id":1,"to":{"city":"x","zip":12},"a":null}`, `{"id":1,"to":{"city":"x"}}`},
		{"false", 4, `{"__connect_additional_properties__":"x"}`, `{"__connect_additional_properties__":"x"}`},
	} {
		s, v, err := read(c.preserve, c.id, c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		out, _, err := jsonSchemaConverter(t, server.URL, map[string]string{"preserve.additional.properties": c.preserve}).FromConnect(nil, "out"+string('0'+c.id)+c.preserve, s, v)
		if err != nil || string(out[5:]) != c.out {
			t.Errorf("%s came out as %q, %v", c.in, out, err)
		}
	}
	if v, err := reg.Version(t.Context(), schemaregistry.ParseName("out1true-value"), 1, false); err != nil || strings.Contains(v.Schema.String(), "__connect") {
		t.Errorf("registered %s, %v", v.Schema, err)
	}
	for _, c := range []struct {
		id         byte
		text, says string
	}{
		{4, `{}`, "rename it"},
		{3, `{"__connect_additional_properties__":{"a":1}}`, "the name of the member"},
		{3, `{"a":1,"__connect_additional_properties__":{"a":1}}`, "the name of the member"},
	} {
		if _, _, err := read("true", c.id, c.text); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("the reserved name in %s: %v", c.text, err)
		}
	}
}

// A property that a transform adds to those that the schema does not name must not be one that it names.
func TestJSONSchemaPreservedTwice(t *testing.T) {
	_, server := registry(t)
	others, err := connect.NewMap(connect.StringSchema, connectjson.Schema, connect.Attrs{Optional: true})
	if err != nil {
		t.Fatal(err)
	}
	s := connect.MustStruct("R", connect.Field{Name: "__connect_additional_properties__", Schema: others}, connect.Field{Name: "id", Schema: connect.Int64Schema})
	for name, works := range map[string]bool{"other": true, "id": false} {
		v := connect.StructValue([]connect.Value{connect.MapValue([]connect.Value{connect.StringValue(name), connect.StringValue("2")}), connect.Int64Value(1)})
		data, _, err := jsonSchemaConverter(t, server.URL, map[string]string{"preserve.additional.properties": "true"}).FromConnect(nil, "t", s, v)
		if (err == nil) != works || works && string(data[5:]) != `{"id":1,"other":2}` {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
