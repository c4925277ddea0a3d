package s3

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

var update = flag.Bool("update", false, "write the golden files")

// golden runs each "input => output" line of a file through f.
func golden(t *testing.T, name string, f func(input string) string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for in := bufio.NewScanner(strings.NewReader(string(text))); in.Scan(); {
		line := in.Text()
		if input, _, ok := strings.Cut(line, " => "); ok && !strings.HasPrefix(line, "#") {
			line = input + " => " + f(input)
		}
		fmt.Fprintln(&out, line)
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != string(text) {
		t.Errorf("%s, got:\n%s", path, out.String())
	}
}

// fields reads key=value pairs separated by spaces; \s is a space.
func fields(text string) map[string]string {
	m := make(map[string]string)
	for f := range strings.FieldsSeq(text) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = strings.ReplaceAll(v, `\s`, " ")
	}
	return m
}

func TestConfigErrors(t *testing.T) {
	golden(t, "config.txt", func(input string) string {
		changes := fields(input)
		changes["s3.bucket.name"] = testBucket
		_, err := parse(changes)
		if err == nil {
			return "ok"
		}
		return strings.ReplaceAll(err.Error(), "\n", " | ")
	})
}

func TestObjectKeys(t *testing.T) {
	golden(t, "keys.txt", func(input string) string {
		changes := fields(input)
		var partition, offset int
		topic := changes["TOPIC"]
		_, err := fmt.Sscanf(changes["AT"], "%d:%d", &partition, &offset)
		if err != nil {
			t.Fatal(err)
		}
		delete(changes, "TOPIC")
		delete(changes, "AT")
		changes["s3.bucket.name"] = testBucket
		c, err := parse(changes)
		if err != nil {
			t.Fatal(err)
		}
		s := newSink(c)
		if err := s.setUp(); err != nil {
			t.Fatal(err)
		}
		at := newPartition(connect.TopicPartition{Topic: topic, Partition: int32(partition)}, 0)
		if err := s.locate(at, &connect.Record{Value: connect.StringValue("x"), Timestamp: 0}); err != nil {
			t.Fatal(err)
		}
		return s.objectKey(at.TopicPartition, string(s.place.encoded), &s.parts[0], int64(offset))
	})
}

func TestLines(t *testing.T) {
	values := map[string]struct {
		schema *connect.Schema
		value  connect.Value
	}{
		"json":    {connectjson.Schema, connect.StringValue(`{"t":21.50,"unit":"°C"}`)},
		"number":  {connectjson.Schema, connect.StringValue(`21.5`)},
		"string":  {connect.StringSchema, connect.StringValue("hot \"<21>\"\n")},
		"bytes":   {connect.BytesSchema, connect.BytesValue([]byte{0xff, 0, 1})},
		"boolean": {nil, connect.BooleanValue(true)},
		"map":     {nil, connect.MapValue([]connect.Value{connect.StringValue("z"), connect.Int64Value(1), connect.StringValue("a"), {}})},
		"struct": {connect.MustStruct("s", connect.Field{Name: "id", Schema: connect.Int32Schema},
			connect.Field{Name: "name", Schema: connect.OptionalStringSchema}),
			connect.StructValue([]connect.Value{connect.Int32Value(7), {}})},
	}
	golden(t, "lines.txt", func(input string) string {
		changes := fields(input)
		v := values[changes["VALUE"]]
		delete(changes, "VALUE")
		changes["s3.bucket.name"] = testBucket
		c, err := parse(changes)
		if err != nil {
			t.Fatal(err)
		}
		f, err := c.newFormat(format.Values, c.formatClass)
		if err != nil {
			t.Fatal(err)
		}
		r := &connect.Record{ValueSchema: v.schema, Value: v.value}
		w, err := f.NewWriter(r)
		if err != nil {
			t.Fatal(err)
		}
		line, err := w.Append(nil, r)
		if err != nil {
			return "error: " + err.Error()
		}
		return fmt.Sprintf("%q", line)
	})
}

// The config that a user of Confluent's sink has, with nothing about rotation,
// storage and region.
func TestConfigOfAUser(t *testing.T) {
	settings := map[string]string{
		"s3.bucket.name":    "iot-data",
		"format.class":      "io.confluent.connect.s3.format.json.JsonFormat",
		"partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
	}
	c, err := parse(settings)
	if err != nil {
		t.Fatal(err)
	}
	if c.flushSize != 10000 || c.age() != time.Minute || !c.pathStyle || c.partSizeBytes != 25<<20 || c.byteSeparator != "\n" {
		t.Errorf("defaults: %+v", *c)
	}
}

func TestKeysOfOtherConfigsAreKnown(t *testing.T) {
	var d connect.Def
	new(Config).Define(&d)
	for _, o := range d.Options() {
		if o.Doc == "" || o.Group == "" {
			t.Errorf("%s has no doc or group", o.Name)
		}
	}
	got := d.Unknown(map[string]string{"schema.generator.class": "x", "hive.integration": "true", "locale": "en",
		"confluent.license": "", "flush.sise": "3"})
	if len(got) != 1 || got[0].Name != "flush.sise" || got[0].Suggestion != "flush.size" {
		t.Errorf("unknown options %v, want flush.sise alone", got)
	}
}

func TestRegion(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	region := func(change map[string]string) string {
		change["s3.bucket.name"] = "b"
		c, err := parse(change)
		if err != nil {
			t.Fatal(err)
		}
		st, err := newStore(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return st.region
	}
	if got := region(map[string]string{}); got != "us-west-2" {
		t.Errorf("region %s without any setting", got)
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	if got := region(map[string]string{}); got != "eu-west-1" {
		t.Errorf("region %s with AWS_REGION", got)
	}
	if got := region(map[string]string{"s3.region": "ap-east-1"}); got != "ap-east-1" {
		t.Errorf("region %s with s3.region", got)
	}
}

func TestEndpoint(t *testing.T) {
	endpoint := func(url string) string {
		change := map[string]string{"s3.bucket.name": "b", "s3.region": "eu-west-1"}
		if url != "" {
			change["store.url"] = url
		}
		c, err := parse(change)
		if err != nil {
			t.Fatal(err)
		}
		st, err := newStore(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(st.endpoint(), " ", st.client.Options().RequestChecksumCalculation)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	required, supported := " 2", " 1" // WhenRequired and WhenSupported of the SDK
	for _, c := range [][2]string{
		{"", "AWS S3 in eu-west-1" + supported},
		{"minio:9000", "https://minio:9000" + required},
		{"http://minio:9000", "http://minio:9000" + required},
		{"https://s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com" + supported},
	} {
		if got := endpoint(c[0]); got != c[1] {
			t.Errorf("store.url %q: %q, want %q", c[0], got, c[1])
		}
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://env:9000")
	if got := endpoint(""); got != "http://env:9000"+required {
		t.Errorf("AWS_ENDPOINT_URL_S3: %q", got)
	}
	if got := endpoint("http://minio:9000"); got != "http://minio:9000"+required {
		t.Errorf("store.url has to win: %q", got)
	}
}
