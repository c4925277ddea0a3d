package connecttest

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// Spec checks what a plugin declares. The settings must be a config of it that
// is valid.
func Spec(t *testing.T, spec connect.Spec, settings map[string]string) {
	for _, c := range []struct {
		name string
		run  func(testing.TB, connect.Spec, map[string]string)
	}{
		{"describes itself", specDescribes},
		{"accepts its example", specAccepts},
		{"takes any text without a panic", specSurvives},
		{"names a required option that is missing", specNamesMissing},
		{"makes new connectors each time", specMakesNew},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, spec, settings) })
	}
}

func define(spec connect.Spec, settings map[string]string) *connect.Def {
	d := &connect.Def{}
	connect.DefineAll(spec.New(), d, settings)
	return d
}

func specDescribes(t testing.TB, spec connect.Spec, settings map[string]string) {
	if spec.Class == "" || spec.Version == "" || spec.Doc == "" {
		t.Errorf("class %q, version %q or doc %q is empty", spec.Class, spec.Version, spec.Doc)
	}
	for _, o := range define(spec, settings).Options() {
		if o.Doc == "" || o.Group == "" {
			t.Errorf("option %s needs a doc and a group", o.Name)
		}
		if o.Required && o.Default != "" {
			t.Errorf("option %s is required and has a default", o.Name)
		}
	}
}

func specAccepts(t testing.TB, spec connect.Spec, settings map[string]string) {
	if _, err := spec.Configure(settings); err != nil {
		t.Errorf("the valid settings are refused: %v", err)
	}
	for _, u := range define(spec, settings).Unknown(settings) {
		t.Errorf("setting %s of the valid settings is not known", u.Name)
	}
}

func specSurvives(t testing.TB, spec connect.Spec, settings map[string]string) {
	nasty := []string{"", " ", "-1", "0", "99999999999999999999", "nonsense", "a,b,,", "\x00\xff", "://", strings.Repeat("9", 1000)}
	for _, o := range define(spec, settings).Options() {
		for _, text := range nasty {
			changed := map[string]string{}
			for k, v := range settings {
				changed[k] = v
			}
			changed[o.Name] = text
			_, _ = spec.Configure(changed) // must not panic
		}
	}
}

func specNamesMissing(t testing.TB, spec connect.Spec, settings map[string]string) {
	for _, o := range define(spec, settings).Options() {
		if !o.Required {
			continue
		}
		without := map[string]string{}
		for k, v := range settings {
			if k != o.Name {
				without[k] = v
			}
		}
		if _, err := spec.Configure(without); err == nil || !strings.Contains(err.Error(), o.Name) {
			t.Errorf("without %s: got error %v, want one that names it", o.Name, err)
		}
	}
}

func specMakesNew(t testing.TB, spec connect.Spec, settings map[string]string) {
	cfg, err := spec.Configure(settings)
	if err != nil {
		t.Fatal(err)
	}
	switch cfg := cfg.(type) {
	case connect.SourceConfig:
		if cfg.Source() == cfg.Source() {
			t.Error("Source returned the same source twice")
		}
	case connect.SinkConfig:
		if cfg.Sink() == cfg.Sink() {
			t.Error("Sink returned the same sink twice")
		}
	default:
		t.Errorf("%T is neither a connect.SourceConfig nor a connect.SinkConfig", cfg)
	}
}
