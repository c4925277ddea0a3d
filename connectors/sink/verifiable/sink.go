// Package verifiable is a sink that prints what it gets, as Kafka's
// VerifiableSinkConnector: the counterpart of the source of that name. It prints a
// JSON object for each record,
//
//	{"task":0,"seqno":7,"offset":7,"time_ms":1700000000000,"name":"sink","topic":"t","sinkTask":0}
//
// with the record's key and value as task and seqno, and the same with
// "flushed":true before its offset is committed.
package verifiable

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// Spec describes the sink.
var Spec = connect.Spec{
	Class:   "sluice.VerifiableSinkConnector",
	Aliases: []string{"org.apache.kafka.connect.tools.VerifiableSinkConnector"},
	Version: "0.1.0",
	Doc: "For system tests: prints a line of JSON to standard output for each record, and another one when it is flushed, as " +
		"Kafka's connector of that name.",
	New: func() connect.Config { return &Config{out: os.Stdout} },
}

// Config is the configuration of the sink.
type Config struct{ out io.Writer }

// Define has no options to bind.
func (c *Config) Define(d *connect.Def) {
	d.Ignore("id") // Kafka's connector gives it to its tasks
}

// maxPlans is how many schemas a task keeps compiled (I5).
const maxPlans = 100

// Sink returns a new sink.
func (c *Config) Sink() connect.Sink {
	return &Sink{out: c.out, offsets: map[connect.TopicPartition]int64{}, plans: connectjson.NewPlans(connectjson.Options{}, maxPlans)}
}

// AlterOffsets has nothing to check: the offsets are those of the consumer group.
func (c *Config) AlterOffsets(context.Context, []connect.PartitionOffset) (bool, error) {
	return true, nil
}

// maxUnflushedBytes is how much text may wait for a Flush (I5). More is said to be
// flushed at once.
const maxUnflushedBytes = 4 << 20

// Sink prints records.
type Sink struct {
	out     io.Writer
	name    string // in JSON
	task    int
	offsets map[connect.TopicPartition]int64 // since the last Flush

	// unflushed are the lines since the last Flush, each up to its time and from
	// there on; ends has where the parts end.
	unflushed []byte
	ends      []int
	buf       []byte

	plans *connectjson.Plans
}

var _ connect.Flusher = (*Sink)(nil)

// Open notes who prints.
func (s *Sink) Open(_ context.Context, sc connect.SinkContext) error {
	name, err := json.Marshal(sc.Connector)
	s.name, s.task = string(name), sc.Task
	return err
}

// Write prints a line for each record.
func (s *Sink) Write(_ context.Context, b *connect.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	from := len(s.ends)
	topic, err := json.Marshal(b.Records()[0].Topic)
	if err != nil {
		return fmt.Errorf("make lines of JSON: %w", err)
	}
	tail := fmt.Sprintf(`,"name":%s,"topic":%s,"sinkTask":%d`, s.name, topic, s.task)
	var failed []connect.RecordError
	for i := range b.Records() {
		if err := s.add(&b.Records()[i], tail); err != nil {
			failed = append(failed, connect.RecordError{Index: i, Err: err})
		}
	}
	if err := s.print(from, "}\n"); err != nil {
		return err
	}
	s.offsets[b.From] = b.Records()[b.Len()-1].Offset + 1
	if len(s.unflushed) > maxUnflushedBytes {
		if err := s.printFlushed(); err != nil {
			return err
		}
	}
	if failed != nil {
		return &connect.BatchError{Failed: failed}
	}
	return nil
}

// add makes the two parts of a record's line.
func (s *Sink) add(r *connect.Record, tail string) error {
	text, err := s.plans.Append(append(s.unflushed, `{"task":`...), r.KeySchema, r.Key)
	if err == nil {
		text, err = s.plans.Append(append(text, `,"seqno":`...), r.ValueSchema, r.Value)
	}
	if err != nil {
		return err
	}
	text = strconv.AppendInt(append(text, `,"offset":`...), r.Offset, 10)
	text = append(text, `,"time_ms":`...)
	s.unflushed = append(text, tail...)
	s.ends = append(s.ends, len(text), len(s.unflushed))
	return nil
}

// print writes the lines whose ends are from the index from on.
func (s *Sink) print(from int, end string) error {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	begin := 0
	if from > 0 {
		begin = s.ends[from-1]
	}
	s.buf = s.buf[:0]
	for i := from; i < len(s.ends); i += 2 {
		s.buf = append(append(s.buf, s.unflushed[begin:s.ends[i]]...), now...)
		s.buf = append(append(s.buf, s.unflushed[s.ends[i]:s.ends[i+1]]...), end...)
		begin = s.ends[i+1]
	}
	if _, err := s.out.Write(s.buf); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (s *Sink) printFlushed() error {
	err := s.print(0, `,"flushed":true}`+"\n")
	s.unflushed, s.ends, s.buf = nil, nil, nil
	return err
}

// Flush prints the lines again and returns how far they go.
func (s *Sink) Flush(context.Context) ([]connect.PartitionOffset, error) {
	if len(s.offsets) == 0 {
		return nil, nil
	}
	if err := s.printFlushed(); err != nil {
		return nil, err
	}
	var done []connect.PartitionOffset
	for tp, offset := range s.offsets {
		done = append(done, connect.PartitionOffset{TopicPartition: tp, Offset: offset})
	}
	clear(s.offsets)
	return done, nil
}

// Close has nothing to free.
func (s *Sink) Close() error { return nil }
