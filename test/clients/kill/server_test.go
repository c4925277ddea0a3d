package kill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that a healthy server does at once.
const patience = 60 * time.Second

// server is a server process that keeps its directory and its Kafka address when
// it is started again.
type server struct {
	binary  string
	dir     string
	addr    string // empty before the first start
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	log     *tail
	stopped bool // by the test
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

// buildServer returns the server's binary.
func buildServer(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SLUICE_KILL_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "sluice")
	build := exec.Command("go", "build", "-o", path, "./cmd/sluice")
	build.Dir = "../../.." // the main module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	return path
}

// newServer starts a server on an empty directory.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{binary: buildServer(t), dir: filepath.Join(t.TempDir(), "data"), log: &tail{}}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log)
		}
	})
	s.start(t)
	s.waitReady(t)
	return s
}

// start starts the process and does not wait for it.
func (s *server) start(t *testing.T) {
	t.Helper()
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	os.Remove(s.addressFile()) // of the previous run
	cmd := exec.Command(s.binary, "server", "--data-dir", s.dir, "--kafka", addr, "--rest", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--log-level", "warn")
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

func (s *server) addressFile() string { return filepath.Join(s.dir, "addresses.json") }

// waitReady waits until the server says where it listens.
func (s *server) waitReady(t *testing.T) time.Duration {
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
			Kafka string
			PID   int
		}
		text, err := os.ReadFile(s.addressFile())
		if err == nil && json.Unmarshal(text, &a) == nil && a.PID == s.cmd.Process.Pid {
			s.addr = a.Kafka
			return time.Since(begin)
		}
		if time.Since(begin) > patience {
			t.Fatalf("the server is not ready after %v\n%s", patience, s.log)
		}
	}
}

// kill ends the process as kill -9 does, and waits for its end.
func (s *server) kill() {
	s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.ended
}

// stop ends the server with SIGTERM and wants an orderly end.
func (s *server) stop() error {
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
