// Package connectavro turns values into Avro's binary form and back, and schemas of Kafka Connect into Avro schemas and back, by the
// rules of Confluent's AvroConverter.
//
// A schema is compiled once: FromConnect makes an Encoder, ToConnect a Decoder. Both then walk cells by position, without
// reflection, maps or allocations beside the memory of the batch.
//
// What Avro cannot say about a Connect schema is in attributes of the Avro schema: connect.name, connect.version, connect.doc,
// connect.parameters, connect.default and connect.type. What Connect cannot say about an Avro schema is in parameters of the
// Connect schema, whose names begin with io.confluent.connect.avro.
//
//	Connect                           Avro
//	INT8, INT16, INT32                int; connect.type int8, int16
//	INT64 FLOAT32 FLOAT64 BOOLEAN     long float double boolean
//	STRING                            string, enum
//	BYTES                             bytes, fixed
//	ARRAY                             array
//	MAP with STRING keys              map; any other is an array of the record MapEntry{key, value}
//	STRUCT                            record; a union of more than null and one type is a STRUCT with a field for each type
//	optional                          union with null
//	Decimal, Date, Time, Timestamp    decimal, date, time-millis, timestamp-millis
//	no schema                         the record Anything
//
// Bytes come from outside (I5): a decoder takes no more memory than a small multiple of its input, however long the input says that
// its arrays are. Within itself a record is the JSON of what it would be, a STRING with the name of connectjson, down to a limit.
package connectavro
