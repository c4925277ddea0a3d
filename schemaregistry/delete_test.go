package schemaregistry_test

import (
	"fmt"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

func newRegistry(t *testing.T) *schemaregistry.Registry {
	t.Helper()
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	return r
}

// hardDelete takes a version away.
func hardDelete(t *testing.T, r *schemaregistry.Registry, subject string, number int) {
	t.Helper()
	for _, permanent := range []bool{false, true} {
		if _, err := r.DeleteVersion(t.Context(), name(subject), number, permanent); err != nil {
			t.Fatalf("delete version %d of %s: %v", number, subject, err)
		}
	}
}

func level(t *testing.T, r *schemaregistry.Registry, subject string, l schemaregistry.Compatibility) {
	t.Helper()
	if _, err := r.SetConfig(t.Context(), name(subject), func(c *schemaregistry.Config) { c.Level = &l }); err != nil {
		t.Fatal(err)
	}
}

// A schema that comes again after its last version is gone gets a new id, and nothing is found under the old one.
func TestHardDeletedContent(t *testing.T) {
	r := newRegistry(t)
	gone := register(t, r, "s", `"int"`)
	other := register(t, r, ":.other:s", `"int"`)
	hardDelete(t, r, "s", 1)
	if _, ids, err := r.ByGUID(t.Context(), gone.GUID); err != nil || fmt.Sprint(ids) != "map[.other:1]" {
		t.Errorf("while another context has it: %v, %v", ids, err)
	}
	hardDelete(t, r, other.Name.String(), 1)
	if _, ids, err := r.ByGUID(t.Context(), gone.GUID); code(err) != schemaregistry.CodeSchemaNotFound {
		t.Errorf("a GUID that nobody has any more: %v, %v", ids, err)
	}
	if v := register(t, r, "t", `"int"`); v.ID != gone.ID+1 {
		t.Errorf("id %d, want %d", v.ID, gone.ID+1)
	}
}

// Settings of a subject go with its last version and not before.
func TestSettingsGoWithTheLastVersion(t *testing.T) {
	r := newRegistry(t)
	register(t, r, "s", `"int"`)
	register(t, r, "s", `"long"`)
	level(t, r, "s", schemaregistry.Full)
	if err := r.SetMode(t.Context(), name("s"), schemaregistry.ReadWrite, false); err != nil {
		t.Fatal(err)
	}
	hardDelete(t, r, "s", 1)
	if _, err := r.Config(t.Context(), name("s"), false); err != nil {
		t.Errorf("the config, with a version left: %v", err)
	}
	if _, err := r.Mode(t.Context(), name("s"), false); err != nil {
		t.Errorf("the mode, with a version left: %v", err)
	}
	hardDelete(t, r, "s", 2)
	if _, err := r.Config(t.Context(), name("s"), false); code(err) != schemaregistry.CodeNoSubjectConfig {
		t.Errorf("the config, without a version: %v", err)
	}
	if _, err := r.Mode(t.Context(), name("s"), false); code(err) != schemaregistry.CodeNoSubjectMode {
		t.Errorf("the mode, without a version: %v", err)
	}
}

// referring registers an enum and a record that refers to it, in subjects that are named as they are.
func referring(t *testing.T, r *schemaregistry.Registry, enum, record, reference string) {
	t.Helper()
	register(t, r, enum, `{"type":"enum","name":"E","symbols":["A"]}`)
	in := schemaregistry.Input{Text: `{"type":"record","name":"R","fields":[{"name":"e","type":"E"}]}`, References: []schemaregistry.Reference{{Name: "E", Subject: reference, Version: 1}}}
	if _, err := r.Register(t.Context(), name(record), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
		t.Fatal(err)
	}
}

// A subject is deleted as a whole although its versions refer to each other.
func TestDeleteSubjectThatRefersToItself(t *testing.T) {
	r := newRegistry(t)
	level(t, r, "s", schemaregistry.None)
	referring(t, r, "s", "s", "s")
	for _, permanent := range []bool{false, true} {
		if numbers, err := r.DeleteSubject(t.Context(), name("s"), permanent); err != nil || fmt.Sprint(numbers) != "[1 2]" {
			t.Errorf("permanent %t: %v, %v", permanent, numbers, err)
		}
	}
}

// A reference that names no context is one to a subject of its own context.
func TestDeleteReferredToInContext(t *testing.T) {
	r := newRegistry(t)
	referring(t, r, ":.c:e", ":.c:user", "e")
	if _, err := r.DeleteVersion(t.Context(), name(":.c:e"), 1, false); code(err) != schemaregistry.CodeReferenceExists {
		t.Errorf("got %v", err)
	}
}

// A soft deleted version that comes again stays beside its twin while another refers to it.
func TestTwinThatIsReferredTo(t *testing.T) {
	r := newRegistry(t)
	referring(t, r, "e", "user", "e")
	for _, subject := range []string{"user", "e"} {
		if _, err := r.DeleteVersion(t.Context(), name(subject), 1, false); err != nil {
			t.Fatal(err)
		}
	}
	if v := register(t, r, "e", `{"type":"enum","name":"E","symbols":["A"]}`); v.Number != 2 || v.ID != 1 {
		t.Errorf("version %d with id %d, want 2 with 1", v.Number, v.ID)
	}
	if _, err := r.Version(t.Context(), name("e"), 1, true); err != nil {
		t.Errorf("the version that is referred to: %v", err)
	}
}

// The latest version is one that is not deleted: what goes for good has to be named.
func TestHardDeleteLatest(t *testing.T) {
	r := newRegistry(t)
	register(t, r, "s", `"int"`)
	register(t, r, "s", `"long"`)
	if _, err := r.DeleteSubject(t.Context(), name("s"), false); err != nil {
		t.Fatal(err)
	}
	if number, err := r.DeleteVersion(t.Context(), name("s"), -1, true); code(err) != schemaregistry.CodeVersionNotFound {
		t.Errorf("version %d, %v", number, err)
	}
}
