package debezium

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/test/process"
)

// startWorker runs the binary until the test ends.
func startWorker(t *testing.T) *Worker {
	t.Helper()
	server := process.New(t, "auto.restart.enable=false", "offset.flush.interval.ms=200")
	registry := "http://" + server.Registry
	w := &Worker{REST: "http://" + server.REST, Kafka: server.Addr, Avro: map[string]string{"": "io.confluent.connect.avro.AvroConverter"}}
	if err := until(t.Context(), func() error { return w.Ready(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	// Debezium's goldens are those of a registry without rules.
	anyChange(t, registry)
	w.Schema = func(id int) (string, error) { return schemaOf(registry, id) }
	return w
}

// anyChange has the registry accept every change of a schema.
func anyChange(t *testing.T, registry string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, registry+"/config", strings.NewReader(`{"compatibility":"NONE"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("set the compatibility: %s", answer.Status)
	}
}

func schemaOf(registry string, id int) (string, error) {
	answer, err := http.Get(fmt.Sprintf("%s/schemas/ids/%d", registry, id))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var with struct{ Schema string }
	if err := json.NewDecoder(answer.Body).Decode(&with); err != nil {
		return "", fmt.Errorf("%s: %w", answer.Status, err)
	}
	if with.Schema == "" {
		return "", fmt.Errorf("schema %d: %s", id, answer.Status)
	}
	return with.Schema, nil
}
