package protobuf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// parseDescriptor reads the bytes of a FileDescriptorProto. Options that are extensions are dropped but for Confluent's own, as nothing
// says what they are.
func parseDescriptor(raw []byte, l Limits) (*file, error) {
	d := &descriptorpb.FileDescriptorProto{}
	o := proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true, RecursionLimit: 2 * l.Depth, Resolver: known().extensions}
	if err := o.Unmarshal(raw, d); err != nil {
		return nil, &ParseError{Reason: "it is neither a text nor a FileDescriptorProto in base64"}
	}
	f, err := fromDescriptor(d)
	if err != nil {
		return nil, &ParseError{Reason: err.Error()}
	}
	// What no text can say, such as a name with a space, must not be stored as one.
	text := f.text()
	if err := checkDepth(text, l.Depth); err != nil {
		return nil, err
	}
	if f, err = parseFile(text); err != nil {
		return nil, fmt.Errorf("the FileDescriptorProto has no form as text: %w", err)
	}
	return f, nil
}

// descriptorReader turns descriptors into what a text would say.
type descriptorReader struct {
	proto3 bool
	err    error
}

func fromDescriptor(d *descriptorpb.FileDescriptorProto) (*file, error) {
	r := &descriptorReader{proto3: d.GetSyntax() == "proto3"}
	f := &file{pkg: d.GetPackage()}
	switch d.GetSyntax() {
	case "proto2", "proto3":
		f.syntax = d.GetSyntax()
	case "editions":
		f.edition = strings.TrimPrefix(d.GetEdition().String(), "EDITION_")
	}
	for i, name := range d.Dependency {
		switch {
		case slices.Contains(d.PublicDependency, int32(i)):
			f.publicImports = append(f.publicImports, name)
		case slices.Contains(d.WeakDependency, int32(i)):
			f.weakImports = append(f.weakImports, name)
		default:
			f.imports = append(f.imports, name)
		}
	}
	f.options = optionsOf(d.GetOptions(), fileOptions)
	for _, m := range d.MessageType {
		f.messages = append(f.messages, r.message(m))
	}
	for _, e := range d.EnumType {
		f.enums = append(f.enums, r.enum(e))
	}
	f.extends = r.extends(d.Extension)
	for _, s := range d.Service {
		f.services = append(f.services, r.service(s))
	}
	return f, r.err
}

func (r *descriptorReader) message(d *descriptorpb.DescriptorProto) *message {
	m := &message{name: d.GetName(), options: optionsOf(d.GetOptions(), messageOptions)}
	for _, o := range d.OneofDecl {
		m.oneofs = append(m.oneofs, &oneof{name: o.GetName(), options: optionsOf(o.GetOptions(), oneofOptions)})
	}
	for _, fd := range d.Field {
		switch i := fd.GetOneofIndex(); {
		case fd.OneofIndex == nil || fd.GetProto3Optional():
			m.fields = append(m.fields, r.field(fd, false))
		case i < 0 || int(i) >= len(m.oneofs):
			r.err = fmt.Errorf("field %s is in a oneof that is not there", fd.GetName())
		default:
			m.oneofs[i].fields = append(m.oneofs[i].fields, r.field(fd, true))
		}
	}
	// Those of optional fields have no members that are written.
	m.oneofs = slices.DeleteFunc(m.oneofs, func(o *oneof) bool { return len(o.fields) == 0 })
	for _, n := range d.NestedType {
		m.messages = append(m.messages, r.message(n))
	}
	for _, e := range d.EnumType {
		m.enums = append(m.enums, r.enum(e))
	}
	for _, x := range d.ReservedRange {
		m.reserved = append(m.reserved, numbers(x.GetStart(), x.GetEnd()-1, nil))
	}
	m.reserved = append(m.reserved, names(d.ReservedName)...)
	for _, x := range d.ExtensionRange {
		m.extensions = append(m.extensions, numbers(x.GetStart(), x.GetEnd()-1, optionsOf(x.GetOptions(), rangeOptions)))
	}
	m.extends = r.extends(d.Extension)
	return m
}

func numbers(start, end int32, options []option) ranges {
	return ranges{items: []rangeItem{{start: int64(start), end: int64(end), span: start != end}}, options: options}
}

func names(list []string) (reserved []ranges) {
	for _, name := range list {
		reserved = append(reserved, ranges{items: []rangeItem{{name: name, quoted: true}}})
	}
	return reserved
}

func (r *descriptorReader) field(d *descriptorpb.FieldDescriptorProto, inOneof bool) *field {
	f := &field{name: d.GetName(), tag: int64(d.GetNumber()), typ: d.GetTypeName(), options: optionsOf(d.GetOptions(), fieldOptions), jsonName: d.JsonName}
	if f.typ == "" {
		f.typ = strings.ToLower(strings.TrimPrefix(d.GetType().String(), "TYPE_"))
	}
	if d.GetType() == descriptorpb.FieldDescriptorProto_TYPE_GROUP {
		r.err = errors.New("it has a group, which is taken in the form of a text only")
	}
	if !inOneof {
		f.label = r.label(d)
	}
	if !r.proto3 {
		f.defaultValue = d.DefaultValue
		if d.GetType() == descriptorpb.FieldDescriptorProto_TYPE_BYTES && d.DefaultValue != nil {
			f.defaultValue = proto.String(unescaped(*d.DefaultValue))
		}
	}
	return f
}

// unescaped takes the escapes out of a default of bytes, which descriptors have in it.
func unescaped(s string) string {
	f, err := parseFile("option a = \"" + s + "\";")
	if err != nil {
		return s
	}
	return f.options[0].value.text
}

func (r *descriptorReader) label(d *descriptorpb.FieldDescriptorProto) string {
	switch {
	case d.GetProto3Optional():
		return "optional"
	case d.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED:
		return "repeated"
	case r.proto3:
		return ""
	case d.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED:
		return "required"
	}
	return "optional"
}

func (r *descriptorReader) enum(d *descriptorpb.EnumDescriptorProto) *enum {
	e := &enum{name: d.GetName(), options: optionsOf(d.GetOptions(), enumOptions)}
	for _, v := range d.Value {
		e.values = append(e.values, enumValue{name: v.GetName(), number: int64(v.GetNumber()), options: optionsOf(v.GetOptions(), enumValueOptions)})
	}
	for _, x := range d.ReservedRange {
		e.reserved = append(e.reserved, numbers(x.GetStart(), x.GetEnd(), nil))
	}
	e.reserved = append(e.reserved, names(d.ReservedName)...)
	return e
}

// extends brings the extensions of one message together.
func (r *descriptorReader) extends(list []*descriptorpb.FieldDescriptorProto) (all []extend) {
	for _, d := range list {
		i := slices.IndexFunc(all, func(e extend) bool { return e.name == d.GetExtendee() })
		if i < 0 {
			i, all = len(all), append(all, extend{name: d.GetExtendee()})
		}
		all[i].fields = append(all[i].fields, r.field(d, false))
	}
	return all
}

func (r *descriptorReader) service(d *descriptorpb.ServiceDescriptorProto) service {
	s := service{name: d.GetName(), options: optionsOf(d.GetOptions(), serviceOptions)}
	for _, m := range d.Method {
		s.methods = append(s.methods, method{name: m.GetName(), input: m.GetInputType(), output: m.GetOutputType(),
			inputStream: m.GetClientStreaming(), outputStream: m.GetServerStreaming(), options: optionsOf(m.GetOptions(), methodOptions)})
	}
	return s
}
