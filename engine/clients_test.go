package engine

import (
	"crypto/tls"
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A property with a prefix is for one kind of client, one without for the worker's own.
func TestClientProperties(t *testing.T) {
	cfg, err := ParseProperties(map[string]string{"bootstrap.servers": "a:1", "request.timeout.ms": "20000", "client.id": "w",
		"producer.linger.ms": "5", "producer.security.protocol": "SSL", "consumer.max.poll.records": "7", "admin.request.timeout.ms": "30000"})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[clientKind]map[string]string{
		producerClient: {"linger.ms": "5", "security.protocol": "SSL"}, // which a connector's overrides go on top of
		consumerClient: {"max.poll.records": "7"}, adminClient: {"request.timeout.ms": "30000"}} {
		if got := cfg.Clients.of(kind); !maps.Equal(got, want) {
			t.Errorf("%ss have %v, want %v", kind, got, want)
		}
	}
	for kind, want := range map[clientKind]struct {
		id  string
		tls bool
	}{workerClient: {"w", false}, producerClient: {"default", true}, consumerClient: {"default", false}, adminClient: {"default", false}} {
		client, err := kgo.NewClient(cfg.clientOpts(kind, "default")...)
		if err != nil {
			t.Fatal(err)
		}
		if got := client.OptValue(kgo.ClientID).(string); got != want.id {
			t.Errorf("the client id of a %s is %s, want %s", kind, got, want.id)
		}
		if got := client.OptValue(kgo.DialTLSConfig).(*tls.Config) != nil; got != want.tls {
			t.Errorf("a %s has TLS: %v, want %v", kind, got, want.tls)
		}
		client.Close()
	}
}

// Errors name the property, or the kind of clients and the property.
func TestClientPropertyErrors(t *testing.T) {
	for key, value := range map[string]string{"producer.linger.ms": "soon", "consumer.isolation.level": "none", "producer.security.protocol": "x", "producer.acks": "1",
		"consumer.sasl.mechanism": "OAUTHBEARER", "admin.ssl.truststore.location": "/does/not/exist", "ssl.truststore.location": "/does/not/exist", "request.timeout.ms": "1"} {
		_, err := ParseProperties(map[string]string{key: value, "security.protocol": "SSL"})
		for kind := range strings.SplitSeq("producer. consumer. admin.", " ") {
			if rest, ok := strings.CutPrefix(key, kind); ok && (err == nil || !strings.Contains(err.Error(), "properties of "+kind+"*")) {
				t.Errorf("%s=%s: got %v, want an error that names %s*", key, value, err, kind)
			} else if ok {
				key = rest
			}
		}
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: got %v, want an error that names it", key, value, err)
		}
	}
}

func TestUnknownClientProperties(t *testing.T) {
	unknown := UnknownProperties(map[string]string{"producer.linger.ms": "5", "consumer.sasl.mechanism": "PLAIN", "admin.security.protocol": "SSL", "producer.lingerr.ms": "1"})
	if len(unknown) != 1 || unknown[0].Name != "producer.lingerr.ms" || unknown[0].Suggestion != "producer.linger.ms" {
		t.Errorf("got %v, want producer.lingerr.ms only", unknown)
	}
}
