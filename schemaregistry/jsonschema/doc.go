// Package jsonschema is the model of JSON Schema that the schema registry needs: it parses the drafts 4, 6, 7, 2019-09 and 2020-12, follows
// references to registered schemas, writes the canonical text that decides which schemas are the same, and lists the differences
// between two versions by the names, paths and words of Confluent's registry, which clients take apart.
//
//	Parse ── Value (JSON in its order) ── Canonical, Normalized, Equal
//	   └──── Node  (the schema as a tree of kinds) ── Compare ── Difference
//
// A Node is not the text: keywords that say something about one type are one Node of that kind, keywords about several are a Combined
// of "allOf", a list of types is one of "anyOf". Two rules make Nodes of text, for Confluent's registry has two libraries under it:
// classic (drafts 4 to 7) takes the keywords of a type together with that type; modern (2019-09 and later) joins all that is said about
// one type, wherever it stands. They differ in verdicts, so both are kept.
//
// A new schema is also held to the meta-schema of its dialect. Nothing is fetched: a $ref leads into the schema itself, to a registered
// reference by its name, or to a meta-schema.
//
// Work is bounded by Limits (I5): the text, its depth, the keywords of one place, and the pairs of Nodes that a comparison looks at.
package jsonschema
