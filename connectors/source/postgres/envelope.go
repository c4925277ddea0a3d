package postgres

import (
	"github.com/sluice-data/sluice/connect"
)

// The fields of an envelope in order.
const (
	envelopeBefore = iota
	envelopeAfter
	envelopeSource
	envelopeTransaction
	envelopeOp
	envelopeTsMs
	envelopeTsUs
	envelopeTsNs
	envelopeFields
)

// Operations as records name them.
var (
	opCreate   = connect.StringValue("c")
	opUpdate   = connect.StringValue("u")
	opDelete   = connect.StringValue("d")
	opRead     = connect.StringValue("r")
	opTruncate = connect.StringValue("t")
	opMessage  = connect.StringValue("m")
)

// envelopeSchema returns the schema of a table's records: Debezium's envelope,
// version 2.
func envelopeSchema(name string, value *connect.Schema) (*connect.Schema, error) {
	return connect.NewStruct([]connect.Field{
		{Name: "before", Schema: value},
		{Name: "after", Schema: value},
		{Name: "source", Schema: sourceSchema},
		{Name: "transaction", Schema: transactionBlockSchema},
		{Name: "op", Schema: connect.StringSchema},
		{Name: "ts_ms", Schema: connect.OptionalInt64Schema},
		{Name: "ts_us", Schema: connect.OptionalInt64Schema},
		{Name: "ts_ns", Schema: connect.OptionalInt64Schema},
	}, connect.Attrs{Name: name, Version: 2})
}
