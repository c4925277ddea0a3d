package verifiable

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

// quiet is the connector without its lines.
func quiet(out io.Writer) connect.Spec {
	spec := Spec
	spec.New = func() connect.Config { return &Config{out: out} }
	return spec
}

func TestConformance(t *testing.T) {
	settings := map[string]string{"topic": "t", "throughput": "-1"}
	connecttest.Spec(t, Spec, settings)
	connecttest.Source(t, func(testing.TB) connecttest.SourceFixture {
		return connecttest.SourceFixture{
			Spec:     quiet(io.Discard),
			Settings: settings,
			Produce:  func(int, int) {}, // the source does
			Number:   func(r *connect.Record) (int, error) { return int(r.Value.Int()), nil },
		}
	})
}

// play opens task 1 of the connector "name", reads once and commits.
func play(t *testing.T, settings map[string]string, offset string) (lines []string, b *connect.Batch) {
	t.Helper()
	var out bytes.Buffer
	spec := quiet(&out)
	cfg, err := spec.Configure(settings)
	if err != nil {
		t.Fatal(err)
	}
	s := cfg.(connect.SourceConfig).Source()
	err = s.Open(context.Background(), connect.SourceContext{Connector: "name", Task: 1, Logger: slog.New(slog.DiscardHandler),
		Offset: func(_ context.Context, partition json.RawMessage) (json.RawMessage, error) {
			if string(partition) != `{"id":1}` {
				t.Errorf("asked for the offset of %s", partition)
			}
			if offset == "" {
				return nil, nil
			}
			return json.RawMessage(offset), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	b = connect.NewBatch(2, 1<<20)
	if err := s.Read(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	s.(connect.Committer).Commit(b.Marks()[0])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(regexp.MustCompile(`"time_ms":\d+`).ReplaceAllString(out.String(), `"time_ms":0`)), "\n"), b
}

func TestLines(t *testing.T) {
	lines, b := play(t, map[string]string{"topic": "t", "throughput": "-1"}, `{"seqno":4}`)
	want := []string{
		`{"task":1,"seqno":5,"time_ms":0,"name":"name","topic":"t"}`,
		`{"task":1,"seqno":6,"time_ms":0,"name":"name","topic":"t"}`,
		`{"task":1,"seqno":5,"time_ms":0,"name":"name","topic":"t","committed":true}`,
		`{"task":1,"seqno":6,"time_ms":0,"name":"name","topic":"t","committed":true}`,
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if r := b.Records()[1]; r.Key.Int() != 1 || r.Value.Int() != 6 {
		t.Errorf("the second record is %v: %v", r.Key, r.Value)
	}
	if m := b.Marks()[0]; string(m.Offset) != `{"seqno":6}` {
		t.Errorf("the offset is %s", m.Offset)
	}
}

func TestCompleteRecords(t *testing.T) {
	_, b := play(t, map[string]string{"topic": "t", "throughput": "1000", "complete.record.data": "true"}, "")
	cells := b.Records()[0].Value.Cells()
	if cells[0].Text() != "name" || cells[1].Int() != 1 || cells[2].Text() != "t" || cells[4].Int() != 0 {
		t.Errorf("got %v", cells)
	}
}

func TestAlterOffsets(t *testing.T) {
	for offset, want := range map[string]bool{`{"seqno":3}`: true, `{"seqno":-1}`: false, `{"seqno":"1"}`: false, `{}`: false, `x`: false} {
		_, err := new(Config).AlterOffsets(context.Background(), []connect.Mark{{Partition: json.RawMessage(`{"id":0}`), Offset: json.RawMessage(offset)}})
		if (err == nil) != want {
			t.Errorf("%s: got %v", offset, err)
		}
	}
}

// TestManyLines is more than are printed at once.
func TestManyLines(t *testing.T) {
	l, err := newLines("n", 0, "t")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.print(&out, 0, 2*linesAtOnce+1, 0, ""); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, fmt.Sprintf(`{"task":0,"seqno":%d,`, i)) {
			t.Fatalf("line %d is %s", i, line)
		}
	}
	if len(lines) != 2*linesAtOnce+1 {
		t.Errorf("%d lines", len(lines))
	}
}
