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
| ` + "`io.confluent.connect.json.JsonSchemaConverter`" + ` | JSON, with the id of a JSON Schema in a registry |
| ` + "`io.confluent.connect.protobuf.ProtobufConverter`" + ` | Protobuf, with the id of a schema in a registry |
| ` + "`org.apache.kafka.connect.storage.StringConverter`, `org.apache.kafka.connect.converters.ByteArrayConverter`" + ` | text; bytes as they are |
| ` + "`BooleanConverter`, `ShortConverter`, `IntegerConverter`, `LongConverter`, `FloatConverter`, `DoubleConverter`" + ` | one number, as Kafka's serializers write it |
| ` + "`org.apache.kafka.connect.storage.SimpleHeaderConverter`" + ` (headers; the default) | text that looks like what it is |

## Avro and the schema registry

**Which registry.** Without ` + "`schema.registry.url`" + ` it is the worker's own, so ` + "`\"value.converter\": \"AvroConverter\"`" + ` is all that a config needs.
With the option it is any registry with Confluent's REST API. Data is byte for byte what Confluent's converter writes and reads, and schemas are mapped by its rules.

**Schemas that change.** The schema of a record is registered before the first record is written. One that the subject's compatibility level refuses is the error of
its record: the task fails with subject, differences and level in its trace, or with ` + "`errors.tolerance=all`" + ` the record goes to the dead letter queue. Once the
schema or the level is another, a restart of the task goes on with the same record.

**A registry that is away** (no answer, one that no registry gives, or status 408, 429, 502 to 504, or 500 with an error code of its store; with several URLs, all of them) holds the task up: it asks again with growing delays, logs
why, and skips no record, whatever ` + "`errors.retry.timeout` and `errors.tolerance`" + ` say. (Kafka Connect fails the task or skips the records.) Schemas that were used
before are remembered and need no registry.

**Tokens.** With ` + "`bearer.auth.credentials.source=OAUTHBEARER`" + ` the converter fetches tokens with a client's credentials (RFC 6749, section 4.4): ` + "`bearer.auth.issuer.endpoint.url`, `bearer.auth.client.id`, `bearer.auth.client.secret`" + `,
scopes in ` + "`bearer.auth.scope`" + `. Id and secret go in the Authorization header, and in the form if the endpoint wants that. A token is kept for four fifths of its time, and is replaced
` + "`bearer.auth.cache.expiry.buffer.seconds`" + ` before its end at the latest if it lives longer than that. Its time is ` + "`expires_in`" + ` of the answer or ` + "`exp`" + ` in the token; what else is in a token is not looked at. One that the registry refuses
although it took it before is replaced once. With ` + "`SASL_OAUTHBEARER_INHERIT`" + ` what ` + "`bearer.auth.*`" + ` does not say is in the options of a Kafka client, ` + "`sasl.oauthbearer.token.endpoint.url` and `sasl.jaas.config`" + `
of the converter. A token endpoint that is away holds a task up like a registry that is away; one that refuses the client is an error. ` + "`schema.registry.ssl.*`" + ` is for both servers, ` + "`proxy.host`" + ` for the
registry alone.

**Contexts.** A context of the registry stands in its URL: ` + "`http://127.0.0.1:8081/contexts/.mine`" + `. A ` + "`context.name.strategy`" + ` that names one for each topic is a Java class; there is the default one only, which names none. Data is read by
the schema that its id has where the subject of its topic has it, as Confluent's deserializers do: in the context of the URL, else in another one.

