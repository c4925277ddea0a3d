package engine_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// TestOverridePolicy wants the words of Kafka Connect for what a policy does not
// allow, of the clients that the connector uses.
func TestOverridePolicy(t *testing.T) {
	const acks = "producer.override.acks"
	source := func(kv ...string) map[string]string { return sourceConf(kv...) }
	for _, test := range []struct {
		policy    string
		allowlist []string
		config    map[string]string
		refused   string // empty: allowed
	}{
		{"", nil, source(acks, "all"), ""},
		{"None", nil, source(), ""},
		{"None", nil, source(acks, "all"), "The 'None' policy does not allow 'acks' to be overridden in the connector configuration."},
		{"None", nil, source("producer.override.no.such", "1"), "The 'None' policy does not allow 'no.such' to be overridden in the connector configuration."},
		{"None", nil, source("consumer.override.client.id", "c"), ""}, // a source has none
		{"None", nil, source("admin.override.client.id", "c"), ""},    // nor creates this one topics
		{"None", nil, groupConf("admin.override.client.id", "c"), "The 'None' policy does not allow 'client.id'"},
		{"None", nil, sinkConf("producer.override.linger.ms", "1"), ""},
		{"None", nil, sinkConf(letterConf("producer.override.linger.ms", "1")...), "The 'None' policy does not allow 'linger.ms'"},
		{"None", nil, sinkConf("consumer.override.group.id", "g"), "The 'None' policy does not allow 'group.id'"},
		{"Principal", nil, source("producer.override.client.id", "c"), "The 'Principal' policy does not allow 'client.id' to be overridden in the connector configuration."},
		{"Principal", nil, source("producer.override.sasl.jaas.config", jaas("plain.PlainLoginModule", "x"), "producer.override.sasl.mechanism", "PLAIN", "producer.override.security.protocol", "SASL_PLAINTEXT"), ""},
		{"Allowlist", nil, source(acks, "all"), "The 'Allowlist' policy does not allow 'acks' to be overridden in the connector configuration."},
		{"org.apache.kafka.connect.connector.policy.AllowlistConnectorClientConfigOverridePolicy", []string{"linger.ms", "acks"}, source(acks, "all"), ""},
	} {
		w := enginetest.Start(t, enginetest.Fake(t), func(cfg *engine.Config) {
			cfg.OverridePolicy, cfg.OverrideAllowlist = test.policy, test.allowlist
			cfg.BootstrapServers = []string{"127.0.0.1:1"} // of an external cluster; ClientOpts leads to the test's
		}, counting("out", 1, new(enginetest.Log)), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
		_, err := w.Worker.Create(t.Context(), "c", test.config, "")
		switch {
		case test.refused == "" && err != nil:
			t.Errorf("%s, %v: %v", test.policy, test.config, err)
		case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)):
			t.Errorf("%s, %v:\n got %v\nwant %s", test.policy, test.config, err, test.refused)
		}
		w.Stop(t)
	}
	if _, err := engine.New(engine.Config{BootstrapServers: []string{"a:1"}, OverridePolicy: "Some"}); err == nil || !strings.Contains(err.Error(), "connector.client.config.override.policy: there is no policy Some") {
		t.Errorf("a policy that does not exist: %v", err)
	}
}

// safeBuffer is a log to look into while it is written.
type safeBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func logTo(logs *safeBuffer) func(*engine.Config) {
	return func(cfg *engine.Config) {
		cfg.Logger = slog.New(slog.NewTextHandler(logs, nil))
		cfg.OffsetFlushInterval = 20 * time.Millisecond
	}
}

// TestOverridesInUse runs a sink with overrides: its group has the assignor that
// was asked for, and what has no effect is said, without its value (I6).
func TestOverridesInUse(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	var logs safeBuffer
	var got collector
	w := enginetest.Start(t, c, logTo(&logs), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", sinkConf("value.converter", "StringConverter", "consumer.override.client.id", "mine", "consumer.override.group.id", "theirs",
		"consumer.override.partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor, RoundRobinAssignor", "consumer.override.ssl.keystore.password", "hunter2"))
	got.await(t, texts(0, 3)...)
	groups, err := kadm.NewClient(enginetest.Client(t, c)).DescribeGroups(t.Context(), "theirs")
	must(t, err)
	if g := groups["theirs"]; g.Protocol != "range" || len(g.Members) != 1 || g.Members[0].ClientID != "mine" {
		t.Errorf("group: got protocol %s, members %v", g.Protocol, g.Members)
	}
	enginetest.Eventually(t, func() bool { return committed(t, c, "theirs", "in", 0) == 3 }, func() string { return "nothing was committed" })
	if text := logs.String(); !strings.Contains(text, "consumer.override.ssl.keystore.password") || strings.Contains(text, "hunter2") {
		t.Errorf("log of the override without effect: got %s", text)
	}
	infos, err := w.Validate(t.Context(), enginetest.SinkClass, sinkConf("consumer.override.ssl.keystore.password", "hunter2"))
	must(t, err)
	for _, c := range infos.Configs {
		if c.Value.Value != nil && strings.Contains(*c.Value.Value, "hunter2") {
			t.Errorf("%s is shown (I6)", c.Value.Name)
		}
	}
}

// TestAdminOverrides wants topics created by a client of the connector's own.
func TestAdminOverrides(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	var log enginetest.Log
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.Clients.Admin = map[string]string{"client.id": "the-worker's", "request.timeout.ms": "20000"}
	}, toTopics(&log, "made"))
	w.Create(t, "src", groupConf("admin.override.client.id", "mine"))
	enginetest.Eventually(t, func() bool { return len(log.Events()) > 0 }, func() string { return "nothing was committed" })
	if got := topicText(t, c, "made"); got != "2" {
		t.Errorf("topic: got %s", got)
	}
}

// TestOverridesOfAccess wants what leads nowhere refused, with the option's name.
func TestOverridesOfAccess(t *testing.T) {
	const address, protocol = "producer.override.bootstrap.servers", "producer.override.security.protocol"
	for _, test := range []struct {
		config map[string]string
		want   string
	}{
		{sourceConf(protocol, "SASL_SSL"), protocol + ": the worker reaches the embedded log in memory; give bootstrap.servers too"},
		{sourceConf(address, "kafka"), `"kafka" is not HOST:PORT`},
		{sourceConf(address, "kafka:9092", protocol, "SASL_PLAINTEXT"), "producer.override.sasl.mechanism: security.protocol=SASL_PLAINTEXT needs one"},
		{sourceConf(address, "kafka:9092", protocol, "SSL", "producer.override.ssl.truststore.location", "/no/such/file"), "producer.override.ssl.truststore.location: "},
		{sinkConf("consumer.override.bootstrap.servers", "kafka:9092", "consumer.override.security.protocol", "TLS"), "consumer.override.security.protocol"},
	} {
		c, _ := embedded(t, t.TempDir())
		w := enginetest.Start(t, c, nil, counting("out", 1, new(enginetest.Log)), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
		_, err := w.Worker.Create(t.Context(), "c", test.config, "")
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "contains the following 1 error(s)") {
			t.Errorf("%v:\n got %v\nwant %s", test.config, err, test.want)
		}
		w.Stop(t)
	}
}
