package s3kill

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/s3server"
)

// checkFaults wants every kind of fault to have come, in a run that is long enough.
func (r *run) checkFaults(rounds int) {
	var text []string
	for i, name := range s3server.FaultNames {
		n := r.faulty.Counts[i].Load()
		text = append(text, fmt.Sprintf("%s %d", name, n))
		if n == 0 && rounds > 20 {
			r.t.Errorf("%q never came: the test shows less than it should", name)
		}
	}
	if r.unknown == 0 && rounds > 20 {
		r.t.Error("the worker was never killed between the completion of an upload and its answer: the test shows less than it should")
	}
	r.t.Logf("requests that failed: %s, server away %d; %d completions were cut off and freed; packets sent again: QoS 1 %d, QoS 2 %d",
		strings.Join(text, ", "), r.faulty.Away.Load(), r.server.Freed, r.qos[1].again, r.qos[2].again)
}

// check lets everything come to rest and compares.
func (r *run) check() {
	t := r.t
	r.faulty.Share.Store(0)
	r.worker.End(syscall.SIGKILL)
	r.worker.start(t)
	r.worker.stopGenerator(t)
	defer r.trails()
	logs := make(map[string]*topic)
	objects := make(map[string]counts)
	r.rest(r.worker, sinks, func() error {
		for _, name := range []string{"ratings", "qos1", "qos2"} {
			logs[name] = r.records(name)
		}
		if err := r.complete(logs); err != nil {
			return err
		}
		if err := r.readObjects(objects); err != nil {
			return err
		}
		for _, s := range sinks {
			if err := same(logs[s.topic].texts, s.lines(objects)); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		return r.nothingPending()
	})
	total := 0
	for _, s := range sinks {
		total += logs[s.topic].texts.total()
	}
	t.Logf("the generator's %d rows once, %d messages of QoS 2 once, %d of QoS 1 in %d records; the same in the objects of each sink: %d records in %d objects",
		logs["ratings"].texts.total(), r.qos[2].numbers, r.qos[1].numbers, logs["qos1"].texts.total(), total, len(objects))
	r.worker.End(syscall.SIGTERM)
	r.leftovers()
}

// trails shows what became of uploads that a task misses.
func (r *run) trails() {
	seen := make(map[string]bool)
	for _, m := range missed.FindAllStringSubmatch(r.worker.log.String(), -1) {
		if key := m[1]; !seen[key] && len(seen) < 3 {
			seen[key] = true
			r.t.Logf("%s:\n%s", key, strings.Join(r.faulty.Trail(key), "\n"))
		}
	}
}

var missed = regexp.MustCompile(`s3://kill/(\S+): the upload was aborted by somebody else`)

// judge reads what the log and the bucket have.
type judge struct {
	t      *testing.T
	log    *worker // the one that has the log
	bucket *s3server.Bucket
}

// counts is how often there is each of some texts, by their hashes.
type counts map[uint64]int

var hashes = maphash.MakeSeed()

func (c counts) add(text []byte) { c[maphash.Bytes(hashes, text)]++ }

func (c counts) total() int {
	n := 0
	for v := range maps.Values(c) {
		n += v
	}
	return n
}

// topic is what a topic of the log has.
type topic struct {
	texts   counts
	numbers map[int]int           // how often each number is there
	origin  map[int][]*kgo.Record // of a number of QoS 2, without the value
}

// numbered are the fields of values that have the number: of the generator's, and of devices'.
var numbered = map[bool]string{true: `"rating_id":`, false: `"n":`}

// records reads a topic to its end, committed records only.
func (j *judge) records(name string) *topic {
	found := &topic{make(counts), make(map[int]int), make(map[int][]*kgo.Record)}
	j.read(name, func(rec *kgo.Record) {
		found.texts.add(rec.Value)
		_, text, ok := strings.Cut(string(rec.Value), numbered[name == "ratings"])
		n, err := strconv.Atoi(text[:max(0, strings.IndexAny(text, ",}"))])
		if !ok || err != nil {
			j.t.Fatalf("not what was published: %s", rec.Value)
		}
		found.numbers[n]++
		if strings.HasPrefix(name, "qos2") {
			rec.Value = nil
			found.origin[n] = append(found.origin[n], rec)
		}
	})
	return found
}

// read reads what a topic has, to where all transactions are over. A topic that is not there has nothing.
func (j *judge) read(topic string, each func(*kgo.Record)) {
	client, err := kgo.NewClient(kgo.SeedBrokers(j.log.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		j.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(j.t.Context(), time.Minute)
	defer cancel()
	for left := j.ends(ctx, client, topic); len(left) > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			j.t.Fatalf("read %s: %v, with %v left", topic, err, left)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			end, more := left[rec.Partition]
			if more && rec.Offset < end && !rec.Attrs.IsControl() {
				each(rec)
			}
			if rec.Offset+1 >= end {
				delete(left, rec.Partition)
			}
		})
	}
}

