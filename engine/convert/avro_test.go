package convert_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// registry serves schemas over HTTP.
func registry(t testing.TB) (*schemaregistry.Registry, *httptest.Server) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	s := httptest.NewServer(rest.New(r, rest.Options{}))
	t.Cleanup(s.Close)
	return r, s
}

func avroConverter(t testing.TB, url string, more map[string]string) convert.Converter {
	t.Helper()
	settings := map[string]string{"value.converter.schema.registry.url": url}
	for k, v := range more {
		settings["value.converter."+k] = v
	}
	c, err := convert.New("AvroConverter", false, settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What one converter writes another reads, by the schema that the first has registered.
func TestAvroConverter(t *testing.T) {
	reg, server := registry(t)
	s := connect.MustStruct("shop.Order", connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "note", Schema: connect.OptionalStringSchema})
	v := connect.StructValue([]connect.Value{connect.Int64Value(7), connect.StringValue("x")})
	data, null, err := avroConverter(t, server.URL, nil).FromConnect(nil, "orders", s, v)
	if err != nil || null {
		t.Fatal(null, err)
	}
	if want := "\x00\x00\x00\x00\x01\x0e\x02\x02x"; string(data) != want {
		t.Errorf("wrote %q, want %q", data, want)
	}
	registered, err := reg.Version(t.Context(), schemaregistry.ParseName("orders-value"), -1, false)
	if err != nil || registered.ID != 1 {
		t.Fatalf("registered %+v, %v", registered, err)
	}
	gotSchema, got, err := avroConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<20), "orders", data)
	if err != nil || !got.Equal(v) {
		t.Fatalf("read %v, %v", got, err)
	}
	if gotSchema.Version() != 1 || gotSchema.Name() != "shop.Order" || len(gotSchema.Fields()) != 2 {
		t.Errorf("the schema is %s version %d", gotSchema.Name(), gotSchema.Version())
	}
}

// A schema that is not compatible is an error with the registry's reason, and no retry.
func TestAvroIncompatible(t *testing.T) {
	_, server := registry(t)
	c := avroConverter(t, server.URL, nil)
	one := connect.MustStruct("R", connect.Field{Name: "a", Schema: connect.Int64Schema})
	if _, _, err := c.FromConnect(nil, "t", one, connect.StructValue([]connect.Value{connect.Int64Value(1)})); err != nil {
		t.Fatal(err)
	}
	two := connect.MustStruct("R", connect.Field{Name: "b", Schema: connect.Int64Schema})
	_, _, err := c.FromConnect(nil, "t", two, connect.StructValue([]connect.Value{connect.Int64Value(1)}))
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "subject t-value") || !strings.Contains(err.Error(), "READER_FIELD_MISSING_DEFAULT_VALUE") {
		t.Errorf("got %v", err)
	}
}

// A registry that does not answer is worth another try.
func TestAvroRegistryDown(t *testing.T) {
	_, server := registry(t)
	c := avroConverter(t, server.URL, nil)
	server.Close()
	_, _, err := c.FromConnect(nil, "t", connect.StringSchema, connect.StringValue("x"))
	if !connect.IsRetriable(err) {
		t.Errorf("got %v", err)
	}
}

// Bytes that no converter with a registry wrote, and ids that nobody has.
func TestAvroForeignBytes(t *testing.T) {
	_, server := registry(t)
	c := avroConverter(t, server.URL, nil)
	for _, data := range []string{"", "{}", "\x00\x00\x00\x00\x09x"} {
		if _, v, err := c.ToConnect(connect.NewBatch(1, 1<<20), "t", []byte(data)); err == nil || connect.IsRetriable(err) {
			t.Errorf("%q: %v, %v", data, v, err)
		}
	}
}
