// Package connectjsonschema maps Connect schemas to JSON Schemas and back, as Confluent's JsonSchemaConverter does, and compiles how their
// values are written and read.
//
// What JSON Schema has no keyword for is in connect.* members: the type of a number, the place of a field, parameters, the version. Optional
// is oneOf with null. The text of a schema is the one that Confluent's converter makes, member for member, because it decides the id:
// its members come in the order of Java's hash tables.
//
// A schema that says nothing ({} or true) is read as raw JSON (connectjson.Schema), which is written as such a schema. So is a place where a
// schema contains itself: Connect schemas can not.
package connectjsonschema
