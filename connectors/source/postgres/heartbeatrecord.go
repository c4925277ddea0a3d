package postgres

import "github.com/sluice-data/sluice/connect"

// Schemas of heartbeats.
var (
	heartbeatKeySchema = mustStruct(connect.Attrs{Name: "io.debezium.connector.common.ServerNameKey", Version: 1},
		connect.Field{Name: "serverName", Schema: connect.StringSchema})
	heartbeatValueSchema = mustStruct(connect.Attrs{Name: "io.debezium.connector.common.Heartbeat", Version: 1},
		connect.Field{Name: "ts_ms", Schema: connect.Int64Schema})
)

// heartbeat appends a record to the heartbeat topic.
func (e *emitter) heartbeat(b *connect.Batch) {
	cells := b.Cells(2)
	cells[0], cells[1] = e.cells.name, connect.Int64Value(e.now().UnixMilli())
	r := b.Append()
	r.Topic, r.Partition = e.config.topics.heartbeats(), 0
	r.KeySchema, r.Key = heartbeatKeySchema, connect.StructValue(cells[:1:1])
	r.ValueSchema, r.Value = heartbeatValueSchema, connect.StructValue(cells[1:])
}
