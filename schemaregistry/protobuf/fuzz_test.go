package protobuf_test

import (
	"errors"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// fuzzLimits keep one input short.
var fuzzLimits = protobuf.Limits{Bytes: 1 << 14}

func seeds(f *testing.F) (texts []string) {
	f.Helper()
	for _, c := range textCases(f) {
		texts = append(texts, c["text"])
	}
	for _, c := range pairCases(f) {
		texts = append(texts, c.text["old"], c.text["new"])
	}
	return texts
}

// FuzzParse reads anything. What is a schema has a canonical text that is one too, and that is its own canonical text.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
		if s, err := protobuf.Parse(text, protobuf.Options{Registered: true}); err == nil {
			if serialized, err := s.Serialized(); err == nil {
				f.Add(serialized)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := protobuf.Parse(text, protobuf.Options{Registered: true, Limits: fuzzLimits})
		if err != nil {
			known(t, err)
			return
		}
		again, err := protobuf.Parse(s.Canonical(), protobuf.Options{Registered: true})
		if err != nil || again.Canonical() != s.Canonical() {
			t.Fatalf("the canonical text is read as %v\n%q\n%q", err, s.Canonical(), text)
		}
		_, linkErr := s.Descriptor()
		known(t, linkErr)
		if _, err := again.Descriptor(); err != nil && linkErr == nil {
			t.Errorf("the canonical text is no schema: %v\n%q\n%q", err, s.Canonical(), text)
		}
		normal, err := s.Normalized()
		if err != nil || linkErr != nil {
			return
		}
		n, err := protobuf.Parse(normal, protobuf.Options{})
		if err != nil {
			t.Fatalf("the normalized text is no schema: %v\n%q\n%q", err, normal, text)
		}
		if twice, err := n.Normalized(); err != nil || twice != normal {
			t.Errorf("normalized twice %v\n%q\n%q\n%q", err, twice, normal, text)
		}
	})
}

func known(t *testing.T, err error) {
	t.Helper()
	var parse *protobuf.ParseError
	var limit *protobuf.LimitError
	if err != nil && !errors.As(err, &parse) && !errors.As(err, &limit) {
		t.Errorf("%T: %v", err, err)
	}
}

// FuzzCompare compares anything with anything. A schema does not differ from itself.
func FuzzCompare(f *testing.F) {
	texts := seeds(f)
	for i, text := range texts {
		f.Add(text, texts[(i+1)%len(texts)])
	}
	f.Fuzz(func(t *testing.T, old, new string) {
		o := protobuf.Options{Registered: true, Limits: fuzzLimits}
		a, errA := protobuf.Parse(old, o)
		b, errB := protobuf.Parse(new, o)
		if errA != nil || errB != nil {
			return
		}
		if _, err := protobuf.Compare(a, b); err != nil {
			known(t, err)
		}
		if _, linkErr := a.Descriptor(); linkErr == nil {
			if found, err := protobuf.Compare(a, a); err != nil || len(found) > 0 {
				t.Errorf("a schema differs from itself: %v %v\n%q", found, err, old)
			}
		}
	})
}
