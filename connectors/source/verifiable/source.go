// Package verifiable is a source of numbered records that prints what it does, as
// Kafka's VerifiableSourceConnector: system tests compare the lines with what
// arrives. It prints a JSON object for each record that it makes,
//
//	{"task":0,"seqno":7,"time_ms":1700000000000,"name":"source","topic":"t"}
//
// and the same with "committed":true once the record is durable.
package verifiable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/internal/count"
	"github.com/sluice-data/sluice/connectors/internal/pace"
)

// Names of the fields of source partitions and offsets, Kafka's.
const (
	fieldID    = "id"
	fieldSeqno = "seqno"
)

// Spec describes the source.
var Spec = connect.Spec{
	Class:   "sluice.VerifiableSourceConnector",
	Aliases: []string{"org.apache.kafka.connect.tools.VerifiableSourceConnector"},
	Version: "0.1.0",
	Doc: "Numbered records for system tests. Prints a line of JSON to standard output for each record made, and another one " +
		"once it is durable, as Kafka's connector of that name.",
	New: func() connect.Config { return &Config{out: os.Stdout} },
}

// Config is the configuration of the source.
type Config struct {
	out        io.Writer
	topic      string
	throughput int64
	complete   bool
}

// Define binds the options.
func (c *Config) Define(d *connect.Def) {
	d.Add(
		connect.Option{Name: "topic", Var: &c.topic, Required: true,
			Doc:   "Topic of the log that the records go to.",
			Group: "Verifiable", Importance: connect.High, Width: connect.WidthMedium, Display: "Topic"},
		connect.Option{Name: "throughput", Var: &c.throughput, Required: true,
			Doc:   "Records that a task makes in a second; less than 1 for as many as possible.",
			Group: "Verifiable", Importance: connect.High, Width: connect.WidthShort, Display: "Throughput"},
		connect.Option{Name: "complete.record.data", Var: &c.complete, Default: "false",
			Doc:   "Make the value a struct of all that is printed rather than the number alone.",
			Group: "Verifiable", Importance: connect.Low, Width: connect.WidthShort, Display: "Complete Record Data"},
	)
	d.Ignore("id") // Kafka's connector gives it to its tasks
}

