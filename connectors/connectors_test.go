package connectors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

// TestExamples gives every example to the plugin that its class names.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/configs/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file struct{ Config map[string]string }
			if err := json.Unmarshal(text, &file); err != nil {
				t.Fatal(err)
			}
			spec := find(t, file.Config["connector.class"])
			for name := range file.Config {
				if slices.Contains(frameworks, name) || strings.Contains(name, ".converter") || strings.HasPrefix(name, "transforms") {
					delete(file.Config, name)
				}
			}
			connecttest.Spec(t, spec, file.Config)
		})
	}
}

// frameworks are the options of examples that the worker reads.
var frameworks = []string{"connector.class", "tasks.max", "topics", "topics.regex"}

func find(t *testing.T, class string) connect.Spec {
	t.Helper()
	for _, s := range Plugins() {
		if s.Class == class || slices.Contains(s.Aliases, class) {
			return s
		}
	}
	t.Fatalf("no plugin has the class or alias %q", class)
	return connect.Spec{}
}

func TestClassesAndAliasesAreUnique(t *testing.T) {
	owner := map[string]string{}
	for _, s := range Plugins() {
		for _, name := range append([]string{s.Class}, s.Aliases...) {
			if other, taken := owner[name]; taken {
				t.Errorf("%s belongs to both %s and %s", name, other, s.Class)
			}
			owner[name] = s.Class
		}
	}
}
