package s3kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the server under test.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SLUICE_KILL_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "sluice-s3kill-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sluice")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../cmd/sluice").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return path, nil
})

// process is a child, in the end killed.
type process struct {
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when it has ended
}

// tail keeps the last of what processes write.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	w.buf = w.buf[max(0, len(w.buf)-256<<10):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.ToValidUTF8(w.buf, nil))
}

func spawn(t *testing.T, log *tail, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = log, log, append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // what became of it does not matter
	}()
	return p
}

// end sends a signal and waits.
func (p *process) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	<-p.done
}

// worker is the server; it keeps its directory.
type worker struct {
	*process
	dir string
	env []string
	log tail

	REST  string `json:"rest"`
	Kafka string `json:"kafka"`
}

const properties = `key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.flush.interval.ms=500
`

func newWorker(t *testing.T, env []string) *worker {
	t.Helper()
	w := &worker{dir: filepath.Join(t.TempDir(), "data"), env: env}
	if err := os.WriteFile(w.dir+".properties", []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.process != nil {
			w.end(syscall.SIGKILL)
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
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	addresses := filepath.Join(w.dir, "addresses.json")
	_ = os.Remove(addresses) // of the run before, if there was one
	w.process = spawn(t, &w.log, w.env, path, "server", "--config", w.dir+".properties", "--data-dir", w.dir,
		"--rest", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0")
	eventually(t, 60*time.Second, func() error {
		select {
		case <-w.done:
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
	eventually(t, 30*time.Second, func() error { // a worker that has just started may not be ready for changes
		_, err := w.ask(t.Context(), method, path, body)
		return err
	})
}

// broker is Mosquitto, which keeps its sessions.
type broker struct {
	*process
	log  tail
	conf string
	addr string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &broker{conf: filepath.Join(dir, "mosquitto.conf"), addr: l.Addr().String()}
	_ = l.Close()
	_, port, _ := net.SplitHostPort(b.addr)
	conf := "listener " + port + " 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location " + dir +
		"/\nmax_queued_messages 0\nmax_inflight_messages 100\nlog_dest stderr\nlog_type subscribe\n"
	if err := os.WriteFile(b.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.end(syscall.SIGKILL) })
	b.start(t)
	return b
}

func (b *broker) start(t *testing.T) {
	t.Helper()
	path := "mosquitto"
	if _, err := exec.LookPath(path); err != nil {
		path = "/usr/sbin/mosquitto" // not in every user's PATH
	}
	b.process = spawn(t, &b.log, nil, path, "-c", b.conf)
	eventually(t, 20*time.Second, func() error {
		conn, err := net.Dial("tcp", b.addr)
		if err == nil {
			_ = conn.Close()
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
