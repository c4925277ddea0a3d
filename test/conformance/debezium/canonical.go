package debezium

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Record is a record of a topic as it was read, partition by partition.
type Record struct {
	Topic      string
	Partition  int32
	Key, Value []byte // nil: null
	Headers    []Header
}

// Header is a header of a Record.
type Header struct {
	Key   string
	Value []byte
}

// A Topic is what one run wrote to a topic, with everything replaced that differs
// from run to run.
type Topic struct {
	Name    string
	Schemas []string // JSON schemas of keys and values, as the records refer to them
	Records []Entry
}

// An Entry is a canonical record: its lines.
type Entry []string

// canonicalizer numbers what differs from run to run. A value becomes its rank, so
// that an order is compared and a value that is used twice stays one.
type canonicalizer struct {
	ranks map[string]map[int64]int // by kind: the values and their ranks
}

// The kinds of values. A change is known by where its record begins in the WAL, a
// commit and a message by where theirs end. Such an end is, or is not, where the next
// record begins: the server writes records of its own between them, every 15 s at
// least. So beginnings and ends are numbered apart.
const (
	kindLSN     = "lsn"
	kindCommit  = "commit"
	kindMessage = "message"
	kindBegin   = "begin" // of a BEGIN that has not the LSN of its transaction's first event
	// An incremental snapshot's row has the LSN of the change that closed its window, or
	// of the last commit: it is known by how many changes begin before.
	kindBehind = "behind"
	kindTx     = "tx"
	kindTime   = "time"
)

// Canonical returns the topics of a run in the order of their names.
func Canonical(records []Record) ([]Topic, error) {
	parsed := make([]parsedRecord, len(records))
	c := &canonicalizer{ranks: make(map[string]map[int64]int)}
	for i := range records {
		var err error
		if parsed[i], err = parseRecord(&records[i]); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
	}
	markBegins(parsed)
	for i := range parsed {
		parsed[i].visit(c.collect)
	}
	c.rank()
	topics := make(map[string]*Topic)
	for i := range parsed {
		t := topics[parsed[i].topic]
		if t == nil {
			t = &Topic{Name: parsed[i].topic}
			topics[t.Name] = t
		}
		parsed[i].visit(c.name)
		t.Records = append(t.Records, parsed[i].entry(t))
	}
	return sorted(topics), nil
}

func sorted(topics map[string]*Topic) []Topic {
	var all []Topic
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		all = append(all, *topics[name])
	}
	return all
}

// collect notes a value that is there.
func (c *canonicalizer) collect(kind string, v int64) string {
	if c.ranks[kind] == nil {
		c.ranks[kind] = make(map[int64]int)
	}
	c.ranks[kind][v] = 0
	return ""
}

func (c *canonicalizer) rank() {
	for _, values := range c.ranks {
		for i, v := range slices.Sorted(maps.Keys(values)) {
			values[v] = i
		}
	}
	changes := slices.Sorted(maps.Keys(c.ranks[kindLSN]))
	for v := range c.ranks[kindBehind] {
		c.ranks[kindBehind][v], _ = slices.BinarySearch(changes, v)
	}
}

func (c *canonicalizer) name(kind string, v int64) string {
	return fmt.Sprintf("%s %d", kind, c.ranks[kind][v])
}

type parsedRecord struct {
	topic      string
	partition  int32
	key, value *node // nil: null
	headers    []Header
}

func parseRecord(r *Record) (parsedRecord, error) {
	p := parsedRecord{topic: r.Topic, partition: r.Partition, headers: r.Headers}
	for _, part := range []struct {
		to   **node
		from []byte
	}{{&p.key, r.Key}, {&p.value, r.Value}} {
		if part.from == nil {
			continue
		}
		n, err := parseJSON(part.from)
		if err != nil {
			return p, fmt.Errorf("%s: %q: %w", r.Topic, part.from, err)
		}
		*part.to = n
	}
	return p, nil
}

