package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log/logtest"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/test/process"
)

// restart kills the server as kill -9 does and starts it again.
func restart(t *testing.T, s *process.Server) {
	t.Helper()
	s.Kill()
	s.Start(t)
	s.WaitReady(t)
}

// An idempotent producer goes on over kill -9: nothing is lost and nothing is
// there twice, because the server remembers its sequence numbers.
func TestIdempotentProducerOverKill(t *testing.T) {
	s := process.New(t)
	const rounds, perRound = 4, 25
	makeTopic(t, s.Addr, "kgo", 1)
	makeTopic(t, s.Addr, "librdkafka", 1)
	makeTopic(t, s.Addr, "sarama", 1)
	cl := kgoClient(t, s.Addr)
	rd := rdProducer(t, s.Addr, map[string]any{"enable.idempotence": true, "retry.backoff.ms": 50})
	conf := saramaConfig()
	conf.Producer.Idempotent, conf.Net.MaxOpenRequests, conf.Producer.RequiredAcks = true, 1, sarama.WaitForAll
	sa, err := sarama.NewSyncProducer([]string{s.Addr}, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer sa.Close()
	var want []string
	for round := range rounds {
		if round > 0 {
			restart(t, s)
		}
		records := numbered(fmt.Sprint("r", round, "-"), perRound)
		want = append(want, texts(records)...)
		for i, r := range records { // one batch each
			if err := cl.ProduceSync(limit(t), toKgo("kgo", records[i:i+1])...).FirstErr(); err != nil {
				t.Fatalf("franz-go: %v", err)
			}
			if _, _, err := sa.SendMessage(toSarama("sarama", []record{r})[0]); err != nil {
				t.Fatalf("Sarama: %v", err)
			}
		}
		for _, err := range rdSend(t, rd, "librdkafka", records) {
			if err != nil {
				t.Fatalf("librdkafka: %v", err)
			}
		}
	}
	for _, topic := range []string{"kgo", "librdkafka", "sarama"} {
		if got := texts(readTopic(t, s.Addr, topic)); !slices.Equal(got, want) {
			t.Errorf("%s: %d records that differ from the %d produced", topic, len(got), len(want))
		}
	}
}

// segments returns the segment files of a partition, in order.
func segments(t *testing.T, dir, partition string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", partition, "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments of %s: %v, %v", partition, files, err)
	}
	return files
}

