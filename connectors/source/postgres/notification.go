package postgres

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Notices are what Debezium calls notifications: records in a topic, lines of the log
// and posts by HTTP, about the progress of snapshots. Types, keys and texts are Debezium's.
const (
	noticeInitial     = "Initial Snapshot"
	noticeIncremental = "Incremental Snapshot"
	noticeStream      = "Change Stream" // ours

	noticeStarted      = "STARTED"
	noticeInProgress   = "IN_PROGRESS"
	noticeTableScanned = "TABLE_SCAN_COMPLETED"
	noticeCompleted    = "COMPLETED"
	noticeSkipped      = "SKIPPED"
	noticeAborted      = "ABORTED"
	noticePaused       = "PAUSED"
	noticeResumed      = "RESUMED"
	noticeGap          = "GAP"
)

var (
	noticeKeySchema = mustStruct(connect.Attrs{Name: "io.debezium.connector.common.NotificationKey", Version: 1},
		connect.Field{Name: "id", Schema: connect.StringSchema})
	noticeSchema = mustStruct(connect.Attrs{Name: "io.debezium.connector.common.Notification", Version: 1},
		connect.Field{Name: "id", Schema: connect.StringSchema},
		connect.Field{Name: "type", Schema: connect.StringSchema},
		connect.Field{Name: "aggregate_type", Schema: connect.StringSchema},
		connect.Field{Name: "additional_data", Schema: must(connect.NewMap(connect.StringSchema, connect.StringSchema, connect.Attrs{Optional: true}))},
		connect.Field{Name: "timestamp", Schema: connect.Int64Schema})
)

// noticeData are pairs of names and values.
type noticeData []string

// notifier sends notices to the channels that the config names.
type notifier struct {
	cfg  *config
	log  *slog.Logger
	now  func() time.Time
	http *httpPoster // nil: the channels do not have it
}

// send appends a notice's record to b, logs and posts it. data are pairs. An empty id is
// made up.
func (n *notifier) send(b *connect.Batch, aggregate, kind, id string, data ...string) {
	channels := n.cfg.signals.notifications
	if len(channels) == 0 {
		return
	}
	if id == "" {
		id = randomUUID()
	}
	data = append(data, "connector_name", n.cfg.topics.prefix)
	now := n.now().UnixMilli()
	if slices.Contains(channels, "log") {
		n.log.Info("notification", "id", id, "aggregate_type", aggregate, "type", kind, "additional_data", noticeData(data))
	}
	if n.http != nil {
		n.http.send(httpNotice{kind, httpBody(id, aggregate, kind, data, now)})
	}
	if slices.Contains(channels, "sink") {
		n.record(b, n.cfg.signals.notificationsTo, aggregate, kind, id, data, now)
	}
}

// gap says that changes are missing, whatever the channels: who reads the topics has to
// know. Its record goes with the position behind the gap.
func (n *notifier) gap(b *connect.Batch, g *streamGap, to *position) {
	data := noticeData{"slot", n.cfg.replication.slot, "reason", g.reason, "to_lsn", to.start().String()}
	if from := g.from.start(); from != 0 {
		data = append(data, "from_lsn", from.String())
	}
	if g.from.systemID != "" && g.from.systemID != to.systemID {
		data = append(data, "from_system_id", g.from.systemID, "to_system_id", to.systemID)
	}
	data = append(data, "connector_name", n.cfg.topics.prefix)
	n.record(b, n.cfg.gapTopic(), noticeStream, noticeGap, randomUUID(), data, n.now().UnixMilli())
}

// streamGap are changes that are missing in the stream after a position.
type streamGap struct {
	from   position
	reason string
}

// gapTopic is where records about gaps go: the topic of notices, or one of their own.
func (c *config) gapTopic() string {
	if to := c.signals.notificationsTo; to != "" {
		return to
	}
	return c.topics.sanitize(c.topics.prefix + c.topics.delimiter + "notification")
}

func (n *notifier) record(b *connect.Batch, topic, aggregate, kind, id string, data noticeData, now int64) {
	key, value := b.Cells(1), b.Cells(5)
	pairs := b.Cells(len(data))
	for i, text := range data {
		pairs[i] = connect.StringValue(b.Text([]byte(text)))
	}
	key[0] = connect.StringValue(b.Text([]byte(id)))
	value[0], value[1], value[2] = key[0], connect.StringValue(kind), connect.StringValue(aggregate)
	value[3], value[4] = connect.MapValue(pairs), connect.Int64Value(now)
	r := b.Append()
	r.Topic = topic
	r.KeySchema, r.Key = noticeKeySchema, connect.StructValue(key)
	r.ValueSchema, r.Value = noticeSchema, connect.StructValue(value)
}

// String shows the pairs as Java shows a map.
func (d noticeData) String() string {
	var parts []string
	for i := 0; i+1 < len(d); i += 2 {
		parts = append(parts, d[i]+"="+d[i+1])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (n *notifier) started(b *connect.Batch, s *snapshotState) {
	n.send(b, noticeInitial, noticeStarted, s.ID)
}

func (n *notifier) completed(b *connect.Batch, s *snapshotState) {
	n.send(b, noticeInitial, noticeCompleted, s.ID)
}

// skipped says that there is nothing to read at this start.
func (n *notifier) skipped(b *connect.Batch) { n.send(b, noticeInitial, noticeSkipped, "") }

func (n *notifier) tableScanned(b *connect.Batch, s *snapshotState, t *table, rows int64) {
	n.send(b, noticeInitial, noticeTableScanned, s.ID, "scanned_collection", t.name.String(), "total_rows_scanned", strconv.FormatInt(rows, 10), "status", "SUCCEEDED")
}

// randomUUID returns a UUID of version 4.
func randomUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
