package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// bucket is an object store with multipart uploads: parts are durable, an object
// shows when its upload is completed. Completing twice is harmless.
type bucket struct {
	uploads map[int][]int    // by upload id
	objects map[string][]int // by key
}

func (k *bucket) complete(key string, upload int) error {
	parts, ok := k.uploads[upload]
	if !ok {
		return errors.New("no such upload")
	}
	k.objects[key] = parts
	return nil
}

var _ connect.TwoPhase = (*lakeSink)(nil)

// lakeSink writes a multipart upload for each rotation.
type lakeSink struct {
	store *bucket
	open  []int // numbers since the last rotation
	from  connect.PartitionOffset
	ready []pendingObject // prepared, not yet applied
}

type pendingObject struct {
	Key    string `json:"key"`
	Upload int    `json:"upload"`
}

func (s *lakeSink) Open(context.Context, connect.SinkContext) error { return nil }
func (s *lakeSink) Close() error                                    { return nil }

func (s *lakeSink) Assign(context.Context, []connect.PartitionOffset) error { return nil }
func (s *lakeSink) Revoke(context.Context, []connect.TopicPartition) error  { return nil }

func (s *lakeSink) Write(_ context.Context, b *connect.Batch) error {
	for _, r := range b.Records() {
		s.open = append(s.open, int(r.Value.Int()))
		s.from = connect.PartitionOffset{TopicPartition: b.From, Offset: r.Offset + 1}
	}
	return nil
}

func (s *lakeSink) Prepare(context.Context) ([]connect.PartitionState, error) {
	if len(s.open) == 0 {
		return nil, nil
	}
	p := pendingObject{fmt.Sprintf("%s+%d+%010d", s.from.Topic, s.from.Partition, s.open[0]), len(s.store.uploads)}
	s.store.uploads[p.Upload] = s.open
	s.open, s.ready = nil, append(s.ready, p)
	state, err := json.Marshal(p)
	return []connect.PartitionState{{PartitionOffset: s.from, State: state}}, err
}

func (s *lakeSink) Apply(context.Context) error {
	for _, p := range s.ready {
		if err := s.store.complete(p.Key, p.Upload); err != nil {
			return err
		}
	}
	s.ready = nil
	return nil
}

func (s *lakeSink) Restore(ctx context.Context, states []connect.PartitionState) error {
	for _, st := range states {
		var p pendingObject
		if err := json.Unmarshal(st.State, &p); err != nil {
			return fmt.Errorf("read committed state: %w", err)
		}
		s.ready = append(s.ready, p)
	}
	return s.Apply(ctx)
}

// ledger is the committed state and offset of one partition, with the fence: a
// commit by an owner that is no longer the newest fails.
type ledger struct {
	owner     int
	committed connect.PartitionState
}

func (l *ledger) commit(owner int, states []connect.PartitionState) error {
	if owner != l.owner {
		return errors.New("fenced")
	}
	for _, st := range states {
		l.committed = st
	}
	return nil
}

// TestTwoPhaseSinkFits crashes the engine after every possible number of steps
// (Write, Prepare, commit, Apply), lets a zombie of the old owner go on, and
// wants every record in exactly one visible object.
func TestTwoPhaseSinkFits(t *testing.T) {
	for crash := 1; crash < 40; crash++ {
		store := &bucket{uploads: map[int][]int{}, objects: map[string][]int{}}
		l := &ledger{}
		zombie := &lakeSink{store: store}
		runTwoPhase(t, zombie, l, 1, crash)
		runTwoPhase(t, &lakeSink{store: store}, l, 2, 1000)
		if states, err := zombie.Prepare(t.Context()); err == nil && l.commit(1, states) == nil {
			t.Fatal("the zombie could commit")
		}
		var visible []int
		for _, numbers := range store.objects {
			visible = append(visible, numbers...)
		}
		slices.Sort(visible)
		if want := count(30); !slices.Equal(visible, want) {
			t.Fatalf("crash after %d steps: visible are %v", crash, visible)
		}
	}
}

func count(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// runTwoPhase plays the engine for at most the given number of steps.
func runTwoPhase(t *testing.T, s *lakeSink, l *ledger, owner, steps int) {
	t.Helper()
	l.owner = owner // the fence is up before anything is read
	crashed := func() bool { steps--; return steps == 0 }
	if l.committed.State != nil {
		if err := s.Restore(t.Context(), []connect.PartitionState{l.committed}); err != nil {
			t.Fatal(err)
		}
	}
	for next := l.committed.Offset; next < 30; next += 4 {
		if err := s.Write(t.Context(), numbers(next, min(next+4, 30))); err != nil {
			t.Fatal(err)
		}
		if crashed() {
			return
		}
		states, err := s.Prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if crashed() {
			return
		}
		if err := l.commit(owner, states); err != nil {
			t.Fatal(err)
		}
		if crashed() {
			return
		}
		if err := s.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if crashed() {
			return
		}
	}
}

func numbers(from, to int64) *connect.Batch {
	b := connect.NewBatch(100, 1<<20)
	b.From = connect.TopicPartition{Topic: "t"}
	for n := from; n < to; n++ {
		r := b.Append()
		r.Offset, r.Value = n, connect.Int64Value(n)
	}
	return b
}
