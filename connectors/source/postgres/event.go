package postgres

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// emitter appends the records of changes to batches. All it appends is the batch's
// memory or immutable. When a call fails it has appended nothing, so that the call
// can be made again after a *pgtype.StaleEnumError with a newer table.
type emitter struct {
	config   *config
	now      func() time.Time
	warnings warnings
	cells    connectorCells
	headers  []connect.Header // of extended.headers.enabled; immutable
	messages *messages
	tx       transaction
	// clock is when the last few events were handled, see stamp.
	clock struct {
		nanos int64
		uses  int // how many more events it is good for
	}
	// replaying: events are counted but not appended, see replay.
	replaying bool
}

// newEmitter returns an emitter for a task.
func newEmitter(c *config, sc connect.SourceContext, now func() time.Time) (*emitter, error) {
	e := &emitter{config: c, now: now, warnings: warnings{log: sc.Logger, now: now}, cells: newConnectorCells(c)}
	if c.records.headers {
		e.headers = extendedHeaders(c, sc.Task)
	}
	var err error
	e.messages, err = newMessages(c)
	return e, err
}

// extendedHeaders are the headers that tell where a record comes from. Names of
// connector and task are those of Debezium's context.
func extendedHeaders(c *config, task int) []connect.Header {
	const prefix = "__debezium.context."
	header := func(name, value string) connect.Header {
		return connect.Header{Key: prefix + name, Schema: connect.StringSchema, Value: connect.StringValue(value)}
	}
	return []connect.Header{
		header("connectorLogicalName", c.topics.prefix),
		header("taskId", strconv.Itoa(task)),
		header("connectorName", connectorName),
		header("runId", newRunID()),
	}
}

// newRunID returns a random UUID: a run of a task has one.
func newRunID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// clockUses is how many events may share one look at the clock: some 100 µs of them
// when they come as fast as they can.
const clockUses = 64

// stamp is when an event is handled, in Unix nanoseconds: later than its commit, as
// far as the clocks of the two machines agree.
func (e *emitter) stamp(o *origin) int64 {
	c := &e.clock
	if c.uses == 0 || o.micros*1000 >= c.nanos {
		c.nanos, c.uses = e.now().UnixNano(), clockUses
	}
	c.uses--
	return c.nanos
}

// waited says that time may have passed since the last event.
func (e *emitter) waited() { e.clock.uses = 0 }

// replay switches between counting events and appending them. After a restart in the
// middle of a transaction its first rows are in the log already: they are given to
// the emitter all the same, so that transaction metadata go on where they were.
func (e *emitter) replay(on bool) { e.replaying = on }

// read appends a row of a snapshot (op r).
func (e *emitter) read(b *connect.Batch, t *table, o *origin, r row) error {
	img, err := e.decode(b, t, r, nil)
	if err != nil {
		return e.failed(t, err)
	}
	e.append(b, t, o, opRead, img.key, connect.Value{}, connect.StructValue(img.value), nil, e.stamp(o))
	return nil
}

// insert appends an inserted row (op c).
func (e *emitter) insert(b *connect.Batch, t *table, o *origin, r row) error {
	if e.config.records.skipped.create {
		return nil
	}
	img, err := e.decode(b, t, r, nil)
	if err != nil {
		return e.failed(t, err)
	}
	e.change(b, t, o, opCreate, img.key, connect.Value{}, connect.StructValue(img.value), nil, e.stamp(o))
	return nil
}

// update appends an updated row (op u). oldKind is one of pgoutput's: what old is.
// When the key changed it appends a delete of the old key, its tombstone and a
// create of the new one instead, each with a header that has the other key. An old
// row without the key, of a replica identity that is an index on other columns,
// does not tell.
func (e *emitter) update(b *connect.Batch, t *table, o *origin, oldKind byte, old, r row) error {
	if oldKind == pgoutput.OldNone {
		old = nil
	}
	img, err := e.decode(b, t, r, old)
	if err != nil {
		return e.failed(t, err)
	}
	now := e.stamp(o)
	after := connect.StructValue(img.value)
	if old == nil {
		e.changeUnless(e.config.records.skipped.update, b, t, o, opUpdate, img.key, connect.Value{}, after, nil, now)
		return nil
	}
	was, err := e.decode(b, t, old, nil)
	if err != nil {
		return e.failed(t, err)
	}
	before := connect.StructValue(was.value)
	switch {
	case e.config.records.skipUnchanged && before.Equal(after):
	case !t.hasKey(), oldKind == pgoutput.OldKey && !t.keyKnown, connect.StructValue(was.key).Equal(connect.StructValue(img.key)):
		e.changeUnless(e.config.records.skipped.update, b, t, o, opUpdate, img.key, before, after, nil, now)
	default:
		e.changeKey(b, t, o, was, img, now)
	}
	return nil
}

