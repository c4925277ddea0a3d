package enginetest

import (
	"context"
	"errors"
	"sync"

	"github.com/sluice-data/sluice/connect"
)

// Source is a source made of functions; nil ones do nothing, Read waits.
type Source struct {
	OnOpen   func(context.Context, connect.SourceContext) error
	OnRead   func(context.Context, *connect.Batch) error
	OnCommit func(connect.Mark)
	OnClose  func() error
}

// Open implements connect.Source.
func (s *Source) Open(ctx context.Context, sc connect.SourceContext) error {
	if s.OnOpen == nil {
		return nil
	}
	return s.OnOpen(ctx, sc)
}

// Read implements connect.Source.
func (s *Source) Read(ctx context.Context, b *connect.Batch) error {
	if s.OnRead == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.OnRead(ctx, b)
}

// Commit implements connect.Committer.
func (s *Source) Commit(m connect.Mark) {
	if s.OnCommit != nil {
		s.OnCommit(m)
	}
}

// Close implements connect.Source.
func (s *Source) Close() error {
	if s.OnClose == nil {
		return nil
	}
	return s.OnClose()
}

// Sink is a sink made of functions; nil ones do nothing.
type Sink struct {
	OnOpen  func(context.Context, connect.SinkContext) error
	OnWrite func(context.Context, *connect.Batch) error
	OnClose func() error
}

// Open implements connect.Sink.
func (s *Sink) Open(ctx context.Context, sc connect.SinkContext) error {
	if s.OnOpen == nil {
		return nil
	}
	return s.OnOpen(ctx, sc)
}

// Write implements connect.Sink.
func (s *Sink) Write(ctx context.Context, b *connect.Batch) error {
	if s.OnWrite == nil {
		return nil
	}
	return s.OnWrite(ctx, b)
}

// Close implements connect.Sink.
func (s *Sink) Close() error {
	if s.OnClose == nil {
		return nil
	}
	return s.OnClose()
}

// FlushingSink is a Sink that is a connect.Flusher and a connect.Assigner too.
type FlushingSink struct {
	Sink
	OnFlush  func(context.Context) ([]connect.PartitionOffset, error)
	OnAssign func([]connect.PartitionOffset) error
	OnRevoke func([]connect.TopicPartition) error
}

// Flush implements connect.Flusher.
func (s *FlushingSink) Flush(ctx context.Context) ([]connect.PartitionOffset, error) {
	if s.OnFlush == nil {
		return nil, nil
	}
	return s.OnFlush(ctx)
}

// Assign implements connect.Assigner.
func (s *FlushingSink) Assign(_ context.Context, added []connect.PartitionOffset) error {
	if s.OnAssign == nil {
		return nil
	}
	return s.OnAssign(added)
}

// Revoke implements connect.Assigner.
func (s *FlushingSink) Revoke(_ context.Context, removed []connect.TopicPartition) error {
	if s.OnRevoke == nil {
		return nil
	}
	return s.OnRevoke(removed)
}

// options are those of the test connectors.
type options struct {
	topic    string
	password connect.Secret
	number   int
	split    int
}

func (o *options) Define(d *connect.Def) {
	d.Add(
		connect.Option{Name: "test.topic", Var: &o.topic, Default: "out", Doc: "Topic.", Group: "Test", Importance: connect.High},
		connect.Option{Name: "test.password", Var: &o.password, NoDefault: true, Doc: "Secret.", Group: "Test"},
		connect.Option{Name: "test.number", Var: &o.number, Default: "1", Doc: "Number."},
		connect.Option{Name: "test.tasks", Var: &o.split, Default: "1", Doc: "Tasks that Split makes, -1: it panics."})
}

// Validate implements connect.Validator.
func (o *options) Validate() []*connect.ConfigError {
	if o.number == 13 {
		return []*connect.ConfigError{{Option: "test.number", Reason: "13 brings bad luck; take 12"}}
	}
	return nil
}

type sourceConfig struct {
	options
	source func() connect.Source
}

func (c *sourceConfig) Source() connect.Source { return c.source() }

// Split implements connect.Splitter.
func (c *sourceConfig) Split(maxTasks int) []map[string]string {
	if c.split < 0 {
		panic("Split panics as told")
	}
	return make([]map[string]string, min(c.split, maxTasks))
}

// Ping implements connect.Pinger.
func (c *sourceConfig) Ping(context.Context) error {
	if c.topic == "unreachable" {
		return &connect.ConfigError{Option: "test.topic", Reason: "no server; start one"}
	}
	if c.topic == "leaky" {
		return errors.New("cannot log in with " + c.password.Reveal())
	}
	return nil
}

type sinkConfig struct {
	options
	sink func() connect.Sink
}

func (c *sinkConfig) Sink() connect.Sink { return c.sink() }

// Class names of the test connectors.
const (
	SourceClass = "sluice.TestSourceConnector"
	SinkClass   = "sluice.TestSinkConnector"
)

// SourcePlugin returns a plugin whose sources come from a function.
func SourcePlugin(source func() connect.Source) connect.Spec {
	return connect.Spec{Class: SourceClass, Aliases: []string{"com.example.TestSourceConnector"}, Version: "1.2.3", Doc: "A source for tests.",
		New: func() connect.Config { return &sourceConfig{source: source} }}
}

// SinkPlugin returns a plugin whose sinks come from a function.
func SinkPlugin(sink func() connect.Sink) connect.Spec {
	return connect.Spec{Class: SinkClass, Version: "1.2.3", Doc: "A sink for tests.",
		New: func() connect.Config { return &sinkConfig{sink: sink} }}
}

// Log is a list of events for tests to look at.
type Log struct {
	mu     sync.Mutex // guards events
	events []string
}

// Add appends an event.
func (l *Log) Add(event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
}

// Events returns a copy of all events.
func (l *Log) Events() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.events...)
}

// ConfiguredSource returns a plugin whose sources come from a function of its
// test.topic and test.password.
func ConfiguredSource(source func(topic string, password connect.Secret) connect.Source) connect.Spec {
	return connect.Spec{Class: SourceClass, Version: "1.2.3", Doc: "A source for tests.", New: func() connect.Config {
		c := &sourceConfig{}
		c.source = func() connect.Source { return source(c.topic, c.password) }
		return c
	}}
}
