// Package differential sends the same raw requests to Apache Kafka and to Sluice
// and compares what they answer.
//
// The requests are scripts, testdata/*.case. A script runs from top to bottom on
// one server; each step is a line, and indented lines continue it:
//
//	== NAME                     the next step's name; it must be unique in its script
//	KEY vA-B {fields}           sends a request in every version, one after the other. The
//	                            fields are kmsg's, by their Go names; what is missing has
//	                            kmsg's default
//	raw HEX                     sends a frame with these bytes after the size
//	bytes HEX                   sends bytes without a size
//	save VAR PATH               keeps a value of the last answer: $VAR in later fields
//	until TEXT                  repeats the step before, up to 10 s, until a line of its
//	                            answer contains TEXT; only that answer counts
//	on CONN                     later steps use this connection; it is dialled when it is new
//	start, finish               between a name and a request: start sends only, a later
//	                            "finish NAME" step waits for the answer
//	cut N, pad N                drop the last N bytes of the request, append N zero bytes
//
// A step on a connection that the server has closed dials it again, and one whose
// answer says that the server is not ready yet is repeated for a while, because Kafka
// creates topics and loads coordinators in the background.
//
// String fields that begin with @ stand for bytes, see valueOf: @batch for a record
// batch, @id TOPIC for a topic's id, @hex.
//
// An answer is text, one line for each struct in it with the fields that differ from
// kmsg's default. What differs from run to run (ids, ports, times) is replaced,
// and error messages are left out, see renderer. Kafka's answers are recorded as testdata/*.kafka by the command record
// beside this package (record.sh starts a Kafka for it). Where Sluice is to answer
// otherwise, testdata/differences.txt holds the lines that differ and the reason;
// a difference that is not listed, and a listed one that is none, fails the test.
package differential
