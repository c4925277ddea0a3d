package postgres

import (
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// messageLabel is what transaction metadata call messages.
const messageLabel = "LOGICAL_DECODING_MESSAGE"

// messages makes the records of logical decoding messages.
type messages struct {
	topic                  string
	keySchema, valueSchema *connect.Schema
	encode                 func(b *connect.Batch, content []byte) connect.Value
}

// The fields of a message's value in order.
const (
	messageOp = iota
	messageTsMs
	messageSource
	messageTransaction
	messageMessage
	messageFields
)

func newMessages(c *config) (*messages, error) {
	const prefix = "io.debezium.connector.postgresql."
	m := &messages{topic: c.topics.messages()}
	contentSchema := connect.OptionalStringSchema
	switch c.types.options.Binary {
	case pgtype.BinaryBase64:
		m.encode = encodedWith(base64.StdEncoding)
	case pgtype.BinaryBase64URLSafe:
		m.encode = encodedWith(base64.URLEncoding)
	case pgtype.BinaryHex:
		m.encode = hexEncoded
	default:
		contentSchema = connect.OptionalBytesSchema
		m.encode = func(b *connect.Batch, p []byte) connect.Value { return connect.BytesValue(b.Bytes(p)) }
	}
	name := func(s string) connect.Attrs {
		return connect.Attrs{Name: c.records.schemaName(prefix + s), Version: 1}
	}
	prefixField := connect.Field{Name: "prefix", Schema: connect.OptionalStringSchema}
	block, errBlock := connect.NewStruct([]connect.Field{prefixField, {Name: "content", Schema: contentSchema}}, name("Message"))
	var errKey, errValue error
	m.keySchema, errKey = connect.NewStruct([]connect.Field{prefixField}, name("MessageKey"))
	m.valueSchema, errValue = connect.NewStruct([]connect.Field{
		{Name: "op", Schema: connect.StringSchema},
		{Name: "ts_ms", Schema: connect.OptionalInt64Schema},
		{Name: "source", Schema: sourceSchema},
		{Name: "transaction", Schema: transactionBlockSchema},
		{Name: "message", Schema: block},
	}, name("MessageValue"))
	return m, errors.Join(errBlock, errKey, errValue)
}

func encodedWith(e *base64.Encoding) func(*connect.Batch, []byte) connect.Value {
	return func(b *connect.Batch, p []byte) connect.Value {
		out := b.Buffer(e.EncodedLen(len(p)))
		e.Encode(out, p)
		return connect.StringValue(ownText(out))
	}
}

func hexEncoded(b *connect.Batch, p []byte) connect.Value {
	out := b.Buffer(hex.EncodedLen(len(p)))
	hex.Encode(out, p)
	return connect.StringValue(ownText(out))
}

// message appends a logical decoding message (op m). o.txID is 0 for one that is not
// transactional.
func (e *emitter) message(b *connect.Batch, o *origin, m *pgoutput.Message) error {
	captured, err := e.config.capturesMessage(string(m.Prefix))
	if err != nil || !captured {
		return err
	}
	block := e.tx.count(b, o, messageLabel)
	if e.replaying {
		return nil
	}
	cells := b.Cells(messageFields + sourceFields + 3)
	value, source, rest := cells[:messageFields:messageFields], cells[messageFields:messageFields+sourceFields], cells[messageFields+sourceFields:]
	now := e.now().UnixNano()
	o.fill(b, source[:sourceFields:sourceFields], &e.cells, &noTable, now)
	prefix := connect.StringValue(b.Text(m.Prefix))
	rest[0], rest[1], rest[2] = prefix, prefix, e.messages.encode(b, m.Content)
	value[messageOp] = opMessage
	value[messageTsMs] = connect.Int64Value(now / 1_000_000)
	value[messageSource] = connect.StructValue(source)
	value[messageTransaction] = block
	value[messageMessage] = connect.StructValue(rest[1:])
	r := b.Append()
	r.Topic = e.messages.topic
	r.KeySchema, r.Key = e.messages.keySchema, connect.StructValue(rest[:1:1])
	r.ValueSchema, r.Value = e.messages.valueSchema, connect.StructValue(value)
	return nil
}

// noTable is what source says about the table of a message.
var noTable = newTableCells(tableName{})
