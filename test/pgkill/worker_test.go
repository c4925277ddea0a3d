package pgkill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/process"

	"github.com/twmb/franz-go/pkg/kgo"
)

// patience is how long a start, or the way of a row to the log, may take.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	process.Clean()
	os.Exit(code)
}

// until polls until check returns nil.
func until(t *testing.T, what string, check func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: after %v: %v", what, patience, err)
		}
		<-tick.C
	}
}

// worker is the server, started again and again on one directory.
type worker struct{ *process.Server }

// newWorker starts a server whose data is left behind when the test fails.
func newWorker(t *testing.T) *worker {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgkill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's data is left in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	return &worker{process.NewIn(t, dir)}
}

// start runs the server again and waits until it is ready.
func (w *worker) start(t *testing.T) {
	t.Helper()
	w.Start(t)
	w.WaitReady(t)
}

// clientOpts are the options of Kafka clients of the server.
func (w *worker) clientOpts() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(w.Addr)} }

// put creates the connector.
func (w *worker) put(t *testing.T, name string, config map[string]string) {
	t.Helper()
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "creation of the connector", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+w.REST+"/connectors/"+name+"/config", bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode >= 300 {
			var text bytes.Buffer
			text.ReadFrom(answer.Body)
			return fmt.Errorf("%s: %s", answer.Status, text.String())
		}
		return nil
	})
}
