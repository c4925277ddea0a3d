package monitoring

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/logtest"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/vfs"
)

const alerts = "../../examples/monitoring/prometheus-alerts.yml"

// promtool runs Prometheus' tool, which test/install-servers.sh fetches. Its complaints are returned.
func promtool(t *testing.T, stdin []byte, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(cache, "sluice-test", "promtool")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: test/install-servers.sh fetches it", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAlertsAreRules(t *testing.T) {
	if out, err := promtool(t, nil, "check", "rules", alerts); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAlertsFire runs testdata/alerts_test.yml: which alerts fire on which series.
func TestAlertsFire(t *testing.T) {
	dir := t.TempDir()
	for name, from := range map[string]string{"alerts.yml": alerts, "alerts_test.yml": "testdata/alerts_test.yml"} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := promtool(t, nil, "test", "rules", filepath.Join(dir, "alerts_test.yml")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// givenNames are those of other exporters, which promtool would have chosen otherwise.
var givenNames = []string{"kafka_consumergroup_current_offset_sum", "kafka_consumergroup_lag_sum",
	"kafka_server_socket_server_metrics_connection_count", "kafka_log_logcleanermanager_time_since_last_run_ms"}

// TestPageIsReadable gives promtool the page of a broker that was used.
func TestPageIsReadable(t *testing.T) {
	var registry metrics.Registry
	b := startBroker(t, &registry)
	client, err := kgo.NewClient(kgo.SeedBrokers("sluice:9092"), kgo.Dialer(b.DialContext), kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic("t"), kgo.ConsumeTopics("t"), kgo.ConsumerGroup(`a "group"`))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	client.PollFetches(t.Context())
	if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if _, err := registry.WriteTo(&page); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page.Bytes(), []byte(`kafka_consumergroup_lag{consumergroup="a \"group\"",topic="t",partition="0"} 0`)) {
		t.Errorf("the page has no lag of the group:\n%s", page.Bytes())
	}
	out, _ := promtool(t, page.Bytes(), "check", "metrics")
	for line := range strings.Lines(out) {
		if name, complaint, _ := strings.Cut(strings.TrimSpace(line), " "); complaint != "" && !slices.Contains(givenNames, name) {
			t.Errorf("%s: %s", name, complaint)
		}
	}
}

func startBroker(t *testing.T, registry *metrics.Registry) *broker.Broker {
	t.Helper()
	return logtest.Start(t, logtest.On(vfs.OS, t.TempDir()), func(c *logtest.Config) { c.Broker.Metrics = registry }).Broker // a disk has room left
}
