package s3kill

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/process"
)

// TestMain lets four tests run at a time where there are fewer cores, unless -parallel says otherwise: they wait for sessions to end and for files to
// become old, most of the time.
func TestMain(m *testing.M) {
	if runtime.GOMAXPROCS(0) < 4 {
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	process.Clean()
	os.Exit(code)
}

// worker is a server, with a log of its own or at another's; it keeps its directory.
type worker struct {
	*process.Process
	dir  string
	env  []string
	args []string
	log  process.Tail

	REST  string `json:"rest"`
	Kafka string `json:"kafka"`
}

const properties = `key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.flush.interval.ms=500
`

// newWorker starts a worker with further properties and arguments.
func newWorker(t *testing.T, env []string, more string, args ...string) *worker {
	t.Helper()
	w := &worker{dir: filepath.Join(t.TempDir(), "data"), env: env, args: args}
	if err := os.WriteFile(w.dir+".properties", []byte(properties+more), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.Process != nil {
			w.End(syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("log of sluice:\n%s", w.log.String())
		}
	})
	w.start(t)
	return w
}

// start starts the server and waits until it is ready.
func (w *worker) start(t *testing.T) {
	t.Helper()
	path, err := process.Binary()
	if err != nil {
		t.Fatal(err)
	}
	addresses := filepath.Join(w.dir, "addresses.json")
	_ = os.Remove(addresses) // of the run before, if there was one
	w.Process, err = process.Start(&w.log, w.env, path, append([]string{"server", "--config", w.dir + ".properties", "--data-dir", w.dir,
		"--rest", "127.0.0.1:0", "--registry", "127.0.0.1:0"}, w.args...)...)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() error {
		select {
		case <-w.Done():
			t.Fatal("sluice ended at its start")
		default:
		}
		text, err := os.ReadFile(addresses)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, w); err != nil {
			return err
		}
		_, err = w.ask(t.Context(), http.MethodGet, "/health", "")
		return err
	})
}

// ask sends a REST request.
func (w *worker) ask(ctx context.Context, method, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.REST+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %s", method, path, resp.Status, text)
	}
	return string(text), err
}

func (w *worker) mustAsk(t *testing.T, method, path, body string) {
	t.Helper()
	eventually(t, 2*time.Minute, func() error { // a worker that has just started may not be ready for changes
		_, err := w.ask(t.Context(), method, path, body)
		return err
	})
}

// stopGenerator stops the generator and waits until its task is over: before that the rows of its last transaction appear in one partition after the other.
func (w *worker) stopGenerator(t *testing.T) {
	t.Helper()
	w.mustAsk(t, http.MethodPut, "/connectors/generator/stop", "")
	eventually(t, time.Minute, func() error {
		text, err := w.ask(t.Context(), http.MethodGet, "/connectors/generator/status", "")
		if err == nil && !strings.Contains(text, `"tasks":[]`) {
			err = fmt.Errorf("the generator is %s", text)
		}
		return err
	})
}

// eventually polls until check returns nil.
func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", limit, err)
		}
		<-tick.C
	}
}
