package schemaregistry_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

func name(s string) schemaregistry.Name { return schemaregistry.ParseName(s) }

func register(t testing.TB, r *schemaregistry.Registry, subject, text string) schemaregistry.Version {
	t.Helper()
	v, err := r.Register(t.Context(), name(subject), schemaregistry.Input{Text: text}, schemaregistry.RegisterOptions{ID: -1})
	if err != nil {
		t.Fatalf("register %s: %v", subject, err)
	}
	return v
}

func record(fields string) string {
	return `{"type":"record","name":"R","fields":[` + fields + `]}`
}

// What was registered is there after a restart, with the same ids and versions.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	opts, stopLog := registrytest.Cluster(t, vfs.OS, dir)
	r, stop := registrytest.Start(t, opts)
	a := register(t, r, "a", `"string"`)
	same := register(t, r, "b", `{"type": "string"}`)
	next := register(t, r, ":.other:a", `"int"`)
	if a.ID != 1 || a.Number != 1 || same.ID != 1 || next.ID != 1 || next.Name.Context != ".other" {
		t.Fatalf("registered %+v, %+v, %+v", a, same, next)
	}
	stop()
	stopLog()
	opts, _ = registrytest.Cluster(t, vfs.OS, dir)
	r, _ = registrytest.Start(t, opts)
	got, err := r.Version(t.Context(), name("a"), -1, false)
	if err != nil || got.ID != 1 || got.Schema.String() != `"string"` || got.GUID != a.GUID {
		t.Errorf("after the restart: %+v, %v", got, err)
	}
	if v := register(t, r, "c", `"long"`); v.ID != 2 {
		t.Errorf("the next id is %d, want 2", v.ID)
	}
}

func code(err error) int {
	var e *schemaregistry.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// The level decides, and the reason names field, place and version.
func TestIncompatible(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	register(t, r, "s", record(`{"name":"a","type":"int"}`))
	_, err := r.Register(t.Context(), name("s"), schemaregistry.Input{Text: record(`{"name":"a","type":"int"},{"name":"b","type":"int"}`)},
		schemaregistry.RegisterOptions{ID: -1})
	want := `Schema being registered is incompatible with an earlier schema for subject "s", details: ` +
		`[{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the new schema has no default value and is missing in the old schema', additionalInfo:'b'}`
	if code(err) != schemaregistry.CodeIncompatible || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
		t.Errorf("got %v\nwant %s…", err, want)
	}
	none := schemaregistry.None
	if _, err := r.SetConfig(t.Context(), name("s"), func(c *schemaregistry.Config) { c.Level = &none }); err != nil {
		t.Fatal(err)
	}
	if v := register(t, r, "s", record(`{"name":"c","type":"int"}`)); v.Number != 2 {
		t.Errorf("version %d, want 2", v.Number)
	}
}

// A hard delete ends in nothing, and its id and number are not given again while anything can remember them.
func TestDelete(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, stop := registrytest.Start(t, opts)
	register(t, r, "s", `"int"`)
	v := register(t, r, "s", `"long"`)
	ctx := t.Context()
	if _, err := r.DeleteVersion(ctx, name("s"), 2, true); code(err) != schemaregistry.CodeVersionNotSoftDeleted {
		t.Errorf("hard delete of a live version: %v", err)
	}
	for _, permanent := range []bool{false, true} {
		if n, err := r.DeleteVersion(ctx, name("s"), 2, permanent); err != nil || n != 2 {
			t.Fatalf("delete: %d, %v", n, err)
		}
	}
	if _, _, err := r.ByID(ctx, name(""), v.ID); code(err) != schemaregistry.CodeSchemaNotFound {
		t.Errorf("by id: %v", err)
	}
	stop()
	r, _ = registrytest.Start(t, opts)
	if next := register(t, r, "t", `"float"`); next.ID != v.ID+1 {
		t.Errorf("id %d was given again after %d", next.ID, v.ID)
	}
	if numbers, err := r.DeleteSubject(ctx, name("s"), false); err != nil || fmt.Sprint(numbers) != "[1]" {
		t.Errorf("delete the subject: %v, %v", numbers, err)
	}
	if _, err := r.DeleteSubject(ctx, name("s"), false); code(err) != schemaregistry.CodeSubjectSoftDeleted {
		t.Errorf("delete it twice: %v", err)
	}
}

// Two registries on one topic take turns: no id is given twice.
func TestTwoRegistries(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	first, _ := registrytest.Start(t, opts)
	second, _ := registrytest.Start(t, opts)
	const each = 20
	var mu sync.Mutex
	ids := make(map[int]string)
	var wg sync.WaitGroup
	for i, r := range []*schemaregistry.Registry{first, second} {
		wg.Go(func() {
			for n := range each {
				text := record(fmt.Sprintf(`{"name":"f%d_%d","type":"int"}`, i, n))
				v, err := r.Register(t.Context(), name(fmt.Sprintf("s%d-%d", i, n)), schemaregistry.Input{Text: text}, schemaregistry.RegisterOptions{ID: -1})
				if err != nil {
					t.Errorf("register: %v", err)
					return
				}
				mu.Lock()
				if other := ids[v.ID]; other != "" {
					t.Errorf("id %d for %s and %s", v.ID, other, text)
				}
				ids[v.ID] = text
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(ids) != 2*each {
		t.Errorf("%d ids, want %d", len(ids), 2*each)
	}
}
