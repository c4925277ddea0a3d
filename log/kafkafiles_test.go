package log

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// kafkaTopics are in testdata/kafka-files.tar.gz, which test/conformance/log-files.sh recorded: the data directory of an
// Apache Kafka 4.4 after transactions, compaction and a clean stop.
var kafkaTopics = map[string]map[string]string{
	"plain":               nil,
	"transactions":        nil,
	"compacted":           {"cleanup.policy": "compact"},
	"__consumer_offsets":  {"cleanup.policy": "compact"},
	"__transaction_state": {"cleanup.policy": "compact"},
}

// What Kafka wrote reads as Kafka's own consumer read it, with and without aborted transactions, and is sound after we
// have recovered it.
func TestReadsWhatKafkaWrote(t *testing.T) {
	dir := t.TempDir()
	unpackKafka(t, dir)
	l := mustOpen(t, Config{Dir: dir})
	want := readLines(t, "testdata/kafka-records.txt")
	var got []string
	for _, topic := range []string{"plain", "transactions", "compacted"} {
		got = append(got, listRecords(t, mustPartition(t, l, topic, 0), true)...)
		got = append(got, listRecords(t, mustPartition(t, l, topic, 0), false)...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("records differ from Kafka's listing: %s", firstDifference(got, want))
	}
	for _, topic := range []string{"__consumer_offsets", "__transaction_state"} {
		if p := mustPartition(t, l, topic, 0); p.Err() != nil || len(listRecords(t, p, false)) < 2 {
			t.Errorf("%s: %v", topic, p.Err())
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Check(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Concat(report.Problems, report.Notes) {
		t.Error(p)
	}
}

// unpackKafka makes a data directory of ours with Kafka's partitions in it: only the topic ids are ours. There is no mark of
// a clean end, so that everything is scanned.
func unpackKafka(t *testing.T, dir string) {
	t.Helper()
	l := mustOpen(t, Config{Dir: dir})
	ids := map[string]topicID{}
	for name, overrides := range kafkaTopics {
		ids[name] = mustCreate(t, l, name, 1, overrides).id
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, cleanShutdownFile)); err != nil {
		t.Fatal(err)
	}
	untar(t, "testdata/kafka-files.tar.gz", dir)
	// Kafka does not write down where compaction may have left holes: below what it has cleaned.
	cleaned, err := os.ReadFile(filepath.Join(dir, cleanerFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(vfs.OS, filepath.Join(dir, holesFile), cleaned); err != nil {
		t.Fatal(err)
	}
	for name, id := range ids {
		if err := writeFile(vfs.OS, filepath.Join(dir, name+"-0", partitionFile), encodePartitionMetadata(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func untar(t *testing.T, name, dir string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(to, 0o755)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, b, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// listRecords lists a partition's records in the format of the recorded listing.
func listRecords(t *testing.T, p *Partition, committed bool) []string {
	t.Helper()
	level, end := "read_uncommitted", p.HighWatermark()
	var aborted []AbortedTransaction
	if committed {
		level, end = "read_committed", p.LastStableOffset()
		var err error
		if aborted, err = p.AbortedTransactions(p.LogStartOffset(), end); err != nil {
			t.Fatal(err)
		}
	}
	f := abortedFilter{list: aborted, open: map[int64]bool{}}
	var lines []string
	for offset := p.LogStartOffset(); offset < end; {
		b, err := p.Read(nil, offset, 1, end)
		if err != nil {
			t.Fatalf("read %s at %d: %v", p.Topic().Name(), offset, err)
		}
		if len(b) == 0 {
			break
		}
		h, err := batch.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if !f.drops(t, &h, b) {
			lines = append(lines, listBatch(t, fmt.Sprintf("%s %s", p.Topic().Name(), level), b)...)
		}
		offset = h.LastOffset() + 1
	}
	return append(lines, fmt.Sprintf("%s %s end %d", p.Topic().Name(), level, end))
}

// abortedFilter drops what a consumer of committed records drops.
type abortedFilter struct {
	list []AbortedTransaction
	open map[int64]bool
}

func (f *abortedFilter) drops(t *testing.T, h *batch.Header, b []byte) bool {
	t.Helper()
	if h.Control() {
		m, err := batch.ReadMarker(b)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Commit {
			delete(f.open, m.ProducerID)
		}
		return true
	}
	for len(f.list) > 0 && f.list[0].FirstOffset <= h.LastOffset() {
		f.open[f.list[0].ProducerID] = true
		f.list = f.list[1:]
	}
	return h.Transactional() && f.open[h.ProducerID]
}

func listBatch(t *testing.T, prefix string, b []byte) []string {
	t.Helper()
	r, err := batch.NewReader(b, batch.NewDecompressor(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for r.Next() {
		rec := r.Record()
		lines = append(lines, fmt.Sprintf("%s %d %d %s %s", prefix, rec.Offset, rec.Timestamp, orNull(rec.Key), orNull(rec.Value)))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func orNull(b []byte) string {
	if b == nil {
		return "null"
	}
	return string(b)
}

func readLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("line %d is %q, want %q", i+1, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(got), len(want))
}
