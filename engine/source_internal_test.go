package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/internal/meters"
)

// scriptedSource reads one batch after the other from a function.
type scriptedSource struct {
	read   func(context.Context, *connect.Batch) error
	commit func(connect.Mark)
}

func (s *scriptedSource) Open(context.Context, connect.SourceContext) error { return nil }
func (s *scriptedSource) Read(ctx context.Context, b *connect.Batch) error  { return s.read(ctx, b) }
func (s *scriptedSource) Commit(m connect.Mark)                             { s.commit(m) }
func (s *scriptedSource) Close() error                                      { return nil }

type scriptedConfig struct{ source *scriptedSource }

func (c *scriptedConfig) Define(*connect.Def)    {}
func (c *scriptedConfig) Source() connect.Source { return c.source }

// heldProducer keeps records until the test acknowledges them.
type heldProducer struct {
	mu   sync.Mutex // guards held
	held []heldRecord
	came chan struct{}
}

type heldRecord struct {
	record  *kgo.Record
	promise func(*kgo.Record, error)
}

func (p *heldProducer) Produce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	p.mu.Lock()
	p.held = append(p.held, heldRecord{r, promise})
	p.mu.Unlock()
	p.came <- struct{}{}
}

// next waits for n records and returns them.
func (p *heldProducer) next(n int) []heldRecord {
	for range n {
		<-p.came
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held
	p.held = nil
	return held
}

func answerAll(held []heldRecord, err error) {
	for _, h := range held {
		h.promise(h.record, err)
	}
}

// startScripted runs a source task with a producer of the test's.
func startScripted(t testing.TB, src *scriptedSource, p producer, settings map[string]string) (stop context.CancelFunc, done chan error) {
	t.Helper()
	cfg := Config{}.withDefaults()
	d := &definition{settings: settings, config: &scriptedConfig{src}, secrets: strings.NewReplacer()}
	d.options.defineCommon(&d.def)
	d.options.defineSource(&d.def)
	d.options.producer.read(producerClient, &d.def, settings, nil)
	d.def.Parse(settings)
	ctx, cancel := context.WithCancel(context.Background())
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	tk := task{cfg: &cfg, id: TaskID{"src", 0}, logger: logger, def: d, gate: &gate{}, stop: ctx, kill: context.Background(),
		skipped: &skipLog{logger: logger}, meter: new(meters.Task).Begin()}
	var err error
	if tk.convert, err = newConverters(&cfg, &d.options, nil); err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	s := newSourceTask(tk, p)
	s.offsets = &sourceOffsets{primary: cfg.OffsetTopic.Name}
	go func() { done <- s.run() }()
	t.Cleanup(cancel)
	return cancel, done
}

// batches returns a read function that gives the scripted batches, then waits.
func batches(fill ...func(*connect.Batch)) func(context.Context, *connect.Batch) error {
	next := 0
	return func(ctx context.Context, b *connect.Batch) error {
		if next == len(fill) {
			<-ctx.Done()
			return ctx.Err()
		}
		fill[next](b)
		next++
		return nil
	}
}

func add(b *connect.Batch, values ...string) {
	for _, v := range values {
		r := b.Append()
		r.Topic, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue(v)
	}
}

// TestOrderOfDurability checks I2: Commit comes after the records are
// acknowledged and then the offset. Each step is held up in turn.
func TestOrderOfDurability(t *testing.T) { synctest.Test(t, testOrderOfDurability) }

func testOrderOfDurability(t *testing.T) {
	p := &heldProducer{came: make(chan struct{}, 100)}
	commits := make(chan connect.Mark, 10)
	mark := func(n int) connect.Mark {
		return connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, n), Token: uint64(n)}
	}
	src := &scriptedSource{commit: func(m connect.Mark) { commits <- m }, read: batches(
		func(b *connect.Batch) { add(b, "a", "b"); b.Mark(mark(2)) },
		func(b *connect.Batch) { add(b, "c"); b.Mark(mark(3)) },
	)}
	stop, done := startScripted(t, src, p, nil)
	records := p.next(3)
	noCommit := func(when string) {
		t.Helper()
		synctest.Wait() // everything that can happen has happened
		if n := len(p.came); n > 0 {
			t.Fatalf("%d more records were produced %s", n, when)
		}
		select {
		case m := <-commits:
			t.Fatalf("Commit(%d) came %s", m.Token, when)
		default:
		}
	}
	noCommit("while no record was acknowledged")
	answerAll(records[2:], nil) // the second batch first: order must hold
	answerAll(records[:1], nil)
	noCommit("while a record was not acknowledged")
	answerAll(records[1:2], nil)
	offset := p.next(1)[0]
	if got, want := fmt.Sprintf("%s %s", offset.record.Key, offset.record.Value), `["src",{"p":1}] {"n":3}`; got != want && got != `["src",{"p":1}] {"n":2}` {
		t.Fatalf("offset record: got %s, want %s", got, want)
	}
	noCommit("while the offset was not acknowledged")
	last := uint64(0)
	for last != 3 {
		offset.promise(offset.record, nil)
		if m := <-commits; m.Token <= last {
			t.Fatalf("Commit(%d) after Commit(%d)", m.Token, last)
		} else if last = m.Token; last != 3 {
			offset = p.next(1)[0]
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestFailedOffsetIsNotCommitted(t *testing.T) {
	p := &heldProducer{came: make(chan struct{}, 100)}
	src := &scriptedSource{commit: func(m connect.Mark) { t.Errorf("Commit(%d) without a durable offset", m.Token) }, read: batches(
		func(b *connect.Batch) {
			add(b, "a")
			b.Mark(connect.Mark{Partition: []byte(`{}`), Offset: []byte(`{}`), Token: 1})
		})}
	_, done := startScripted(t, src, p, nil)
	answerAll(p.next(1), nil)
	answerAll(p.next(1), kerr.TopicAuthorizationFailed)
	if err := <-done; !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("run: got %v, want TOPIC_AUTHORIZATION_FAILED", err)
	}
}

func TestFailedRecordFailsTheTask(t *testing.T) {
	for _, test := range []struct {
		tolerance string
		err       error
		want      string // empty: committed
	}{
		{"none", kerr.MessageTooLarge, "produce a record of 5 bytes (key 0, value 5) to topic out: MESSAGE_TOO_LARGE"},
		{"all", kerr.MessageTooLarge, ""},
		{"all", kerr.TopicAuthorizationFailed, "produce a record of 5 bytes (key 0, value 5) to topic out: TOPIC_AUTHORIZATION_FAILED"},
	} {
		t.Run(test.tolerance+" "+test.err.(*kerr.Error).Message, func(t *testing.T) {
			p := &heldProducer{came: make(chan struct{}, 100)}
			commits := make(chan connect.Mark, 10)
			src := &scriptedSource{commit: func(m connect.Mark) { commits <- m }, read: batches(
				func(b *connect.Batch) { add(b, "hello"); b.Mark(connect.Mark{Token: 1}) })}
			stop, done := startScripted(t, src, p, map[string]string{"errors.tolerance": test.tolerance})
			answerAll(p.next(1), test.err)
			if test.want == "" {
				<-commits
				stop()
			}
			err := <-done
			switch {
			case test.want == "" && err != nil:
				t.Errorf("run: %v", err)
			case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
				t.Errorf("run: got %v, want %s", err, test.want)
			case test.want != "" && len(commits) > 0:
				t.Error("a record that the log refused was committed (I1)")
			}
		})
	}
}

// ackProducer acknowledges everything at once.
type ackProducer struct{}

func (ackProducer) Produce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	promise(r, nil)
}

