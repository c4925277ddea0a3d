package schemaregistry_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/logtest"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

var update = flag.Bool("update", false, "write what came into testdata")

// absent is the text of a null value.
const absent = "(null)"

// line is a record as testdata has it.
type line struct{ key, value string }

// topicLines reads all of _schemas.
func topicLines(t *testing.T, opts []kgo.Opt) []line {
	t.Helper()
	c := client(t, append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"_schemas": {0: kgo.NewOffset().AtStart()}}),
		kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted())))
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), "_schemas")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("_schemas", 0)
	var lines []line
	for next := int64(0); next < end.Offset; {
		fetches := c.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if r.Attrs.IsControl() {
				return
			}
			value := absent
			if r.Value != nil {
				value = string(r.Value)
			}
			lines = append(lines, line{string(r.Key), value})
		})
	}
	return lines
}

func client(t *testing.T, opts []kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// compacted is what a compaction leaves: the last record of each key, by its bytes, and no tombstones.
func compacted(lines []line) []line {
	last := make(map[string]int)
	for i, l := range lines {
		last[l.key] = i
	}
	var left []line
	for i, l := range lines {
		if last[l.key] == i && l.value != absent {
			left = append(left, l)
		}
	}
	return left
}

// topicWith is a cluster whose _schemas has these records.
func topicWith(t *testing.T, lines []line) []kgo.Opt {
	t.Helper()
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	c := client(t, opts)
	compact := "compact"
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, "_schemas"); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		r := &kgo.Record{Topic: "_schemas", Key: []byte(l.key)}
		if l.value != absent {
			r.Value = []byte(l.value)
		}
		if err := c.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return opts
}

// readLines reads testdata: a key in one line, its value in the next; comments begin with #.
func readLines(t *testing.T, file string) (lines []line) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var key string
	for _, l := range strings.Split(string(text), "\n") {
		switch {
		case l == "" || l[0] == '#':
		case key == "":
			key = l
		default:
			lines, key = append(lines, line{key, l}), ""
		}
	}
	return lines
}

