package connectavro

import "github.com/sluice-data/sluice/schemaregistry/avro"

// The fields of the record Anything in their order.
const (
	anythingBoolean = iota
	anythingBytes
	anythingDouble
	anythingFloat
	anythingInt
	anythingLong
	anythingString
	anythingArray
	anythingMap
	anythingFields
)

// anythingText is the schema of data without one.
const anythingText = `{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":[` +
	`{"name":"boolean","type":["null","boolean"],"default":null},{"name":"bytes","type":["null","bytes"],"default":null},` +
	`{"name":"double","type":["null","double"],"default":null},{"name":"float","type":["null","float"],"default":null},` +
	`{"name":"int","type":["null","int"],"default":null},{"name":"long","type":["null","long"],"default":null},` +
	`{"name":"string","type":["null","string"],"default":null},` +
	`{"name":"array","type":["null",{"type":"array","items":"Anything"}]},` +
	`{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","fields":[` +
	`{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}]}]}`

// isAnything tells whether a record of that name is the one of data without a schema.
func isAnything(s *avro.Schema) (bool, error) {
	anything, err := avro.Parse(anythingText, avro.Options{})
	if err != nil {
		return false, err
	}
	return anything.Equal(s)
}

// compileAnything makes the one decoder that contains itself: its depth is bounded where it reads.
func compileAnything() *step {
	kinds := [...]kind{kindBoolean, kindBytes, kindDouble, kindFloat, kindInt, kindLong, kindString}
	all := &step{kind: kindAnything, least: anythingFields}
	for _, k := range kinds {
		all.steps = append(all.steps, optional(&step{kind: k, least: 1}))
	}
	all.steps = append(all.steps, optional(&step{kind: kindArray, item: all, least: 1}),
		optional(&step{kind: kindEntries, steps: []*step{all, all}, least: 1}))
	return all
}

func optional(item *step) *step { return &step{kind: kindOptional, item: item, some: 1, least: 1} }
