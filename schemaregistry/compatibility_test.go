package schemaregistry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// TestLevels compares a schema with the versions of a subject at a level.
func TestLevels(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	// Each version adds a type to the union, the second one drops one.
	v1, v2, v3 := `["null","int","string"]`, `["null","int"]`, `["null","int","boolean"]`
	for i, test := range []struct {
		level   schemaregistry.Compatibility
		schema  string
		earlier []string
		version int // that it is incompatible with, 0 for none
	}{
		{schemaregistry.None, `"string"`, []string{`"int"`}, 0},
		{schemaregistry.Backward, `"long"`, []string{`"int"`}, 0},
		{schemaregistry.Backward, `"int"`, []string{`"long"`}, 1},
		{schemaregistry.Forward, `"long"`, []string{`"int"`}, 1},
		{schemaregistry.Forward, `"int"`, []string{`"long"`}, 0},
		{schemaregistry.Full, `"int"`, []string{`"long"`}, 1},
		{schemaregistry.Full, `"long"`, []string{`"int"`}, 1},
		{schemaregistry.Full, `"int"`, []string{`"int"`}, 0},
		{schemaregistry.Full, `"int"`, nil, 0},
		{schemaregistry.Backward, v3, []string{v1, v2}, 0},
		{schemaregistry.BackwardTransitive, v3, []string{v1, v2}, 1},
		{schemaregistry.ForwardTransitive, v2, []string{v1, v3}, 0},
		{schemaregistry.ForwardTransitive, v3, []string{v1, v2, v3}, 2},
		{schemaregistry.FullTransitive, v2, []string{v1, v2}, 1},
		{schemaregistry.BackwardTransitive, `"string"`, []string{`"int"`, `"long"`}, 2},
	} {
		n := name("s" + strings.Repeat("x", i))
		setLevel(t, r, n, schemaregistry.None)
		for _, text := range test.earlier {
			register(t, r, n.String(), text)
		}
		setLevel(t, r, n, test.level)
		v, err := r.Compatible(t.Context(), n, 0, schemaregistry.Input{Text: test.schema}, false)
		if err != nil || v.Version != test.version || v.Compatible != (test.version == 0) {
			t.Errorf("%s %s after %v: %+v, %v; want version %d", test.level, test.schema, test.earlier, v, err, test.version)
		}
	}
}

func setLevel(t *testing.T, r *schemaregistry.Registry, n schemaregistry.Name, level schemaregistry.Compatibility) {
	t.Helper()
	if _, err := r.SetConfig(t.Context(), n, func(c *schemaregistry.Config) { c.Level = &level }); err != nil {
		t.Fatal(err)
	}
}

// TestOldSchema wants the schema that is shown to end where Confluent's registry ends it, in units of UTF-16.
func TestOldSchema(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	const head = `{"type":"int","x":"`
	long := head + strings.Repeat("ä", 20_000) + `"}`
	register(t, r, "s", long)
	v, err := r.Compatible(t.Context(), name("s"), 0, schemaregistry.Input{Text: `"string"`}, false)
	want := "{oldSchema: <truncated> '" + head + strings.Repeat("ä", 10*1024-len(head)) + "...'}"
	if err != nil || !slices.Contains(v.Messages, want) {
		t.Errorf("%.2000q, %v", v.Messages, err)
	}
}
