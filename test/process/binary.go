package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// envBinary names a server to use instead of building one.
const envBinary = "SLUICE_KILL_BINARY"

// built is the binary of this test process.
var built struct {
	sync.Once
	dir string
	err error
}

// Binary returns the path of the server's binary, which is built once. TestMain
// calls Clean.
func Binary() (string, error) {
	if path := os.Getenv(envBinary); path != "" {
		return path, nil
	}
	built.Do(func() { built.err = build() })
	return filepath.Join(built.dir, "sluice"), built.err
}

// Clean removes what Binary has built.
func Clean() {
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // a temporary folder
	}
}

// build builds in the main module: others do not have its dependencies.
func build() error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sluice-data/sluice").Output()
	if err != nil {
		return fmt.Errorf("find the main module: %w", err)
	}
	dir := strings.TrimSpace(string(root))
	if err := noteSources(dir); err != nil {
		return err
	}
	if built.dir, err = os.MkdirTemp("", "sluice-"); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", built.dir, "./cmd/sluice")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return nil
}

// noteSources has go test see that the test depends on the server, which another
// process builds: a kept result counts as old when a folder that the test has read
// has changed.
func noteSources(root string) error {
	return filepath.WalkDir(root, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != "." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		return err
	})
}
