// Package convert has the converters between the bytes of the log and connect
// values, under Kafka's class names, and Auto, the default.
//
// New makes the Converter of a key or value, NewHeader the HeaderConverter.
// Define declares a converter's options for validation. All three read settings
// by their full names, such as value.converter.schemas.enable, so that every
// error names the option as the user wrote it.
//
// A converter is for one goroutine at a time: each lane of a task has its own.
// Memory of what ToConnect returns is the batch's, or shared with data, which
// therefore must not change until the batch is reset.
package convert
