package s3

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// scenario runs the commands of a text file against a sink that is exactly once, with an S3 server in memory:
//
//	config KEY=VALUE …    a sink with this config
//	write OFFSET [@MS] [SCHEMA] JSON   a record with this value; MS is its timestamp, SCHEMA one of the schemas below, "raw" for JSON text, "text" for text, "long" a value too long for a name;
//	                                   behind "nokey" the record has no key, behind "bare" no headers
//	null OFFSET           a record without a value
//	tick DURATION         the clock goes on
//	leave                 the partition is given up
//	restart               the sink is closed and another opened with what is committed
//	objects               commits what is due and shows the objects that came since the last time
//
// The output stands behind each command, with " > " in front.
type scenario struct {
	t    *testing.T
	srv  *server
	l    ledger
	h    *harness
	conf map[string]string
	seen map[string][]byte
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			var s *scenario
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, " > ") {
					continue
				}
				out.WriteString(line)
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				if strings.HasPrefix(line, "config") {
					s = &scenario{t: t, srv: newServer(t), l: ledger{}, seen: make(map[string][]byte)}
				}
				for answer := range strings.Lines(s.run(line)) {
					out.WriteString(" > " + answer)
				}
			}
			if *update {
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := out.String(); got != string(text) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func (s *scenario) run(line string) string {
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "config":
		s.conf = fields(rest)
		return s.open()
	case "write":
		return s.write(rest)
	case "null":
		return s.write(rest + " null")
	case "tick":
		d, err := time.ParseDuration(rest)
		if err != nil {
			s.t.Fatal(err)
		}
		s.h.clock = s.h.clock.Add(d)
		return ""
	case "leave":
		s.h.sink.Leave([]connect.TopicPartition{tp(0)})
		return ""
	case "restart":
		clock := s.h.clock
		s.h.close()
		answer := s.open()
		s.h.clock = clock
		return answer
	case "objects":
		return s.objects()
	}
	s.t.Fatalf("no such command: %s", line)
	return ""
}

func (s *scenario) open() string {
	if _, err := parse(settings(s.srv, s.conf)); err != nil {
		return err.Error() + "\n"
	}
	s.h = mustOpen(s.t, s.srv, s.l, s.conf)
	return ""
}

// Schemas of the records: versions of one, one of them a second time, and another.
var scenarioSchemas = map[string]*connect.Schema{
	"v1":      versioned(1, connect.Field{Name: "id", Schema: connect.Int32Schema}),
	"v1again": versioned(1, connect.Field{Name: "id", Schema: connect.Int32Schema}),
	"v3":      versioned(3, connect.Field{Name: "name", Schema: connect.OptionalStringSchema}, connect.Field{Name: "id", Schema: connect.Int64Schema}),
	"v2":      versioned(2, connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "name", Schema: connect.OptionalStringSchema}),
	"v0":      versioned(0, connect.Field{Name: "id", Schema: connect.Int32Schema}),
	"b":       connect.MustStruct("B", connect.Field{Name: "x", Schema: connect.StringSchema}),
}

func versioned(version int, fields ...connect.Field) *connect.Schema {
	s, err := connect.NewStruct(fields, connect.Attrs{Name: "A", Version: version})
	if err != nil {
		panic(err)
	}
	return s
}

func (s *scenario) write(text string) string {
	offset, rest, _ := strings.Cut(text, " ")
	o, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	b := connect.NewBatch(10, 1<<20)
	b.From = tp(0)
	r := b.Append()
	r.Topic, r.Partition, r.Offset, r.Timestamp = b.From.Topic, b.From.Partition, o, s.h.clock.UnixMilli()
	r.KeySchema, r.Key = connect.StringSchema, connect.StringValue("k"+offset)
	r.Headers = []connect.Header{{Key: "h", Schema: connect.Int64Schema, Value: connect.Int64Value(o)}}
	if rest[0] == '@' {
		ms, after, _ := strings.Cut(rest[1:], " ")
		r.Timestamp, _ = strconv.ParseInt(ms, 10, 64)
		rest = after
	}
	if after, ok := strings.CutPrefix(rest, "nokey "); ok {
		r.KeySchema, r.Key, rest = nil, connect.Value{}, after
	} else if after, ok := strings.CutPrefix(rest, "bare "); ok {
		r.Headers, rest = nil, after
	}
	name, value, _ := strings.Cut(rest, " ")
	switch schema := scenarioSchemas[name]; {
	case schema != nil:
		r.ValueSchema = schema
		r.Value, err = connectjson.ParseAs(b, schema, []byte(value), connectjson.Options{})
	case strings.HasPrefix(rest, "raw "):
		r.ValueSchema, r.Value = connectjson.Schema, connect.StringValue(value)
	case rest == "long":
		r.Value, err = connectjson.Parse(b, []byte(`{"a":"`+strings.Repeat("x", 1000)+`"}`), 0)
	case strings.HasPrefix(rest, "text "):
		r.ValueSchema, r.Value = connect.StringSchema, connect.StringValue(value)
	default:
		r.Value, err = connectjson.Parse(b, []byte(rest), 0)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.h.tryWrite(s.t.Context(), b)
	var failed *connect.BatchError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failed):
		return "refused: " + failed.Failed[0].Err.Error() + "\n"
	}
	return "error: " + err.Error() + "\n"
}

// objects commits until nothing is left to do.
func (s *scenario) objects() string {
	for quiet := 0; quiet < 3; {
		states := s.h.prepare()
		if len(states) > 0 {
			quiet = 0
			s.l.commit(states)
			if err := s.h.sink.Apply(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		if s.h.sink.steps == 0 {
			quiet++
		} else if err := s.h.sink.await(s.t.Context()); err != nil && !connect.IsRetriable(err) {
			s.t.Fatal(err)
		}
	}
	var out strings.Builder
	now := s.srv.objects(s.t)
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if s.seen[key] == nil {
			fmt.Fprintf(&out, "%s: %s\n", key, strings.ReplaceAll(strings.TrimSuffix(string(now[key]), "\n"), "\n", " "))
		}
	}
	s.seen = now
	fmt.Fprintf(&out, "offset %d\n", s.l[tp(0)].Offset)
	return out.String()
}
