package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestFilesThatAreNone names a pipe, whose other end never comes, a device, which never ends,
// and others where options name files.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	pipe, large := filepath.Join(dir, "pipe"), filepath.Join(dir, "large")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, make([]byte, maxSignalFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "not a regular file", "/dev/zero": "not a regular file", dir: "not a regular file", large: "more than 1048576 bytes"} {
		inTime(t, path, func() {
			f := &signalFile{path: path}
			if err := f.look(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("signals of %s: got %v, want %s", path, err, want)
			}
			var wrong *connect.ConfigError
			if _, err := readFile(optSSLKey, path); !errors.As(err, &wrong) || wrong.Option != optSSLKey {
				t.Errorf("a key of %s: got %v", path, err)
			}
		})
	}
}

// inTime fails the test when f does not end.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: no end after %s", what, patience)
	}
}
