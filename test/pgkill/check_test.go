package pgkill

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type row struct {
	ID   int64  `json:"id"`
	Ver  int64  `json:"ver"`
	Note string `json:"note"`
}

// event is what is in a topic of a table, or of the transactions.
type event struct {
	Op            string
	Before, After *row
	Source        struct {
		LSN, TxID int64
		Snapshot  string
	}
	Status          string
	ID              string
	DataCollections []struct {
		DataCollection string `json:"data_collection"`
		EventCount     int    `json:"event_count"`
	} `json:"data_collections"`
}

// place is what there can be one event of.
type place struct {
	topic string
	lsn   int64
	op    string
	id    int64
}

// txTopic is a transaction's part in a topic.
type txTopic struct {
	tx    int64
	topic string
}

// rowKey is a row of a table.
type rowKey struct {
	topic string
	id    int64
}

// A judge reads the topics and says what is wrong.
type judge struct {
	t      *testing.T
	prefix string
	rows   map[string]map[int64]row // by topic and key
	seen   map[place]bool
	told   map[rowKey]bool // there was an event of it
	counts map[txTopic]int
	ends   map[txTopic]int
	faults map[string]int // by kind
	read   int
}

func newJudge(t *testing.T, prefix string) *judge {
	return &judge{t: t, prefix: prefix, rows: make(map[string]map[int64]row), seen: make(map[place]bool), told: make(map[rowKey]bool),
		counts: make(map[txTopic]int), ends: make(map[txTopic]int), faults: make(map[string]int)}
}

// fault notes what is wrong, and shows the first few of a kind.
func (j *judge) fault(kind, format string, args ...any) {
	j.faults[kind]++
	if j.faults[kind] <= 5 {
		j.t.Errorf(kind+": "+format, args...)
	}
}

// readAll reads every committed record there is.
func (j *judge) readAll(log []kgo.Opt, topics ...string) {
	j.t.Helper()
	j.readAs(kgo.ReadCommitted(), log, j.record, topics...)
}

// readAs hands over every record that a reader of an isolation level gets.
func (j *judge) readAs(level kgo.IsolationLevel, log []kgo.Opt, each func(*kgo.Record), topics ...string) {
	j.t.Helper()
	c, err := kgo.NewClient(append(slices.Clip(log), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(level), kgo.KeepControlRecords())...)
	if err != nil {
		j.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(j.t.Context(), 5*time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(c).ListCommittedOffsets(ctx, topics...)
	if err != nil {
		j.t.Fatal(err)
	}
	left := make(map[string]int64)
	for _, topic := range topics {
		left[topic] = ends[topic][0].Offset
		if left[topic] == 0 {
			delete(left, topic)
		}
	}
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			j.t.Fatalf("read the topics: %v; left %v", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				each(r)
			}
			if r.Offset+1 >= left[r.Topic] {
				delete(left, r.Topic)
			}
		})
	}
}

func (j *judge) record(r *kgo.Record) {
	if r.Value == nil {
		return // the tombstone after a delete
	}
	j.read++
	var e event
	if err := json.Unmarshal(r.Value, &e); err != nil {
		j.fault("not an event", "%s: %v", r.Value, err)
		return
	}
	topic := strings.TrimPrefix(r.Topic, j.prefix+".")
	if e.Status != "" {
		j.boundary(&e)
		return
	}
	var key row
	if err := json.Unmarshal(r.Key, &key); err != nil {
		j.fault("not a key", "%s: %v", r.Key, err)
		return
	}
	p := place{topic: topic, lsn: e.Source.LSN, op: e.Op, id: key.ID}
	if e.Op == "r" {
		p.lsn = 0 // a row is read once
	}
	if j.seen[p] {
		j.fault("doubled", "%+v: %s", p, r.Value)
		return
	}
	j.seen[p] = true
	if e.Op != "r" {
		j.counts[txTopic{e.Source.TxID, topic}]++
	}
	j.apply(topic, key.ID, &e)
}