// TestRecords compares the records of every kind with the bytes that Confluent's registry writes.
func TestRecords(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	ctx := t.Context()
	register(t, r, "plain", `{"type": "string", "p": "<&>"}`)
	register(t, r, ":.other:in", `"int"`)
	in := schemaregistry.Input{Text: `{"type":"array","items":"com.E"}`, References: []schemaregistry.Reference{{Name: "com.E", Subject: "e", Version: -1}},
		Metadata: &schemaregistry.Metadata{Tags: map[string][]string{"f": {"PII"}}, Properties: map[string]string{"owner": "o"}, Sensitive: []string{"owner"}}}
	register(t, r, "e", `{"type":"enum","name":"com.E","symbols":["A"]}`)
	if _, err := r.Register(ctx, name("user"), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
		t.Fatal(err)
	}
	level, yes, alias := schemaregistry.FullTransitive, true, "plain"
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.SetConfig(ctx, name(""), func(c *schemaregistry.Config) { c.Level = &level }))
	must(r.SetConfig(ctx, name("plain"), func(c *schemaregistry.Config) { c.Level, c.Normalize, c.Alias = &level, &yes, &alias }))
	must(nil, r.SetMode(ctx, name(""), schemaregistry.ReadWrite, false))
	must(nil, r.SetMode(ctx, name("new"), schemaregistry.Import, false))
	must(r.DeleteVersion(ctx, name("user"), 1, false))
	must(r.DeleteSubject(ctx, name("plain"), false))
	must(r.DeleteSubject(ctx, name("plain"), true))
	must(nil, r.SetMode(ctx, name("user"), schemaregistry.Import, false))
	must(r.DeleteMode(ctx, name("user"), false))
	var text strings.Builder
	for _, l := range topicLines(t, opts) {
		fmt.Fprintf(&text, "%s\n%s\n\n", l.key, l.value)
	}
	const file = "testdata/records.txt"
	if *update {
		must(nil, os.WriteFile(file, []byte(text.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != text.String() {
		t.Errorf("the topic has, %v\n%s\nwant\n%s", err, text.String(), want)
	}
}

// TestForeignTopic takes over a topic that other releases have written, in other orders of fields.
func TestForeignTopic(t *testing.T) {
	lines := readLines(t, "testdata/foreign.txt")
	opts := topicWith(t, lines)
	r, stop := registrytest.Start(t, opts)
	ctx := t.Context()
	want := "a 1 id=1 deleted=true AVRO \"string\"; a 2 id=2 deleted=false AVRO [\"null\",\"string\"]; b 1 id=1 deleted=false AVRO \"string\"; " +
		"c 1 id=3 deleted=true AVRO \"bytes\"; c 3 id=7 deleted=false JSON {\"type\":\"object\"}; "
	if got := contents(t, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c, err := r.Config(ctx, name(""), false); err != nil || *c.Level != schemaregistry.Full {
		t.Errorf("level %v, %v", c.Level, err)
	}
	if m, err := r.Mode(ctx, name("b"), false); err != nil || m != schemaregistry.ReadOnly {
		t.Errorf("mode %v, %v", m, err)
	}
	for _, d := range []struct {
		name      string
		version   int
		permanent bool
	}{{"a", 1, true}, {"c", 1, true}, {"c", 3, false}, {"c", 3, true}} {
		if _, err := r.DeleteVersion(ctx, name(d.name), d.version, d.permanent); err != nil {
			t.Fatal(err)
		}
	}
	want = "a 2 id=2 deleted=false AVRO [\"null\",\"string\"]; b 1 id=1 deleted=false AVRO \"string\"; "
	if got := contents(t, r); got != want {
		t.Errorf("after the hard delete\ngot  %s\nwant %s", got, want)
	}
	stop()
	// The byte forms of one key are different records to a compaction: none may be left. The highest id goes with its schema and is not
	// given again.
	again, _ := registrytest.Start(t, topicWith(t, compacted(topicLines(t, opts))))
	if got := contents(t, again); got != want {
		t.Errorf("after a compaction\ngot  %s\nwant %s", got, want)
	}
	if v := register(t, again, "d", `"double"`); v.ID != 8 {
		t.Errorf("the next id is %d, want 8", v.ID)
	}
}

// contents are all versions, one after the other.
func contents(t *testing.T, r *schemaregistry.Registry) string {
	t.Helper()
	all, err := r.Schemas(t.Context(), schemaregistry.SchemasQuery{Prefix: ":*:", Deleted: schemaregistry.WithDeleted})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, v := range all {
		fmt.Fprintf(&text, "%s %d id=%d deleted=%v %s %s; ", v.Name, v.Number, v.ID, v.Deleted, v.Type, v.Schema)
	}
	return text.String()
}

// TestFollow reads in one registry what another writes.
func TestFollow(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	writer, _ := registrytest.Start(t, opts)
	reader, _ := registrytest.Start(t, opts)
	for i := range 20 {
		want := register(t, writer, "s", record(fmt.Sprintf(`{"name":"f%d","type":"int","default":0}`, i)))
		got, err := reader.Version(t.Context(), name("s"), want.Number, false)
		for ctx := t.Context(); err != nil && ctx.Err() == nil; { // it is on its way
			got, err = reader.Version(ctx, name("s"), want.Number, false)
		}
		if got.ID != want.ID || got.Schema != want.Schema {
			t.Fatalf("read %+v, written %+v", got, want)
		}
	}
	// What is there already is answered by any registry, without the other one losing its turn.
	before := producerEpoch(t, opts)
	if v := register(t, reader, "s", record(`{"name":"f3","type":"int","default":0}`)); v.Number != 4 {
		t.Errorf("version %d, want 4", v.Number)
	}
	if after := producerEpoch(t, opts); after != before {
		t.Errorf("the producer's epoch went from %d to %d: the writer was fenced", before, after)
	}
}

func producerEpoch(t *testing.T, opts []kgo.Opt) int16 {
	t.Helper()
	txns, err := kadm.NewClient(client(t, opts)).DescribeTransactions(t.Context(), "schema-registry-_schemas")
	if err != nil {
		t.Fatal(err)
	}
	return txns["schema-registry-_schemas"].ProducerEpoch
}

// A compaction may leave nothing but empty batches at the end of the topic: a registry that starts then does not wait for records there.
func TestEmptyEnd(t *testing.T) {
	dir := t.TempDir()
	cleaned := filepath.Join(dir, "cleaner-offset-checkpoint")
	var days atomic.Int64
	start := func() *logtest.Node {
		return logtest.Start(t, logtest.On(vfs.OS, dir), func(c *logtest.Config) {
			c.Log.CompactionInterval = 10 * time.Millisecond
			c.Log.Now = func() time.Time { return time.Now().AddDate(0, 0, int(days.Load())) }
		})
	}
	n := start()
	r, stop := registrytest.Start(t, n.Opts())
	register(t, r, "s", `"int"`)
	level(t, r, "s", schemaregistry.None)
	if _, err := r.DeleteConfig(t.Context(), name("s")); err != nil { // a tombstone and the marker of its transaction are all there is at the end
		t.Fatal(err)
	}
	stop()
	// A pass closes the segment, which is old enough; the next ones, each of a log that does not know of those before it any more, take away the tombstone, then
	// the marker, once they are old enough themselves.
	for range 4 {
		days.Add(10)
		asking := kadm.NewClient(client(t, n.Opts()))
		for text := []byte(nil); !regexp.MustCompile(`_schemas 0 [1-9]`).Match(text); text, _ = os.ReadFile(cleaned) {
			if _, err := asking.BrokerMetadata(t.Context()); err != nil { // it takes a while
				t.Fatal(err)
			}
		}
		n.Stop()
		if err := os.Remove(cleaned); err != nil {
			t.Fatal(err)
		}
		n = start()
	}
	r, _ = registrytest.Start(t, n.Opts())
	if v := register(t, r, "t", `"string"`); v.ID != 2 {
		t.Errorf("registered %+v", v)
	}
}
