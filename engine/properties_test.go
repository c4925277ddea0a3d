package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseProperties(t *testing.T) {
	cfg, err := ParseProperties(map[string]string{
		"bootstrap.servers": "a:9092, b:9092", "group.id": "g", "config.storage.topic": "c", "config.storage.replication.factor": "3",
		"offset.storage.partitions": "7", "value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
		"listeners": "http://0.0.0.0:18083", "task.shutdown.graceful.timeout.ms": "700",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(cfg.BootstrapServers, cfg.GroupID, cfg.ConfigTopic, cfg.OffsetTopic, cfg.StatusTopic, cfg.ValueConverter.Class,
		cfg.KeyConverter.Class, cfg.WorkerID, cfg.TaskShutdownTimeout == 700*time.Millisecond)
	want := "[a:9092 b:9092] g {c 1 3} {connect-offsets 7 -1} {connect-status 5 -1} org.apache.kafka.connect.json.JsonConverter  127.0.0.1:18083 true\n"
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
	if got, want := fmt.Sprint(unknown), "[{offset.flush.intervall.ms offset.flush.interval.ms}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
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
	for i, most := range []time.Duration{300, 600, 1200, 2000, 2000, 2000} {
		most *= time.Millisecond
		if d := b.next(); d < most/2 || d > most {
			t.Errorf("delay %d: got %s, want %s to %s", i, d, most/2, most)
		}
	}
	b.attempt = 1 << 20
	if d := b.next(); d <= 0 || d > b.limit {
		t.Errorf("a late delay: got %s", d)
	}
}
