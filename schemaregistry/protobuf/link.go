package protobuf

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// rootName is the name of a schema among those that it imports. Confluent's registry gives it to descriptors.
const rootName = "default"

// parseText reads a text into a syntax tree.
func parseText(text string) (tree *ast.FileNode, err error) {
	defer contain(&err)
	tree, err = parser.Parse(rootName, strings.NewReader(text), reporter.NewHandler(nil))
	return tree, located(err)
}

// parseFile reads a text.
func parseFile(text string) (*file, error) {
	tree, err := parseText(text)
	if err != nil {
		return nil, err
	}
	return fromAST(tree)
}

// contain makes an error of a panic of the parser, whose input is from outside (I5).
func contain(err *error) {
	if p := recover(); p != nil {
		*err = &ParseError{Reason: fmt.Sprintf("it cannot be read (%v)", p)}
	}
}

// located takes the place out of an error of the compiler.
func located(err error) error {
	var at reporter.ErrorWithPos
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &at):
		return &ParseError{Reason: err.Error()}
	}
	e := &ParseError{Line: at.GetPosition().Line, Column: at.GetPosition().Col, Reason: at.Unwrap().Error()}
	if name := at.GetPosition().Filename; name != rootName {
		e.Reference = name
	}
	return e
}

func inReference(err error, name string) error {
	var e *ParseError
	if errors.As(err, &e) {
		e.Reference = name
	}
	return err
}

// link resolves all names of a schema.
func (s *Schema) link() (protoreflect.FileDescriptor, error) {
	texts := make(map[string]string)
	for _, src := range s.sources {
		texts[src.name] = src.link
	}
	texts[rootName] = s.root.link
	resolver := protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		if text, ok := texts[path]; ok {
			return searchResult(path, text)
		}
		if d := known().descriptors[path]; d != nil {
			return protocompile.SearchResult{Desc: d}, nil
		}
		return protocompile.SearchResult{}, fmt.Errorf("it imports %q, and no reference has this name", path)
	})
	// Warnings, such as of imports that nothing uses, are nobody's here.
	c := protocompile.Compiler{Resolver: resolver, MaxParallelism: 1, Reporter: reporter.NewReporter(nil, func(reporter.ErrorWithPos) {})}
	files, err := c.Compile(context.Background(), rootName)
	if err != nil {
		return nil, located(withoutStack(err))
	}
	return files[0], nil
}

// withoutStack keeps the stack of a compiler that has panicked out of answers.
func withoutStack(err error) error {
	var p protocompile.PanicError
	if errors.As(err, &p) {
		return fmt.Errorf("%s cannot be read (%v)", p.File, p.Value)
	}
	return err
}

// searchResult is a text in the form that the compiler takes. Messages of maps, which descriptors have and the language does not, make
// it a descriptor.
func searchResult(path, text string) (protocompile.SearchResult, error) {
	tree, err := parser.Parse(path, strings.NewReader(text), reporter.NewHandler(nil))
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	f, err := fromAST(tree)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	if !hasMapEntries(f.messages) {
		return protocompile.SearchResult{AST: tree}, nil
	}
	result, err := parser.ResultFromAST(tree, false, reporter.NewHandler(nil))
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	d := result.FileDescriptorProto()
	setMapEntries(d.MessageType, nil)
	return protocompile.SearchResult{Proto: d}, nil
}

func hasMapEntries(messages []*message) bool {
	for _, m := range messages {
		if m.isMapEntry() || hasMapEntries(m.messages) {
			return true
		}
	}
	return false
}

// setMapEntries makes the option map_entry of messages what descriptors have. The compiler takes it only where the name of the message is
// protoc's; Confluent's registry gives others too. Those stay messages with a key and a value, which is the same data, until Serialized.
func setMapEntries(messages []*descriptorpb.DescriptorProto, parent *descriptorpb.DescriptorProto) {
	for _, m := range messages {
		setMapEntries(m.NestedType, m)
		all := m.GetOptions().GetUninterpretedOption()
		for i, o := range all {
			if len(o.Name) == 1 && o.Name[0].GetNamePart() == "map_entry" && o.GetIdentifierValue() == "true" {
				m.Options.UninterpretedOption = append(all[:i:i], all[i+1:]...)
				if hasProtocName(m, parent) {
					m.Options.MapEntry = proto.Bool(true)
				}
				break
			}
		}
	}
}

// hasProtocName tells whether a message of a map is called after the one field that has it.
func hasProtocName(m, parent *descriptorpb.DescriptorProto) bool {
	n := 0
	for _, f := range parent.GetField() {
		name := f.GetTypeName()
		if name = name[strings.LastIndexByte(name, '.')+1:]; name == m.GetName() {
			n++
			if f.GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED || name != entryName(f.GetName()) {
				return false
			}
		}
	}
	return n == 1
}

// entryName is what protoc calls the message of a map: tag_values has TagValuesEntry.
func entryName(field string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(field, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String() + "Entry"
}

// markEntries gives the messages of maps the option that linking had to do without.
func markEntries(described []*descriptorpb.DescriptorProto, messages []*message) {
	byName := make(map[string]*message, len(messages))
	for _, m := range messages {
		byName[m.name] = m
	}
	for _, d := range described {
		m := byName[d.GetName()]
		if m == nil {
			continue // made of a map or a group
		}
		if m.isMapEntry() {
			if d.Options == nil {
				d.Options = &descriptorpb.MessageOptions{}
			}
			d.Options.MapEntry = proto.Bool(true)
		}
		markEntries(d.NestedType, m.messages)
	}
}
