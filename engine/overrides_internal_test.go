package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// readSettings reads overrides over the settings of a worker.
func readSettings(t *testing.T, kind clientKind, overrides, worker map[string]string) (*clientSettings, []connect.UnknownOption) {
	t.Helper()
	var s clientSettings
	var d connect.Def
	prefixed := make(map[string]string)
	for name, value := range overrides {
		prefixed[kind.overridePrefix()+name] = value
	}
	others := s.read(kind, &d, prefixed, worker)
	if err := connect.Err(d.Parse(prefixed)); err != nil {
		t.Fatal(err)
	}
	return &s, others
}

// TestClientSettingsTakeEffect wants each setting in the client that it is for.
func TestClientSettingsTakeEffect(t *testing.T) {
	for _, test := range []struct {
		kind           clientKind
		setting, value string
		option         any
		want           string
	}{
		{producerClient, "acks", "-1", kgo.RequiredAcks, fmt.Sprint(kgo.AllISRAcks())},
		{producerClient, "linger.ms", "7", kgo.ProducerLinger, "7ms"},
		{producerClient, "max.request.size", "2000000", kgo.ProducerBatchMaxBytes, "2000000"},
		{producerClient, "compression.type", "lz4", kgo.ProducerBatchCompression, fmt.Sprint([]kgo.CompressionCodec{kgo.Lz4Compression()})},
		{producerClient, "buffer.memory", "5000000", kgo.MaxBufferedBytes, "5000000"},
		{producerClient, "delivery.timeout.ms", "120000", kgo.RecordDeliveryTimeout, "2m0s"},
		{producerClient, "retries", "3", kgo.RecordRetries, "3"},
		{producerClient, "enable.idempotence", "false", kgo.DisableIdempotentWrite, "true"},
		{producerClient, "client.id", "mine", kgo.ClientID, "mine"},
		{producerClient, "request.timeout.ms", "20000", kgo.RequestTimeoutOverhead, "20s"},
		{producerClient, "metadata.max.age.ms", "9000", kgo.MetadataMaxAge, "9s"},
		{producerClient, "connections.max.idle.ms", "540000", kgo.ConnIdleTimeout, "9m0s"},
		{producerClient, "socket.connection.setup.timeout.ms", "4000", kgo.DialTimeout, "4s"},
		{consumerClient, "isolation.level", "read_uncommitted", kgo.FetchIsolationLevel, "0"},
		{consumerClient, "auto.offset.reset", "latest", kgo.ConsumeResetOffset, fmt.Sprint(kgo.NewOffset().AtEnd())},
		{consumerClient, "fetch.max.bytes", "70000", kgo.FetchMaxBytes, "70000"},
		{consumerClient, "max.partition.fetch.bytes", "60000", kgo.FetchMaxPartitionBytes, "60000"},
		{consumerClient, "fetch.min.bytes", "11", kgo.FetchMinBytes, "11"},
		{consumerClient, "fetch.max.wait.ms", "800", kgo.FetchMaxWait, "800ms"},
		{consumerClient, "client.rack", "r1", kgo.Rack, "r1"},
		{consumerClient, "session.timeout.ms", "20000", kgo.SessionTimeout, "20s"},
		{consumerClient, "heartbeat.interval.ms", "1000", kgo.HeartbeatInterval, "1s"},
		{consumerClient, "max.poll.interval.ms", "90000", kgo.RebalanceTimeout, "1m30s"},
		{consumerClient, "metadata.max.age.ms", "9000", kgo.MetadataMaxAge, "9s"},
		{adminClient, "client.id", "mine", kgo.ClientID, "mine"},
	} {
		for _, where := range []string{"override", "worker", "both"} {
			overrides, worker := map[string]string{test.setting: test.value}, map[string]string(nil)
			switch where {
			case "worker":
				overrides, worker = worker, overrides
			case "both":
				worker = map[string]string{test.setting: "overridden"}
			}
			s, _ := readSettings(t, test.kind, overrides, worker)
			var opts []kgo.Opt
			switch test.kind {
			case producerClient:
				opts = s.producerOpts(false)
			case consumerClient:
				opts = append(s.consumerOpts(), kgo.ConsumerGroup("g"))
			default:
				opts = s.opts()
			}
			cfg := Config{BootstrapServers: []string{"127.0.0.1:1"}}.withDefaults()
			client, err := kgo.NewClient(cfg.clientOpts(workerClient, "default", opts...)...)
			if err != nil {
				t.Errorf("%s: %v", test.setting, err)
				continue
			}
			got := fmt.Sprint(client.OptValue(test.option))
			client.Close()
			if got != test.want {
				t.Errorf("%s %s=%s from the %s: got %s, want %s", test.kind, test.setting, test.value, where, got, test.want)
			}
		}
	}
}

func TestTransactionsNeedIdempotence(t *testing.T) {
	s, _ := readSettings(t, producerClient, map[string]string{"enable.idempotence": "false", "transaction.timeout.ms": "5000"}, nil)
	cfg := Config{BootstrapServers: []string{"127.0.0.1:1"}}.withDefaults()
	client, err := kgo.NewClient(cfg.clientOpts(workerClient, "c", append([]kgo.Opt{kgo.TransactionalID("t")}, s.producerOpts(true)...)...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := client.OptValue(kgo.TransactionTimeout); got != 5*time.Second {
		t.Errorf("transaction.timeout.ms: got %v", got)
	}
}

func TestRetryBackoffOfClients(t *testing.T) {
	s, _ := readSettings(t, producerClient, map[string]string{"retry.backoff.ms": "50", "retry.backoff.max.ms": "300"}, nil)
	var got []time.Duration
	for attempt := 1; attempt <= 5; attempt++ {
		got = append(got, s.retryDelay(attempt))
	}
	if fmt.Sprint(got) != "[50ms 100ms 200ms 300ms 300ms]" {
		t.Errorf("delays: got %v", got)
	}
}

// TestOverridesWithoutEffect wants them named, with the one that was probably meant.
func TestOverridesWithoutEffect(t *testing.T) {
	_, others := readSettings(t, producerClient, map[string]string{"lingr.ms": "1", "interceptor.classes": "x", "linger.ms": "2"}, nil)
	if got, want := fmt.Sprint(others), "[{producer.override.interceptor.classes } {producer.override.lingr.ms producer.override.linger.ms}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRefusedOverrides wants what would break a promise refused by name.
func TestRefusedOverrides(t *testing.T) {
	for name, want := range map[string]string{
		"producer.override.acks":                          "what is acknowledged is durable",
		"producer.override.transactional.id":              "keeps older runs of it out",
		"producer.override.bootstrap.servers":             "\"1\" is not HOST:PORT",
		"producer.override.max.request.size":              "Value must be between 1024 and 104857600",
		"consumer.override.enable.auto.commit":            "offsets follow what the sink has made durable",
		"consumer.override.partition.assignment.strategy": "there is no assignor",
	} {
		kind := clientKind(strings.SplitN(name, ".", 2)[0])
		var s clientSettings
		var d connect.Def
		overrides := map[string]string{name: "1"}
		if strings.HasSuffix(name, "commit") {
			overrides[name] = "true"
		}
		s.read(kind, &d, overrides, nil)
		if err := connect.Err(d.Parse(overrides)); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
