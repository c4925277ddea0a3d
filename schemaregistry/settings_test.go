package schemaregistry_test

import (
	"testing"

	"github.com/sluice-data/sluice/schemaregistry"
)

// The nearest level counts: the subject's, its context's, that above all contexts.
func TestNearestLevel(t *testing.T) {
	r := newRegistry(t)
	levels := []struct {
		subject string
		level   schemaregistry.Compatibility
	}{{":.__GLOBAL:", schemaregistry.Full}, {":.c:", schemaregistry.Forward}, {":.c:s", schemaregistry.None}}
	for _, l := range levels {
		level(t, r, l.subject, l.level)
		if c, err := r.Config(t.Context(), name(":.c:s"), true); err != nil || *c.Level != l.level {
			t.Errorf("with the level of %s: %v, %v", l.subject, c.Level, err)
		}
	}
	register(t, r, ":.c:s", `"int"`)
	register(t, r, ":.c:s", `"string"`)
	register(t, r, ":.c:other", `"int"`)
	if _, err := r.Register(t.Context(), name(":.c:other"), schemaregistry.Input{Text: `"string"`}, schemaregistry.RegisterOptions{ID: -1}); code(err) != schemaregistry.CodeIncompatible {
		t.Errorf("by the context's level: %v", err)
	}
}

// A version that is deleted is no longer what new ones have to get along with.
func TestDeletedVersionsAreNotCompared(t *testing.T) {
	r := newRegistry(t)
	register(t, r, "s", `"int"`)
	level(t, r, "s", schemaregistry.None)
	register(t, r, "s", `"string"`)
	if _, err := r.DeleteVersion(t.Context(), name("s"), 2, false); err != nil {
		t.Fatal(err)
	}
	level(t, r, "s", schemaregistry.Backward)
	if v := register(t, r, "s", `"long"`); v.Number != 3 {
		t.Errorf("version %d, want 3", v.Number)
	}
}

// A registry that passes its writes on takes none itself.
func TestForwardingIsReadOnly(t *testing.T) {
	r := newRegistry(t)
	if err := r.SetMode(t.Context(), name(":.__GLOBAL:"), schemaregistry.Forwarding, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Register(t.Context(), name("s"), schemaregistry.Input{Text: `"int"`}, schemaregistry.RegisterOptions{ID: -1}); code(err) != schemaregistry.CodeNotPermitted {
		t.Errorf("got %v", err)
	}
}

// The modes of a context's subjects are taken away with its own.
func TestDeleteModesOfSubjects(t *testing.T) {
	r := newRegistry(t)
	register(t, r, ":.c:s", `"int"`)
	for _, n := range []string{":.c:", ":.c:s"} {
		if err := r.SetMode(t.Context(), name(n), schemaregistry.ReadOnly, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, recursive := range []bool{false, true} {
		if _, err := r.DeleteMode(t.Context(), name(":.c:"), recursive); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Mode(t.Context(), name(":.c:s"), false); (code(err) == schemaregistry.CodeNoSubjectMode) != recursive {
			t.Errorf("recursive %t: the subject's mode: %v", recursive, err)
		}
	}
}

// An import brings back what is deleted, and a content that has several ids has the lowest for new subjects.
func TestImport(t *testing.T) {
	r := newRegistry(t)
	register(t, r, "s", `"int"`)
	if _, err := r.DeleteVersion(t.Context(), name("s"), 1, false); err != nil {
		t.Fatal(err)
	}
	put := func(subject string, id, version int) {
		t.Helper()
		if err := r.SetMode(t.Context(), name(subject), schemaregistry.Import, true); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Register(t.Context(), name(subject), schemaregistry.Input{Text: `"int"`}, schemaregistry.RegisterOptions{ID: id, Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	put("s", 1, 1)
	if v, err := r.Version(t.Context(), name("s"), 1, false); err != nil || v.ID != 1 {
		t.Errorf("what was imported: %+v, %v", v, err)
	}
	put("t", 7, 4)
	if v := register(t, r, "u", `"int"`); v.ID != 1 || v.Number != 1 {
		t.Errorf("id %d, want 1", v.ID)
	}
}
