// Package history judges what clients saw of a log while its server was killed
// again and again, in the manner of Jepsen's Kafka workload: every value is sent
// once and names itself, every answer is kept, and at the end the whole log is
// compared with what clients were told.
//
// Recording is for many goroutines. Check is called once, at rest.
package history

import (
	"fmt"
	"sync"
)

// Partition names one partition.
type Partition struct {
	Topic  string
	Number int32
}

// String is topic-number, the name of the partition's directory.
func (p Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Number) }

// Outcome is what a client knows about what it asked for.
type Outcome uint8

// The outcomes. What nobody answered is Unknown, and may have happened or not.
const (
	Unknown Outcome = iota
	OK
	Refused // a transaction: aborted
)

// Send is one record that a producer was told to send.
type Send struct {
	Producer  string
	Partition Partition
	Number    int    // the producer's running number in this partition
	Key       string // of compacted topics, otherwise empty; one key belongs to one producer
	Value     string // unique in the whole history
	Outcome   Outcome
	Offset    int64 // where, when OK; -1 when the client does not say
	Txn       int   // transaction that it is part of; 0: none
}

// Seen is a record as a reader got it.
type Seen struct {
	Offset     int64
	Key, Value string
}

// Reading is one run of a consumer over one partition: from a seek or an
// assignment until the next.
type Reading struct {
	Consumer  string
	Partition Partition
	Committed bool // isolation.level=read_committed
	Records   []Seen
}

// Sample is a number that must not go down: a committed offset or an end offset.
type Sample struct {
	What      string // for the report: which group, or which end
	Partition Partition
	Offset    int64
}

// Final is a partition after everything came to rest.
type Final struct {
	Compacted              bool
	All, Committed         []Seen // read under each isolation level from the start
	Start, End, LastStable int64
}

// Delivery is a record that a member of a group got.
type Delivery struct {
	Group     string
	Partition Partition
	Offset    int64
}

// Flow says that a transactional application copied every record of one topic to
// another, exactly once.
type Flow struct{ From, To string }

// History is what happened.
type History struct {
	mu        sync.Mutex // guards the fields below
	sends     []*Send
	txns      []Outcome // by transaction, from 1
	readings  []*Reading
	samples   []Sample
	delivered map[Delivery]bool
	final     map[Partition]Final
	flows     []Flow
}

// New returns an empty history.
func New() *History {
	return &History{txns: make([]Outcome, 1), delivered: map[Delivery]bool{}, final: map[Partition]Final{}}
}

// Sending records a send before it is tried; its outcome is unknown until Sent.
func (h *History) Sending(s Send) *Send {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends = append(h.sends, &s)
	return &s
}

// Sent records the acknowledgement of a send.
func (h *History) Sent(s *Send, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Outcome, s.Offset = OK, offset
}

// Begin returns the number of a new transaction.
func (h *History) Begin() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.txns = append(h.txns, Unknown)
	return len(h.txns) - 1
}

// End records what became of a transaction.
func (h *History) End(txn int, o Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.txns[txn] = o
}

// Read begins a reading.
func (h *History) Read(consumer string, p Partition, committed bool) *Reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &Reading{Consumer: consumer, Partition: p, Committed: committed}
	h.readings = append(h.readings, r)
	return r
}

// Got adds a record to a reading.
func (h *History) Got(r *Reading, s Seen) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Records = append(r.Records, s)
}

// Sampled records a number that must not go down. Samples of one name and
// partition are taken one after the other.
func (h *History) Sampled(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples = append(h.samples, s)
}

// Delivered records that a group's member got a record. The group's committed
// offsets are the samples of that name.
func (h *History) Delivered(d Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.delivered[d] = true
}

// Finally records a partition at rest.
func (h *History) Finally(p Partition, f Final) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.final[p] = f
}

// Flows says that a topic was copied to another.
func (h *History) Flows(from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flows = append(h.flows, Flow{from, to})
}

// Counts are for the summary.
type Counts struct {
	Sends, Acknowledged                int
	Transactions, Committed, Aborted   int
	Readings, RecordsRead, Samples     int
	Deliveries                         int
	Partitions, RecordsInLog, LeftOpen int
}

// Counts returns how much there is.
func (h *History) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := Counts{Sends: len(h.sends), Transactions: len(h.txns) - 1, Readings: len(h.readings), Samples: len(h.samples), Deliveries: len(h.delivered), Partitions: len(h.final)}
	for _, s := range h.sends {
		if s.Outcome == OK {
			c.Acknowledged++
		}
	}
	for _, o := range h.txns[1:] {
		switch o {
		case OK:
			c.Committed++
		case Refused:
			c.Aborted++
		default:
			c.LeftOpen++
		}
	}
	for _, r := range h.readings {
		c.RecordsRead += len(r.Records)
	}
	for _, f := range h.final {
		c.RecordsInLog += len(f.All)
	}
	return c
}
