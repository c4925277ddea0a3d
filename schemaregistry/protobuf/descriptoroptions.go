package protobuf

import (
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// The options that are written of a descriptor, in this order; then come Confluent's own.
var (
	fileOptions = []protoreflect.Name{"java_package", "java_outer_classname", "java_multiple_files", "java_generate_equals_and_hash",
		"java_string_check_utf8", "optimize_for", "go_package", "cc_generic_services", "java_generic_services", "py_generic_services",
		"deprecated", "cc_enable_arenas", "objc_class_prefix", "csharp_namespace", "swift_prefix", "php_class_prefix", "php_namespace",
		"php_metadata_namespace", "ruby_package", "features"}
	messageOptions = []protoreflect.Name{"no_standard_descriptor_accessor", "deprecated", "map_entry", "features"}
	fieldOptions   = []protoreflect.Name{"ctype", "packed", "jstype", "deprecated", "debug_redact", "retention", "targets", "edition_defaults",
		"features", "feature_support"}
	oneofOptions     = []protoreflect.Name{"features"}
	enumOptions      = []protoreflect.Name{"allow_alias", "deprecated", "features"}
	enumValueOptions = []protoreflect.Name{"deprecated", "debug_redact", "features", "feature_support"}
	rangeOptions     = []protoreflect.Name{"declaration", "features", "verification"}
	serviceOptions   = []protoreflect.Name{"deprecated", "features"}
	methodOptions    = []protoreflect.Name{"deprecated", "idempotency_level", "features"}
)

// optionsOf are the options of a descriptor that are set, by their names.
func optionsOf(m protoreflect.ProtoMessage, names []protoreflect.Name) []option {
	r := m.ProtoReflect()
	if !r.IsValid() {
		return nil
	}
	var options []option
	for _, name := range names {
		fd := r.Descriptor().Fields().ByName(name)
		if fd == nil || !r.Has(fd) {
			continue
		}
		if !fd.IsList() {
			options = append(options, option{name: string(name), value: optionValue(fd, r.Get(fd))})
			continue
		}
		for i := range r.Get(fd).List().Len() {
			options = append(options, option{name: string(name), value: optionValue(fd, r.Get(fd).List().Get(i))})
		}
	}
	for fd, v := range r.Range {
		if fd.IsExtension() && fd.FullName().Parent() == "confluent" {
			if meta := metaValue(v.Message()); len(meta.entries) > 0 {
				options = append(options, option{name: string(fd.FullName()), extension: true, value: meta})
			}
		}
	}
	return options
}

// optionValue is a value that is no list.
func optionValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return value{kind: stringValue, text: v.String()}
	case protoreflect.BoolKind:
		return value{kind: wordValue, text: strconv.FormatBool(v.Bool())}
	case protoreflect.EnumKind:
		if e := fd.Enum().Values().ByNumber(v.Enum()); e != nil {
			return value{kind: wordValue, text: string(e.Name())}
		}
		return value{kind: numberValue, text: strconv.Itoa(int(v.Enum()))}
	case protoreflect.MessageKind:
		return messageValue(v.Message())
	}
	return value{kind: numberValue, text: v.String()}
}

// messageValue has the fields that are set in the order of their declaration.
func messageValue(m protoreflect.Message) value {
	v := value{kind: mapValue}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); m.Has(fd) && !fd.IsList() && !fd.IsMap() {
			v.entries = append(v.entries, entry{string(fd.Name()), optionValue(fd, m.Get(fd))})
		}
	}
	return v
}

// metaValue is Confluent's Meta as its registry writes it.
func metaValue(m protoreflect.Message) value {
	v := value{kind: mapValue}
	fields := m.Descriptor().Fields()
	add := func(name protoreflect.Name, of func(fd protoreflect.FieldDescriptor, all protoreflect.Value) value) {
		if fd := fields.ByName(name); m.Has(fd) {
			v.entries = append(v.entries, entry{string(name), of(fd, m.Get(fd))})
		}
	}
	add("doc", optionValue)
	add("params", metaParams)
	list := func(fd protoreflect.FieldDescriptor, all protoreflect.Value) value {
		l := value{kind: listValue}
		for i := range all.List().Len() {
			l.list = append(l.list, optionValue(fd, all.List().Get(i)))
		}
		return l
	}
	add("tags", list)
	add("rules", list)
	return v
}

// metaParams are a map's entries, sorted: descriptors have no order of them. For two of them the value comes first.
func metaParams(_ protoreflect.FieldDescriptor, all protoreflect.Value) value {
	params := make(map[string]string)
	for k, v := range all.Map().Range {
		params[k.String()] = v.String()
	}
	l := value{kind: listValue}
	for _, k := range slices.Sorted(maps.Keys(params)) {
		pair := []entry{{"key", value{kind: stringValue, text: k}}, {"value", value{kind: stringValue, text: params[k]}}}
		if k == "precision" || k == "scale" {
			slices.Reverse(pair)
		}
		l.list = append(l.list, value{kind: mapValue, entries: pair})
	}
	return l
}
