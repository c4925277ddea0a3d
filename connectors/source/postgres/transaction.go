package postgres

import (
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// transactionBlockSchema is the schema of transaction in an envelope.
var transactionBlockSchema = mustStruct(connect.Attrs{Name: "event.block", Version: 1, Optional: true},
	connect.Field{Name: "id", Schema: connect.StringSchema},
	connect.Field{Name: "total_order", Schema: connect.Int64Schema},
	connect.Field{Name: "data_collection_order", Schema: connect.Int64Schema},
)

// Schemas of the records of the transaction topic.
var (
	transactionKeySchema = mustStruct(connect.Attrs{Name: "io.debezium.connector.common.TransactionMetadataKey", Version: 1},
		connect.Field{Name: "id", Schema: connect.StringSchema})
	transactionCountSchema = mustStruct(connect.Attrs{Name: "event.collection", Version: 1, Optional: true},
		connect.Field{Name: "data_collection", Schema: connect.StringSchema},
		connect.Field{Name: "event_count", Schema: connect.Int64Schema})
	transactionCountsSchema = must(connect.NewArray(transactionCountSchema, connect.Attrs{Optional: true}))
	transactionValueSchema  = mustStruct(connect.Attrs{Name: "io.debezium.connector.common.TransactionMetadataValue", Version: 1},
		connect.Field{Name: "status", Schema: connect.StringSchema},
		connect.Field{Name: "id", Schema: connect.StringSchema},
		connect.Field{Name: "event_count", Schema: connect.OptionalInt64Schema},
		connect.Field{Name: "data_collections", Schema: transactionCountsSchema},
		connect.Field{Name: "ts_ms", Schema: connect.Int64Schema})
)

// transaction counts the events of the transaction that is being read.
type transaction struct {
	open  bool
	txID  uint32
	total int64
	// counts are the events of each table in the order of the first, byLabel their
	// places.
	counts  []eventCount
	byLabel map[string]int
}

type eventCount struct {
	label string
	n     int64
}

// begin starts a transaction (op BEGIN of the transaction topic). o.lsn is the WAL
// start of the frame with the begin.
func (e *emitter) begin(b *connect.Batch, o *origin) {
	if !e.config.records.transactions {
		return
	}
	e.tx.start(o.txID)
	if !e.replaying {
		e.transactionRecord(b, o, "BEGIN")
	}
}

// commit ends a transaction (END of the transaction topic). o.lsn is the WAL start of
// the frame with the commit.
func (e *emitter) commit(b *connect.Batch, o *origin) {
	if !e.config.records.transactions || !e.tx.open {
		return
	}
	if !e.replaying {
		e.transactionRecord(b, o, "END")
	}
	e.tx.open = false
}

func (t *transaction) start(txID uint32) {
	t.open, t.txID, t.total, t.counts = true, txID, 0, t.counts[:0]
	clear(t.byLabel)
}

// count counts an event of a table and returns its block, null where there are no
// transactions.
func (t *transaction) count(b *connect.Batch, o *origin, label string) connect.Value {
	if !t.open || o.txID == 0 {
		return connect.Value{}
	}
	i, ok := t.byLabel[label]
	if !ok {
		if t.byLabel == nil {
			t.byLabel = make(map[string]int)
		}
		i = len(t.counts)
		t.byLabel[label] = i
		t.counts = append(t.counts, eventCount{label: label})
	}
	t.total++
	t.counts[i].n++
	cells := b.Cells(3)
	cells[0], cells[1], cells[2] = t.id(b, o.lsn), connect.Int64Value(t.total), connect.Int64Value(t.counts[i].n)
	return connect.StructValue(cells)
}

// id returns the transaction's id as an event at lsn has it.
func (t *transaction) id(b *connect.Batch, lsn pgoutput.LSN) connect.Value {
	var buf [32]byte
	text := strconv.AppendUint(buf[:0], uint64(t.txID), 10)
	text = strconv.AppendInt(append(text, ':'), int64(lsn), 10)
	return connect.StringValue(b.Text(text))
}

// transactionRecord appends a record to the transaction topic.
func (e *emitter) transactionRecord(b *connect.Batch, o *origin, status string) {
	cells := b.Cells(6)
	id := e.tx.id(b, o.lsn)
	cells[0], cells[1], cells[4] = connect.StringValue(status), id, connect.Int64Value(floorDiv(o.micros, 1000))
	if status == "END" {
		cells[2], cells[3] = connect.Int64Value(e.tx.total), e.tx.collections(b)
	}
	cells[5] = id
	r := b.Append()
	r.Topic = e.config.topics.transactions()
	r.KeySchema, r.Key = transactionKeySchema, connect.StructValue(cells[5:])
	r.ValueSchema, r.Value = transactionValueSchema, connect.StructValue(cells[:5:5])
}

func (t *transaction) collections(b *connect.Batch) connect.Value {
	elems := b.Cells(len(t.counts))
	cells := b.Cells(2 * len(t.counts))
	for i, c := range t.counts {
		pair := cells[2*i : 2*i+2 : 2*i+2]
		pair[0], pair[1] = connect.StringValue(b.Text([]byte(c.label))), connect.Int64Value(c.n)
		elems[i] = connect.StructValue(pair)
	}
	return connect.ArrayValue(elems)
}
