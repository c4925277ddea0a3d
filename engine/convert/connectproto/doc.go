// Package connectproto converts between Connect values and Protobuf data, by the rules of Confluent's ProtobufConverter: which schema the one
// becomes in the other, and what stands for what. Schemas are compiled once into a plan by field; data is written and read by it
// without reflection, and without memory of its own.
//
//	connect.Schema ── FromConnect ──► Encoder: the protobuf.Schema, the path of the message in it, Append(dst, value)
//	protobuf.Schema ── ToConnect ───► Decoder: the connect.Schema, Decode(batch, data)
//
// A message becomes a STRUCT with a field for each oneof, a STRUCT of which one field is set, and then one for each other field. The number of a
// field is a parameter of its schema, and gives it the same number when it is written again. Within itself a message is the
// JSON of what it would be, a STRING with the name of connectjson, down to a limit.
//
// Data is from outside (I5): it is read within a number of cells that is in proportion to its length.
package connectproto
