package debezium

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

// binary is Sluice's, built once for the package.
var binary struct {
	sync.Once
	dir string
	err error
}

func buildBinary() (string, error) {
	binary.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "sluice"); binary.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", binary.dir, "../../../cmd/sluice").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("build sluice: %w\n%s", err, out)
		}
	})
	return filepath.Join(binary.dir, "sluice"), binary.err
}

func removeBinary() {
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
}

// startWorker runs the binary until the test ends.
func startWorker(t *testing.T) *Worker {
	t.Helper()
	path, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	properties := filepath.Join(dir, "worker.properties")
	if err := os.WriteFile(properties, []byte("auto.restart.enable=false\noffset.flush.interval.ms=200\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "server", "--config", properties, "--data-dir", filepath.Join(dir, "data"), "--rest", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--log-level", "warn")
	var log bytes.Buffer // read when the process has ended
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the server ended: %v\n%s", err, log.Bytes())
		}
	})
	w := &Worker{Quiet: 400 * time.Millisecond}
	err = until(t.Context(), func() error {
		text, err := os.ReadFile(filepath.Join(dir, "data", "addresses.json"))
		if err != nil {
			return err
		}
		var a struct{ REST, Kafka string }
		if err := json.Unmarshal(text, &a); err != nil {
			return err
		}
		w.REST, w.Kafka = "http://"+a.REST, a.Kafka
		return w.Ready(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
