// Package avrolibs has the Avro libraries of others judge the converter: what it writes they read as the same values, and what they
// write it reads. It is a module of its own, so that the product depends on none of them (decision 0008).
package avrolibs
