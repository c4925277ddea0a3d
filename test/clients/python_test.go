package clients

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/kafka_python.py
var pythonScript string

// kafka-python 2.0.2 is the oldest client in wide use: it speaks Metadata v0 and
// v1. The newest speaks the flexible versions.
func TestKafkaPython(t *testing.T) {
	for _, version := range []string{"2.0.2", "3.0.12"} {
		t.Run(version, func(t *testing.T) {
			python := pythonWith(t, "kafka-python=="+version)
			s := startServer(t)
			out := run(t, pythonScript, python, "-", s.addr)
			if got := strings.TrimSpace(out); !strings.HasSuffix(got, "all passed") {
				t.Errorf("printed:\n%s", got)
			}
		})
	}
}

// pythonWith returns the interpreter of a virtual environment that has the
// package. Environments are kept in the user's cache directory.
func pythonWith(t *testing.T, pkg string) string {
	t.Helper()
	base := python3(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "sluice-test", strings.ReplaceAll(pkg, "==", "-"))
	python := filepath.Join(dir, "bin", "python")
	if err := exec.Command(python, "-c", "import kafka").Run(); err == nil {
		return python
	}
	for _, args := range [][]string{
		{base, "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pkg},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\ninstall it with: apt-get install python3-venv python3-pip", strings.Join(args, " "), err, out)
		}
	}
	return python
}

// python3 prefers a release that kafka-python 2.0.2 still runs on: 3.12 took
// modules away that it needs.
func python3(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3.11", "python3.10", "python3.9", "python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import venv").Run() == nil {
			return path
		}
	}
	t.Fatal("python3 is not installed: apt-get install python3-venv python3-pip")
	return ""
}
