package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

const convertersIntro = `# Converters

Generated from the definitions in the code by ` + "`make docs`" + `: do not edit.

A converter turns the bytes in the log into values and back. A connector chooses with ` + "`key.converter`, `value.converter` and `header.converter`" + `, by the whole
name of a class or its last element, the worker for connectors that do not. Options go behind the name: ` + "`value.converter.schemas.enable=false`" + `. Names and
defaults are Kafka Connect's and Confluent's.

| Class | What the bytes are |
|---|---|
| ` + "`sluice.AutoConverter`" + ` (the default) | JSON is passed on as it is, anything else is a string or bytes; values with a schema are written as plain JSON |
| ` + "`org.apache.kafka.connect.json.JsonConverter`" + ` | JSON, with ` + "`schemas.enable`" + ` in an envelope with its schema |
| ` + "`io.confluent.connect.avro.AvroConverter`" + ` | Avro, with the id of a schema in a registry |
| ` + "`org.apache.kafka.connect.storage.StringConverter`, `org.apache.kafka.connect.converters.ByteArrayConverter`" + ` | text; bytes as they are |
| ` + "`BooleanConverter`, `ShortConverter`, `IntegerConverter`, `LongConverter`, `FloatConverter`, `DoubleConverter`" + ` | one number, as Kafka's serializers write it |
| ` + "`org.apache.kafka.connect.storage.SimpleHeaderConverter`" + ` (headers; the default) | text that looks like what it is |

## Avro and the schema registry

**Which registry.** Without ` + "`schema.registry.url`" + ` it is the worker's own, so ` + "`\"value.converter\": \"AvroConverter\"`" + ` is all that a config needs.
With the option it is any registry with Confluent's REST API. Data is byte for byte what Confluent's converter writes and reads, and schemas are mapped by its rules.

**Schemas that change.** The schema of a record is registered before the first record is written. One that the subject's compatibility level refuses is the error of
its record: the task fails with subject, differences and level in its trace, or with ` + "`errors.tolerance=all`" + ` the record goes to the dead letter queue. Once the
schema or the level is another, a restart of the task goes on with the same record.

**A registry that is away** (no answer, or status 408, 429, 502 to 504, or 500 with an error code of its store) holds the task up: it asks again with growing delays, logs
why, and skips no record, whatever ` + "`errors.retry.timeout` and `errors.tolerance`" + ` say. (Kafka Connect fails the task or skips the records.) Schemas that were used
before are remembered and need no registry.

**Writing by a registered schema.** With ` + "`auto.register.schemas=false`" + ` the schema has to be there, or ` + "`use.latest.version`, `use.schema.id`" + ` name the one to write
by. Fields are then found by name, those that the schema lacks are left out, and those that the data lacks get their default. (Confluent's converter goes by position.)
A converter keeps the latest version that it has found until its task ends.

**What differs from Confluent's converter.** Values come out of Avro in the form that Connect schemas have here: a schema that contains itself cannot be read. An ` + "`int`" + ` beyond a
` + "`connect.type`" + ` of int8 or int16 is an error and not cut off. Defaults of maps whose keys are not strings are read again. ` + "`extended.logical.types`" + ` is an option of ours. Not
there: data contract rules, ` + "`use.latest.with.metadata`, `use.schema.guid`, `latest.cache.ttl.sec`, `AssociatedNameStrategy`" + `, bearer tokens.
`

// writeConverters writes the options of every converter that has some.
func writeConverters(w io.Writer) error {
	var b strings.Builder
	b.WriteString(convertersIntro)
	for _, class := range convert.Classes() {
		var d connect.Def
		if err := convert.Define(&d, class, "value.converter."); err != nil {
			return err
		}
		options := d.Options()
		for i := range options {
			options[i].Name = strings.TrimPrefix(options[i].Name, "value.converter.")
		}
		if len(options) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| Option | Type | Default | Meaning |\n|---|---|---|---|\n", class)
		for i := range options {
			option(&b, &options[i])
		}
		if convert.NeedsRegistry(class) {
			b.WriteString("\nOf a key's converter the options that begin with `value.` begin with `key.`, as `key.subject.name.strategy`.\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