// boundary notes what an END says.
func (j *judge) boundary(e *event) {
	tx, _, _ := strings.Cut(e.ID, ":")
	var id int64
	fmt.Sscan(tx, &id)
	if e.Status == "BEGIN" {
		return
	}
	for _, c := range e.DataCollections {
		p := txTopic{id, c.DataCollection}
		if _, again := j.ends[p]; again {
			j.fault("doubled", "END of transaction %d", id)
		}
		j.ends[p] = c.EventCount
	}
}

// apply makes the row that an event tells of, whose version has to be the next.
func (j *judge) apply(topic string, id int64, e *event) {
	if j.rows[topic] == nil {
		j.rows[topic] = make(map[int64]row)
	}
	was, there := j.rows[topic][id]
	if !there && e.Before != nil && !j.told[rowKey{topic, id}] && id <= accounts {
		// A snapshot that was interrupted leaves out what has changed since: the stream
		// begins with that change.
		was, there = *e.Before, true
	}
	j.told[rowKey{topic, id}] = true
	switch e.Op {
	case "r", "c":
		if there {
			j.fault("order", "%s %d: %s of a row that is there, %+v", topic, id, e.Op, was)
		}
	case "u":
		if !there || e.After == nil || e.After.Ver != was.Ver+1 {
			j.fault("lost", "%s %d: an update to %+v of %+v", topic, id, e.After, was)
		}
	case "d":
		if !there || topic == "public.account" && (e.Before == nil || e.Before.Ver != was.Ver) {
			j.fault("lost", "%s %d: a delete of %+v, which was %+v", topic, id, e.Before, was)
		}
		delete(j.rows[topic], id)
		return
	}
	if e.After == nil || e.After.ID != id {
		j.fault("not an event", "%s %d: after is %+v", topic, id, e.After)
		return
	}
	j.rows[topic][id] = *e.After
}

// compare wants the table to be what its topic makes.
func (j *judge) compare(log []kgo.Opt, conn *pgx.Conn, table string) int {
	j.t.Helper()
	topic := "public." + table
	rows, err := conn.Query(j.t.Context(), "SELECT id, ver, note FROM "+table)
	if err != nil {
		j.t.Fatal(err)
	}
	n := 0
	var r row
	missing := make(map[int64]bool)
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Ver, &r.Note}, func() error {
		n++
		got, there := j.rows[topic][r.ID]
		if !there {
			missing[r.ID] = true
			j.fault("lost", "%s %+v is not in the topic", table, r)
		} else if got != r {
			j.fault("lost", "%s %+v is %+v in the topic", table, r, got)
		}
		return nil
	})
	if err != nil {
		j.t.Fatal(err)
	}
	if len(missing) > 0 {
		j.explain(log, j.prefix+"."+topic, missing)
	}
	if extra := len(j.rows[topic]) - n; extra > 0 {
		j.fault("invented", "the topic of %s has %d rows more than the table", table, extra)
	}
	return n
}

// transactions wants each END to have the numbers of its events.
func (j *judge) transactions() {
	for p, want := range j.ends {
		if got := j.counts[p]; got != want {
			j.fault("transaction", "%d has %d events of %s, its END says %d", p.tx, got, p.topic, want)
		}
	}
	for p, got := range j.counts {
		if _, there := j.ends[p]; !there {
			j.fault("transaction", "%d has %d events of %s and no END", p.tx, got, p.topic)
		}
	}
}

// explain tells where rows are that a reader of committed records does not get: in an
// aborted transaction of the log, or nowhere.
func (j *judge) explain(log []kgo.Opt, topic string, missing map[int64]bool) {
	j.t.Helper()
	first, last, found := int64(-1), int64(-1), 0
	j.readAs(kgo.ReadUncommitted(), log, func(r *kgo.Record) {
		var key row
		if json.Unmarshal(r.Key, &key) == nil && missing[key.ID] {
			found++
			if first < 0 {
				first = r.Offset
			}
			last = r.Offset
		}
	}, topic)
	j.t.Errorf("of %d rows missing in %s the log has %d records in aborted transactions, offsets %d to %d", len(missing), topic, found, first, last)
}
