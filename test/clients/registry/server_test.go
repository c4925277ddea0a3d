package registry

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"

	"github.com/sluice-data/sluice/test/process"
)

func TestMain(m *testing.M) {
	code := m.Run()
	process.Clean()
	os.Exit(code)
}

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// Versions of one record: the second reads the first, the third reads neither.
const (
	orderOne = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"}]}`
	orderTwo = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"note","type":"string","default":""}]}`
	orderBad = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"must","type":"string"}]}`
	// cart uses an order by its name.
	cart = `{"type":"record","name":"Cart","namespace":"shop","fields":[{"name":"orders","type":{"type":"array","items":"shop.Order"}}]}`
)

func startServer(t *testing.T) *process.Server {
	t.Helper()
	return process.New(t, "offset.flush.interval.ms=100")
}

// create posts a connector.
func create(t *testing.T, s *process.Server, name string, config map[string]string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	must(t, err)
	res, err := http.Post("http://"+s.REST+"/connectors", "application/json", bytes.NewReader(body))
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("create connector %s: %s: %s", name, res.Status, text)
	}
}

// confluent is a client without anything in its caches.
func confluent(t *testing.T, s *process.Server) schemaregistry.Client {
	t.Helper()
	c, err := schemaregistry.NewClient(schemaregistry.NewConfig("http://" + s.Registry))
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// eventually polls until check returns true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !check(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// must ends the test for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want compares.
func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantList compares lists.
func wantList[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
