// Package avro is the schema registry's own model of Avro schemas: what a text says, whether it is a schema, how Java writes
// it, which other schema it can read. It holds no values; encoders are compiled from it elsewhere.
//
//	text ─Parse─► Schema ─► Type (a graph: a record may contain itself)
//	               │          ├ null boolean int long float double bytes string
//	               │          ├ array, map       Items
//	               │          ├ union            Branches
//	               │          ├ fixed            Name, Size
//	               │          ├ enum             Name, Symbols, Default
//	               │          └ record           Name, Fields ─► Field ─► Type
//	               ├─ Canonical     the text that Java's Schema.toString writes, which the registry stores and hashes
//	               ├─ Resolved      the same with the references in it
//	               ├─ Normalize     Confluent's normalize=true
//	               ├─ ParsingForm   the specification's Parsing Canonical Form, and fingerprints of it
//	               └─ CanRead          every Difference with its JSON pointer, Confluent's message and a suggested fix
//
// # What is a schema
//
// What Apache Avro for Java 1.12 takes is taken and what it refuses is refused, its oddities included: comments are white space, the
// last of two equal keys counts, a type may be used before it is defined, a default of a union may fit any branch. Order of
// attributes, unknown attributes and exact numbers are kept, because they are part of the canonical text. There are two degrees, as in
// Confluent's registry. A new schema has ASCII names and its defaults are checked; a schema that is already registered, or
// looked up, (Options.Registered) may have any letters in its names and any default.
//
// Stricter than Java, on purpose: half a surrogate pair and text after the schema are always refused. Laxer: an attribute with an integer
// beyond 64 bits is kept.
//
// # Limits
//
// A schema is text from outside (I5): Limits bounds its size, depth and width, and with them the time and memory of everything here. Work that can
// grow faster than the text has a budget of its own: checking defaults, resolving names and comparing two schemas. Errors
// are a *ParseError, with a JSON pointer into the text, or a *LimitError.
//
// A Schema and all that it leads to is immutable after Parse and may be shared by goroutines.
package avro
