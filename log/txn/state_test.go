package txn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// testNow is the time of transitions in these tests.
const testNow = 1_000_000

// in is an id in a state, of a producer with id 7.
func in(s State, epoch int16, partitions ...int32) metadata {
	m := newMetadata(7)
	m.epoch, m.state, m.timeoutMs, m.startMs, m.updatedMs = epoch, s, 60_000, 100, 200
	m.partitions = map[TopicPartition]struct{}{}
	for _, p := range partitions {
		m.partitions[TopicPartition{"t", p}] = struct{}{}
	}
	return m
}

func text(m metadata) string {
	s := fmt.Sprintf("%s %d/%d", m.state, m.producerID, m.epoch)
	if m.nextID != noID {
		s += fmt.Sprintf(" next %d", m.nextID)
	}
	for _, tp := range sorted(m.partitions) {
		s += fmt.Sprintf(" %d", tp.Partition)
	}
	return s
}

func outcome(m metadata, changed bool, err error) string {
	switch {
	case err != nil:
		var k *kerr.Error
		if errors.As(err, &k) {
			return k.Message
		}
		return err.Error()
	case !changed:
		return "done"
	}
	return text(m)
}

func TestEndTransition(t *testing.T) {
	overflowed := in(CompleteCommit, 0)
	overflowed.producerID, overflowed.previousID = 8, 7
	const (
		done, fenced, invalid = "done", "PRODUCER_FENCED", "INVALID_TXN_STATE"
		unknown, concurrent   = "INVALID_PRODUCER_ID_MAPPING", "CONCURRENT_TRANSACTIONS"
	)
	for _, tt := range []struct {
		m               metadata
		id              int64
		epoch           int16
		commit1, abort1 string // protocol version 1
		commit2, abort2 string // protocol version 2
	}{
		{in(Empty, 3), 7, 3, invalid, invalid, invalid, "PrepareAbort 7/4"},
		{in(Empty, 3), 7, 2, fenced, fenced, fenced, fenced},
		{in(Empty, 3), 7, 4, fenced, fenced, fenced, fenced},
		{in(Empty, 3), 9, 3, unknown, unknown, unknown, unknown},
		{in(Ongoing, 3, 0, 1), 7, 3, "PrepareCommit 7/3 0 1", "PrepareAbort 7/3 0 1", "PrepareCommit 7/4 0 1", "PrepareAbort 7/4 0 1"},
		{in(Ongoing, 3, 0), 7, 2, fenced, fenced, fenced, fenced},
		{in(Ongoing, 3, 0), 7, 4, fenced, fenced, fenced, fenced},
		{in(Ongoing, 3, 0), 9, 3, unknown, unknown, unknown, unknown},
		{in(PrepareCommit, 3, 0), 7, 3, concurrent, invalid, fenced, fenced},
		{in(PrepareCommit, 3, 0), 7, 2, fenced, fenced, concurrent, invalid},
		{in(PrepareAbort, 3, 0), 7, 3, invalid, concurrent, fenced, fenced},
		{in(PrepareAbort, 3, 0), 7, 2, fenced, fenced, invalid, concurrent},
		{in(CompleteCommit, 3), 7, 3, done, invalid, invalid, "PrepareAbort 7/4"},
		{in(CompleteCommit, 3), 7, 2, fenced, fenced, done, invalid},
		{in(CompleteCommit, 3), 7, 1, fenced, fenced, fenced, fenced},
		{in(CompleteAbort, 3), 7, 3, invalid, done, invalid, "PrepareAbort 7/4"},
		{in(CompleteAbort, 3), 7, 2, fenced, fenced, invalid, done},
		{in(CompleteAbort, 3), 9, 3, unknown, unknown, unknown, unknown},
		// The last epoch that a client may have: the next transaction has another producer id.
		{in(Ongoing, maxEpoch, 0), 7, maxEpoch, "PrepareCommit 7/32766 0", "PrepareAbort 7/32766 0", "PrepareCommit 7/32767 next 99 0", "PrepareAbort 7/32767 next 99 0"},
		{overflowed, 7, maxEpoch, unknown, unknown, done, invalid},
		{overflowed, 7, maxEpoch - 1, unknown, unknown, unknown, unknown},
		{overflowed, 8, 0, done, invalid, invalid, "PrepareAbort 8/1"},
	} {
		p := Producer{"x", tt.id, tt.epoch}
		for _, c := range []struct {
			commit, bump bool
			want         string
		}{{true, false, tt.commit1}, {false, false, tt.abort1}, {true, true, tt.commit2}, {false, true, tt.abort2}} {
			if got := outcome(tt.m.end(p, c.commit, c.bump, 99, testNow)); got != c.want {
				t.Errorf("%s: end by %d/%d, commit %v, bump %v: %s, want %s", text(tt.m), tt.id, tt.epoch, c.commit, c.bump, got, c.want)
			}
		}
	}
}

