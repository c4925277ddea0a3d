package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/schemaregistry"
)

// typeOf tells what a schema in a file is: by --type, by the end of the file's name, and JSON Schema by its $schema.
func (c *schemaCall) typeOf(path, text string) string {
	var named struct {
		Schema *string `json:"$schema"`
	}
	switch {
	case c.schemaType != "":
		return strings.ToUpper(c.schemaType)
	case filepath.Ext(path) == ".proto":
		return schemaregistry.Protobuf
	case json.Unmarshal([]byte(text), &named) == nil && named.Schema != nil:
		return schemaregistry.JSON
	}
	return schemaregistry.Avro
}

// provider returns what knows a type of schemas.
func provider(name string) (schemaregistry.Provider, error) {
	all := schemaregistry.Providers()
	i := slices.IndexFunc(all, func(p schemaregistry.Provider) bool { return p.Type() == name })
	if i < 0 {
		return nil, usageError{fmt.Errorf("--type %s: there are AVRO, JSON and PROTOBUF", name)}
	}
	return all[i], nil
}

// fromFile reads the schema of a file for a request.
func (c *schemaCall) fromFile(path string) (s sr.Schema, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read schema: %w", err)
	}
	s.Schema = string(text)
	for _, text := range c.references {
		name, target, _ := strings.Cut(text, "=")
		i := strings.LastIndex(target, ":")
		version, err := strconv.Atoi(target[i+1:])
		if i < 1 || err != nil {
			return s, usageError{fmt.Errorf("--reference %s: want NAME=SUBJECT:VERSION", text)}
		}
		s.References = append(s.References, sr.SchemaReference{Name: name, Subject: target[:i], Version: version})
	}
	return s, s.Type.UnmarshalText([]byte(c.typeOf(path, s.Schema)))
}

// parseFile reads the schema of a file, and the files that it refers to.
func (c *schemaCall) parseFile(path string, isNew bool) (schemaregistry.Provider, schemaregistry.Schema, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read schema: %w", err)
	}
	p, err := provider(c.typeOf(path, string(text)))
	if err != nil {
		return nil, nil, err
	}
	var references []schemaregistry.Referenced
	for _, ref := range c.references {
		name, file, _ := strings.Cut(ref, "=")
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("--reference %s: %w; want NAME=FILE", ref, err)
		}
		references = append(references, schemaregistry.Referenced{Name: name, Text: string(content)})
	}
	s, err := p.Parse(string(text), references, isNew)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, s, nil
}

// parseFiles reads schemas that are to be compared; the first is the new one.
func (c *schemaCall) parseFiles(paths ...string) (schemaregistry.Provider, []schemaregistry.Schema, error) {
	var of schemaregistry.Provider
	var parsed []schemaregistry.Schema
	for i, path := range paths {
		p, s, err := c.parseFile(path, i == 0)
		switch {
		case err != nil:
			return nil, nil, err
		case of != nil && of.Type() != p.Type():
			return nil, nil, fmt.Errorf("%s is %s and %s is %s; --type says what all are", paths[0], of.Type(), path, p.Type())
		}
		of, parsed = p, append(parsed, s)
	}
	return of, parsed, nil
}

var errTypes = errors.New("the versions are schemas of different types, which cannot be compared")

// fetch reads a version of a subject, with what it refers to.
func (c *schemaCall) fetch(subject, number string) (schemaregistry.Provider, schemaregistry.Schema, error) {
	n, err := versionNumber(number)
	if err != nil {
		return nil, nil, err
	}
	v, err := c.client.SchemaByVersion(c.params(), subject, n)
	if err != nil {
		return nil, nil, err
	}
	p, err := provider(v.Type.String())
	if err != nil {
		return nil, nil, err
	}
	var references []schemaregistry.Referenced
	if err := c.fetchReferences(v.References, &references, make(map[string]bool)); err != nil {
		return nil, nil, err
	}
	s, err := p.Parse(v.Schema.Schema, references, false)
	return p, s, err
}

func versionNumber(text string) (int, error) {
	if text == "latest" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, usageError{fmt.Errorf("%q is no version: want a number or latest", text)}
	}
	return n, nil
}

// fetchReferences reads what is referred to, each schema before those that use it.
func (c *schemaCall) fetchReferences(refs []sr.SchemaReference, found *[]schemaregistry.Referenced, seen map[string]bool) error {
	for _, ref := range refs {
		if seen[ref.Name] {
			continue
		}
		seen[ref.Name] = true
		v, err := c.client.SchemaByVersion(c.ctx, ref.Subject, ref.Version)
		if err != nil {
			return fmt.Errorf("version %d of subject %s: %w", ref.Version, ref.Subject, err)
		}
		if err := c.fetchReferences(v.References, found, seen); err != nil {
			return err
		}
		*found = append(*found, schemaregistry.Referenced{Name: ref.Name, Text: v.Schema.Schema})
	}
	return nil
}
