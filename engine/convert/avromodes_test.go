package convert_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/rest"
	"github.com/sluice-data/sluice/schemaregistry/tag"
)

var (
	oneField = connect.MustStruct("shop.R", connect.Field{Name: "a", Schema: connect.Int64Schema})
	one      = connect.StructValue([]connect.Value{connect.Int64Value(1)})
)

// register adds a version to a subject and returns its id.
func register(t *testing.T, url, subject string, s *connect.Schema, v connect.Value) {
	t.Helper()
	topic := strings.TrimSuffix(subject, "-value")
	if _, _, err := avroConverter(t, url, nil).FromConnect(nil, topic, s, v); err != nil {
		t.Fatal(err)
	}
}

// Data is written by a schema that is registered already: the latest of the subject, or one by its id.
func TestAvroWritesByRegisteredSchema(t *testing.T) {
	_, server := registry(t)
	register(t, server.URL, "t-value", oneField, one)
	none := connect.Value{}
	more := connect.MustStruct("shop.R", connect.Field{Name: "b", Schema: connect.OptionalStringSchema}, connect.Field{Name: "a", Schema: connect.Int64Schema})
	register(t, server.URL, "t-value", more, connect.StructValue([]connect.Value{none, connect.Int64Value(1)}))
	for name, c := range map[string]struct {
		settings map[string]string
		schema   *connect.Schema
		want     string // or the error
	}{
		"latest":           {map[string]string{"use.latest.version": "true"}, oneField, "\x00\x00\x00\x00\x02\x00\x02"},
		"id":               {map[string]string{"use.schema.id": "1"}, more, "\x00\x00\x00\x00\x01\x02"},
		"neither":          {nil, oneField, "\x00\x00\x00\x00\x01\x02"},
		"strict":           {map[string]string{"use.latest.version": "true"}, connect.MustStruct("shop.R", connect.Field{Name: "c", Schema: connect.Int64Schema}), "READER_FIELD_MISSING_DEFAULT_VALUE"},
		"not strict":       {map[string]string{"use.latest.version": "true", "latest.compatibility.strict": "false"}, connect.MustStruct("other.Name", connect.Field{Name: "a", Schema: connect.Int64Schema}), "\x00\x00\x00\x00\x02\x00\x02"},
		"another name":     {map[string]string{"use.schema.id": "1", "id.compatibility.strict": "false"}, connect.MustStruct("X", connect.Field{Name: "a", Schema: connect.Int64Schema}), "\x00\x00\x00\x00\x01\x02"},
		"nobody's schema":  {nil, connect.MustStruct("shop.New", connect.Field{Name: "a", Schema: connect.Int64Schema}), "auto.register.schemas=false"},
		"nobody's id":      {map[string]string{"use.schema.id": "99"}, oneField, "schema with id 99"},
		"registering wins": {map[string]string{"use.latest.version": "true", "auto.register.schemas": "true"}, oneField, "\x00\x00\x00\x00\x01\x02"},
	} {
		settings := map[string]string{"auto.register.schemas": "false"}
		for k, v := range c.settings {
			settings[k] = v
		}
		v := one
		if len(c.schema.Fields()) == 2 {
			v = connect.StructValue([]connect.Value{none, connect.Int64Value(1)})
		}
		got, _, err := avroConverter(t, server.URL, settings).FromConnect(nil, "t", c.schema, v)
		if err != nil && !strings.Contains(err.Error(), c.want) || err == nil && string(got) != c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// Subjects are named after the topic, the record or both, for keys and values.
func TestAvroSubjects(t *testing.T) {
	reg, server := registry(t)
	for i, c := range []struct {
		isKey          bool
		strategy, want string
	}{
		{false, "", "t-value"},
		{true, "", "t-key"},
		{true, "io.confluent.kafka.serializers.subject.RecordNameStrategy", "shop.R"},
		{false, "TopicRecordNameStrategy", "t-shop.R"},
	} {
		side := "value"
		if c.isKey {
			side = "key"
		}
		settings := map[string]string{side + ".converter.schema.registry.url": server.URL}
		if c.strategy != "" {
			settings[side+".converter."+side+".subject.name.strategy"] = c.strategy
		}
		conv, err := convert.New("AvroConverter", c.isKey, settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := conv.FromConnect(nil, "t", oneField, one); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if _, err := reg.Version(t.Context(), schemaregistry.ParseName(c.want), -1, false); err != nil {
			t.Errorf("subject %s: %v", c.want, err)
		}
	}
	if _, _, err := avroConverter(t, server.URL, map[string]string{"value.subject.name.strategy": "RecordNameStrategy"}).FromConnect(nil, "t", connect.StringSchema, connect.StringValue("x")); err == nil {
		t.Error("a string has no record name")
	}
}

// The GUID of the schema in a header, and data without anything in front of it.
func TestAvroHeader(t *testing.T) {
	_, server := registry(t)
	c := avroConverter(t, server.URL, map[string]string{"value.schema.id.serializer": "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"}).(convert.HeaderIDs)
	data, _, err := c.FromConnect(nil, "t", oneField, one)
	if err != nil || string(data) != "\x02" {
		t.Fatalf("wrote %q, %v", data, err)
	}
	id := c.LastID()
	if len(id) != 17 || id[0] != 1 || c.IDHeader() != "__value_schema_id" {
		t.Fatalf("header %s: %x", c.IDHeader(), id)
	}
	reader := avroConverter(t, server.URL, nil).(convert.HeaderIDs)
	b := connect.NewBatch(1, 1<<20)
	if _, v, err := reader.ToConnectByID(b, "t", data, id); err != nil || !v.Equal(one) {
		t.Errorf("read %v, %v", v, err)
	}
	if reader.LastID() != nil {
		t.Error("ids are written in headers though nobody asked for it")
	}
	prefixed, _, err := reader.FromConnect(nil, "t", oneField, one)
	if err != nil {
		t.Fatal(err)
	}
	if _, v, err := reader.ToConnectByID(b, "t", prefixed, nil); err != nil || !v.Equal(one) {
		t.Errorf("read %v, %v without a header", v, err)
	}
	only := avroConverter(t, server.URL, map[string]string{"value.schema.id.deserializer": "PrefixSchemaIdDeserializer"}).(convert.HeaderIDs)
	if _, v, err := only.ToConnectByID(b, "t", prefixed, id); err != nil || !v.Equal(one) {
		t.Errorf("read %v, %v with a header that does not count", v, err)
	}
	if _, _, err := reader.ToConnectByID(b, "t", data, []byte("\x07")); err == nil {
		t.Error("read by a header that is none")
	}
}

// A registry behind TLS, whose certificate is nobody's, and user and password.
func TestAvroOverTLS(t *testing.T) {
	reg, _ := registry(t)
	server := httptest.NewUnstartedServer(rest.New(reg, rest.Options{}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // which is not in the certificate
	for i, c := range []struct {
		url      string
		settings map[string]string
		works    bool
	}{
		{server.URL, map[string]string{"truststore.location": path}, true},
		{server.URL, map[string]string{"truststore.certificates": string(cert)}, true},
		{server.URL, nil, false},
		{url, map[string]string{"truststore.location": path}, false},
		{url, map[string]string{"truststore.location": path, "endpoint.identification.algorithm": ""}, true},
		{url, map[string]string{"endpoint.identification.algorithm": ""}, false},
	} {
		settings := make(map[string]string)
		for k, v := range c.settings {
			settings["schema.registry.ssl."+k] = v
		}
		_, _, err := avroConverter(t, c.url, settings).FromConnect(nil, "t", oneField, one)
		if (err == nil) != c.works {
			t.Errorf("%d: %v", i, err)
		}
	}
	for _, bad := range []map[string]string{{"truststore.location": "/none"}, {"truststore.certificates": "x"}, {"keystore.location": path}, {"truststore.type": "XML"}} {
		settings := map[string]string{"value.converter.schema.registry.url": server.URL}
		for k, v := range bad {
			settings["value.converter.schema.registry.ssl."+k] = v
		}
		if _, err := convert.New("AvroConverter", false, settings); err == nil || !strings.Contains(err.Error(), "value.converter.schema.registry.ssl.") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// A connector that makes its schemas anew asks the registry once for each text.
func TestAvroAsksOncePerText(t *testing.T) {
	_, server := registry(t)
	c := avroConverter(t, server.URL, nil)
	fresh := func() *connect.Schema {
		return connect.MustStruct("shop.R", connect.Field{Name: "a", Schema: connect.Int64Schema})
	}
	if _, _, err := c.FromConnect(nil, "t", fresh(), one); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if _, _, err := c.FromConnect(nil, "t", fresh(), one); err != nil {
		t.Error(err)
	}
	if _, _, err := c.FromConnect(nil, "other", fresh(), one); !convert.IsUnavailable(err) {
		t.Error(fmt.Errorf("another subject: %w", err))
	}
}

// User and password come from an option or the URL, and are in no error (I6).
func TestAvroLogin(t *testing.T) {
	reg, _ := registry(t)
	h := rest.New(reg, rest.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	inURL := strings.Replace(server.URL, "http://", "http://ann:s3cret@", 1)
	for i, c := range []struct {
		url      string
		settings map[string]string
		works    bool
	}{
		{inURL, nil, true},
		{server.URL, map[string]string{"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "ann:s3cret"}, true},
		{server.URL, map[string]string{"schema.registry.basic.auth.credentials.source": "USER_INFO", "schema.registry.basic.auth.user.info": "ann:s3cret"}, true},
		{server.URL, map[string]string{"basic.auth.credentials.source": "USER_INFO", "schema.registry.basic.auth.user.info": "ann:s3cret"}, true},
		{server.URL, nil, false},
		{server.URL, map[string]string{"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "ann:other"}, false},
	} {
		_, _, err := avroConverter(t, c.url, c.settings).FromConnect(nil, "t", oneField, one)
		if (err == nil) != c.works || err != nil && !strings.Contains(err.Error(), "basic.auth.user.info") {
			t.Errorf("%d: %v", i, err)
		}
	}
	c := avroConverter(t, inURL, nil)
	server.Close()
	if _, _, err := c.FromConnect(nil, "t", oneField, one); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error has the password, or is none: %v", err)
	}
	for _, bad := range []string{"localhost:8081", "ftp://x", "http://ann:s3cret@[", "http://"} {
		_, err := convert.New("AvroConverter", false, map[string]string{"value.converter.schema.registry.url": bad})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A task that is stopped does not wait for a registry that says nothing.
func TestAvroRequestsEndWithTheTask(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client is gone
		close(asked)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	c := avroConverter(t, server.URL, nil)
	convert.Bind(ctx, c)
	var converting sync.WaitGroup
	converting.Go(func() {
		if _, _, err := c.FromConnect(nil, "t", oneField, one); !convert.IsUnavailable(err) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	<-asked
	cancel()
	converting.Wait()
}

// The latest version may be picked by its metadata, and counts as the latest for a time only.
func TestAvroLatestByMetadataAndTime(t *testing.T) {
	reg, server := registry(t)
	const text = `{"type":"record","name":"R","namespace":"shop","doc":"%s","fields":[{"name":"a","type":"long"}]}`
	add := func(doc, stage string) {
		in := schemaregistry.Input{Text: fmt.Sprintf(text, doc), Metadata: &schemaregistry.Metadata{Properties: map[string]string{"stage": stage, "team": "a b"}}}
		if _, err := reg.Register(t.Context(), schemaregistry.ParseName("t-value"), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(err)
		}
	}
	add("1", "live")
	add("2", "test")
	writing := func(settings map[string]string) convert.Converter {
		settings["auto.register.schemas"] = "false"
		return avroConverter(t, server.URL, settings)
	}
	want := func(c convert.Converter, id byte) {
		t.Helper()
		if got, _, err := c.FromConnect(nil, "t", oneField, one); err != nil || got[4] != id {
			t.Errorf("got %q, %v; want id %d", got, err, id)
		}
	}
	live := writing(map[string]string{"use.latest.with.metadata": "stage=live,team=a b"})
	forEver := writing(map[string]string{"use.latest.version": "true"})
	briefly := writing(map[string]string{"use.latest.version": "true", "latest.cache.ttl.sec": "0"})
	want(live, 1)
	want(forEver, 2)
	want(briefly, 2)
	add("3", "test")
	want(live, 1)
	want(forEver, 2)
	want(briefly, 3)
	if _, _, err := writing(map[string]string{"use.latest.with.metadata": "stage=gone"}).FromConnect(nil, "t", oneField, one); err == nil {
		t.Error("a version without the metadata is found")
	}
}

// A token is shown to the registry in place of user and password, and is in no error.
func TestAvroBearerToken(t *testing.T) {
	reg, _ := registry(t)
	h := rest.New(reg, rest.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for token, works := range map[string]bool{"t0ken": true, "other": false, "": false} {
		c := avroConverter(t, server.URL, map[string]string{"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": token})
		_, _, err := c.FromConnect(nil, "t", oneField, one)
		if (err == nil) != works || err != nil && (!strings.Contains(err.Error(), "bearer.auth.token") || strings.Contains(err.Error(), "other")) {
			t.Errorf("with the token %q: %v", token, err)
		}
	}
}

// A schema may be given by its GUID, and one that is registered may keep the tags of the version before it.
func TestAvroGUIDAndTags(t *testing.T) {
	reg, server := registry(t)
	c := avroConverter(t, server.URL, map[string]string{"propagate.schema.tags": "true"})
	first, _, err := c.FromConnect(nil, "t", oneField, one)
	if err != nil {
		t.Fatal(err)
	}
	v, err := reg.Version(t.Context(), schemaregistry.ParseName("t-value"), 1, false)
	if err != nil {
		t.Fatal(err)
	}
	add := []tag.Tagged{{Entity: tag.Entity{Path: "shop.R", Type: tag.Record}, Tags: []string{"PII"}}}
	if _, err := reg.Tag(t.Context(), schemaregistry.ParseName("t-value"), 1, schemaregistry.TagChange{Add: add}); err != nil {
		t.Fatal(err)
	}
	two := connect.MustStruct(oneField.Name(), oneField.Fields()[0], connect.Field{Name: "more", Schema: connect.OptionalStringSchema})
	if _, _, err := c.FromConnect(nil, "t", two, connect.StructValue([]connect.Value{one.Cells()[0], {}})); err != nil {
		t.Fatal(err)
	}
	latest, err := reg.Version(t.Context(), schemaregistry.ParseName("t-value"), -1, false)
	if err != nil || latest.Number != 3 || !strings.Contains(latest.Schema.String(), `"confluent:tags":["PII"]`) {
		t.Errorf("the tags are gone: %+v, %v", latest, err)
	}
	byGUID := avroConverter(t, server.URL, map[string]string{"auto.register.schemas": "false", "use.schema.guid": v.GUID})
	if got, _, err := byGUID.FromConnect(nil, "u", oneField, one); err != nil || string(got) != string(first) {
		t.Errorf("by the GUID: %q, %v; want %q", got, err, first)
	}
	gone := avroConverter(t, server.URL, map[string]string{"auto.register.schemas": "false", "use.schema.guid": "89791762-2336-4186-9674-299b90a802e2"})
	if _, _, err := gone.FromConnect(nil, "u", oneField, one); err == nil || !strings.Contains(err.Error(), "89791762") {
		t.Errorf("a GUID that nothing has: %v", err)
	}
}
