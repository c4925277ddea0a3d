package datagen

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
	"github.com/sluice-data/sluice/connect/connecttext"
)

var update = flag.Bool("update", false, "write testdata/rows.txt")

func TestConformance(t *testing.T) {
	settings := map[string]string{"kafka.topic": "t", "quickstart": "orders", "max.interval": "0"}
	connecttest.Spec(t, Spec, settings)
	connecttest.Source(t, func(testing.TB) connecttest.SourceFixture {
		return connecttest.SourceFixture{
			Spec:     Spec,
			Settings: settings,
			Produce:  func(int, int) {}, // the source does
			Number:   func(r *connect.Record) (int, error) { return int(r.Key.Int()), nil },
		}
	})
}

func configured(t testing.TB, settings map[string]string) *Config {
	t.Helper()
	full := map[string]string{"kafka.topic": "t", "quickstart": "users", "max.interval": "0"}
	for k, v := range settings {
		full[k] = v
	}
	cfg, err := Spec.Configure(full)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.(*Config)
}

func opened(t testing.TB, c *Config, task int, offset string) connect.Source {
	t.Helper()
	s := c.Source()
	err := s.Open(context.Background(), connect.SourceContext{Task: task, Logger: slog.New(slog.DiscardHandler),
		Offset: func(_ context.Context, partition json.RawMessage) (json.RawMessage, error) {
			if want := fmt.Sprintf(`{"task.id":%d}`, task); string(partition) != want {
				t.Errorf("asked for the offset of %s, want %s", partition, want)
			}
			if offset == "" {
				return nil, nil
			}
			return json.RawMessage(offset), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, s connect.Source, n int) *connect.Batch {
	t.Helper()
	b := connect.NewBatch(n, 1<<30)
	if err := s.Read(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

// texts returns keys and values.
func texts(t testing.TB, b *connect.Batch) []string {
	t.Helper()
	style := connecttext.Java()
	var out []string
	for _, r := range b.Records() {
		line, err := style.Append(nil, r.KeySchema, r.Key)
		if err == nil {
			line, err = style.Append(append(line, ' '), r.ValueSchema, r.Value)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(line))
	}
	return out
}

// TestRowsStayTheSame pins the rows: an offset stands for all that comes after it,
// in later versions too.
func TestRowsStayTheSame(t *testing.T) {
	var got strings.Builder
	for _, name := range quickstartNames() {
		for task := range 2 {
			fmt.Fprintf(&got, "%s, task %d\n", name, task)
			s := opened(t, configured(t, map[string]string{"quickstart": name, "payload.bytes": "20", "random.seed": "7"}), task, "")
			fmt.Fprintln(&got, strings.Join(texts(t, read(t, s, 3)), "\n"))
		}
	}
	const file = "testdata/rows.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the rows are not those of %s:\n%s", file, got.String())
	}
}

// TestOffsetIsTheNextRow goes on at any row, after Confluent's connector too.
func TestOffsetIsTheNextRow(t *testing.T) {
	c := configured(t, map[string]string{"quickstart": "orders"})
	all := texts(t, read(t, opened(t, c, 1, ""), 100))
	for _, offset := range []string{`{"current.iteration":40}`, `{"task.generation":1,"current.iteration":40,"random.seed":-5}`} {
		b := read(t, opened(t, c, 1, offset), 60)
		if got := texts(t, b); strings.Join(got, "\n") != strings.Join(all[40:], "\n") {
			t.Errorf("from %s: got %s, want %s", offset, got[0], all[40])
		}
		if m := b.Marks(); len(m) != 1 || string(m[0].Offset) != `{"current.iteration":100}` {
			t.Errorf("got marks %v", m)
		}
	}
}

func TestSeedAndTaskGiveOtherRows(t *testing.T) {
	seen := map[string]string{}
	for _, seed := range []string{"0", "1", "-1"} {
		for task := range 3 {
			b := read(t, opened(t, configured(t, map[string]string{"random.seed": seed, "payload.bytes": "30"}), task, ""), 20)
			for i, text := range texts(t, b) {
				at := fmt.Sprintf("seed %s, task %d, row %d", seed, task, i)
				if other, ok := seen[text]; ok {
					t.Errorf("%s is %s: %s", at, other, text)
				}
				seen[text] = at
			}
		}
	}
}

func TestIterations(t *testing.T) {
	s := opened(t, configured(t, map[string]string{"iterations": "5"}), 0, `{"current.iteration":2}`)
	if got := read(t, s, 100).Len(); got != 3 {
		t.Errorf("got %d rows of 5 from row 2 on", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	b := connect.NewBatch(100, 1<<20)
	if err := s.Read(ctx, b); err != context.DeadlineExceeded || b.Len() > 0 {
		t.Errorf("after the last row: got %d rows and %v", b.Len(), err)
	}
}

func TestIntervals(t *testing.T) {
	for name, c := range map[string]struct {
		settings  map[string]string
		low, high int // rows in 100 s
	}{
		"max.interval":    {map[string]string{"max.interval": "1000"}, 150, 250},
		"rows.per.second": {map[string]string{"max.interval": "1000", "rows.per.second": "50"}, 4990, 5010},
		"hours":           {map[string]string{"max.interval": "36000000"}, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := opened(t, configured(t, c.settings), 0, "")
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
			defer cancel()
			rows := 0
			b := connect.NewBatch(100, 1<<20)
			for s.Read(ctx, b) == nil {
				rows += b.Len()
				b.Reset()
			}
			if rows < c.low || rows > c.high {
				t.Errorf("%s: %d rows in 100 s, want %d to %d", name, rows, c.low, c.high)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct{ option, value, want string }{
		{"quickstart", "user", "did you mean users?"},
		{"schema.keyfield", "name", "registertime, userid, regionid, gender"},
		{"payload.bytes", "99999999", "payload.bytes"},
		{"schema.filename", "/x.avro", "use quickstart"},
	} {
		_, err := Spec.Configure(map[string]string{"kafka.topic": "t", "quickstart": "users", c.option: c.value})
		if err == nil && c.option == "quickstart" || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: got error %v, want %q in it", c.option, c.value, err, c.want)
		}
	}
	if r := read(t, opened(t, configured(t, map[string]string{"schema.keyfield": "gender"}), 0, ""), 1).Records()[0]; r.Key.Text() != r.Value.Cells()[3].Text() {
		t.Errorf("the key %v is not the field", r.Key)
	}
}

func TestAlterOffsets(t *testing.T) {
	for _, c := range []struct {
		partition, offset string
		want              bool
	}{
		{`{"task.id":0}`, `{"current.iteration":0}`, true},
		{`{"task.id":0}`, `{"current.iteration":12,"random.seed":3}`, true},
		{`{"task.id":0}`, `{"current.iteration":-1}`, false},
		{`{"task.id":0}`, `{"current.iteration":"1"}`, false},
		{`{"task.id":0}`, `{}`, false},
		{`{"x":0}`, `{"current.iteration":1}`, false},
		{`{"x":0}`, ``, true},
		{`null`, `{"current.iteration":1}`, false},
	} {
		m := connect.Mark{Partition: json.RawMessage(c.partition)}
		if c.offset != "" {
			m.Offset = json.RawMessage(c.offset)
		}
		ok, err := new(Config).AlterOffsets(context.Background(), []connect.Mark{m})
		if ok != c.want || (err == nil) != c.want {
			t.Errorf("%s %s: got %v, %v", c.partition, c.offset, ok, err)
		}
	}
}

// FuzzNumber reads source partitions and offsets that users can set.
func TestRowsDoNotAllocate(t *testing.T) {
	for _, name := range quickstartNames() {
		s := opened(t, configured(t, map[string]string{"quickstart": name, "payload.bytes": "100"}), 0, "").(*Source)
		b := connect.NewBatch(1000, 1<<20)
		var n int64
		if got := testing.AllocsPerRun(2000, func() {
			if b.Full() {
				b.Reset()
			}
			s.table.append(b, &s.row, 1, 0, n)
			n++
		}); got != 0 {
			t.Errorf("%s: a row allocates %v times", name, got)
		}
	}
}
