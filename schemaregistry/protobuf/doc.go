// Package protobuf is a model of Protobuf schemas for a schema registry: it reads .proto files as they are written, writes them in the
// one form that Confluent's registry stores, and lists how two differ. It knows nothing of registries or data.
//
//	text ──parse──► tree ──► file ──┬─ Canonical    the stored text: it decides whether two schemas are the same
//	base64 of a descriptor ────►    ├─ Normalized   Confluent's normalize=true: full names, sorted
//	                                ├─ Compare      every Difference with its path, Confluent's message and a suggested fix
//	                                └─ Descriptor   all names resolved, for those who read and write data
//
// A file holds names as they are written. That is what makes the canonical text: who writes .shop.Order and who writes Order have
// different schemas, until they are normalized. What names mean is found in a table of types (resolve.go), by the rules of the
// language.
//
// # What is a schema
//
// What protoc takes is taken. Confluent's registry reads more loosely, and two of its liberties are taken over because texts that it
// has stored have them: a list as the value of an option, and messages of maps spelled out with option map_entry, as descriptors have
// them. A new schema must be complete: what it imports is among its references, or is one of the files that every schema may import
// (known, and those of google/protobuf). One that is registered already may use names that nobody defines.
//
// # Limits
//
// A schema is text from outside (I5): Limits bounds its size, depth and width, the depth before a parser sees it. Comparing has a budget of
// its own; messages of other files are compared once for each pair. Errors are a *ParseError, with line and column, or a *LimitError.
//
// A Schema and all that it leads to is immutable after Parse and may be shared by goroutines.
package protobuf
