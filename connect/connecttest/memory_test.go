package connecttest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// upstream is a message broker in memory: it repeats what was not committed to
// each new reader.
type upstream struct {
	mu        sync.Mutex // guards all below
	records   [][]byte
	committed int
	arrived   chan struct{} // buffered 1
}

func (u *upstream) produce(from, to int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for n := from; n < to; n++ {
		u.records = append(u.records, binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	select {
	case u.arrived <- struct{}{}:
	default:
	}
}

// memorySource reads an upstream. Its flaws are what the suite must find.
type memorySource struct {
	up   *upstream
	next int
	flaw string
}

func (s *memorySource) Open(context.Context, connect.SourceContext) error {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	s.next = s.up.committed
	if s.flaw == "leaks" {
		go func() { select {} }()
	}
	return nil
}

func (s *memorySource) Read(ctx context.Context, b *connect.Batch) error {
	for !s.take(b) {
		if s.flaw == "deaf" {
			<-s.up.arrived
			continue
		}
		select {
		case <-s.up.arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *memorySource) take(b *connect.Batch) bool {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	for ; s.next < len(s.up.records) && !b.Full(); s.next++ {
		payload := b.Bytes(s.up.records[s.next])
		if s.flaw == "swaps" && s.next > 0 && s.next < 10 {
			payload = b.Bytes(s.up.records[10-s.next])
		}
		b.Append().Value = connect.BytesValue(payload)
	}
	if b.Len() == 0 {
		return false
	}
	if s.flaw != "unmarked" {
		b.Mark(connect.Mark{Token: uint64(s.next)})
	}
	if s.flaw == "early" {
		s.up.committed = s.next
	}
	return true
}

func (s *memorySource) Commit(m connect.Mark) {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	s.up.committed = max(s.up.committed, int(m.Token))
}

func (s *memorySource) Close() error {
	if s.flaw == "stuck" {
		select {}
	}
	return nil
}

type memorySourceConfig struct {
	topic string
	make  func() connect.Source
}

func (c *memorySourceConfig) Define(d *connect.Def) {
	d.Add(connect.Option{Name: "topic", Var: &c.topic, Required: true, Doc: "Where records go.", Group: "Memory"})
}
func (c *memorySourceConfig) Source() connect.Source { return c.make() }

func memorySourceFixture(flaw string) NewSourceFixture {
	return func(testing.TB) SourceFixture {
		up := &upstream{arrived: make(chan struct{}, 1)}
		return SourceFixture{
			Spec: connect.Spec{Class: "test.MemorySource", Version: "1", Doc: "Reads memory.", New: func() connect.Config {
				return &memorySourceConfig{make: func() connect.Source { return &memorySource{up: up, flaw: flaw} }}
			}},
			Settings: map[string]string{"topic": "t"},
			Produce:  up.produce,
			Number:   func(r *connect.Record) (int, error) { return number(r.Value) },
		}
	}
}

func number(v connect.Value) (int, error) {
	if p := v.Bytes(); len(p) == 8 && binary.BigEndian.Uint64(p) < 1<<20 {
		return int(binary.BigEndian.Uint64(p)), nil
	}
	return 0, fmt.Errorf("value %s is not a number", v)
}

// target is a store in memory: what is pending shows only once it is complete.
type target struct {
	mu      sync.Mutex // guards visible
	visible []int
}

func (g *target) show(values []connect.Value) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range values {
		n, err := number(v)
		if err != nil {
			n = -1
		}
		g.visible = append(g.visible, n)
	}
}

// memorySink keeps records until Flush.
type memorySink struct {
	target  *target
	flaw    string
	pending []connect.Value
	next    connect.PartitionOffset
}

func (s *memorySink) Open(context.Context, connect.SinkContext) error { return nil }

func (s *memorySink) Write(ctx context.Context, b *connect.Batch) error {
	for i := range b.Records() {
		r := &b.Records()[i]
		v := r.Value
		if s.flaw != "keeps" {
			v = connect.BytesValue(append([]byte(nil), v.Bytes()...))
		}
		s.pending = append(s.pending, v)
		s.next = connect.PartitionOffset{TopicPartition: b.From, Offset: r.Offset + 1}
	}
	if s.flaw == "half" && ctx.Err() != nil {
		return ctx.Err() // after taking the records: they come again
	}
	return nil
}

func (s *memorySink) Flush(context.Context) ([]connect.PartitionOffset, error) {
	if s.next.Topic == "" {
		return nil, nil
	}
	if s.flaw != "ahead" {
		s.target.show(s.pending)
		s.pending = nil
	}
	return []connect.PartitionOffset{s.next}, nil
}

func (s *memorySink) Assign(context.Context, []connect.PartitionOffset) error { return nil }

func (s *memorySink) Revoke(context.Context, []connect.TopicPartition) error {
	s.pending = nil
	return nil
}

func (s *memorySink) Close() error {
	if s.flaw == "fails" {
		return errors.New("close: broken")
	}
	return nil
}

type memorySinkConfig struct{ make func() connect.Sink }

func (c *memorySinkConfig) Define(*connect.Def) {}
func (c *memorySinkConfig) Sink() connect.Sink  { return c.make() }

func memorySinkFixture(flaw string) NewSinkFixture {
	return func(testing.TB) SinkFixture {
		g := &target{}
		return SinkFixture{
			Spec: connect.Spec{Class: "test.MemorySink", Version: "1", Doc: "Writes memory.", New: func() connect.Config {
				return &memorySinkConfig{make: func() connect.Sink { return &memorySink{target: g, flaw: flaw} }}
			}},
			Fill: func(b *connect.Batch, r *connect.Record, n int) {
				r.Value = connect.BytesValue(binary.BigEndian.AppendUint64(b.Buffer(8)[:0], uint64(n)))
			},
			Visible: func() []int {
				g.mu.Lock()
				defer g.mu.Unlock()
				return append([]int{}, g.visible...)
			},
		}
	}
}

func lakeFixture(flaw string) NewSinkFixture {
	return func(testing.TB) SinkFixture {
		lake := NewLake()
		f := memorySinkFixture("")(nil)
		f.Spec.New = func() connect.Config {
			return &memorySinkConfig{make: func() connect.Sink {
				s := lake.Sink()
				s.flaw = flaw
				return s
			}}
		}
		f.Visible = func() []int {
			numbers := []int{}
			for _, v := range lake.Values() {
				n, err := number(connect.BytesValue([]byte(v)))
				if err != nil {
					n = -1
				}
				numbers = append(numbers, n)
			}
			return numbers
		}
		return f
	}
}
