package connectors

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
	"github.com/sluice-data/sluice/examples/configs"
)

// TestExamples gives every example to the plugin that its class names.
func TestExamples(t *testing.T) {
	for name, text := range map[string][]byte{"mqtt-source.json": configs.MQTTSource, "s3-sink.json": configs.S3Sink} {
		t.Run(name, func(t *testing.T) {
			var file struct{ Config map[string]string }
			if err := json.Unmarshal(text, &file); err != nil {
				t.Fatal(err)
			}
			spec := find(t, file.Config["connector.class"])
			for _, frameworks := range []string{"connector.class", "tasks.max", "topics"} {
				delete(file.Config, frameworks)
			}
			connecttest.Spec(t, spec, file.Config)
		})
	}
}

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
