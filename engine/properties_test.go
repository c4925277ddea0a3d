package engine

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

func TestParseProperties(t *testing.T) {
	cfg, err := ParseProperties(map[string]string{
		"bootstrap.servers": "a:9092, b:9092", "group.id": "g", "config.storage.topic": "c", "config.storage.replication.factor": "3", "config.storage.min.insync.replicas": " 2", "config.storage.cleanup.policy": "delete",
		"offset.storage.partitions": "7", "value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
		"listeners": "http://0.0.0.0:18083", "task.shutdown.graceful.timeout.ms": "700",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(cfg.BootstrapServers, cfg.GroupID, cfg.ConfigTopic, cfg.OffsetTopic, cfg.StatusTopic, cfg.ValueConverter.Class,
		cfg.KeyConverter.Class, cfg.WorkerID, cfg.TaskShutdownTimeout == 700*time.Millisecond)
	want := "[a:9092 b:9092] g {c 1 3 map[min.insync.replicas:2]} {connect-offsets 7 -1 map[]} {connect-status 5 -1 map[]} org.apache.kafka.connect.json.JsonConverter  127.0.0.1:18083 true\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := New(cfg); err != nil {
		t.Errorf("New: %v", err)
	}
}

func TestParsePropertiesReturnsAllErrors(t *testing.T) {
	_, err := ParseProperties(map[string]string{"offset.storage.partitions": "0", "status.storage.topic": "a b", "security.protocol": "SASL",
		"config.providers": "file", "offset.flush.interval.ms": "soon", "key.converter": "Avro"})
	for _, option := range []string{"offset.storage.partitions", "status.storage.topic", "security.protocol", "config.providers.file", "offset.flush.interval.ms", "key.converter"} {
		if err == nil || !strings.Contains(err.Error(), "configuration "+option) {
			t.Errorf("no error names %s: %v", option, err)
		}
	}
}

func TestUnknownProperties(t *testing.T) {
	unknown := UnknownProperties(map[string]string{"group.id": "g", "offset.flush.intervall.ms": "1", "plugin.path": "/x", "value.converter.schemas.enable": "true"})
	if got := UnknownProperties(map[string]string{"status.storage.segment.bytes": "1", "status.storage.segment.byte": "1"}); len(got) != 1 || got[0].Name != "status.storage.segment.byte" {
		t.Errorf("settings of topics: %v", got)
	}
	if got, want := fmt.Sprint(unknown), "[{offset.flush.intervall.ms offset.flush.interval.ms}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestEveryPropertyIsDocumented compares what is read with docs/worker.md, both ways.
func TestEveryPropertyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/worker.md")
	if err != nil {
		t.Fatal(err)
	}
	var o workerOptions
	var d connect.Def
	o.define(&d)
	for _, option := range d.Options() {
		prefix, _, _ := strings.Cut(option.Name, ".")
		if !strings.Contains(string(text), "`"+option.Name+"`") && !strings.Contains(string(text), "`"+prefix+".*`") {
			t.Errorf("docs/worker.md does not name %s", option.Name)
		}
	}
	// These are the command's, which takes them before the worker's are read.
	command := regexp.MustCompile(`^(access\.control\..*|admin\.listeners.*|response\.http\.headers\.config|rest\.access\.file|listeners\.https\..*)$`)
	found := 0
	for line := range strings.Lines(string(text)) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z][a-z.]+)`").FindAllStringSubmatch(cell, -1) {
			found++
			if unknown := UnknownProperties(map[string]string{m[1]: "x"}); len(unknown) > 0 && !command.MatchString(m[1]) {
				t.Errorf("docs/worker.md names %s, which nothing reads", m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("found %d properties on the page", found)
	}
}

func TestNewRefusesAConfigThatCannotWork(t *testing.T) {
	for want, cfg := range map[string]Config{
		"bootstrap.servers": {},
		"must have 1":       {BootstrapServers: []string{"a:1"}, ConfigTopic: InternalTopic{Partitions: 2}},
		"names must differ": {BootstrapServers: []string{"a:1"}, ConfigTopic: InternalTopic{Name: "connect-status"}},
		"key.converter":     {BootstrapServers: []string{"a:1"}, KeyConverter: ConverterConfig{Class: "Avro"}},
		"schemas.enable":    {BootstrapServers: []string{"a:1"}, ValueConverter: ConverterConfig{Class: "JsonConverter", Settings: map[string]string{"value.converter.schemas.enable": "x"}}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{limit: 2 * time.Second}
	for i, want := range []time.Duration{300, 600, 1200} {
		if d := b.next(); d != want*time.Millisecond {
			t.Errorf("delay %d: got %s, want %d ms", i, d, want)
		}
	}
	seen := make(map[time.Duration]bool)
	for range 50 {
		d := b.next()
		if d < 0 || d >= b.limit {
			t.Errorf("a delay over the limit: got %s, want less than %s", d, b.limit)
		}
		seen[d] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d different delays of 50, want random ones", len(seen))
	}
	b.attempt = 1 << 20
	if d := b.next(); d < 0 || d >= b.limit {
		t.Errorf("a late delay: got %s", d)
	}
}
