package protobuf_test

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// textCases are those of testdata/text.txt: their forms by name.
func textCases(t testing.TB) map[string]map[string]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := make(map[string]map[string]string)
	for i, block := range strings.Split(string(raw), "\n\n= ") {
		if i == 0 {
			continue
		}
		name, body, _ := strings.Cut(block, "\n")
		cases[name] = make(map[string]string)
		for part := range strings.SplitSeq("\n"+body, "\n--- ") {
			if form, text, ok := strings.Cut(part, "\n"); ok {
				cases[name][form] = strings.TrimRight(text, "\n") + "\n"
			}
		}
	}
	return cases
}

func TestText(t *testing.T) {
	for name, c := range textCases(t) {
		t.Run(name, func(t *testing.T) {
			s, err := protobuf.Parse(c["text"], protobuf.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Canonical(); strings.TrimRight(got, "\n") != strings.TrimRight(c["canonical"], "\n") {
				t.Errorf("canonical\n%s\nwant\n%s", got, c["canonical"])
			}
			again, err := protobuf.Parse(s.Canonical(), protobuf.Options{})
			if err != nil || again.Canonical() != s.Canonical() {
				t.Errorf("read again: %v\n%s", err, again.Canonical())
			}
			sameDescriptor(t, s, again)
			if c["normalized"] == "" {
				return
			}
			got, err := s.Normalized()
			if err != nil || got != c["normalized"] {
				t.Errorf("normalized %v\n%s\nwant\n%s", err, got, c["normalized"])
			}
			normal, err := protobuf.Parse(got, protobuf.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if again, err := normal.Normalized(); err != nil || again != got {
				t.Errorf("normalized again %v\n%s\nwant\n%s", err, again, got)
			}
		})
	}
}

// sameDescriptor compares what two schemas mean, as far as the order of declarations is not part of it.
func sameDescriptor(t *testing.T, a, b *protobuf.Schema) {
	t.Helper()
	bytesOf := func(s *protobuf.Schema) string {
		text, err := s.Serialized()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	// The second is written in the order of the canonical text, which the first is not: so both by way of it.
	c, err := protobuf.Parse(a.Canonical(), protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bytesOf(c) != bytesOf(b) {
		t.Error("the canonical text means something else")
	}
}

// A descriptor, as clients send it, has the text that Confluent's registry makes of it: full names, maps spelled out, names in JSON.
func TestDescriptor(t *testing.T) {
	s, err := protobuf.Parse(`syntax = "proto3"; package p; import "confluent/meta.proto";
		option java_package = "x";
		message M { map<string, N> m = 1; optional int32 o = 2; repeated E e = 5 [packed = false]; oneof k { string a_b = 3; N n = 4; } }
		message N { option deprecated = true; bytes price = 1 [(confluent.field_meta) = {doc: "d", params: [{key: "scale", value: "2"}, {key: "a", value: "b"}]}]; reserved 5 to 6; reserved "x"; }
		enum E { A = 0; B = -1; }`, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Serialized()
	if err != nil {
		t.Fatal(err)
	}
	got, err := protobuf.Parse(text, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `syntax = "proto3";
package p;

import "confluent/meta.proto";

option java_package = "x";

message M {
  repeated .p.M.MEntry m = 1 [json_name = "m"];
  optional int32 o = 2 [json_name = "o"];
  repeated .p.E e = 5 [
    packed = false,
    json_name = "e"
  ];

  oneof k {
    string a_b = 3 [json_name = "aB"];
    .p.N n = 4 [json_name = "n"];
  }

  message MEntry {
    option map_entry = true;
  
    string key = 1 [json_name = "key"];
    .p.N value = 2 [json_name = "value"];
  }
}
message N {
  reserved 5 to 6;
  reserved "x";

  option deprecated = true;

  bytes price = 1 [
    (confluent.field_meta) = {
      doc: "d",
      params: [
        {
          key: "a",
          value: "b"
        },
        {
          value: "2",
          key: "scale"
        }
      ]
    },
    json_name = "price"
  ];
}
enum E {
  A = 0;
  B = -1;
}
`
	if got.Canonical() != want {
		t.Errorf("got\n%s\nwant\n%s", got.Canonical(), want)
	}
	// The descriptor of that text is the one that was sent.
	back, err := got.Serialized()
	if err != nil {
		t.Fatal(err)
	}
	if a, b := descriptor(t, text), descriptor(t, back); !proto.Equal(a, b) {
		t.Errorf("sent\n%v\ngot back\n%v", a, b)
	}
}

// Confluent's registry gives messages of maps names that protoc would not give.
func TestDescriptorNames(t *testing.T) {
	const text = `syntax = "proto3"; message M { repeated tagsEntry tags = 1; message N { } message tagsEntry { option map_entry = true; string key = 1; N value = 2; } map<string, N> more = 2; }`
	s, err := protobuf.Parse(text, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	serialized, err := s.Serialized()
	if err != nil {
		t.Fatal(err)
	}
	nested := descriptor(t, serialized).MessageType[0].NestedType
	for _, m := range nested {
		if want := m.GetName() != "N"; m.GetOptions().GetMapEntry() != want {
			t.Errorf("%s is an entry: %t", m.GetName(), !want)
		}
	}
	again, err := protobuf.Parse(serialized, protobuf.Options{})
	if err != nil || len(nested) != 3 {
		t.Errorf("%d nested messages, %v", len(nested), err)
	}
	normal, err := again.Normalized()
	if err != nil || !strings.Contains(normal, "map<string, .M.N> tags = 1") {
		t.Errorf("normalized %v\n%s", err, normal)
	}
}

func descriptor(t *testing.T, text string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	d := &descriptorpb.FileDescriptorProto{}
	if err == nil {
		err = proto.Unmarshal(raw, d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The known files mean the same as those that protoc comes with.
func TestKnownFiles(t *testing.T) {
	for _, name := range []string{"any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp", "type", "wrappers"} {
		s, err := protobuf.Parse(`syntax = "proto3"; import public "google/protobuf/`+name+`.proto";`, protobuf.Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		d, err := s.Descriptor()
		if err != nil {
			t.Fatal(name, err)
		}
		if imported := protodesc.ToFileDescriptorProto(d.Imports().Get(0)); len(imported.MessageType) == 0 || s.Name() == "" {
			t.Errorf("%s: %d messages, the first %q", name, len(imported.MessageType), s.Name())
		}
	}
}

func TestWithoutExtensions(t *testing.T) {
	s, err := protobuf.Parse(`syntax = "proto2"; import "google/protobuf/descriptor.proto"; import "confluent/meta.proto";
		extend google.protobuf.FieldOptions { optional int32 n = 50000; }
		message M { optional int32 a = 1 [(n) = 1, deprecated = true, (confluent.field_meta).doc = "d"]; extensions 5; message N { extensions 6; } }`, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `syntax = "proto2";

import "google/protobuf/descriptor.proto";
import "confluent/meta.proto";

message M {
  optional int32 a = 1 [
    deprecated = true,
    (confluent.field_meta).doc = "d"
  ];

  message N {}
}
`
	if got := s.WithoutExtensions(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