// ends are the last stable offsets of the partitions of a topic that have records.
func (j *judge) ends(ctx context.Context, client *kgo.Client, topic string) map[int32]int64 {
	admin, ends := kadm.NewClient(client), make(map[int32]int64)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		j.t.Fatal(err)
	}
	committed, err := admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		j.t.Fatal(err)
	}
	committed.Each(func(o kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, o.Partition); ok && o.Err == nil && o.Offset > start.Offset {
			ends[o.Partition] = o.Offset
		}
	})
	return ends
}

// origin says how a message came.
func origin(rec *kgo.Record) string {
	text := fmt.Sprintf(" %d+%d at %s", rec.Partition, rec.Offset, rec.Timestamp.Format("15:04:05.000"))
	for _, h := range rec.Headers {
		text += fmt.Sprintf(" %s=%s", strings.TrimPrefix(h.Key, "mqtt."), h.Value)
	}
	return text + ";"
}

// complete tells whether the log has every row once, every message of QoS 2 once, and every one of QoS 1. What is there too often or
// was never published fails at once: it does not go away.
func (r *run) complete(logs map[string]*topic) error {
	r.rowsOnce(logs["ratings"])
	for _, d := range r.qos[1:] {
		if err := r.published(d, logs[d.id]); err != nil {
			return err
		}
	}
	return nil
}

// rowsOnce wants each row of the generator once in the log, and counts them.
func (j *judge) rowsOnce(log *topic) int {
	for id := range len(log.numbers) {
		if log.numbers[id] != 1 {
			j.t.Fatalf("row %d of %d is %d times in the log", id, len(log.numbers), log.numbers[id])
		}
	}
	return len(log.numbers)
}

// nothingPending wants the committed states to have nothing that is still to be completed or aborted.
func (j *judge) nothingPending() error {
	states := make(map[string]string)
	j.read("connect-sink-state", func(rec *kgo.Record) { states[string(rec.Key)] = string(rec.Value) })
	if len(states) == 0 {
		return fmt.Errorf("there are no states of sinks")
	}
	for key, state := range states {
		if strings.Contains(state, `"state"`) {
			return fmt.Errorf("the state of %s is %s", key, state)
		}
	}
	return nil
}

// readObjects reads those that are not known yet, and counts their lines.
func (j *judge) readObjects(objects map[string]counts) error {
	keys, err := j.bucket.Keys(j.t.Context())
	if err != nil {
		return err
	}
	for _, key := range keys {
		if objects[key] == nil {
			if objects[key], err = j.linesOf(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// lines adds up the lines of all objects of the sink.
func (s *sink) lines(objects map[string]counts) counts {
	sum := make(counts)
	for key, lines := range objects {
		if strings.HasPrefix(key, s.name+"/"+s.topic+"/") && strings.HasSuffix(key, s.counts) && !strings.Contains(key, ".keys.") {
			for line, n := range lines {
				sum[line] += n
			}
		}
	}
	return sum
}

func (j *judge) linesOf(key string) (counts, error) {
	body, err := j.bucket.Read(j.t.Context(), key)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(key, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	found := make(counts)
	for line := range bytes.Lines(body) {
		found.add(bytes.TrimSuffix(line, []byte("\n")))
	}
	return found, nil
}

// same compares what the log has with the lines of objects.
func same(log, lines counts) error {
	missing, doubled := 0, 0
	for text, n := range log {
		missing += max(n-lines[text], 0)
		doubled += max(lines[text]-n, 0)
	}
	invented := 0
	for text, n := range lines {
		if log[text] == 0 {
			invented += n
		}
	}
	if missing+doubled+invented > 0 {
		return fmt.Errorf("%d records are missing, %d once too often, %d not in the log", missing, doubled, invented)
	}
	return nil
}

// leftovers wants no upload that is neither complete nor aborted, no object of the sinks' own, and keys with every value's object.
func (j *judge) leftovers() {
	t := j.t
	uploads, err := j.bucket.Uploads(t.Context())
	if err != nil || len(uploads) > 0 {
		t.Errorf("%d uploads are left: %v %v", len(uploads), err, uploads[:min(5, len(uploads))])
	}
	keys, err := j.bucket.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, key := range keys {
		all[key] = true
	}
	for _, key := range keys {
		if strings.Contains(key, "_sluice") {
			t.Errorf("an object of the sink's own is left: %s", key)
		}
		if base, ok := strings.CutSuffix(key, ".json.gz"); ok && !strings.HasSuffix(base, ".keys") && !all[base+".keys.json.gz"] {
			t.Errorf("%s has no keys", key)
		}
	}
}
