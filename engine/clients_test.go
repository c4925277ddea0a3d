package engine

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// A property with a prefix is for one kind of client; those that connectors can
// override become their defaults.
func TestClientProperties(t *testing.T) {
	cfg, err := ParseProperties(map[string]string{"bootstrap.servers": "a:1", "request.timeout.ms": "20000",
		"producer.metadata.max.age.ms": "5000", "producer.linger.ms": "5", "consumer.max.poll.records": "7", "admin.request.timeout.ms": "20000"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(len(cfg.WorkerOpts), len(cfg.ProducerOpts), len(cfg.ConsumerOpts)); got != "1 2 1" {
		t.Errorf("the worker, producers and consumers have %s options, want 1 2 1", got)
	}
	if want := map[string]string{"producer.override.linger.ms": "5", "consumer.override.max.poll.records": "7"}; !maps.Equal(cfg.ClientDefaults, want) {
		t.Errorf("defaults are %v, want %v", cfg.ClientDefaults, want)
	}
	o := connectorOptions{clientDefaults: cfg.ClientDefaults}
	d := overrides(&o)
	d.Parse(map[string]string{"producer.override.max.request.size": "2048"})
	if o.linger.Milliseconds() != 5 || o.maxPollRecords != 7 || o.maxRequestSizeBytes != 2048 || o.isolation != "read_committed" {
		t.Errorf("a connector has %+v", o)
	}
}

func TestClientPropertyErrors(t *testing.T) {
	for key, value := range map[string]string{"producer.linger.ms": "soon", "consumer.isolation.level": "none", "producer.security.protocol": "x",
		"consumer.sasl.mechanism": "OAUTHBEARER", "admin.security.protocol": "SSL", "ssl.truststore.location": "/does/not/exist"} {
		_, err := ParseProperties(map[string]string{key: value, "security.protocol": "SSL"})
		name := key
		if prefix, rest, ok := strings.Cut(key, "."); ok && (strings.HasPrefix(rest, "s")) && prefix != "admin" {
			name = rest
		}
		if key == "admin.security.protocol" {
			_, err = ParseProperties(map[string]string{key: value})
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: got %v, want an error that names it", key, value, err)
		}
	}
}

func TestUnknownClientProperties(t *testing.T) {
	unknown := UnknownProperties(map[string]string{"producer.linger.ms": "5", "consumer.sasl.mechanism": "PLAIN", "admin.security.protocol": "SSL", "producer.acks": "1"})
	if len(unknown) != 1 || unknown[0].Name != "producer.acks" {
		t.Errorf("got %v, want producer.acks only", unknown)
	}
}
