package connecttest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-data/sluice/connect"
)

// Lake is a target system in memory whose writers have two phases, as object
// stores with multipart uploads do: an upload is durable and cannot be seen until
// it is completed. It shows what a TwoPhase sink has to do, and takes the place of
// a real system in tests of the engine.
type Lake struct {
	mu      sync.Mutex // guards the fields below
	made    int
	uploads map[string][]string // by id
	objects map[string][]string // by id of the upload
}

// NewLake returns a lake without objects.
func NewLake() *Lake {
	return &Lake{uploads: make(map[string][]string), objects: make(map[string][]string)}
}

// Values returns the values of all objects in the order of the uploads.
func (l *Lake) Values() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	values := []string{}
	for _, id := range slices.Sorted(maps.Keys(l.objects)) {
		values = append(values, l.objects[id]...)
	}
	return values
}

func (l *Lake) upload(tp connect.TopicPartition, start int64, values []string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	id := fmt.Sprintf("%s+%d+%06d/%d", tp.Topic, tp.Partition, start, l.made)
	l.uploads[id] = values
	return id
}

// complete shows an upload. Completing it again is harmless.
func (l *Lake) complete(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	values, ok := l.uploads[id]
	if !ok {
		return fmt.Errorf("there is no upload %s", id)
	}
	l.objects[id] = values
	return nil
}

// Sink returns a sink that prepares what it got at every Prepare.
func (l *Lake) Sink() *LakeSink {
	return &LakeSink{lake: l, partitions: make(map[connect.TopicPartition]*lakePartition)}
}

// LakeSink writes values, which are strings or bytes, to a lake.
type LakeSink struct {
	// OnPrepare and OnApply, where they are set, come first and can fail.
	OnPrepare, OnApply func(context.Context) error

	lake       *Lake
	partitions map[connect.TopicPartition]*lakePartition
	flaw       string // what the suite has to find
}

type lakePartition struct {
	next   int64
	start  int64    // of values
	values []string // not prepared
	ready  []string // uploads that are prepared, not applied
	void   bool     // ready is certain not to be committed
	stale  bool     // the state that was committed last is applied
}

var (
	_ connect.TwoPhase   = (*LakeSink)(nil)
	_ connect.Withdrawer = (*LakeSink)(nil)
)

// Open implements connect.Sink.
func (s *LakeSink) Open(context.Context, connect.SinkContext) error { return nil }

// Close implements connect.Sink. Uploads stay when they may be committed.
func (s *LakeSink) Close() error {
	for _, p := range s.partitions {
		s.drop(p)
	}
	return nil
}

// drop gives up what is prepared, if that is allowed.
func (s *LakeSink) drop(p *lakePartition) {
	if p == nil || !p.void && s.flaw != "destroys" {
		return
	}
	s.lake.mu.Lock()
	defer s.lake.mu.Unlock()
	for _, id := range p.ready {
		delete(s.lake.uploads, id)
	}
}

// Withdraw implements connect.Withdrawer.
func (s *LakeSink) Withdraw() {
	for _, p := range s.partitions {
		p.void = true
	}
}

// Waiting returns how many uploads are not complete.
func (l *Lake) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for id := range l.uploads {
		if l.objects[id] == nil {
			n++
		}
	}
	return n
}

// Assign implements connect.Assigner.
func (s *LakeSink) Assign(_ context.Context, added []connect.PartitionOffset) error {
	for _, a := range added {
		s.partitions[a.TopicPartition] = &lakePartition{next: a.Offset}
	}
	return nil
}

// Revoke implements connect.Assigner.
func (s *LakeSink) Revoke(_ context.Context, removed []connect.TopicPartition) error {
	for _, tp := range removed {
		s.drop(s.partitions[tp])
		delete(s.partitions, tp)
	}
	return nil
}

// Restore implements connect.TwoPhase.
func (s *LakeSink) Restore(_ context.Context, states []connect.PartitionState) error {
	if s.flaw == "forgets" {
		return nil
	}
	for _, st := range states {
		var ids []string
		if err := json.Unmarshal(st.State, &ids); err != nil {
			return fmt.Errorf("read committed state: %w", err)
		}
		for _, id := range ids {
			if err := s.lake.complete(id); err != nil {
				return err
			}
		}
		s.partitions[st.TopicPartition].stale = true
	}
	return nil
}

// Write implements connect.Sink.
func (s *LakeSink) Write(_ context.Context, b *connect.Batch) error {
	p := s.partitions[b.From]
	for i := range b.Records() {
		r := &b.Records()[i]
		if len(p.values) == 0 {
			p.start = r.Offset
		}
		p.values, p.next = append(p.values, lakeText(r.Value)), r.Offset+1
	}
	return nil
}

// lakeText copies a value: the batch's memory is used again.
func lakeText(v connect.Value) string {
	if v.Type() == connect.Bytes {
		return string(v.Bytes())
	}
	return strings.Clone(v.Text())
}

// Prepare implements connect.TwoPhase.
func (s *LakeSink) Prepare(ctx context.Context) ([]connect.PartitionState, error) {
	if err := call(ctx, s.OnPrepare); err != nil {
		return nil, err
	}
	var states []connect.PartitionState
	for tp, p := range s.partitions {
		p.void = false
		if s.flaw == "gives up" {
			p.ready = nil
		}
		if len(p.values) > 0 {
			id := s.lake.upload(tp, p.start, p.values)
			p.ready, p.values = append(p.ready, id), nil
			if s.flaw == "shows" {
				_ = s.lake.complete(id)
			}
		}
		st := connect.PartitionState{PartitionOffset: connect.PartitionOffset{TopicPartition: tp, Offset: p.next}}
		switch {
		case len(p.ready) > 0:
			text, err := json.Marshal(p.ready)
			if err != nil {
				return nil, err
			}
			st.State = text
		case !p.stale:
			continue
		}
		states = append(states, st)
	}
	return states, nil
}

// Apply implements connect.TwoPhase.
func (s *LakeSink) Apply(ctx context.Context) error {
	if err := call(ctx, s.OnApply); err != nil {
		return err
	}
	for _, p := range s.partitions {
		for _, id := range p.ready {
			if err := s.lake.complete(id); err != nil {
				return err
			}
		}
		p.stale, p.ready = len(p.ready) > 0, nil
	}
	return nil
}

func call(ctx context.Context, f func(context.Context) error) error {
	if f == nil {
		return nil
	}
	return f(ctx)
}
