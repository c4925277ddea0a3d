// Package process runs the real server as a process that tests kill and start
// again.
package process

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a start or an orderly stop may take.
const patience = 60 * time.Second

// envBinary names a server to use instead of building one.
const envBinary = "SLUICE_KILL_BINARY"

// Server is a server process that keeps its directory and the addresses of its Kafka
// listener and its schema registry when it is started again.
type Server struct {
	// Dir is the data directory.
	Dir string
	// Addr is the address of the Kafka listener, the same after every start.
	Addr string
	// REST is the address of the REST API.
	REST string
	// Registry is the address of the schema registry, the same after every start.
	Registry string

	binary  string
	args    []string
	listens bool // the properties say where
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	log     *tail
}

// tail keeps the last of what a process writes.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

const maxTail = 64 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	w.buf = w.buf[max(0, len(w.buf)-maxTail):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.ToValidUTF8(w.buf, nil))
}

// built is the binary of this test process.
var built struct {
	sync.Once
	path string
	err  error
}

// build returns the server's binary. It is built once, in a directory that the
// next build uses again.
func build() (string, error) {
	if path := os.Getenv(envBinary); path != "" {
		return path, nil
	}
	built.Do(func() {
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = os.TempDir()
		}
		built.path = filepath.Join(cache, "sluice-test", fmt.Sprint("sluice-", os.Getpid()))
		built.err = buildTo(built.path)
	})
	return built.path, built.err
}

// buildTo builds in the main module, whose dependencies this one does not have.
func buildTo(path string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sluice-data/sluice").Output()
	if err != nil {
		return fmt.Errorf("find the main module: %w", err)
	}
	cmd := exec.Command("go", "build", "-o", path, "./cmd/sluice")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return nil
}

// Clean removes the binary that New has built. TestMain calls it.
func Clean() {
	if built.path != "" {
		os.Remove(built.path)
	}
}

// New starts a server on an empty directory, with these worker properties, and
// waits until it is ready. When they have listeners, Addr is the first of them;
// otherwise one plaintext listener keeps its port over restarts. The server ends
// with the test; when that has failed, its log is shown.
func New(t testing.TB, properties ...string) *Server {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{binary: binary, Dir: filepath.Join(t.TempDir(), "data"), log: &tail{}}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.Kill()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log)
		}
	})
	s.configure(t, properties)
	s.Start(t)
	s.WaitReady(t)
	return s
}

// configure writes the file of the properties.
func (s *Server) configure(t testing.TB, properties []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker.properties")
	if err := os.WriteFile(path, []byte(strings.Join(properties, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{"--config", path}
	s.listens = slices.ContainsFunc(properties, func(p string) bool { return strings.HasPrefix(p, "listeners=") })
}

// Start starts the process and does not wait for it.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	os.Remove(s.addressFile()) // of the previous run
	args := []string{"server", "--data-dir", s.Dir, "--rest", "127.0.0.1:0", "--registry", cmp.Or(s.Registry, "127.0.0.1:0"), "--log-level", "warn"}
	if !s.listens {
		args = append(args, "--kafka", cmp.Or(s.Addr, "127.0.0.1:0"))
	}
	cmd := exec.Command(s.binary, append(args, s.args...)...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start sluice: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // what became of it is in cmd.ProcessState
	}()
	s.cmd, s.ended = cmd, ended
}

func (s *Server) addressFile() string { return filepath.Join(s.Dir, "addresses.json") }

// WaitReady waits until the server says where it listens, and returns how long
// that took.
func (s *Server) WaitReady(t testing.TB) time.Duration {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			t.Fatalf("the server ended by itself, %v\n%s", s.cmd.ProcessState, s.log)
		case <-tick.C:
		}
		var a struct {
			Kafka, REST, Registry string
			PID                   int
		}
		text, err := os.ReadFile(s.addressFile())
		if err == nil && json.Unmarshal(text, &a) == nil && a.PID == s.cmd.Process.Pid {
			s.Addr, s.REST, s.Registry = a.Kafka, a.REST, a.Registry
			return time.Since(begin)
		}
		if time.Since(begin) > patience {
			t.Fatalf("the server is not ready after %v\n%s", patience, s.log)
		}
	}
}

// Kill ends the process as kill -9 does, and waits for its end.
func (s *Server) Kill() {
	s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.ended
}

// Stop ends the server with SIGTERM and wants an orderly end.
func (s *Server) Stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		return fmt.Errorf("the server runs %v after SIGTERM", patience)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d after SIGTERM", code)
	}
	return nil
}
