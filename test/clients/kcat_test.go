package clients

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/log/batch"
)

// kcat returns its path.
func kcat(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Fatal("kcat is not installed: apt-get install kcat")
	}
	return path
}

// What is produced with a codec is stored with it and comes back. librdkafka
// 2.0 silently sends uncompressed when it misreads the advertised versions.
func TestKcatCodecs(t *testing.T) {
	kcat, s := kcat(t), startServer(t)
	for name, want := range map[string]batch.Codec{
		"none": batch.None, "gzip": batch.Gzip, "snappy": batch.Snappy, "lz4": batch.LZ4, "zstd": batch.Zstd,
	} {
		t.Run(name, func(t *testing.T) {
			topic, text := "kcat-"+name, lines(500, 400)
			s.createTopic(t, topic, 1)
			run(t, text, kcat, "-P", "-b", s.addr, "-t", topic, "-z", name)
			if got := run(t, "", kcat, "-C", "-b", s.addr, "-t", topic, "-o", "beginning", "-e", "-q"); got != text {
				t.Errorf("consumed %d bytes that differ from the %d produced", len(got), len(text))
			}
			if got := s.storedCodec(t, topic); got != want {
				t.Errorf("stored with %v, want %v", got, want)
			}
		})
	}
}

func TestKcatAcks(t *testing.T) {
	kcat, s := kcat(t), startServer(t)
	for _, acks := range []string{"0", "1", "all"} {
		topic, text := "acks-"+acks, lines(100, 50)
		run(t, text, kcat, "-P", "-b", s.addr, "-t", topic, "-X", "acks="+acks) // creates the topic
		// With acks=0 nothing says when the records are there: read until they are.
		if got := run(t, "", kcat, "-C", "-b", s.addr, "-t", topic, "-o", "beginning", "-c", "100", "-q"); got != text {
			t.Errorf("acks=%s: consumed %d bytes that differ from the %d produced", acks, len(got), len(text))
		}
	}
}

func TestKcatIdempotent(t *testing.T) {
	kcat, s := kcat(t), startServer(t)
	s.createTopic(t, "idem", 1)
	text := lines(20_000, 50)
	run(t, text, kcat, "-P", "-b", s.addr, "-t", "idem", "-X", "enable.idempotence=true", "-X", "batch.num.messages=100")
	if got := run(t, "", kcat, "-C", "-b", s.addr, "-t", "idem", "-o", "beginning", "-e", "-q"); got != text {
		t.Errorf("consumed %d bytes that differ from the %d produced", len(got), len(text))
	}
}

func TestKcatMetadataAndOffsets(t *testing.T) {
	kcat, s := kcat(t), startServer(t)
	s.createTopic(t, "meta", 3)
	list := run(t, "", kcat, "-L", "-b", s.addr)
	for _, want := range []string{
		`1 brokers:`, `broker 0 at ` + s.addr + ` (controller)`, `topic "meta" with 3 partitions:`,
		`partition 2, leader 0, replicas: 0, isrs: 0`,
	} {
		if !strings.Contains(list, want) {
			t.Errorf("kcat -L does not say %q:\n%s", want, list)
		}
	}
	run(t, lines(10, 10), kcat, "-P", "-b", s.addr, "-t", "meta", "-p", "1")
	for query, want := range map[string]string{"meta:1:-1": "meta [1] offset 10", "meta:1:-2": "meta [1] offset 0", "meta:0:-1": "meta [0] offset 0"} {
		if got := strings.TrimSpace(run(t, "", kcat, "-Q", "-b", s.addr, "-t", query)); got != want {
			t.Errorf("kcat -Q %s: %q, want %q", query, got, want)
		}
	}
}

// Two runs of a group: the second goes on where the first has committed.
func TestKcatGroup(t *testing.T) {
	kcat, s := kcat(t), startServer(t)
	s.createTopic(t, "grp", 4)
	for round := range 2 {
		text := lines(200, 20)
		run(t, text, kcat, "-P", "-b", s.addr, "-t", "grp", "-p", "-1")
		got := run(t, "", kcat, "-G", "g", "-b", s.addr, "-X", "auto.offset.reset=earliest",
			"-X", "session.timeout.ms=6000", "-c", "200", "-q", "grp")
		if a, b := sortedLines(got), sortedLines(text); !slices.Equal(a, b) {
			t.Errorf("round %d: consumed %d lines that differ from the %d produced", round, len(a), len(b))
		}
	}
	offsets := run(t, "", kcat, "-C", "-b", s.addr, "-t", "__consumer_offsets", "-o", "beginning", "-e", "-q", "-f", "%K %S\n")
	if !regexp.MustCompile(`(?m)^\d+ \d+$`).MatchString(offsets) {
		t.Errorf("__consumer_offsets has no records:\n%s", offsets)
	}
}

func sortedLines(text string) []string {
	l := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(l)
	return l
}
