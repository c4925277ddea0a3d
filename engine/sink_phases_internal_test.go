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
