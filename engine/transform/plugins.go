package transform

import (
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// Kinds of plugins, as the REST API names them.
const (
	KindTransformation = "transformation"
	KindPredicate      = "predicate"
)

// Plugin is a transform or a predicate that configs can name.
type Plugin struct {
	Class string // Kafka's or Debezium's class name
	Kind  string // KindTransformation or KindPredicate
	Doc   string // one paragraph

	transform func() transformation
	predicate func() predicate
}

// Options returns the plugin's options, without the prefix of an alias.
func (p *Plugin) Options() []connect.Option {
	if p.predicate != nil {
		return p.predicate().options()
	}
	return p.transform().options()
}

const (
	transformPackage = "org.apache.kafka.connect.transforms."
	predicatePackage = transformPackage + "predicates."
)

// onPart is a transform of the key and one of the value.
type onPart struct {
	name, doc string
	make      func(part) transformation
}

var onParts = []onPart{
	{"Cast", "Changes the type of fields, or of the whole %s.", func(p part) transformation { return &cast{part: p} }},
	{"ExtractField", "Puts one field in the place of the %s.", func(p part) transformation { return &extractField{part: p} }},
	{"Flatten", "Puts the fields of nested structs or maps of the %s on its first level, under names made of all levels'.", func(p part) transformation { return &flatten{part: p} }},
	{"HeaderFrom", "Moves or copies fields of the %s to headers.", func(p part) transformation { return &headerFrom{part: p} }},
	{"HoistField", "Makes the %s the only field of a struct or map.", func(p part) transformation { return &hoistField{part: p} }},
	{"InsertField", "Adds fields to the %s: where the record comes from, or a fixed text.", func(p part) transformation { return &insertField{part: p} }},
	{"MaskField", "Puts an empty value or a replacement into fields of the %s.", func(p part) transformation { return &maskField{part: p} }},
	{"ReplaceField", "Leaves out or renames fields of the %s.", func(p part) transformation { return &replaceField{part: p} }},
	{"SetSchemaMetadata", "Sets the name or the version of the schema of the %s.", func(p part) transformation { return &setSchemaMetadata{part: p} }},
	{"TimestampConverter", "Changes the form of a timestamp: text, a number, or one of Kafka Connect's three types. It is a field of the %s or all of it.", func(p part) transformation { return &timestampConverter{part: p} }},
}

// Plugins returns all transforms by name, then all predicates.
func Plugins() []Plugin {
	var all []Plugin
	for _, o := range onParts {
		for _, p := range []part{keyPart, valuePart} {
			suffix, noun := "$Value", "value"
			if p == keyPart {
				suffix, noun = "$Key", "key"
			}
			all = append(all, Plugin{Class: transformPackage + o.name + suffix, Kind: KindTransformation,
				Doc: strings.Replace(o.doc, "%s", noun, 1), transform: func() transformation { return o.make(p) }})
		}
	}
	add := func(name, doc string, f func() transformation) {
		all = append(all, Plugin{Class: transformPackage + name, Kind: KindTransformation, Doc: doc, transform: f})
	}
	add("DropHeaders", "Removes headers.", func() transformation { return &dropHeaders{} })
	add("Filter", "Drops the record. It is for use with a predicate.", func() transformation { return filter{} })
	add("InsertHeader", "Adds a header with a fixed value.", func() transformation { return &insertHeader{} })
	add("RegexRouter", "Changes the topic by a regular expression.", func() transformation { return &regexRouter{} })
	add("TimestampRouter", "Changes the topic by the record's timestamp.", func() transformation { return &timestampRouter{} })
	add("ValueToKey", "Makes the key of fields of the value.", func() transformation { return &valueToKey{} })
	all = append(all, Plugin{Class: debeziumPackage + "ByLogicalTableRouter", Kind: KindTransformation,
		Doc:       "Sends tables that are parts of one, such as partitions, to one topic, under one schema.",
		transform: func() transformation { return &byLogicalTableRouter{} }})
	all = append(all, Plugin{Class: debeziumPackage + "ExtractNewRecordState", Kind: KindTransformation,
		Doc:       "Puts the row after a change in the place of Debezium's envelope, or the row before a delete. Other records pass as they are.",
		transform: func() transformation { return &extractNewRecordState{} }})
	all = append(all, Plugin{Class: debeziumPackage + "outbox.EventRouter", Kind: KindTransformation,
		Doc:       "Makes an event of each new row of an outbox table: its topic, key, value, headers and timestamp are columns of the row.",
		transform: func() transformation { return &eventRouter{} }})
	return append(all, predicates()...)
}

func predicates() []Plugin {
	return []Plugin{
		{Class: predicatePackage + "HasHeaderKey", Kind: KindPredicate, Doc: "Holds for records with a header of the name.",
			predicate: func() predicate { return &hasHeaderKey{} }},
		{Class: predicatePackage + "RecordIsTombstone", Kind: KindPredicate, Doc: "Holds for records whose value is null.",
			predicate: func() predicate { return recordIsTombstone{} }},
		{Class: predicatePackage + "TopicNameMatches", Kind: KindPredicate, Doc: "Holds for records of topics that match.",
			predicate: func() predicate { return &topicNameMatches{} }},
	}
}

// Find returns the plugin of a class, which may be given by its last element.
func Find(class string) (Plugin, bool) {
	for _, p := range Plugins() {
		if p.Class == class || simpleName(p.Class) == class {
			return p, true
		}
	}
	return Plugin{}, false
}

func simpleName(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// classes returns the classes of one kind.
func classes(kind string) []string {
	var names []string
	for _, p := range Plugins() {
		if p.Kind == kind {
			names = append(names, p.Class)
		}
	}
	return names
}