// A bit that flips in the middle of a log takes one partition offline, or the
// read that meets it; the others are served, and no file is touched.
func TestFlippedBit(t *testing.T) {
	s := process.New(t)
	makeTopic(t, s.Addr, "sick", 1)
	makeTopic(t, s.Addr, "sound", 1)
	for _, topic := range []string{"sick", "sound"} {
		for i := range 20 {
			kgoProduce(t, produceRequest{addr: s.Addr, topic: topic}, numbered(fmt.Sprint("v", i), 10)...)
		}
	}
	s.Kill()
	file := segments(t, s.Dir, "sick-0")[0]
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 4
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	s.WaitReady(t)
	if got := readTopic(t, s.Addr, "sound"); len(got) != 200 {
		t.Errorf("%d records in the sound topic, want 200", len(got))
	}
	kgoProduce(t, produceRequest{addr: s.Addr, topic: "sound"}, numbered("more", 1)...)
	if code := produceRaw(t, s.Addr, "sick", rawBatch(t, batch.Builder{}, numbered("more", 1)...)).ErrorCode; code != kerr.KafkaStorageError.Code {
		t.Errorf("produce to the damaged partition: error code %d, want %d", code, kerr.KafkaStorageError.Code)
	}
	if after, err := os.ReadFile(file); err != nil || !slices.Equal(after, text) {
		t.Errorf("the damaged file was changed: %v", err)
	}
	s.Kill()
	report, err := log.Check(filepath.Join(s.Dir, "log"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) == 0 || !strings.Contains(report.Problems[0].File, "sick-0") || report.Problems[0].Position < 0 {
		t.Errorf("log.Check reports %v, want the file and the position", report.Problems)
	}
}

// A torn end of any length, and one of zeros, is cut off without a word: what was
// before it is there, and the next offset is the right one.
func TestTornTail(t *testing.T) {
	s := process.New(t)
	makeTopic(t, s.Addr, "torn", 1)
	next := int64(0)
	for _, tail := range [][]byte{{0}, make([]byte, 13), make([]byte, 4096), []byte("garbage that is longer than the header of a batch, and no batch at all")} {
		kgoProduce(t, produceRequest{addr: s.Addr, topic: "torn"}, numbered("v", 5)...)
		next += 5
		s.Kill()
		list := segments(t, s.Dir, "torn-0")
		f, err := os.OpenFile(list[len(list)-1], os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(tail)
		f.Close()
		s.Start(t)
		s.WaitReady(t)
		if got := int64(len(readTopic(t, s.Addr, "torn"))); got != next {
			t.Fatalf("%d records after a tail of %d bytes, want %d", got, len(tail), next)
		}
		if end := listedOffset(t, s.Addr, "torn", 7, -1, 0); end != next {
			t.Fatalf("end offset %d after a tail of %d bytes, want %d", end, len(tail), next)
		}
	}
}

// A consumer inside a segment that retention deletes goes on as its reset policy
// says, and never backwards.
func TestRetentionUnderConsumer(t *testing.T) {
	s := startServer(t, func(c *logtest.Config) { c.Log.RetentionInterval = 50 * time.Millisecond })
	s.createTopic(t, "old", 1, "segment.bytes=2000", "retention.bytes=4000")
	cl := kgoClient(t, s.addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"old": {0: kgo.NewOffset().At(0)}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(300))
	kgoProduce(t, produceRequest{addr: s.addr, topic: "old"}, numbered("v", 1)...)
	if got := cl.PollFetches(limit(t)).Records(); len(got) != 1 {
		t.Fatalf("%d records", len(got))
	}
	for i := range 100 {
		kgoProduce(t, produceRequest{addr: s.addr, topic: "old"}, record{value: fmt.Appendf(nil, "w%d%s", i, strings.Repeat(".", 200))})
	}
	var start int64
	eventually(t, func() error {
		if start = listedOffset(t, s.addr, "old", 7, -2, 0); start < 50 {
			return fmt.Errorf("log start offset %d", start)
		}
		return nil
	})
	last := int64(0)
	for last < 100 {
		for _, r := range cl.PollFetches(limit(t)).Records() {
			if r.Offset <= last {
				t.Fatalf("offset %d after %d", r.Offset, last)
			}
			last = r.Offset
		}
	}
}

// Compaction keeps the latest value of each key and every offset, in plain and in
// committed reads, while a consumer is in the middle of it.
func TestCompaction(t *testing.T) {
	s := startServer(t, func(c *logtest.Config) { c.Log.CompactionInterval = 50 * time.Millisecond })
	s.createTopic(t, "latest", 1, "cleanup.policy=compact", "segment.bytes=3000", "min.cleanable.dirty.ratio=0.01", "delete.retention.ms=0")
	cl := kgoClient(t, s.addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"latest": {0: kgo.NewOffset().At(0)}}), kgo.FetchMaxPartitionBytes(1000))
	seen := map[string]string{}
	last := int64(-1)
	poll := func() {
		for _, r := range cl.PollFetches(limit(t)).Records() {
			if r.Offset <= last {
				t.Fatalf("offset %d after %d", r.Offset, last)
			}
			last, seen[string(r.Key)] = r.Offset, string(r.Value)
		}
	}
	x := kgoTransact(t, s.addr, "latest")
	for i := range 60 {
		var batch []record
		for key := range 5 {
			batch = append(batch, record{key: fmt.Appendf(nil, "k%d", key), value: fmt.Appendf(nil, "%d-%d", i, key)})
		}
		if i%10 == 5 {
			x.begin(t)
			x.send(t, "latest", record{key: []byte("k0"), value: []byte("aborted")}, record{key: fmt.Appendf(nil, "once%d", i), value: []byte("aborted")})
			x.end(t, false)
		}
		kgoProduce(t, produceRequest{addr: s.addr, topic: "latest"}, batch...)
		if i%7 == 0 {
			poll()
		}
	}
	end := listedOffset(t, s.addr, "latest", 7, -1, 0)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "latest"}, record{key: []byte("k4")}) // a tombstone
	for range 30 {                                                                          // rolls segments, so that all before is cleaned
		kgoProduce(t, produceRequest{addr: s.addr, topic: "latest"}, record{key: []byte("filler"), value: make([]byte, 500)})
	}
	eventually(t, func() error {
		n := 0
		for _, r := range readTopic(t, s.addr, "latest") {
			if r.offset < end {
				n++
			}
		}
		if n > 10 {
			return fmt.Errorf("%d records are left of %d offsets", n, end)
		}
		return nil
	})
	for last < end {
		poll()
	}
	// Not kafka-python: it stumbles over a marker's batch that compaction has emptied.
	for _, j := range []judge{kgoJudge(), librdkafkaJudge(), saramaJudge()} {
		got := map[string]string{}
		records := readTopic(t, s.addr, "latest")
		for _, r := range j.consume(t, consumeRequest{addr: s.addr, topic: "latest", n: len(records), committed: true}) {
			if r.value != nil {
				got[string(r.key)] = string(r.value)
			}
		}
		for key := range 4 {
			if want := fmt.Sprintf("59-%d", key); got[fmt.Sprint("k", key)] != want {
				t.Errorf("%s: key k%d is %q, want %q", j.name, key, got[fmt.Sprint("k", key)], want)
			}
		}
		for key, value := range got {
			if value == "aborted" {
				t.Errorf("%s: %s is an aborted record", j.name, key)
			}
		}
	}
}

// After kill -9 the end offset is never lower than one that was told before.
func TestEndNeverGoesBack(t *testing.T) {
	s := process.New(t)
	makeTopic(t, s.Addr, "end", 1)
	adm := kadm.NewClient(kgoClient(t, s.Addr))
	told := int64(0)
	for round := range 5 {
		cl := kgoClient(t, s.Addr)
		for range 20 {
			cl.Produce(t.Context(), &kgo.Record{Topic: "end", Value: []byte("x")}, nil)
		}
		for range 5 {
			if ends, err := adm.ListEndOffsets(limit(t), "end"); err == nil {
				o, _ := ends.Lookup("end", 0)
				told = max(told, o.Offset)
			}
		}
		restart(t, s)
		if end := listedOffset(t, s.Addr, "end", 7, -1, 0); end < told {
			t.Errorf("round %d: end offset %d, was told %d", round, end, told)
		}
	}
}