// payload is the value within the envelope that JsonConverter makes with schemas.
func payload(n *node) *node {
	if n != nil && len(n.members) == 2 && n.members[0].name == "schema" && n.members[1].name == "payload" {
		return n.members[1].value
	}
	return n
}

// visit hands over each value that differs from run to run and replaces it by what
// comes back, unless that is empty.
func (p *parsedRecord) visit(name func(kind string, v int64) string) {
	number := func(kind string) func(*node) *node {
		return func(n *node) *node {
			v, err := strconv.ParseInt(n.str(), 10, 64)
			if err != nil {
				return n // what is no number is compared as it is
			}
			if as := name(kind, v); as != "" {
				return text(as)
			}
			return n
		}
	}
	v := payload(p.value)
	if v == nil {
		return
	}
	id := func(n *node) *node { // of a transaction: "txId:lsn"
		tx, lsn, _ := strings.Cut(n.str(), ":")
		as := number(kindTx)(text(tx)).str()
		at := number(placeOf(v))(text(lsn)).str()
		if as == tx {
			return n
		}
		return text(as + ":" + at)
	}
	if k := payload(p.key); k != nil && v.get("status") != nil {
		k.set("id", id)
	} else if k != nil {
		k.set("id", withoutWindow)
	}
	v.get("after").ifObject(func(row *node) {
		row.set("id", withoutWindow)
		row.set("data", withoutWindow)
	})
	v.get("transaction").ifObject(func(t *node) { t.set("id", id) })
	v.get("source").ifObject(func(s *node) { visitSource(s, placeOf(v), number) })
	if v.get("status") != nil {
		v.set("id", id)
		v.get("data_collections").each(func(n *node) { n.set("data_collection", withoutIdentity) })
		v.set("ts_ms", now)
	}
	if v.get("source") != nil || len(v.members) == 1 { // the other is a heartbeat's
		v.set("ts_ms", now)
		v.set("ts_us", now)
		v.set("ts_ns", now)
	}
}

// placeOf is the kind of the LSN of a record.
func placeOf(v *node) string {
	switch {
	case v.get("status").str() == "BEGIN":
		return kindBegin
	case v.get("status") != nil:
		return kindCommit
	case v.get("op").str() == "m":
		return kindMessage
	}
	return kindLSN
}

// markBegins replaces the LSN of a BEGIN where it is that of the first event of its
// transaction, as it should be.
func markBegins(records []parsedRecord) {
	first := make(map[string]int64) // by transaction
	for i := range records {
		tx, at, _ := strings.Cut(payload(records[i].value).get("transaction").get("id").str(), ":")
		lsn, err := strconv.ParseInt(at, 10, 64)
		if before, ok := first[tx]; err == nil && (!ok || lsn < before) {
			first[tx] = lsn
		}
	}
	mark := func(n *node) *node {
		tx, at, _ := strings.Cut(n.str(), ":")
		if lsn, ok := first[tx]; ok && at == strconv.FormatInt(lsn, 10) {
			return text(tx + ":first")
		}
		return n
	}
	for i := range records {
		if v := payload(records[i].value); v.get("status").str() == "BEGIN" {
			v.set("id", mark)
			payload(records[i].key).set("id", mark)
		}
	}
}

// ofSnapshot is before the kinds of values of a snapshot, which are numbered by
// themselves: which position and transaction stand for one is up to the connector.
const ofSnapshot = "snapshot's "

