package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// New returns the converter of a class, which may be given by its last element,
// with its options taken from settings: full names, such as
// key.converter.schemas.enable. An empty class is AutoClass. Errors name the
// option.
func New(class string, isKey bool, settings map[string]string) (Converter, error) {
	option := "value.converter"
	if isKey {
		option = "key.converter"
	}
	return build(class, AutoClass, option, Classes(), isKey, settings)
}

// NewHeader returns the header converter of a class. An empty class is
// SimpleHeaderClass. The classes of New serve headers too, but for AutoClass.
func NewHeader(class string, settings map[string]string) (HeaderConverter, error) {
	const option = "header.converter"
	c, err := build(class, SimpleHeaderClass, option, HeaderClasses(), false, settings)
	if err != nil {
		return nil, err
	}
	return asHeader{c}, nil
}

// asHeader lets a converter serve headers.
type asHeader struct{ c Converter }

func (h asHeader) FromConnectHeader(dst []byte, topic, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	return h.c.FromConnect(dst, topic, s, v)
}

func (h asHeader) ToConnectHeader(b *connect.Batch, topic, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	return h.c.ToConnect(b, topic, data)
}

func build(class, standard, option string, allowed []string, isKey bool, settings map[string]string) (Converter, error) {
	if class == "" {
		class = standard
	}
	full, err := resolve(class, option, allowed)
	if err != nil {
		return nil, err
	}
	c := newConfig(full, isKey)
	var d connect.Def
	c.define(&d, option+".")
	if err := connect.Err(d.Parse(settings)); err != nil {
		return nil, err
	}
	return c.converter()
}

// Define adds the options of a class's converter to d under the prefix, which is
// "key.converter.", "value.converter." or "header.converter.". It fails for a
// class that is not known.
func Define(d *connect.Def, class, prefix string) error {
	option := strings.TrimSuffix(prefix, ".")
	full, err := resolve(class, option, append(Classes(), SimpleHeaderClass))
	if err != nil {
		return err
	}
	newConfig(full, false).define(d, prefix)
	return nil
}

// resolve returns the full name of a class that may be given by its last element.
func resolve(class, option string, allowed []string) (string, error) {
	for _, full := range allowed {
		if class == full || class == full[strings.LastIndexByte(full, '.')+1:] {
			return full, nil
		}
	}
	hint := ""
	if near := connect.Closest(class, allowed); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return "", &connect.ConfigError{Option: option,
		Reason: fmt.Sprintf("there is no converter %q%s; use one of %s", class, hint, strings.Join(allowed, ", "))}
}

// Classes returns the classes that New takes, for a config's list of allowed
// values.
func Classes() []string {
	return []string{AutoClass, StringClass, ByteArrayClass, JSONClass, AvroClass, JSONSchemaClass, ProtobufClass, BooleanClass, ShortClass,
		IntegerClass, LongClass, FloatClass, DoubleClass}
}

// HeaderClasses returns the classes that NewHeader takes.
func HeaderClasses() []string {
	classes := append([]string{SimpleHeaderClass}, Classes()[1:]...)
	// Headers have no subject in a schema registry.
	return slices.DeleteFunc(classes, NeedsRegistry)
}

// NeedsRegistry tells whether the converter of a class, in full, asks a schema registry.
func NeedsRegistry(class string) bool {
	return class == AvroClass || class == JSONSchemaClass || class == ProtobufClass
}

// config holds a converter's options.
type config interface {
	// define binds the options, whose names get the prefix.
	define(d *connect.Def, prefix string)
	// converter is called once the options are parsed.
	converter() (Converter, error)
}

func newConfig(class string, isKey bool) config {
	switch class {
	case StringClass:
		return &stringConfig{}
	case JSONClass:
		return &jsonConfig{}
	case AvroClass:
		return &avroConfig{isKey: isKey}
	case ProtobufClass:
		return &protobufConfig{isKey: isKey}
	case JSONSchemaClass:
		return &jsonSchemaConfig{isKey: isKey}
	case AutoClass:
		return noOptions{NewAuto(isKey)}
	case ByteArrayClass:
		return noOptions{byteArray{}}
	case SimpleHeaderClass:
		return noOptions{simpleHeader{}}
	case BooleanClass:
		return noOptions{fixed{connect.OptionalBooleanSchema, 1}}
	case ShortClass:
		return noOptions{fixed{connect.OptionalInt16Schema, 2}}
	case IntegerClass:
		return noOptions{fixed{connect.OptionalInt32Schema, 4}}
	case LongClass:
		return noOptions{fixed{connect.OptionalInt64Schema, 8}}
	case FloatClass:
		return noOptions{fixed{connect.OptionalFloat32Schema, 4}}
	case DoubleClass:
		return noOptions{fixed{connect.OptionalFloat64Schema, 8}}
	}
	panic("convert: no config for class " + class)
}

// noOptions is the config of a converter without options.
type noOptions struct{ c Converter }

func (noOptions) define(*connect.Def, string)     {}
func (n noOptions) converter() (Converter, error) { return n.c, nil }
