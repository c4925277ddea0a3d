// Package datagen is a source that invents rows, under the option names of
// Confluent's Datagen connector.
//
// Row n of a task is a function of the random seed, the task and n alone. So the
// offset is the number of the next row, a row that is read again is the same, and
// the source is exactly once:
//
//	source partition   {"task.id":0}
//	source offset      {"current.iteration":1000}
//
// A quickstart is a table of columns in quickstart.go; schema files of Confluent's
// generator are not read.
package datagen