// changeKey appends the records of an update that changed the key.
func (e *emitter) changeKey(b *connect.Batch, t *table, o *origin, was, is image, now int64) {
	skipped := &e.config.records.skipped
	header := func(name string, key []connect.Value) *connect.Header {
		return &connect.Header{Key: name, Schema: t.keySchema, Value: connect.StructValue(key)}
	}
	e.changeUnless(skipped.delete, b, t, o, opDelete, was.key, connect.StructValue(was.value), connect.Value{}, header("__debezium.newkey", is.key), now)
	e.changeUnless(skipped.create, b, t, o, opCreate, is.key, connect.Value{}, connect.StructValue(is.value), header("__debezium.oldkey", was.key), now)
}

// delete appends a deleted row (op d), and its tombstone. Without an old row, on a
// table without replica identity, there is nothing to say.
func (e *emitter) delete(b *connect.Batch, t *table, o *origin, oldKind byte, old row) error {
	if oldKind == pgoutput.OldNone {
		e.warnings.warn("a delete does not say of which row and is left out: give the table a replica identity", t.label, nil)
		return nil
	}
	if e.config.records.skipped.delete {
		return nil
	}
	was, err := e.decode(b, t, old, nil)
	if err != nil {
		return e.failed(t, err)
	}
	if oldKind == pgoutput.OldKey && !t.keyKnown {
		e.warnings.warn("a delete does not have the columns of the key, which are empty: set "+optKeyColumns+
			" to those of the replica identity, or REPLICA IDENTITY FULL", t.label, nil)
	}
	e.change(b, t, o, opDelete, was.key, connect.StructValue(was.value), connect.Value{}, nil, e.stamp(o))
	return nil
}

// truncate appends a record without key (op t) for a table that was emptied.
func (e *emitter) truncate(b *connect.Batch, t *table, o *origin) error {
	if !e.config.records.skipped.truncate {
		e.change(b, t, o, opTruncate, nil, connect.Value{}, connect.Value{}, nil, e.stamp(o))
	}
	return nil
}

// changeUnless is change for operations that may be skipped.
func (e *emitter) changeUnless(skipped bool, b *connect.Batch, t *table, o *origin, op connect.Value, key []connect.Value, before, after connect.Value, header *connect.Header, now int64) {
	if !skipped {
		e.change(b, t, o, op, key, before, after, header, now)
	}
}

// change appends a record of the stream: it counts in its transaction.
func (e *emitter) change(b *connect.Batch, t *table, o *origin, op connect.Value, key []connect.Value, before, after connect.Value, header *connect.Header, now int64) {
	block := e.tx.count(b, o, t.label)
	if e.replaying {
		return
	}
	r := e.append(b, t, o, op, key, before, after, header, now)
	r.Value.Cells()[envelopeTransaction] = block
	if op.Text() == "d" && e.config.records.tombstones {
		e.tombstone(b, *r)
	}
}

// append appends a record with an envelope.
func (e *emitter) append(b *connect.Batch, t *table, o *origin, op connect.Value, key []connect.Value, before, after connect.Value, header *connect.Header, now int64) *connect.Record {
	cells := b.Cells(envelopeFields + sourceFields)
	source := cells[envelopeFields:]
	o.fill(b, source, &e.cells, &t.source, now)
	cells = cells[:envelopeFields:envelopeFields]
	cells[envelopeBefore], cells[envelopeAfter] = before, after
	cells[envelopeSource] = connect.StructValue(source)
	cells[envelopeOp] = op
	cells[envelopeTsMs] = connect.Int64Value(now / 1_000_000)
	cells[envelopeTsUs] = connect.Int64Value(now / 1000)
	cells[envelopeTsNs] = connect.Int64Value(now)
	r := b.Append()
	r.Topic = t.topic
	if t.hasKey() && op.Text() != "t" {
		r.KeySchema, r.Key = t.keySchema, connect.StructValue(key)
	}
	r.ValueSchema, r.Value = t.envelopeSchema, connect.StructValue(cells)
	r.Headers = e.withHeader(b, header)
	return r
}

// tombstone appends a record like that of a delete, without value.
func (e *emitter) tombstone(b *connect.Batch, deleted connect.Record) {
	r := b.Append()
	r.Topic, r.KeySchema, r.Key, r.Headers = deleted.Topic, deleted.KeySchema, deleted.Key, deleted.Headers
}

// withHeader returns the record's headers: h, where there is one, and the extended
// ones.
func (e *emitter) withHeader(b *connect.Batch, h *connect.Header) []connect.Header {
	if h == nil {
		return e.headers
	}
	all := b.Headers(1 + len(e.headers))
	all[0] = *h
	copy(all[1:], e.headers)
	return all
}