func TestAddTransition(t *testing.T) {
	for _, tt := range []struct {
		m     metadata
		id    int64
		epoch int16
		want  string // adding partitions 1 and 2
	}{
		{in(Empty, 3), 7, 3, "Ongoing 7/3 1 2"},
		{in(Empty, 3), 7, 2, "PRODUCER_FENCED"},
		{in(Empty, 3), 8, 3, "INVALID_PRODUCER_ID_MAPPING"},
		{in(Ongoing, 3, 0), 7, 3, "Ongoing 7/3 0 1 2"},
		{in(Ongoing, 3, 0, 1, 2), 7, 3, "done"},
		{in(Ongoing, 3, 0), 7, 4, "PRODUCER_FENCED"},
		{in(PrepareCommit, 3, 0), 7, 3, "CONCURRENT_TRANSACTIONS"},
		{in(PrepareAbort, 3, 0), 7, 3, "CONCURRENT_TRANSACTIONS"},
		{in(PrepareAbort, 3, 0), 7, 2, "PRODUCER_FENCED"},
		{in(CompleteCommit, 3), 7, 3, "Ongoing 7/3 1 2"},
		{in(CompleteAbort, 3), 7, 3, "Ongoing 7/3 1 2"},
	} {
		before := text(tt.m)
		next, changed, err := tt.m.add(Producer{"x", tt.id, tt.epoch}, []TopicPartition{{"t", 2}, {"t", 1}}, protocolV2, testNow)
		if got := outcome(next, changed, err); got != tt.want {
			t.Errorf("%s: %s, want %s", before, got, tt.want)
		}
		if text(tt.m) != before {
			t.Errorf("%s became %s", before, text(tt.m))
		}
		if wantStart := map[bool]int64{true: 100, false: testNow}[tt.m.state == Ongoing]; changed && next.startMs != wantStart {
			t.Errorf("%s: began at %d, want %d", before, next.startMs, wantStart)
		}
	}
}

func TestInitTransition(t *testing.T) {
	retried := in(Empty, 4)
	retried.lastEpoch = 3
	rotated := in(Empty, 0)
	rotated.producerID, rotated.previousID, rotated.lastEpoch = 8, 7, maxEpoch
	for _, tt := range []struct {
		m        metadata
		expected *Producer
		want     string
	}{
		{newMetadata(7), nil, "Empty 7/0"},
		{newMetadata(7), &Producer{"", 5, 5}, "Empty 7/0"}, // expired and made again
		{in(Empty, 3), nil, "Empty 7/4"},
		{in(CompleteCommit, 3), nil, "Empty 7/4"},
		{in(CompleteAbort, 3), &Producer{"", 7, 3}, "Empty 7/4"},
		{in(Empty, 3), &Producer{"", 7, 2}, "PRODUCER_FENCED"},
		{in(Empty, 3), &Producer{"", 7, 4}, "PRODUCER_FENCED"},
		{in(Empty, 3), &Producer{"", 8, 3}, "PRODUCER_FENCED"},
		{retried, &Producer{"", 7, 3}, "Empty 7/4"}, // the answer got lost
		{in(Ongoing, 3), &Producer{"", 7, 2}, "PRODUCER_FENCED"},
		{in(Ongoing, 3), &Producer{"", 8, 3}, "PRODUCER_FENCED"},
		{in(Empty, maxEpoch-1), nil, "Empty 7/32766"},
		{in(Empty, maxEpoch), nil, "Empty 99/0"},
		{in(Empty, maxEpoch), &Producer{"", 7, maxEpoch}, "Empty 99/0"},
		{in(Empty, maxEpoch), &Producer{"", 7, 5}, "PRODUCER_FENCED"},
		{in(CompleteAbort, math.MaxInt16), nil, "Empty 99/0"},
		{rotated, &Producer{"", 7, maxEpoch}, "Empty 8/0"},
		{rotated, &Producer{"", 7, maxEpoch - 1}, "PRODUCER_FENCED"},
	} {
		err := tt.m.checkInit(tt.expected)
		next := tt.m
		if err == nil {
			next, err = tt.m.initialise(tt.expected, 5000, 99, testNow)
		}
		if got := outcome(next, true, err); got != tt.want {
			t.Errorf("%s, expecting %v: %s, want %s", text(tt.m), tt.expected, got, tt.want)
		}
		if err == nil && (next.timeoutMs != 5000 || next.startMs != -1 || len(next.partitions) > 0 || next.updatedMs != testNow) {
			t.Errorf("%s: %+v", text(tt.m), next)
		}
	}
	if _, err := in(Empty, maxEpoch).initialise(nil, 1, noID, 1); !errors.Is(err, errNeedID) {
		t.Errorf("without a new id: %v, want %v", err, errNeedID)
	}
}