**Writing by a registered schema.** With ` + "`auto.register.schemas=false`" + ` the schema has to be there, or ` + "`use.latest.version`, `use.schema.id`" + ` name the one to write
by. Fields are then found by name, those that the schema lacks are left out, and those that the data lacks get their default. (Confluent's converter goes by position.)
A converter keeps the latest version that it has found until its task ends.

**What differs from Confluent's converter.** Within itself a record is JSON, a string named ` + "`sluice.data.Json`" + `; Confluent's converter has schemas that contain themselves. An ` + "`int`" + ` beyond a
` + "`connect.type`" + ` of int8 or int16 is an error and not cut off. Defaults of maps whose keys are not strings are read again. ` + "`extended.logical.types`" + ` is an option of ours. Not
there: the execution of data contract rules (the registry keeps them), ` + "`AssociatedNameStrategy`, `schema.format`, `schema.registry.url.randomize`, `request.header.*`" + `, tokens from Azure or from a class, the prefix ` + "`schema.registry.`" + ` before ` + "`bearer.auth.*` and `proxy.*`" + `, Variants of Kafka Connect and Avro. What is about Java classes has nothing to act on:
` + "`schema.reflection`, `avro.use.logical.type.converters`, `avro.remove.java.properties`, `avro.reflection.allow.null`, `specific.avro.*`" + `. Sizes of caches of registry answers
(` + "`max.schemas.per.subject`, `latest.cache.size`" + `) follow ` + "`schemas.cache.config`" + `; requests take 10 s at most at each server of ` + "`schema.registry.url`" + ` and are asked again (` + "`http.*.timeout.ms`, `max.retries`" + `).

## JSON Schema

What is said above of Avro holds for ` + "`JsonSchemaConverter`" + ` too: the registry, schemas that change, a registry that is away, ids in headers. The data behind the id is JSON in one line.

**What becomes what** is decided by the rules of Confluent's converter, to the order of the members in the text of the schema, so the same records get the same ids. A struct is an object whose properties have
their place in ` + "`connect.index`" + `; the types of numbers are in ` + "`connect.type`" + `, name, version and parameters in ` + "`title`, `connect.version` and `connect.parameters`" + `. Optional is ` + "`oneOf`" + ` null and the schema.
A map with texts as keys is an object, any other an array of objects with ` + "`key` and `value`" + `. Bytes and decimals are base64 (` + "`decimal.format`" + `), dates and times the numbers that they are in Connect.
` + "`oneOf` and `anyOf`" + ` are read as a struct of which the field is set that fits the value, ` + "`allOf`" + ` as one struct with all properties, enums as strings with their symbols in parameters. All drafts from 4 to 2020-12 are read.

**What is missing.** A property that is not there is null, also where the schema has it as required; a null that is there is an error then. With ` + "`use.optional.for.nonrequired=true`" + ` the schema says
which properties can be missing.

**What differs from Confluent's converter.** A null is a record without a value, which compaction takes for a deletion, and not the text ` + "`null`" + `. A schema that says nothing (` + "`{}`" + `), data without any schema, and the
place where a schema contains itself are raw JSON, a string named ` + "`sluice.data.Json`" + `; Confluent's converter makes a binary form of the first, refuses the second, and has schemas that contain themselves. Properties without ` + "`connect.index`" + ` keep
the order of the text. A number that does not fit its type, and a boolean or a string that is none, are errors and not cut off or made 0, false or null. By a registered schema (` + "`use.latest.version`" + `) the data is what it would be without, as there.
With ` + "`preserve.additional.properties`" + ` the values of ` + "`__connect_additional_properties__`" + ` are raw JSON too, where Confluent's converter has its Variant; a name in it that is also a field's is an error and does not replace the field.
Not there: data contract rules, ` + "`validation.rules.*`" + `.

**Values that do not fit.** With ` + "`json.fail.invalid.schema=true`" + ` every value is held to the registered schema, when it is written and when it is read: limits, patterns (Java's regular expressions, 100 ms each), ` + "`required`, `oneOf`" + `. Formats are
checked to draft 7; from 2019-09 on the drafts leave them alone. One that does not fit is the error of its record, with the reason and the place. Without the option a value only has to have the types. Confluent's converter also puts the
defaults of the schema in where a property is missing; here they are put in whether values are held to the schema or not, where Connect has a default.

**Properties without a name.** With ` + "`preserve.additional.properties=true`" + ` what an object has besides the properties of its schema, if that allows more, is in a field ` + "`__connect_additional_properties__`" + ` of the struct: a map of raw JSON that is null when
there is nothing. The field is not in the schema that is registered when such a struct is written; its entries are written behind the other properties.

## Protobuf

What is said above of Avro holds for ` + "`ProtobufConverter`" + ` too: the registry, schemas that change, a registry that is away, ids in headers. Between the id and the data stands the path of
the message in its schema, as Confluent's serializers write it; messages at any place of a schema are read.

**What becomes what** is decided by the rules of Confluent's converter, to the text of the schema, so the same records get the same ids. A struct is a message, its fields have the numbers that they
came with or are counted; arrays are repeated, maps are repeated messages with the fields ` + "`key` and `value`" + `; a scalar alone is a wrapper of ` + "`google/protobuf/wrappers.proto`" + `; Decimal, Date, Time and Timestamp are
` + "`confluent.type.Decimal`, `google.type.Date`, `google.type.TimeOfDay` and `google.protobuf.Timestamp`" + `. A oneof is a struct of which one field is set.

**Null.** Without ` + "`optional.for.nullables` or `wrapper.for.nullables`" + ` a field that is null is not written and comes back as the default of its type, as proto3 has it.

**What differs from Confluent's converter.** Within itself a message is JSON, a string named ` + "`sluice.data.Json`" + `; Confluent's converter has schemas that contain themselves. A group is read as the message that
it is, and written to a registered schema that has it; Confluent's converter leaves its fields out. By a registered schema
(` + "`use.latest.version`, `use.schema.id`" + `) fields go by their names and have its numbers; Confluent's converter writes the numbers of its own schema under the id of the registered one. A number beyond its type is an
error and not cut off; a decimal is brought to the scale of its schema, or is an error when that would lose digits. Not there: ` + "`confluent.type.Variant`" + ` as a logical type (it is a struct), references of other
subjects in what is written, data contract rules.
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