// endless returns a source that fills batches for as long as it is asked, and the
// channel of its commits.
func endless(value []byte, batches int) (*scriptedSource, chan struct{}) {
	over := make(chan struct{})
	read := 0
	src := &scriptedSource{commit: func(m connect.Mark) {
		if m.Token == uint64(batches) {
			close(over)
		}
	}}
	src.read = func(ctx context.Context, b *connect.Batch) error {
		if read == batches {
			<-ctx.Done()
			return ctx.Err()
		}
		read++
		for !b.Full() {
			r := b.Append()
			r.Topic, r.Timestamp = "out", 1
			r.KeySchema, r.Key = connect.StringSchema, connect.StringValue("sensor/temperature")
			r.ValueSchema, r.Value = connect.BytesSchema, connect.BytesValue(value)
		}
		b.Mark(connect.Mark{Token: uint64(read)})
		return nil
	}
	return src, over
}

// BenchmarkSourcePipeline measures a record's way through the engine without a
// client: Read, convert, produce, Commit.
func BenchmarkSourcePipeline(b *testing.B) {
	value := []byte(strings.Repeat("x", 100))
	rounds := max(b.N/sourceBatchRecords, 1)
	src, over := endless(value, rounds)
	b.ReportAllocs()
	b.ResetTimer()
	stop, done := startScripted(b, src, ackProducer{}, nil)
	<-over
	b.StopTimer()
	stop()
	<-done
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*sourceBatchRecords), "ns/record")
}

// TestSourceAllocations bounds what a record costs once the memory of the batches
// is there.
func TestSourceAllocations(t *testing.T) {
	run := func(rounds int) float64 {
		return testing.AllocsPerRun(1, func() {
			src, over := endless([]byte("0123456789"), rounds)
			stop, done := startScripted(t, src, ackProducer{}, nil)
			<-over
			stop()
			<-done
		})
	}
	const few, many = 10, 60
	perRecord := (run(many) - run(few)) / float64((many-few)*sourceBatchRecords)
	if perRecord > 0.01 {
		t.Errorf("%.4f allocations per record, want 0", perRecord)
	}
}