func TestCompleteTransition(t *testing.T) {
	next := in(PrepareAbort, math.MaxInt16, 1)
	next.nextID = 9
	for _, tt := range []struct {
		m    metadata
		want string
	}{
		{in(PrepareCommit, 3, 1), "CompleteCommit 7/3"},
		{in(PrepareAbort, 3, 1), "CompleteAbort 7/3"},
		{next, "CompleteAbort 9/0"},
	} {
		if got := text(tt.m.complete(testNow)); got != tt.want {
			t.Errorf("%s: %s, want %s", text(tt.m), got, tt.want)
		}
	}
}

// What a partition has open after a crash belongs to the transaction that is
// open or next, to the one that has been decided, or to none.
func TestWhoseTransactionIsOpen(t *testing.T) {
	decided := func(bump bool, epoch int16) metadata {
		m, err := in(Ongoing, epoch, 0).prepare(true, bump, 99, testNow)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, tt := range []struct {
		m     metadata
		id    int64
		epoch int16
		want  string
	}{
		{in(Empty, 3), 7, 3, "continues"},
		{in(Empty, 3), 7, 2, ""},
		{in(Ongoing, 3, 0), 7, 3, "continues"},
		{in(CompleteCommit, 3), 7, 3, "continues"},
		{in(CompleteCommit, 3), 7, 2, ""},
		{decided(true, 3), 7, 3, "decides"},
		{decided(true, 3), 7, 4, "continues"}, // the next transaction
		{decided(true, 3), 7, 2, ""},
		{decided(false, 3), 7, 3, "decides"}, // version 1: the next one has the same epoch, but does not begin before
		{decided(false, 3), 7, 2, ""},
		{decided(true, maxEpoch), 7, maxEpoch, "decides"},
		{decided(true, maxEpoch), 99, 0, "continues"},
		{decided(true, maxEpoch), 99, 1, ""},
	} {
		got := ""
		switch {
		case tt.m.continues(tt.id, tt.epoch):
			got = "continues"
		case tt.m.decides(tt.id, tt.epoch):
			got = "decides"
		}
		if got != tt.want {
			t.Errorf("%s, open %d/%d: %q, want %q", text(tt.m), tt.id, tt.epoch, got, tt.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	for s := Empty; s <= PrepareEpochFence; s++ {
		m := in(s, 3)
		want := slices.Contains([]State{Empty, CompleteCommit, CompleteAbort}, s)
		if got := m.expired(200+1000, time.Second); got != want {
			t.Errorf("%s expires: %v, want %v", s, got, want)
		}
		if m.expired(200+999, time.Second) {
			t.Errorf("%s expires too soon", s)
		}
		if got := m.timedOut(100 + 60_001); got != (s == Ongoing) {
			t.Errorf("%s times out: %v", s, got)
		}
		if m.timedOut(100 + 60_000) {
			t.Errorf("%s times out too soon", s)
		}
	}
}
