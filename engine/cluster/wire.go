package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The versions of the formats; see the package comment.
const (
	version1 = 1
	version2 = 2
)

// connectorTask stands in the place of a task's number for the connector itself.
const connectorTask = -1

// isConnector reports whether an item of work is a connector, not a task.
func (t TaskID) isConnector() bool { return t.Task == connectorTask }

// subscription is what a member says of itself when it joins.
type subscription struct {
	version int16
	url     string
	offset  int64
	current *assignment // nil: it owns nothing
}

// assignment is what the leader tells a member, and a member says that it has.
type assignment struct {
	version       int16
	err           int16
	leader        string
	leaderURL     string
	offset        int64
	work, revoked []TaskID // connectors and tasks
	delay         time.Duration
}

func (s *subscription) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(s.version))
	b = appendString(b, s.url)
	b = binary.BigEndian.AppendUint64(b, uint64(s.offset))
	if s.version < version1 {
		return b
	}
	if s.current == nil {
		return binary.BigEndian.AppendUint32(b, math.MaxUint32)
	}
	current := s.current.encode()
	b = binary.BigEndian.AppendUint32(b, uint32(len(current)))
	return append(b, current...)
}

func (a *assignment) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(a.version))
	b = binary.BigEndian.AppendUint16(b, uint16(a.err))
	b = appendString(b, a.leader)
	b = appendString(b, a.leaderURL)
	b = binary.BigEndian.AppendUint64(b, uint64(a.offset))
	b = appendWork(b, a.work)
	if a.version < version1 {
		return b
	}
	b = appendWork(b, a.revoked)
	return binary.BigEndian.AppendUint32(b, uint32(a.delay.Milliseconds()))
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// appendWork writes each connector once, in the order of first appearance, with its
// items in their order.
func appendWork(b []byte, work []TaskID) []byte {
	var names []string
	tasks := map[string][]int32{}
	for _, t := range work {
		if tasks[t.Connector] == nil {
			names = append(names, t.Connector)
		}
		tasks[t.Connector] = append(tasks[t.Connector], int32(t.Task))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
	for _, name := range names {
		b = appendString(b, name)
		b = binary.BigEndian.AppendUint32(b, uint32(len(tasks[name])))
		for _, n := range tasks[name] {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
	}
	return b
}

var errShort = errors.New("it ends too early")

// reader reads fields from the front of b. Once something is wrong, all that it
// returns is zero. Lengths are held against what is left before anything is made of
// them (I5).
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		if r.err == nil {
			r.err = errShort
		}
		r.b = nil
		return make([]byte, 8)[:min(max(n, 0), 8)]
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) int16() int16 { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) int32() int32 { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) int64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

func (r *reader) string() string {
	n := r.int16()
	if s := r.take(int(n)); r.err == nil {
		return string(s)
	}
	return ""
}

// version reads a version. Every one from 0 on can be read: newer ones add fields at
// the end.
func (r *reader) version() int16 {
	v := r.int16()
	if r.err == nil && v < 0 {
		r.err = fmt.Errorf("its version %d does not exist", v)
	}
	return v
}

// length reads the length of an array whose elements have at least size bytes.
func (r *reader) length(size int) int {
	n := int(r.int32())
	if r.err == nil && n > len(r.b)/size {
		r.err = errShort
	}
	if r.err != nil || n < 0 {
		return 0
	}
	return n
}

func (r *reader) work() []TaskID {
	var work []TaskID
	for range r.length(6) {
		name := r.string()
		for range r.length(4) {
			work = append(work, TaskID{name, int(r.int32())})
		}
	}
	return work
}

// over reports whether the fields end here, which what older versions write may do
// before the optional ones.
func (r *reader) over() bool { return r.err == nil && len(r.b) == 0 }

func decodeSubscription(b []byte) (*subscription, error) {
	r := reader{b: b}
	s := &subscription{version: r.version(), url: r.string(), offset: r.int64()}
	if !r.over() {
		if n := r.int32(); r.err == nil && n >= 0 {
			current := r.take(int(n))
			if r.err == nil {
				s.current, r.err = decodeAssignment(current)
			}
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("read a subscription: %w", r.err)
	}
	return s, nil
}

func decodeAssignment(b []byte) (*assignment, error) {
	r := reader{b: b}
	a := &assignment{version: r.version(), err: r.int16(), leader: r.string(), leaderURL: r.string(), offset: r.int64()}
	if !r.over() {
		a.work = r.work()
	}
	if !r.over() {
		a.revoked = r.work()
	}
	if !r.over() {
		a.delay = time.Duration(r.int32()) * time.Millisecond
	}
	if r.err != nil {
		return nil, fmt.Errorf("read an assignment: %w", r.err)
	}
	return a, nil
}
