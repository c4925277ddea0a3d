package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// TestStatesAreHeldToTheContract refuses states that would lose records.
func TestStatesAreHeldToTheContract(t *testing.T) {
	s := quietSinkTask(t, t.Context(), "")
	in := connect.TopicPartition{Topic: "in"}
	s.partitions[in] = &sinkPartition{committed: 10, written: 20}
	s.partitions[connect.TopicPartition{Topic: "new"}] = &sinkPartition{committed: -1, written: 3}
	state := func(topic string, offset int64, text string) connect.PartitionState {
		st := connect.PartitionState{PartitionOffset: connect.PartitionOffset{TopicPartition: connect.TopicPartition{Topic: topic}, Offset: offset}}
		if text != "" {
			st.State = json.RawMessage(text)
		}
		return st
	}
	for _, test := range []struct {
		states []connect.PartitionState
		want   string // "": fine
	}{
		{[]connect.PartitionState{state("in", 10, ""), state("new", 0, "{}")}, ""},
		{[]connect.PartitionState{state("in", 20, "[]")}, ""},
		{[]connect.PartitionState{state("other", 1, "")}, "is not assigned to the task"},
		{[]connect.PartitionState{state("in", 11, ""), state("in", 12, "")}, "has two states"},
		{[]connect.PartitionState{state("in", 9, "")}, "committed up to 10"},
		{[]connect.PartitionState{state("in", 21, "")}, "written up to 20"},
		{[]connect.PartitionState{state("new", -1, "")}, "at offset -1"},
		{[]connect.PartitionState{state("in", 12, "{")}, "is not JSON"},
	} {
		err := s.checkStates(test.states)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.states, err, test.want)
		}
	}
}

// slowSink is a two-phase sink whose Apply works from some call on.
type slowSink struct {
	writerFunc
	applies, works int
}

func (s *slowSink) Assign(context.Context, []connect.PartitionOffset) error { return nil }
func (s *slowSink) Revoke(context.Context, []connect.TopicPartition) error  { return nil }
func (s *slowSink) Restore(context.Context, []connect.PartitionState) error { return nil }
func (s *slowSink) Prepare(context.Context) ([]connect.PartitionState, error) {
	return nil, nil
}
func (s *slowSink) Apply(context.Context) error {
	if s.applies++; s.applies < s.works {
		return connect.Retriable(errors.New("503 Slow Down"))
	}
	return nil
}

// TestNothingIsWrittenBeforeApply bounds what waits for Apply (I5).
func TestNothingIsWrittenBeforeApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		s := quietSinkTask(t, stop, "")
		sink := &slowSink{works: 5}
		written := make(chan int, 1)
		sink.writerFunc = func(*connect.Batch) error {
			written <- sink.applies
			return nil
		}
		s.sink, s.twoPhase, s.unapplied = sink, sink, true
		in := connect.TopicPartition{Topic: "in"}
		s.epochs[in], s.partitions[in] = 1, &sinkPartition{}
		if err := s.convertPartition(stop, in, []*kgo.Record{{Topic: "in"}}, 1); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- s.writeAll(nil) }()
		if got := <-written; got != 5 {
			t.Errorf("a batch was written after %d calls of Apply, want 5", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// withdrawnSink counts the calls of Withdraw.
type withdrawnSink struct {
	slowSink
	withdrawn int
}

func (s *withdrawnSink) Withdraw() { s.withdrawn++ }

// TestUnknownCommitIsNotWithdrawn lets a sink destroy only what is certain not to be committed (I3).
func TestUnknownCommitIsNotWithdrawn(t *testing.T) {
	s := quietSinkTask(t, t.Context(), "")
	sink := new(withdrawnSink)
	s.sink, s.twoPhase = sink, sink
	s.withdraw(errors.New("the end of the transaction was not answered"))
	if sink.withdrawn != 0 {
		t.Error("withdrawn is what may be committed")
	}
	s.withdraw(&notCommittedError{connect.Retriable(errors.New("NOT_ENOUGH_REPLICAS"))})
	if sink.withdrawn != 1 {
		t.Error("what is certain not to be committed is not withdrawn")
	}
}

// TestOffsetsNameTheMember gives the group what it knows former owners by (KIP-447).
func TestOffsetsNameTheMember(t *testing.T) {
	x := sinkTransaction{id: "w-snk-0-sink"}
	req := x.offsetRequest(groupMember{"connect-snk", "member", "snk-0", 7}, []connect.PartitionState{{PartitionOffset: connect.PartitionOffset{
		TopicPartition: connect.TopicPartition{Topic: "in", Partition: 3}, Offset: 12}}})
	if req.TransactionalID != x.id || req.Group != "connect-snk" || req.MemberID != "member" || req.Generation != 7 || req.InstanceID == nil || *req.InstanceID != "snk-0" {
		t.Errorf("the request is of transactional id %s, group %s, member %s, instance %v, generation %d", req.TransactionalID, req.Group, req.MemberID, req.InstanceID, req.Generation)
	}
	if p := req.Topics[0].Partitions[0]; req.Topics[0].Topic != "in" || p.Partition != 3 || p.Offset != 12 {
		t.Errorf("it commits %+v", req.Topics)
	}
}
