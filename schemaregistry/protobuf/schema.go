package protobuf

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Reference is the text of a schema that another imports by a name.
type Reference struct{ Name, Text string }

// Options are how Parse reads a text.
type Options struct {
	// References are all schemas that the text imports, direct or through others, each before those that use it.
	References []Reference
	// Registered reads a schema that is stored already: it may use names that nobody defines.
	Registered bool
	Limits     Limits
}

// A Schema is a parsed .proto file. It is immutable.
type Schema struct {
	file      *file
	root      *source
	sources   []*source // the references
	canonical string

	table       func() *table
	descriptor  func() (protoreflect.FileDescriptor, error)
	hasImported *file // the one file whose types stand in for those of a file that only imports it
}

// Parse reads the text of a .proto file, or a FileDescriptorProto in base64.
//
// Errors are *ParseError and *LimitError.
func Parse(text string, o Options) (*Schema, error) {
	o.Limits = o.Limits.withDefaults()
	left := o.Limits.Bytes - len(text)
	for _, r := range o.References {
		left -= len(r.Text)
	}
	if left < 0 {
		return nil, &LimitError{Limit: LimitBytes, Max: o.Limits.Bytes}
	}
	root, err := parseSource("", text, o.Limits)
	if err != nil {
		return nil, err
	}
	s := &Schema{file: root.file, root: root, canonical: root.file.text()}
	root.text = s.canonical
	for _, r := range o.References {
		src, err := parseSource(r.Name, r.Text, o.Limits)
		if err != nil {
			return nil, inReference(err, r.Name)
		}
		s.sources = append(s.sources, src)
	}
	s.hasImported = s.importedFor()
	s.table = sync.OnceValue(s.newTable)
	s.descriptor = sync.OnceValues(s.link)
	if !o.Registered {
		if _, err := s.descriptor(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parseSource reads a text within limits.
func parseSource(name, text string, l Limits) (*source, error) {
	if err := checkDepth(text, l.Depth); err != nil {
		return nil, err
	}
	src := &source{name: name, text: text, link: text}
	f, err := parseFile(text)
	if wrapped, ok := wrapLists(text); err != nil && ok {
		if f, err = parseFile(wrapped); err == nil {
			src.link = f.write(&writer{strict: true})
		}
	}
	if raw, ok := decodeBase64(text); err != nil && ok {
		if f, err = parseDescriptor(raw, l); err == nil {
			src.link = f.text()
		}
	}
	if err != nil {
		return nil, err
	}
	src.file = f
	src.importMeta()
	return src, f.check(l)
}

// importMeta lets a file use Confluent's own options without an import, as Confluent's registry does.
func (s *source) importMeta() {
	used := strings.Contains(s.link, "(confluent.") || strings.Contains(s.link, "(.confluent.")
	if used && !slices.Contains(s.file.imports, metaFile) && s.file.pkg != "confluent" {
		with := *s.file
		with.imports = append(slices.Clip(with.imports), metaFile)
		s.link = with.write(&writer{strict: true})
	}
}

// decodeBase64 tells whether a text can be the base64 of a descriptor: a text of the language has spaces.
func decodeBase64(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	raw, err := base64.StdEncoding.DecodeString(text)
	return raw, err == nil && text != ""
}

func (s *Schema) newTable() *table {
	t := newTable(known().table)
	for _, src := range s.sources {
		t.add(src)
	}
	t.add(s.root)
	return t
}

// Canonical is the text that Confluent's registry stores: comments and white space are gone, kinds of statements stand in a fixed order.
func (s *Schema) Canonical() string { return s.canonical }

// WithoutExtensions is Canonical without extensions, and without options that are extensions but for Confluent's own.
func (s *Schema) WithoutExtensions() string { return s.file.write(&writer{standard: true}) }

// importedFor is the file that stands in for one that has nothing but one public import, nil for others.
func (s *Schema) importedFor() *file {
	f := s.file
	if len(f.messages)+len(f.enums)+len(f.imports)+len(f.services)+len(f.extends) > 0 || len(f.publicImports) != 1 {
		return nil
	}
	imported := known().files[f.publicImports[0]]
	for _, src := range s.sources {
		if src.name == f.publicImports[0] {
			imported = src.file
		}
	}
	if imported == nil || len(imported.messages)+len(imported.enums) == 0 {
		return nil
	}
	return imported
}

// effective is the file whose types are the schema's.
func (s *Schema) effective() *file {
	if s.hasImported != nil {
		return s.hasImported
	}
	return s.file
}

// HasField tells whether a message at the top has a field of that name outside oneofs.
func (s *Schema) HasField(name string) bool {
	return slices.ContainsFunc(s.effective().messages, func(m *message) bool {
		return slices.ContainsFunc(m.fields, func(f *field) bool { return f.name == name })
	})
}

// Name is the full name of the first message, else of the first enum, "" when there is neither.
func (s *Schema) Name() string {
	f := s.effective()
	switch {
	case len(f.messages) > 0:
		return join(f.pkg, f.messages[0].name)
	case len(f.enums) > 0:
		return join(f.pkg, f.enums[0].name)
	}
	return ""
}

// MessageName is the full name of the message that a path of indexes leads to: that of a message at the top, then of one in it, and so
// on, counted as they are written. An empty path is the first message. It is "" for a path that leads nowhere.
func (s *Schema) MessageName(indexes []int) string {
	if len(indexes) == 0 {
		indexes = []int{0}
	}
	f := s.effective()
	name, messages := f.pkg, f.messages
	for _, i := range indexes {
		if i < 0 || i >= len(messages) {
			return ""
		}
		name, messages = join(name, messages[i].name), messages[i].messages
	}
	return name
}

// MessageIndexes is the path of a message by its full name; ok is false when there is none.
func (s *Schema) MessageIndexes(full string) (indexes []int, ok bool) {
	f := s.effective()
	local, ok := strings.CutPrefix(full, join(f.pkg, ""))
	if !ok && f.pkg != "" {
		return nil, false
	}
	messages := f.messages
	for part := range strings.SplitSeq(local, ".") {
		i := slices.IndexFunc(messages, func(m *message) bool { return m.name == part })
		if i < 0 {
			return nil, false
		}
		indexes, messages = append(indexes, i), messages[i].messages
	}
	return indexes, true
}

// Descriptor is the schema with all names resolved.
//
// Errors: *ParseError, when the schema uses what nobody defines.
func (s *Schema) Descriptor() (protoreflect.FileDescriptor, error) { return s.descriptor() }

// Serialized is the FileDescriptorProto of the schema in base64.
//
// Errors: *ParseError, when the schema uses what nobody defines.
func (s *Schema) Serialized() (string, error) {
	d, err := s.descriptor()
	if err != nil {
		return "", err
	}
	described := protodesc.ToFileDescriptorProto(d)
	if hasMapEntries(s.file.messages) {
		markEntries(described.MessageType, s.file.messages)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(described)
	return base64.StdEncoding.EncodeToString(raw), err
}
