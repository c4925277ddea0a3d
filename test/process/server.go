package process

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a start or an orderly stop may take.
const patience = 60 * time.Second

// Server is a server process that keeps its directory and the addresses of its Kafka
// listener and its schema registry when it is started again.
type Server struct {
	*Process
	// Dir is the data directory.
	Dir string
	// Addr is the address of the Kafka listener, the same after every start.
	Addr string
	// REST is the address of the REST API.
	REST string
	// Registry is the address of the schema registry, the same after every start.
	Registry string

	binary  string
	config  string // file of the worker properties
	listens bool   // they say where
	log     *Tail
}

// New starts a server on an empty directory, with these worker properties, and
// waits until it is ready. When they have listeners, Addr is the first of them;
// otherwise one plaintext listener keeps its port over restarts. The server ends
// with the test; when that has failed, its log is shown.
func New(t testing.TB, properties ...string) *Server {
	t.Helper()
	return NewIn(t, t.TempDir(), properties...)
}

// NewIn is New for a server whose files are to be in a folder: the data in "data".
func NewIn(t testing.TB, dir string, properties ...string) *Server {
	t.Helper()
	binary, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{binary: binary, Dir: filepath.Join(dir, "data"), config: filepath.Join(dir, "worker.properties"), log: &Tail{}}
	if err := os.WriteFile(s.config, []byte(strings.Join(properties, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.listens = slices.ContainsFunc(properties, func(p string) bool { return strings.HasPrefix(p, "listeners=") })
	t.Cleanup(func() {
		if s.Process != nil {
			s.Kill()
		}
		if t.Failed() {
			t.Logf("log of the server on %s:\n%s", s.Dir, s.log)
		}
	})
	s.Start(t)
	s.WaitReady(t)
	return s
}

// Start starts the process and does not wait for it.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := []string{"server", "--config", s.config, "--data-dir", s.Dir, "--rest", "127.0.0.1:0", "--registry", cmp.Or(s.Registry, "127.0.0.1:0"), "--log-level", "warn"}
	if !s.listens {
		args = append(args, "--kafka", cmp.Or(s.Addr, "127.0.0.1:0"))
	}
	p, err := Start(s.log, nil, s.binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	s.Process = p
}

// WaitReady waits until the server says where it listens, and returns how long
// that took.
func (s *Server) WaitReady(t testing.TB) time.Duration {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		a, err := s.Addresses(s.Dir)
		switch {
		case err == nil:
			s.Addr, s.REST, s.Registry = a.Kafka, a.REST, a.Registry
			return time.Since(begin)
		case errors.Is(err, ErrEnded):
			t.Fatalf("the server ended by itself, exit code %d\n%s", s.ExitCode(), s.log)
		case time.Since(begin) > patience:
			t.Fatalf("the server is not ready after %v: %v\n%s", patience, err, s.log)
		}
		<-tick.C
	}
}

// Stop ends the server with SIGTERM and wants an orderly end.
func (s *Server) Stop() error {
	s.Signal(syscall.SIGTERM)
	select {
	case <-s.Done():
	case <-time.After(patience):
		return fmt.Errorf("the server runs %v after SIGTERM", patience)
	}
	if code := s.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d after SIGTERM", code)
	}
	return nil
}