// visitSource visits the fields of a source. place is the kind of its LSN.
func visitSource(s *node, place string, of func(string) func(*node) *node) {
	number := of
	switch s.get("snapshot").str() {
	case "", "false": // null stands for false without its default
	case "incremental": // the sequence is of the stream
		place = kindBehind
	default:
		number = func(kind string) func(*node) *node { return of(ofSnapshot + kind) }
	}
	s.set("version", func(*node) *node { return text("version") })
	us := s.get("ts_us").str()
	consistent(s, us)
	if s.get("snapshot").str() == "incremental" {
		s.set("ts_us", now) // of each row, or of what is read at once
	}
	s.set("ts_us", number(kindTime))
	s.set("lsn", number(place))
	s.set("txId", number(kindTx))
	s.set("sequence", func(n *node) *node {
		list, err := parseJSON([]byte(n.str()))
		if err != nil {
			return n
		}
		for i, kind := range []string{kindCommit, place} {
			if len(list.items) == 2 && list.items[i].scalar != "null" {
				list.items[i] = number(kind)(list.items[i])
			}
		}
		return text(list.String())
	})
}

// consistent replaces ts_ms and ts_ns of a source where they say the same as ts_us.
func consistent(s *node, us string) {
	v, err := strconv.ParseInt(us, 10, 64)
	if err != nil {
		return
	}
	same := func(want int64, was string) func(*node) *node {
		return func(n *node) *node {
			if n.scalar == strconv.FormatInt(want, 10) {
				return text(was)
			}
			return n
		}
	}
	s.set("ts_ms", same(v/1000, "ts_us/1000"))
	s.set("ts_ns", func(n *node) *node {
		// Debezium has nanoseconds of its own for the time of a snapshot.
		if ns, err := strconv.ParseInt(n.scalar, 10, 64); err == nil && ns/1000 == v {
			return text("ts_us*1000")
		}
		return n
	})
}

// now replaces the time at which an event was made, which is any.
func now(n *node) *node {
	if _, err := strconv.ParseInt(n.scalar, 10, 64); err != nil {
		return n
	}
	return text("now")
}

// window is the id of a signal that opens or closes the window of an incremental
// snapshot, and windowTimes are its times.
var (
	window      = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-(open|close)$`)
	windowTimes = regexp.MustCompile(`"(open|close)WindowTimestamp": *"[^"]*"`)
)

func withoutWindow(n *node) *node {
	was := n.str()
	as := windowTimes.ReplaceAllString(window.ReplaceAllString(was, "window $2"), `${1}ed`)
	if as == was {
		return n
	}
	return text(as)
}

// identity is what Java writes behind the class of an object that has no text.
var identity = regexp.MustCompile(`@[0-9a-f]+$`)

func withoutIdentity(n *node) *node { return text(identity.ReplaceAllString(n.str(), "")) }

func (n *node) each(f func(*node)) {
	if n != nil {
		for _, item := range n.items {
			f(item)
		}
	}
}

func (n *node) ifObject(f func(*node)) {
	if n != nil && n.kind == '{' {
		f(n)
	}
}

// entry writes the lines of a record: key, value and headers.
func (p *parsedRecord) entry(t *Topic) Entry {
	e := Entry{"key " + t.side(p.key), "value " + t.side(p.value)}
	if p.partition != 0 {
		e = append(e, fmt.Sprintf("partition %d", p.partition))
	}
	for _, h := range slices.SortedStableFunc(slices.Values(p.headers), func(a, b Header) int { return cmp.Compare(a.Key, b.Key) }) {
		e = append(e, "header "+h.Key+" "+headerText(h))
	}
	return e
}

// side writes a key or value. A schema is written once for each topic.
func (t *Topic) side(n *node) string {
	if n == nil {
		return "none"
	}
	p := payload(n)
	if p == n {
		return n.String()
	}
	schema := n.members[0].value.String()
	i := slices.Index(t.Schemas, schema)
	if i < 0 {
		i = len(t.Schemas)
		t.Schemas = append(t.Schemas, schema)
	}
	return fmt.Sprintf("schema %d %s", i, p)
}

// uuid is what the header of a run of the connector has, another one each time.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func headerText(h Header) string {
	if h.Key == "__debezium.context.runId" && uuid.Match(h.Value) {
		return "run"
	}
	return string(bytes.ToValidUTF8(h.Value, []byte("?")))
}
