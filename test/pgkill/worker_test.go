package pgkill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// patience is how long a start, or the way of a row to the log, may take.
const patience = 60 * time.Second

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

// tail keeps the last of what a process writes.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	w.buf = w.buf[max(0, len(w.buf)-32<<10):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.buf)
}

// worker is the server's process, started again and again on one directory.
type worker struct {
	binary, dir string
	kafka, rest string
	cmd         *exec.Cmd
	ended       chan struct{}
	log         tail
}

func newWorker(t *testing.T) *worker {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgkill-")
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{binary: os.Getenv("SLUICE_KILL_BINARY"), dir: filepath.Join(dir, "data")}
	if w.binary == "" {
		w.binary = filepath.Join(t.TempDir(), "sluice")
		if out, err := exec.Command("go", "build", "-o", w.binary, "../../cmd/sluice").CombinedOutput(); err != nil {
			t.Fatalf("build sluice: %v\n%s", err, out)
		}
	}
	t.Cleanup(func() {
		if w.cmd != nil {
			w.kill()
		}
		if t.Failed() {
			t.Logf("the server's data is left in %s; its log:\n%s", dir, w.log.String())
			return
		}
		os.RemoveAll(dir)
	})
	w.start(t)
	return w
}

// start runs the process and waits until it is ready.
func (w *worker) start(t *testing.T) {
	t.Helper()
	addresses := filepath.Join(w.dir, "addresses.json")
	os.Remove(addresses) // of the previous run
	w.cmd = exec.Command(w.binary, "server", "--data-dir", w.dir, "--rest", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--log-level", "warn")
	w.cmd.Stdout, w.cmd.Stderr = &w.log, &w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, process := make(chan struct{}), w.cmd
	w.ended = ended
	go func() {
		defer close(ended)
		process.Wait() // how it ended is not asked
	}()
	until(t, "start of the server", func() error {
		text, err := os.ReadFile(addresses)
		if err != nil {
			return err
		}
		var a struct{ Kafka, REST string }
		if err := json.Unmarshal(text, &a); err != nil {
			return err
		}
		w.kafka, w.rest = a.Kafka, "http://"+a.REST
		return nil
	})
}

// clientOpts are the options of Kafka clients of the server.
func (w *worker) clientOpts() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(w.kafka)} }

// kill ends the process as kill -9 does and waits for its end.
func (w *worker) kill() {
	w.cmd.Process.Kill()
	<-w.ended
}

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
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.rest+"/connectors/"+name+"/config", bytes.NewReader(body))
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
