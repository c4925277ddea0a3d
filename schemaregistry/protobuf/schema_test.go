package protobuf_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// What is no .proto file is refused with the place, when it is stored already too.
func TestParseRefused(t *testing.T) {
	for text, want := range map[string]string{
		`message M { int32 a; }`:                                 "there is no number of the field at line 1, column 13",
		`message M { map<string, int32> a; }`:                    "there is no number of the field",
		`message M { int32 a = 1 [deprecated]; }`:                "must have a value",
		`syntax = "proto4"; message M { }`:                       "syntax must be proto2 or proto3",
		`message M {`:                                            "syntax error",
		"syntax = \"proto3\";\nmessage M {\n  int32 a = = 1;\n}": "at line 3, column 13",
		`Cg==`: "neither a text nor a FileDescriptorProto",
	} {
		_, err := protobuf.Parse(text, protobuf.Options{Registered: true})
		var parse *protobuf.ParseError
		if !errors.As(err, &parse) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v", text, err)
		}
	}
	o := protobuf.Options{References: []protobuf.Reference{{Name: "n.proto", Text: `syntax = "proto3"; message`}}}
	if _, err := protobuf.Parse(`syntax = "proto3"; import "n.proto";`, o); err == nil || !strings.Contains(err.Error(), `of the referenced schema "n.proto"`) {
		t.Errorf("a reference that is none: %v", err)
	}
}

// Only a new schema has to be complete.
func TestParseIncomplete(t *testing.T) {
	const text = `syntax = "proto3"; import "gone.proto"; message M { Gone g = 1; }`
	if _, err := protobuf.Parse(text, protobuf.Options{}); err == nil || !strings.Contains(err.Error(), "gone.proto") {
		t.Errorf("new: %v", err)
	}
	s, err := protobuf.Parse(text, protobuf.Options{Registered: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Normalized(); err == nil {
		t.Error("it is normalized")
	}
	if _, err := s.Serialized(); err == nil {
		t.Error("it has a descriptor")
	}
}

// A map that is spelled out is a map to those who read data.
func TestMapEntries(t *testing.T) {
	s, err := protobuf.Parse(`syntax = "proto3"; message M { repeated M.TagsEntry tags = 1; message TagsEntry { option map_entry = true; string key = 1; int32 value = 2; } }`, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Descriptor()
	if err != nil || !d.Messages().Get(0).Fields().Get(0).IsMap() {
		t.Errorf("no map: %v", err)
	}
}

func TestMessageIndexes(t *testing.T) {
	s, err := protobuf.Parse(`syntax = "proto3"; package p.q; enum E { A = 0; } message M { message N { } message O { message P { } } } message R { }`, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for full, path := range map[string][]int{"p.q.M": {0}, "p.q.R": {1}, "p.q.M.O": {0, 1}, "p.q.M.O.P": {0, 1, 0}} {
		if got, ok := s.MessageIndexes(full); !ok || !slices.Equal(got, path) || s.MessageName(path) != full {
			t.Errorf("%s is at %v and %v is %s", full, got, path, s.MessageName(path))
		}
	}
	for _, full := range []string{"M", "p.q.E", "p.q", "p.q.M.X", ""} {
		if got, ok := s.MessageIndexes(full); ok {
			t.Errorf("%s is at %v", full, got)
		}
	}
	if name := s.MessageName([]int{2}); name != "" || s.MessageName(nil) != "p.q.M" || s.Name() != "p.q.M" {
		t.Errorf("names %q %q %q", name, s.MessageName(nil), s.Name())
	}
}

// A file that does nothing but to import one has that one's types.
func TestImportedFor(t *testing.T) {
	leaf := protobuf.Reference{Name: "leaf.proto", Text: `syntax = "proto3"; package com; message A { int32 id = 1; } message B { }`}
	s, err := protobuf.Parse(`syntax = "proto3"; import public "leaf.proto";`, protobuf.Options{References: []protobuf.Reference{leaf}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name() != "com.A" || s.MessageName([]int{1}) != "com.B" || !s.HasField("id") || s.HasField("other") {
		t.Errorf("%q %q", s.Name(), s.MessageName([]int{1}))
	}
}
