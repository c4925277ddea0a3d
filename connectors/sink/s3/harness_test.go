package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// TestMain forgets what the environment says about AWS: a region, keys, or certificates that every client would read anew.
func TestMain(m *testing.M) {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// patient are limits that only a test that fails reaches. Where the server does not answer on purpose, a
// test shortens those that it waits for.
var patient = limits{stall: patience, drop: patience, leave: patience, abort: patience, list: patience}

// settings are a config for srv with short pauses and the changes.
func settings(srv *server, changes map[string]string) map[string]string {
	s := map[string]string{
		"s3.bucket.name":        testBucket,
		"store.url":             srv.URL,
		"s3.region":             "eu-central-1",
		"aws.access.key.id":     "id",
		"aws.secret.access.key": "secret",
		"s3.retry.backoff.ms":   "1",
		"retry.backoff.ms":      "2",
		"s3.part.retries":       "1",
	}
	maps.Copy(s, changes)
	return s
}

// smallParts is a value of s3.part.size for which parts have five units. S3 wants 5 MiB at least, which the server in memory does not: with the race
// detector it takes long to write and read bytes, and where only the number of parts counts they show nothing more.
const smallParts = "small"

// unit is the size of records of which five fill a part, small as it is.
const unit = 16 << 10

func newConfig(t testing.TB, srv *server, changes map[string]string) *Config {
	t.Helper()
	s := settings(srv, changes)
	small := s["s3.part.size"] == smallParts
	if small {
		delete(s, "s3.part.size")
	}
	c, errs := parse(s)
	if errs != nil {
		t.Fatal(errs)
	}
	if small {
		c.partSizeBytes = 5 * unit
	}
	return c
}

func parse(settings map[string]string) (*Config, error) {
	c := new(Config)
	var d connect.Def
	c.Define(&d)
	if err := connect.Err(d.Parse(settings)); err != nil {
		return c, err
	}
	var errs []error
	for _, e := range c.Validate() {
		errs = append(errs, e)
	}
	return c, errors.Join(errs...)
}

// harness drives a sink as the engine does, and checks at every Prepare that no
// offset is beyond what is visible (I2).
type harness struct {
	t       testing.TB
	srv     *server
	sink    *Sink
	clock   time.Time
	offsets map[connect.TopicPartition]int64
	skipped map[int64]bool // offsets that need not be in any object
	closed  bool
	asked   chan struct{} // of a sink that is exactly once: has a token when it has asked for Prepare
}

func openSink(t testing.TB, srv *server, changes map[string]string) *harness {
	t.Helper()
	h := &harness{t: t, srv: srv, clock: time.Unix(1_700_000_000, 0), offsets: make(map[connect.TopicPartition]int64)}
	h.sink = newSink(newConfig(t, srv, changes))
	h.sink.now = func() time.Time { return h.clock }
	h.sink.limits = patient
	h.sink.limits.stall = 50 * time.Millisecond
	if err := h.sink.Open(t.Context(), connect.SinkContext{Connector: "c", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

func (h *harness) close() {
	if h.closed {
		return
	}
	h.closed = true
	if err := h.sink.Close(); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	if held := h.sink.pool.heldBytes; held != 0 {
		h.t.Errorf("a sink that was closed keeps %d bytes of buffers", held)
	}
}

func tp(p int) connect.TopicPartition {
	return connect.TopicPartition{Topic: "iot", Partition: int32(p)}
}

func (h *harness) assign(p int, offset int64) {
	h.t.Helper()
	err := h.sink.Assign(h.t.Context(), []connect.PartitionOffset{{TopicPartition: tp(p), Offset: offset}})
	if err != nil {
		h.t.Fatal(err)
	}
}

// payload is the record of an offset: its JSON says which, padded to size.
func payload(offset int64, size int) string {
	p := fmt.Sprintf(`{"o":%d,"x":"`, offset)
	return p + strings.Repeat(string(rune('a'+offset%26)), max(0, size-len(p)-2)) + `"}`
}

func rawBatch(p int, from, to int64, size int) *connect.Batch {
	b := connect.NewBatch(1<<20, 1<<30)
	b.From = tp(p)
	for o := from; o < to; o++ {
		addRaw(b, o, payload(o, size))
	}
	return b
}

func addRaw(b *connect.Batch, offset int64, text string) {
	r := b.Append()
	r.Topic, r.Partition, r.Offset = b.From.Topic, b.From.Partition, offset
	r.ValueSchema = connectjson.Schema
	r.Value = connect.StringValue(text)
}

// write writes until the sink has taken the batch, as the engine would.
func (h *harness) write(b *connect.Batch) {
	h.t.Helper()
	if err := h.tryWrite(h.t.Context(), b); err != nil {
		h.t.Fatalf("Write: %v", err)
	}
}

func (h *harness) tryWrite(ctx context.Context, b *connect.Batch) error {
	for {
		err := h.sink.Write(ctx, b)
		if !connect.IsRetriable(err) {
			return err
		}
	}
}

// flush goes through the phases once and checks what Prepare says.
func (h *harness) flush() {
	h.t.Helper()
	moved, err := h.sink.Prepare(h.t.Context())
	if err != nil && !connect.IsRetriable(err) {
		h.t.Fatalf("Prepare: %v", err)
	}
	if len(moved) == 0 {
		return
	}
	if err := h.sink.Apply(h.t.Context()); err != nil {
		h.t.Fatalf("Apply: %v", err)
	}
	seen := visible(h.t, h.srv)
	for _, m := range moved {
		for o := max(h.offsets[m.TopicPartition], 0); o < m.Offset; o++ {
			if !h.skipped[o] && !seen[m.TopicPartition][o] {
				h.t.Fatalf("Prepare reports %v, but offset %d is in no object", m, o)
			}
		}
		h.offsets[m.TopicPartition] = m.Offset
	}
}

var keyPattern = regexp.MustCompile(`^topics/([^/]+)/partition=(\d+)/`)

// visible returns the offsets in objects, by the topic-partition in their key.
func visible(t testing.TB, srv *server) map[connect.TopicPartition]map[int64]bool {
	seen := make(map[connect.TopicPartition]map[int64]bool)
	for key, body := range srv.objects(t) {
		m := keyPattern.FindStringSubmatch(key)
		n, _ := strconv.Atoi(m[2])
		at := connect.TopicPartition{Topic: m[1], Partition: int32(n)}
		if seen[at] == nil {
			seen[at] = make(map[int64]bool)
		}
		if strings.HasSuffix(key, ".gz") {
			body = gunzip(t, body)
		}
		for line := range bytes.Lines(body) {
			rest, _ := bytes.CutPrefix(line, []byte(`{"o":`))
			digits, _, _ := bytes.Cut(rest, []byte(","))
			if o, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
				seen[at][o] = true
			}
		}
	}
	return seen
}

// flushUntil flushes until the partition is durable up to want.
func (h *harness) flushUntil(p int, want int64) {
	h.t.Helper()
	h.poll(fmt.Sprintf("offset %d of partition %d", want, p), func() bool {
		h.flush()
		return h.offsets[tp(p)] >= want
	})
	if got := h.offsets[tp(p)]; got != want {
		h.t.Fatalf("Prepare reports offset %d, want %d", got, want)
	}
}

// poll waits for a condition.
func (h *harness) poll(what string, done func() bool) {
	h.t.Helper()
	poll(h.t, what, done)
}

func poll(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("timeout waiting for %s", what)
		}
	}
}

// lines returns the payloads of offsets as an object has them.
func lines(from, to int64, size int) []byte {
	b := make([]byte, 0, int(to-from)*(size+1))
	for o := from; o < to; o++ {
		b = append(b, payload(o, size)...)
		b = append(b, '\n')
	}
	return b
}

// wantObjects compares the objects on the server with name → content; names are
// start offsets of partition 0.
func (h *harness) wantObjects(want map[int64][]byte) {
	h.t.Helper()
	got := h.srv.objects(h.t)
	for start, body := range want {
		key := fmt.Sprintf("topics/iot/partition=0/iot+0+%010d.json", start)
		if !bytes.Equal(got[key], body) {
			h.t.Errorf("%s has %d bytes, want %d, or they differ", key, len(got[key]), len(body))
		}
		delete(got, key)
	}
	if len(got) > 0 {
		h.t.Errorf("there are further objects: %v", slices.Sorted(maps.Keys(got)))
	}
}

// checkLeaks waits until no goroutine of a sink or of its connections is left.
func checkLeaks(t *testing.T) {
	t.Helper()
	stacks := func() string {
		buf := make([]byte, 1<<20)
		return string(buf[:runtime.Stack(buf, true)])
	}
	poll(t, "goroutines to end", func() bool {
		s := stacks()
		return !strings.Contains(s, "sink/s3.(*uploader)") && !strings.Contains(s, "net/http.(*persistConn)")
	})
}

// awaitAsked waits until the sink asks for Prepare.
func (h *harness) awaitAsked(after string) {
	h.t.Helper()
	select {
	case <-h.asked:
	case <-time.After(patience):
		h.t.Fatalf("the sink does not ask for Prepare after %s", after)
	}
}

func sinkContext() connect.SinkContext {
	return connect.SinkContext{Connector: "c", Logger: slog.New(slog.DiscardHandler), ExactlyOnce: true}
}

var errNoNetwork = errors.New("there is no network here")

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// s3WithTransport is the store's client with another way to send.
func s3WithTransport(st *store, send transportFunc) *s3.Client {
	o := st.client.Options()
	o.HTTPClient = send
	return s3.New(o)
}