// Source returns a new source.
func (c *Config) Source() connect.Source {
	return &Source{config: *c, pacer: pace.New(c.throughput), wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// Split gives every task the same settings.
func (c *Config) Split(maxTasks int) []map[string]string {
	return count.Tasks(maxTasks)
}

// ExactlyOnce tells that the offset is the number of the last record.
func (c *Config) ExactlyOnce() bool { return true }

// AlterOffsets checks offsets that are to be set.
func (c *Config) AlterOffsets(_ context.Context, marks []connect.Mark) (bool, error) {
	err := count.Fields{Partition: fieldID, Offset: fieldSeqno}.Check(marks)
	return err == nil, err
}

// valueSchema is that of complete records.
var valueSchema = connect.MustStruct("", connect.Field{Name: "name", Schema: connect.StringSchema},
	connect.Field{Name: "task", Schema: connect.Int32Schema}, connect.Field{Name: "topic", Schema: connect.StringSchema},
	connect.Field{Name: "time_ms", Schema: connect.Int64Schema}, connect.Field{Name: "seqno", Schema: connect.Int64Schema})

// Source makes numbered records.
type Source struct {
	config    Config
	pacer     *pace.Pacer
	log       *slog.Logger
	name      string
	task      int
	partition json.RawMessage
	next      int64 // number of the next record
	lines     lines

	committed atomic.Int64 // numbers below are durable
	wake      chan struct{}
	stop      chan struct{}
	printer   sync.WaitGroup
}

var _ connect.Committer = (*Source)(nil)

// Open goes on after the last record.
func (s *Source) Open(ctx context.Context, sc connect.SourceContext) error {
	s.log, s.name, s.task = sc.Logger, sc.Connector, sc.Task
	s.partition = count.Object(fieldID, int64(sc.Task))
	offset, err := sc.Offset(ctx, s.partition)
	if err != nil {
		return err
	}
	if offset != nil {
		last, err := count.Number(offset, fieldSeqno)
		if err != nil {
			return err
		}
		s.next = last + 1
	}
	s.committed.Store(s.next)
	if s.lines, err = newLines(s.name, s.task, s.config.topic); err != nil {
		return err
	}
	lines, first := s.lines, s.next // of its own
	s.printer.Go(func() { s.printCommitted(lines, first) })
	return nil
}

// Read makes the records that are due.
func (s *Source) Read(ctx context.Context, b *connect.Batch) error {
	due, err := s.pacer.Wait(ctx)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	first := s.next
	for ; due > 0 && !b.Full(); due-- {
		s.append(b, now)
		s.next++
	}
	s.pacer.Took(b.Len())
	if err := s.lines.print(s.config.out, first, s.next, now, ""); err != nil {
		return err
	}
	b.Mark(connect.Mark{Partition: s.partition, Offset: count.Object(fieldSeqno, s.next-1), Token: uint64(s.next)})
	return nil
}

func (s *Source) append(b *connect.Batch, now int64) {
	r := b.Append()
	r.Topic = s.config.topic
	r.KeySchema, r.Key = connect.Int32Schema, connect.Int32Value(int32(s.task))
	if !s.config.complete {
		r.ValueSchema, r.Value = connect.Int64Schema, connect.Int64Value(s.next)
		return
	}
	cells := b.Cells(5)
	cells[0], cells[1], cells[2] = connect.StringValue(s.name), r.Key, connect.StringValue(s.config.topic)
	cells[3], cells[4] = connect.Int64Value(now), connect.Int64Value(s.next)
	r.ValueSchema, r.Value = valueSchema, connect.StructValue(cells)
}

// Commit wakes the printer: standard output may block.
func (s *Source) Commit(m connect.Mark) {
	s.committed.Store(int64(m.Token))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// printCommitted prints the lines of durable records from number next on.
func (s *Source) printCommitted(l lines, next int64) {
	for stopping := false; ; {
		if end := s.committed.Load(); end > next {
			if err := l.print(s.config.out, next, end, time.Now().UnixMilli(), `,"committed":true`); err != nil {
				s.log.Warn("lines about committed records are lost", "error", err)
			}
			next = end
		}
		if stopping {
			return
		}
		select {
		case <-s.wake:
		case <-s.stop:
			stopping = true // once more
		}
	}
}

// Close waits until what is committed is printed.
func (s *Source) Close() error {
	close(s.stop)
	s.printer.Wait()
	return nil
}

// lines prints the lines of a task.
type lines struct {
	head, tail string // around number and time
	buf        []byte
}

func newLines(name string, task int, topic string) (lines, error) {
	n, err := json.Marshal(name)
	t, topicErr := json.Marshal(topic)
	if err := errors.Join(err, topicErr); err != nil {
		return lines{}, fmt.Errorf("make lines of JSON: %w", err)
	}
	return lines{head: fmt.Sprintf(`{"task":%d,"seqno":`, task), tail: fmt.Sprintf(`,"name":%s,"topic":%s`, n, t)}, nil
}

// linesAtOnce bounds the buffer.
const linesAtOnce = 1000

// print writes a line for each number from first to the one before end.
func (l *lines) print(out io.Writer, first, end, now int64, more string) error {
	for first < end {
		l.buf = l.buf[:0]
		for i := 0; i < linesAtOnce && first < end; i++ {
			l.buf = strconv.AppendInt(append(l.buf, l.head...), first, 10)
			l.buf = strconv.AppendInt(append(l.buf, `,"time_ms":`...), now, 10)
			l.buf = append(append(append(l.buf, l.tail...), more...), "}\n"...)
			first++
		}
		if _, err := out.Write(l.buf); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}
