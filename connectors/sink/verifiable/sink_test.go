package verifiable

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

func TestConformance(t *testing.T) {
	connecttest.Spec(t, Spec, map[string]string{})
	connecttest.Sink(t, func(t testing.TB) connecttest.SinkFixture {
		var out bytes.Buffer
		spec := Spec
		spec.New = func() connect.Config { return &Config{out: &out} }
		return connecttest.SinkFixture{
			Spec: spec,
			Fill: func(_ *connect.Batch, r *connect.Record, n int) { r.Value = connect.Int64Value(int64(n)) },
			Visible: func() []int {
				numbers := []int{}
				for line := range bytes.Lines(out.Bytes()) {
					var record struct {
						Seqno   int
						Flushed bool
					}
					if err := json.Unmarshal(line, &record); err != nil {
						t.Fatalf("%s: %v", line, err)
					}
					if record.Flushed {
						numbers = append(numbers, record.Seqno)
					}
				}
				return numbers
			},
		}
	})
}

func batch(values ...connect.Value) *connect.Batch {
	b := connect.NewBatch(len(values), 1<<20)
	b.From = connect.TopicPartition{Topic: "t"}
	for i, v := range values {
		r := b.Append()
		r.Topic, r.Offset, r.Key, r.Value = "t", int64(10+i), connect.Int32Value(2), v
	}
	return b
}

func opened(t *testing.T, out *bytes.Buffer) *Sink {
	t.Helper()
	s := (&Config{out: out}).Sink().(*Sink)
	if err := s.Open(context.Background(), connect.SinkContext{Connector: "name", Task: 3}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	s := opened(t, &out)
	for _, v := range []int64{7, 8} {
		if err := s.Write(context.Background(), batch(connect.Int64Value(v))); err != nil {
			t.Fatal(err)
		}
	}
	done, err := s.Flush(context.Background())
	if err != nil || len(done) != 1 || done[0].Offset != 11 {
		t.Errorf("Flush: got %v, %v", done, err)
	}
	if again, err := s.Flush(context.Background()); len(again) > 0 || err != nil {
		t.Errorf("second Flush: got %v, %v", again, err)
	}
	got := regexp.MustCompile(`"time_ms":\d+`).ReplaceAllString(out.String(), `"time_ms":0`)
	want := `{"task":2,"seqno":7,"offset":10,"time_ms":0,"name":"name","topic":"t","sinkTask":3}
{"task":2,"seqno":8,"offset":10,"time_ms":0,"name":"name","topic":"t","sinkTask":3}
{"task":2,"seqno":7,"offset":10,"time_ms":0,"name":"name","topic":"t","sinkTask":3,"flushed":true}
{"task":2,"seqno":8,"offset":10,"time_ms":0,"name":"name","topic":"t","sinkTask":3,"flushed":true}
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestMemoryIsBounded writes more than may wait for a Flush.
func TestMemoryIsBounded(t *testing.T) {
	var out bytes.Buffer
	s := opened(t, &out)
	large := connect.StringValue(strings.Repeat("x", 1<<20))
	for range 10 {
		if err := s.Write(context.Background(), batch(large)); err != nil {
			t.Fatal(err)
		}
		if len(s.unflushed) > maxUnflushedBytes {
			t.Fatalf("%d bytes wait", len(s.unflushed))
		}
	}
	if _, err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "flushed"); n != 10 {
		t.Errorf("%d records were flushed, want 10", n)
	}
}

func TestRecordThatIsNoJSON(t *testing.T) {
	var out bytes.Buffer
	s := opened(t, &out)
	err := s.Write(context.Background(), batch(connect.Int64Value(1), connect.StructValue([]connect.Value{{}}), connect.Int64Value(3)))
	var failed *connect.BatchError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Index != 1 {
		t.Errorf("got error %v, want a BatchError about record 1", err)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines for two good records", n)
	}
}
