package clients

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = 60 * time.Second

// judge is a client behind the few things that a test asks of all of them. A nil
// function is something the client cannot do. Each fails the test when the
// client reports an error, or nothing for the time of patience.
type judge struct {
	name string
	// produce sends records with acks=all, unless the request says otherwise,
	// and returns when all are acknowledged.
	produce func(t *testing.T, q produceRequest, records ...record)
	// consume reads a partition until it has q.n records.
	consume func(t *testing.T, q consumeRequest) []record
	// join adds a member to a group. Its records are committed in the background.
	join func(t *testing.T, q memberRequest) member
	// transact returns a transactional producer whose epoch is valid.
	transact func(t *testing.T, addr, id string) transactor
	// times is offsetsForTimes of one partition: -1 when nothing is as late.
	times func(t *testing.T, addr, topic string, ms int64) int64
	// nullIsEmpty says that its consumer does not tell null from empty.
	nullIsEmpty bool
	// noZstd says that it knows the codec only for versions that it takes the
	// broker not to have.
	noZstd bool
	// showsMarkers says that it knows no transactions: it takes markers for
	// records, and reads what was aborted.
	showsMarkers bool
}

func (j judge) knows(codec string) bool { return codec != "zstd" || !j.noZstd }

// record is one record as all clients see it.
type record struct {
	partition  int32
	offset     int64
	timestamp  int64  // in ms; produced with 0: the client's clock
	key, value []byte // nil is null
	headers    []header
}

type header struct {
	key   string
	value []byte
}

func (r record) String() string {
	return fmt.Sprintf("%d/%d at %d: %s=%s %v", r.partition, r.offset, r.timestamp, short(r.key), short(r.value), r.headers)
}

func short(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q(%d)", b[:min(len(b), 24)], len(b))
}

type produceRequest struct {
	addr, topic string
	codec       string // none, gzip, snappy, lz4, zstd; empty: none
	acks        string // 0, 1, all; empty: all
	idempotent  bool
}

type consumeRequest struct {
	addr, topic string
	partition   int32
	from        int64
	n           int
	committed   bool // isolation.level=read_committed
	maxBytes    int  // max.partition.fetch.bytes; 0: the client's
}

type memberRequest struct {
	addr, group, topic string
	instance           string // group.instance.id
	assignor           string // range, roundrobin, cooperative-sticky, or empty: range
	protocol           string // group.protocol; empty: classic
	session            time.Duration
	got                func(record) // called from a goroutine of the member
}

// member is a consumer in a group.
type member interface {
	// assigned returns the partitions that it has now, sorted.
	assigned() []int32
	// leave closes it as an application does: offsets are committed.
	leave(t *testing.T)
}

// transactor is a transactional producer.
type transactor interface {
	begin(t *testing.T)
	send(t *testing.T, topic string, records ...record)
	// offsets adds the next offset of partition 0 of a topic for a group.
	offsets(t *testing.T, group, topic string, next int64)
	end(t *testing.T, commit bool)
	close()
}

// judges are all clients but kcat, which is a program and has tests of its own.
func judges(t *testing.T) []judge {
	return []judge{kgoJudge(), librdkafkaJudge(), saramaJudge(), segmentioJudge(), pythonJudge(t, pythonOld), pythonJudge(t, pythonNew)}
}

// each runs a test for every judge that can do what it needs.
func each(t *testing.T, can func(judge) bool, test func(t *testing.T, j judge)) {
	t.Helper()
	ran := 0
	for _, j := range judges(t) {
		if can(j) {
			ran++
			t.Run(j.name, func(t *testing.T) { test(t, j) })
		}
	}
	if ran == 0 {
		t.Fatal("no client can do this")
	}
}

func produces(j judge) bool  { return j.produce != nil }
func joins(j judge) bool     { return j.join != nil }
func transacts(j judge) bool { return j.transact != nil }

// same compares key, value and headers. loose does not tell null from empty.
func same(a, b record, loose bool) bool {
	return sameBytes(a.key, b.key, loose) && sameBytes(a.value, b.value, loose) &&
		slices.EqualFunc(a.headers, b.headers, func(a, b header) bool { return a.key == b.key && sameBytes(a.value, b.value, true) })
}

func sameBytes(a, b []byte, loose bool) bool {
	return bytes.Equal(a, b) && (loose || (a == nil) == (b == nil))
}

// wantRecords compares records with the expected ones, in order.
func wantRecords(t *testing.T, got, want []record, loose bool) {
	t.Helper()
	for i := range want {
		if i >= len(got) {
			t.Errorf("got %d records, want %d", len(got), len(want))
			return
		}
		if !same(got[i], want[i], loose) {
			t.Errorf("record %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// values are records of partition 0 with these values.
func values(texts ...string) []record {
	var list []record
	for _, v := range texts {
		list = append(list, record{value: []byte(v)})
	}
	return list
}

// numbered is n records of partition 0.
func numbered(prefix string, n int) []record {
	var list []record
	for i := range n {
		list = append(list, record{value: fmt.Appendf(nil, "%s%d", prefix, i)})
	}
	return list
}

func texts(records []record) []string {
	var list []string
	for _, r := range records {
		list = append(list, string(r.value))
	}
	return list
}

func wantTexts(t *testing.T, what string, got []record, want ...string) {
	t.Helper()
	if !slices.Equal(texts(got), want) {
		t.Errorf("%s: got %s, want %s", what, strings.Join(texts(got), " "), strings.Join(want, " "))
	}
}

// eventually polls until check returns nil. It fails with the last error.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	if err := poll(patience, check); err != nil {
		t.Fatalf("after %v: %v", patience, err)
	}
}

// poll tries a check every few milliseconds until it returns nil.
func poll(limit time.Duration, check func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}
