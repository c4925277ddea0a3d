package clients

import (
	_ "embed"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	confluent "github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

//go:embed testdata/schema_registry.py
var registryScript string

func startRegistry(t *testing.T) (url string) {
	t.Helper()
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	server := httptest.NewServer(rest.New(r, rest.Options{}))
	t.Cleanup(server.Close)
	return server.URL
}

func wantText(t *testing.T, what string, got any, err error, want string) {
	t.Helper()
	if text := fmt.Sprint(got); err != nil || text != want {
		t.Errorf("%s: %s, %v; want %s", what, text, err, want)
	}
}

// TestConfluentGoRegistry makes the calls of the registry client of confluent-kafka-go.
func TestConfluentGoRegistry(t *testing.T) {
	c, err := confluent.NewClient(confluent.NewConfig(startRegistry(t)))
	if err != nil {
		t.Fatal(err)
	}
	confluentSchemas(t, c)
	confluentSettings(t, c)
	numbers, err := c.DeleteSubject("a/b", false)
	wantText(t, "DeleteSubject", numbers, err, "[2]")
	numbers, err = c.DeleteSubject("a/b", true)
	wantText(t, "DeleteSubject for good", numbers, err, "[1 2]")
}

func confluentSchemas(t *testing.T, c confluent.Client) {
	first := confluent.SchemaInfo{Schema: `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`}
	second := confluent.SchemaInfo{Schema: `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}`,
		Metadata: &confluent.Metadata{Properties: map[string]string{"major": "2"}}}
	bad := confluent.SchemaInfo{Schema: `"string"`}
	id, err := c.Register("a/b", first, false)
	wantText(t, "Register", id, err, "1")
	full, err := c.RegisterFullResponse("a/b", second, true)
	wantText(t, "RegisterFullResponse", []any{full.ID, full.Version, full.GUID != ""}, err, "[2 2 true]")
	schema, err := c.GetBySubjectAndID("a/b", 1)
	wantText(t, "GetBySubjectAndID", schema.Schema, err, first.Schema)
	schema, err = c.GetByGUID(full.GUID)
	wantText(t, "GetByGUID", schema.Metadata.Properties, err, "map[major:2]")
	id, err = c.GetID("a/b", first, false)
	wantText(t, "GetID", id, err, "1")
	latest, err := c.GetLatestSchemaMetadata("a/b")
	wantText(t, "GetLatestSchemaMetadata", []any{latest.Version, latest.ID, latest.Subject}, err, "[2 2 a/b]")
	one, err := c.GetSchemaMetadata("a/b", 1)
	wantText(t, "GetSchemaMetadata", one.Schema, err, first.Schema)
	two, err := c.GetLatestWithMetadata("a/b", map[string]string{"major": "2"}, false)
	wantText(t, "GetLatestWithMetadata", two.Version, err, "2")
	versions, err := c.GetAllVersions("a/b")
	wantText(t, "GetAllVersions", versions, err, "[1 2]")
	version, err := c.GetVersion("a/b", first, false)
	wantText(t, "GetVersion", version, err, "1")
	subjects, err := c.GetAllSubjects()
	wantText(t, "GetAllSubjects", subjects, err, "[a/b]")
	contexts, err := c.GetAllContexts()
	wantText(t, "GetAllContexts", contexts, err, "[.]")
	ok, err := c.TestSubjectCompatibility("a/b", bad)
	wantText(t, "TestSubjectCompatibility", ok, err, "false")
	ok, err = c.TestCompatibility("a/b", 1, first)
	wantText(t, "TestCompatibility", ok, err, "true")
	deleted, err := c.DeleteSubjectVersion("a/b", 1, false)
	wantText(t, "DeleteSubjectVersion", deleted, err, "1")
	if _, err := c.Register("a/b", bad, false); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("an incompatible schema: %v", err)
	}
}

func confluentSettings(t *testing.T, c confluent.Client) {
	level, err := c.GetDefaultCompatibility()
	wantText(t, "GetDefaultCompatibility", level.String(), err, "BACKWARD")
	level, err = c.UpdateDefaultCompatibility(confluent.Full)
	wantText(t, "UpdateDefaultCompatibility", level.String(), err, "FULL")
	level, err = c.UpdateCompatibility("a/b", confluent.ForwardTransitive)
	wantText(t, "UpdateCompatibility", level.String(), err, "FORWARD_TRANSITIVE")
	level, err = c.GetCompatibility("a/b")
	wantText(t, "GetCompatibility", level.String(), err, "FORWARD_TRANSITIVE")
	config, err := c.GetConfig("a/b", true)
	wantText(t, "GetConfig", config.CompatibilityLevel.String(), err, "FORWARD_TRANSITIVE")
}

// reading is what the serializers write.
type reading struct {
	Sensor string            `avro:"sensor"`
	Values []float64         `avro:"values"`
	Labels map[string]string `avro:"labels"`
}

// TestConfluentGoAvro writes with the Avro serializer of confluent-kafka-go, which registers its schemas, and reads with its deserializer.
func TestConfluentGoAvro(t *testing.T) {
	c, err := confluent.NewClient(confluent.NewConfig(startRegistry(t)))
	if err != nil {
		t.Fatal(err)
	}
	out, err := avrov2.NewSerializer(c, serde.ValueSerde, avrov2.NewSerializerConfig())
	if err != nil {
		t.Fatal(err)
	}
	in, err := avrov2.NewDeserializer(c, serde.ValueSerde, avrov2.NewDeserializerConfig())
	if err != nil {
		t.Fatal(err)
	}
	want := reading{"s1", []float64{1.5, 2}, map[string]string{"room": "é"}}
	payload, err := out.Serialize("readings", &want)
	if err != nil || len(payload) < 6 || payload[0] != 0 {
		t.Fatalf("Serialize: %x, %v", payload, err)
	}
	var got reading
	if err := in.DeserializeInto("readings", payload, &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("DeserializeInto: %+v, %v; want %+v", got, err, want)
	}
	latest, err := c.GetLatestSchemaMetadata("readings-value")
	wantText(t, "the subject", latest.Version, err, "1")
}

// registryPython is the confluent-kafka of PyPI that TestConfluentPythonRegistry runs.
const registryPython = "2.11.1"

// TestConfluentPythonRegistry runs the registry client and the Avro serializer of confluent-kafka for Python.
func TestConfluentPythonRegistry(t *testing.T) {
	python := pythonEnv(t, "confluent-kafka-registry-"+registryPython, "confluent_kafka.schema_registry.avro", "confluent-kafka[avro,schemaregistry]=="+registryPython)
	out := run(t, registryScript, python, "-", startRegistry(t))
	if got := strings.TrimSpace(out); !strings.HasSuffix(got, "all passed") {
		t.Errorf("printed:\n%s", got)
	}
}
