package schemaregistry_test

import (
	"context"
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

// What a version means changes with what it refers to, which an import can put another schema in the place of.
func TestReplacedReference(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	register(t, r, "e", `{"type":"enum","name":"E","symbols":["A"]}`)
	if _, err := r.Register(ctx, name("user"), schemaregistry.Input{Text: `{"type":"array","items":"E"}`, References: []schemaregistry.Reference{{Name: "E", Subject: "e", Version: 1}}},
		schemaregistry.RegisterOptions{ID: -1}); err != nil {
		t.Fatal(err)
	}
	next := schemaregistry.Input{Text: `{"type":"array","items":{"type":"enum","name":"E","symbols":["A"]}}`}
	if v, err := r.Compatible(ctx, name("user"), 0, next, false); err != nil || !v.Compatible {
		t.Fatalf("with the same symbols: %+v, %v", v, err)
	}
	if err := r.SetMode(ctx, name("e"), schemaregistry.Import, true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Register(ctx, name("e"), schemaregistry.Input{Text: `{"type":"enum","name":"E","symbols":["A","B"]}`}, schemaregistry.RegisterOptions{ID: 9, Version: 1}); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Compatible(ctx, name("user"), 0, next, false); err != nil || v.Compatible {
		t.Errorf("with a symbol less: %+v, %v", v, err)
	}
}

// A request cannot make the registry look for more references than a schema may have.
func TestManyReferences(t *testing.T) {
	r := newRegistry(t)
	register(t, r, "e", `"int"`)
	in := schemaregistry.Input{Text: `"string"`, References: make([]schemaregistry.Reference, 1001)}
	for i := range in.References {
		in.References[i] = schemaregistry.Reference{Name: "E", Subject: "e", Version: -1}
	}
	if _, err := r.Register(t.Context(), name("s"), in, schemaregistry.RegisterOptions{ID: -1}); code(err) != schemaregistry.CodeInvalidSchema {
		t.Errorf("1001 references by one name: %v", err)
	}
}

// Comparing with all versions ends with the request: others wait for their turn to write.
func TestCompareEndsWithRequest(t *testing.T) {
	r := newRegistry(t)
	register(t, r, "s", `"int"`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // a registry that is ready may not look at the context at first
		if v, err := r.Compatible(ctx, name("s"), 0, schemaregistry.Input{Text: `"long"`}, false); code(err) != schemaregistry.CodeTimeout {
			t.Fatalf("compared: %+v, %v", v, err)
		}
	}
}
