package postgres

import (
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// origin is where a change comes from: the part of source that changes from one
// event to the next.
type origin struct {
	snapshot snapshotMarker
	// lsn is the WAL start of the frame that carried the change, at a commit that of
	// the commit's frame; in a snapshot the position that it stands for. 0: none.
	lsn pgoutput.LSN
	// lastCommit is the WAL start of the frame of the last commit before. 0: none.
	lastCommit pgoutput.LSN
	txID       uint32 // 0: none
	// micros is the commit time, or in a snapshot the database's current time at its
	// start, in Unix microseconds. 0: not known, the time of the event takes its place.
	micros int64
	xmin   uint32 // of the slot; 0: none

	origin    string // replication origin; "": none
	originLSN pgoutput.LSN
}

// snapshotMarker says whether a record comes from a snapshot, and where in it.
type snapshotMarker uint8

// The markers.
const (
	notSnapshot snapshotMarker = iota
	snapshotTrue
	snapshotFirst
	snapshotFirstOfTable
	snapshotLastOfTable
	snapshotLast
	snapshotIncremental
)

// markerCells are the markers as values of source.snapshot. A record of the stream
// leaves it null, and the schema's default says false.
var markerCells = [...]connect.Value{
	notSnapshot:          {},
	snapshotTrue:         connect.StringValue("true"),
	snapshotFirst:        connect.StringValue("first"),
	snapshotFirstOfTable: connect.StringValue("first_in_data_collection"),
	snapshotLastOfTable:  connect.StringValue("last_in_data_collection"),
	snapshotLast:         connect.StringValue("last"),
	snapshotIncremental:  connect.StringValue("incremental"),
}

// The fields of source in order.
const (
	sourceVersion = iota
	sourceConnector
	sourceName
	sourceTsMs
	sourceSnapshot
	sourceDB
	sourceSequence
	sourceTsUs
	sourceTsNs
	sourceSchemaName
	sourceTable
	sourceTxID
	sourceLSN
	sourceXmin
	sourceOrigin
	sourceOriginLSN
	sourceFields
)

// sourceSchema is the schema of source.
var sourceSchema = mustStruct(connect.Attrs{Name: "io.debezium.connector.postgresql.Source", Version: 1},
	connect.Field{Name: "version", Schema: connect.StringSchema},
	connect.Field{Name: "connector", Schema: connect.StringSchema},
	connect.Field{Name: "name", Schema: connect.StringSchema},
	connect.Field{Name: "ts_ms", Schema: connect.Int64Schema},
	connect.Field{Name: "snapshot", Schema: snapshotMarkerSchema()},
	connect.Field{Name: "db", Schema: connect.StringSchema},
	connect.Field{Name: "sequence", Schema: connect.OptionalStringSchema},
	connect.Field{Name: "ts_us", Schema: connect.OptionalInt64Schema},
	connect.Field{Name: "ts_ns", Schema: connect.OptionalInt64Schema},
	connect.Field{Name: "schema", Schema: connect.StringSchema},
	connect.Field{Name: "table", Schema: connect.StringSchema},
	connect.Field{Name: "txId", Schema: connect.OptionalInt64Schema},
	connect.Field{Name: "lsn", Schema: connect.OptionalInt64Schema},
	connect.Field{Name: "xmin", Schema: connect.OptionalInt64Schema},
	connect.Field{Name: "origin", Schema: connect.OptionalStringSchema},
	connect.Field{Name: "origin_lsn", Schema: connect.OptionalInt64Schema},
)

func snapshotMarkerSchema() *connect.Schema {
	def := connect.StringValue("false")
	return must(connect.NewPrimitive(connect.String, connect.Attrs{Name: "io.debezium.data.Enum", Version: 1, Optional: true, Default: &def,
		Parameters: map[string]string{"allowed": "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"}}))
}

// tableCells are source's fields about a table.
type tableCells struct{ schema, table connect.Value }

func newTableCells(n tableName) tableCells {
	return tableCells{connect.StringValue(n.schema), connect.StringValue(n.name)}
}

// connectorCells are source's fields that never change.
type connectorCells struct{ version, connector, name, db connect.Value }

func newConnectorCells(c *config) connectorCells {
	return connectorCells{version: connect.StringValue(version), connector: connect.StringValue(connectorName),
		name: connect.StringValue(c.topics.prefix), db: connect.StringValue(c.connection.database)}
}

// connectorName is Debezium's name of its connector, which readers go by.
const connectorName = "postgresql"

// fill writes source's cells. now is in Unix nanoseconds.
func (o *origin) fill(b *connect.Batch, cells []connect.Value, c *connectorCells, t *tableCells, now int64) {
	micros := o.micros
	if micros == 0 {
		micros = now / 1000
	}
	cells[sourceVersion], cells[sourceConnector], cells[sourceName], cells[sourceDB] = c.version, c.connector, c.name, c.db
	cells[sourceTsMs] = connect.Int64Value(floorDiv(micros, 1000))
	cells[sourceTsUs] = connect.Int64Value(micros)
	cells[sourceTsNs] = connect.Int64Value(micros * 1000)
	cells[sourceSnapshot] = markerCells[o.snapshot]
	cells[sourceSequence] = o.sequence(b)
	cells[sourceSchemaName], cells[sourceTable] = t.schema, t.table
	if o.snapshot != snapshotIncremental {
		o.fillPosition(cells)
	}
	if o.origin != "" {
		cells[sourceOrigin] = connect.StringValue(b.Text([]byte(o.origin)))
		cells[sourceOriginLSN] = connect.Int64Value(int64(o.originLSN))
	}
}

func (o *origin) fillPosition(cells []connect.Value) {
	if o.txID != 0 {
		cells[sourceTxID] = connect.Int64Value(int64(o.txID))
	}
	if o.lsn != 0 {
		cells[sourceLSN] = connect.Int64Value(int64(o.lsn))
	}
	if o.xmin != 0 {
		cells[sourceXmin] = connect.Int64Value(int64(o.xmin))
	}
}

// sequence returns the JSON array of the last commit's position and this one's.
func (o *origin) sequence(b *connect.Batch) connect.Value {
	var buf [48]byte
	text := append(buf[:0], '[')
	text = appendSequence(text, o.lastCommit)
	text = append(text, ',')
	text = appendSequence(text, o.lsn)
	return connect.StringValue(b.Text(append(text, ']')))
}

func appendSequence(dst []byte, lsn pgoutput.LSN) []byte {
	if lsn == 0 {
		return append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, '"'), int64(lsn), 10)
	return append(dst, '"')
}

// floorDiv divides as Java's times do before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
