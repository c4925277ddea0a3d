package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/sluice-data/sluice/connectors"
)

// TestUpToDate wants docs/connectors.md to be what the definitions say.
func TestUpToDate(t *testing.T) {
	var got bytes.Buffer
	if err := write(&got, connectors.Plugins()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/connectors.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/connectors.md is not what the definitions say: run make docs")
	}
}

// TestTransformsUpToDate wants docs/transforms.md to be what the definitions say.
func TestTransformsUpToDate(t *testing.T) {
	var got bytes.Buffer
	if err := writeTransforms(&got); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/transforms.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/transforms.md is not what the definitions say: run make docs")
	}
}

// TestOptionsUpToDate wants docs/options.md to be what the definitions say.
func TestOptionsUpToDate(t *testing.T) {
	var got bytes.Buffer
	if err := writeOptions(&got); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/options.md is not what the definitions say: run make docs")
	}
}

// TestConvertersUpToDate wants docs/converters.md to be what the definitions say.
func TestConvertersUpToDate(t *testing.T) {
	var got bytes.Buffer
	if err := writeConverters(&got); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/converters.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/converters.md is not what the definitions say: run make docs")
	}
}
