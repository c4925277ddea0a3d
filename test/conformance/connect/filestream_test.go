package connect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// fileStream are Kafka's example connectors as far as the script can see them.
func fileStream() []connect.Spec {
	const pkg = "org.apache.kafka.connect.file."
	return []connect.Spec{
		{Class: pkg + "FileStreamSourceConnector", Version: "1", New: func() connect.Config { return &sourceConfig{} }},
		{Class: pkg + "FileStreamSinkConnector", Version: "1", New: func() connect.Config { return &sinkConfig{} }},
	}
}

type sourceConfig struct {
	file, topic string
	batchSize   int
}

func (c *sourceConfig) Define(d *connect.Def) {
	d.Add(
		connect.Option{Name: "file", Var: &c.file, NoDefault: true, Importance: connect.High, Doc: "File to read."},
		connect.Option{Name: "topic", Var: &c.topic, Required: true, Importance: connect.High, Doc: "Topic to write to."},
		connect.Option{Name: "batch.size", Var: &c.batchSize, Default: "2000", Doc: "Most records of a batch."})
}

func (c *sourceConfig) Source() connect.Source { return &source{config: c} }

// AlterOffsets implements connect.SourceOffsetAlterer.
func (c *sourceConfig) AlterOffsets(context.Context, []connect.Mark) (bool, error) { return true, nil }

// source writes the lines of a file that come after the stored position.
type source struct {
	config *sourceConfig
	lines  []string
	offset int
}

type position struct {
	Position int `json:"position"`
}

func (s *source) partition() json.RawMessage {
	key, _ := json.Marshal(map[string]string{"filename": s.config.file})
	return key
}

func (s *source) Open(ctx context.Context, sc connect.SourceContext) error {
	text, err := os.ReadFile(s.config.file)
	if err != nil {
		return nil // the file may come later
	}
	stored, err := sc.Offset(ctx, s.partition())
	if err != nil {
		return err
	}
	var p position
	if stored != nil {
		if err := json.Unmarshal(stored, &p); err != nil {
			return err
		}
	}
	s.offset = p.Position
	scanner := bufio.NewScanner(strings.NewReader(string(text[p.Position:])))
	for scanner.Scan() {
		s.lines = append(s.lines, scanner.Text())
	}
	return scanner.Err()
}

func (s *source) Read(ctx context.Context, b *connect.Batch) error {
	if len(s.lines) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, line := range s.lines {
		r := b.Append()
		r.Topic, r.ValueSchema, r.Value = s.config.topic, connect.StringSchema, connect.StringValue(line)
		s.offset += len(line) + 1
	}
	s.lines = nil
	offset, err := json.Marshal(position{s.offset})
	b.Mark(connect.Mark{Partition: s.partition(), Offset: offset})
	return err
}

func (s *source) Close() error { return nil }

type sinkConfig struct{ file string }

func (c *sinkConfig) Define(d *connect.Def) {
	d.Add(connect.Option{Name: "file", Var: &c.file, NoDefault: true, Importance: connect.High, Doc: "File to write."})
}

func (c *sinkConfig) Sink() connect.Sink { return sink{} }

// AlterOffsets implements connect.SinkOffsetAlterer.
func (c *sinkConfig) AlterOffsets(context.Context, []connect.PartitionOffset) (bool, error) {
	return true, nil
}

type sink struct{}

func (sink) Open(context.Context, connect.SinkContext) error { return nil }
func (sink) Write(context.Context, *connect.Batch) error     { return nil }
func (sink) Close() error                                    { return nil }

// reporting is ReportingSink.java's counterpart.
func reporting() connect.Spec {
	return connect.Spec{Class: "ReportingSink", Version: "1", New: func() connect.Config { return reportingConfig{} }}
}

type reportingConfig struct{}

func (reportingConfig) Define(*connect.Def) {}
func (reportingConfig) Sink() connect.Sink  { return &reportingSink{} }

type reportingSink struct {
	sink
	report func(*connect.Record, error) error
}

func (s *reportingSink) Open(_ context.Context, sc connect.SinkContext) error {
	s.report = sc.Report
	return nil
}

func (s *reportingSink) Write(_ context.Context, b *connect.Batch) error {
	var errs []error
	for i := range b.Records() {
		errs = append(errs, s.report(&b.Records()[i], errors.New("no such column")))
	}
	return errors.Join(errs...)
}
