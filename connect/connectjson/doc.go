// Package connectjson turns connect values into JSON text and back.
//
// Append writes what Kafka's JsonConverter writes with schemas.enable=false:
// structs as objects in the order of their fields, nulls included; bytes as
// base64; Date, Time and Timestamp as numbers; maps with string keys as objects
// and other maps as arrays of pairs. Parse reads schemaless JSON, ParseAs reads
// JSON that a schema describes, Compact and Raw check JSON without taking it
// apart.
//
// # Raw JSON
//
// A STRING whose schema is named Name holds JSON text itself: valid, without
// insignificant white space, on one line. Append writes it verbatim. That is how
// a JSON payload goes from the log to a file with no digit of a number lost and
// without the cost of building a value from it.
//
// # What is JSON here
//
// RFC 8259 to the letter, in valid UTF-8 and nested at most DefaultMaxDepth
// levels deep (I5). Nothing may follow the value but white space. An escaped lone
// surrogate (\ud800) is JSON: Compact keeps it as it is, Parse reads it as
// U+FFFD, since a STRING is always UTF-8. Names may repeat within an object; all
// of them are kept, in order.
//
// Memory: parsing takes at most a small multiple of the text's length, all of it
// from the batch.
package connectjson
