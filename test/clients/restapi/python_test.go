package restapi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythonClients runs what users of two Python packages do with them.
func TestPythonClients(t *testing.T) {
	for script, pkg := range map[string]string{"use_kafka_connect_py.py": "kafka-connect-py==1.0.0", "use_kafka_connect_api.py": "kafka-connect-api==0.5.10"} {
		t.Run(pkg, func(t *testing.T) {
			python := pythonWith(t, pkg)
			s := startServer(t)
			out := run(t, python, filepath.Join("testdata", script), s.url, s.in)
			if got := strings.TrimSpace(out); !strings.HasSuffix(got, "all passed") {
				t.Errorf("printed:\n%s", got)
			}
		})
	}
}

// pythonWith returns the interpreter of a virtual environment that has a package.
// Environments are kept in the user's cache directory.
func pythonWith(t *testing.T, pkg string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "sluice-test", strings.ReplaceAll(pkg, "==", "-"))
	python := filepath.Join(dir, "bin", "python")
	name, version, _ := strings.Cut(pkg, "==")
	check := "from importlib.metadata import version; assert version('" + name + "') == '" + version + "'; import requests"
	if exec.Command(python, "-c", check).Run() == nil {
		return python
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pkg},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\ninstall it with: apt-get install python3-venv python3-pip", strings.Join(args, " "), err, out)
		}
	}
	return python
}
