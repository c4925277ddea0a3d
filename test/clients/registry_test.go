package clients

import (
	_ "embed"
	"net/http/httptest"
	"strings"
	"testing"

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
