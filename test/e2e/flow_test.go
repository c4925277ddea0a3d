package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/s3server"
)

// Payloads that are no JSON objects on one line.
var (
	textPayload   = "21.5 °C, says \"sensor\""
	binaryPayload = string([]byte{0xff, 0x00, 0x80, 0x0a})
	spacedPayload = "{\n  \"id\": 1, \"big\": 12345678901234567890\n}"
)

// TestSeedConfigs posts the two example configs unchanged: readings published to
// broker:1883 arrive in the bucket iot-data, by count and by age.
func TestSeedConfigs(t *testing.T) {
	bucket := makeBucket(t, "iot-data")
	broker := startMosquitto(t)
	s := startSluice(t, s3server.Env(bucket.url))
	s.create(t, seedConfig(t, "mqtt-source.json"))
	s.create(t, seedConfig(t, "s3-sink.json"))
	s.waitRunning(t, "mqtt-source-connector")
	s.waitRunning(t, "s3-sink-connector")
	broker.waitSubscribed(t, "sensor/temperature")

	payloads := append(readings(10_000), textPayload, binaryPayload, spacedPayload)
	publish(t, publisher(t), "sensor/temperature", 5000, payloads)

	want := slices.Clone(payloads[:10_000])
	want = append(want, `"21.5 °C, says \"sensor\""`, `"/wCACg=="`, `{"id":1,"big":12345678901234567890}`)
	const first, second = "topics/iot-sensors/partition=0/iot-sensors+0+0000000000.json", "topics/iot-sensors/partition=0/iot-sensors+0+0000010000.json"
	got := waitObjects(t, bucket, first) // flush.size
	begin := time.Now()
	compare(t, got[first], want[:10_000])
	got = waitObjects(t, bucket, first, second) // rotate.max.age.ms
	t.Logf("the second object was complete %.0f s after the first", time.Since(begin).Seconds())
	compare(t, got[second], want[10_000:])

	checkWithKcat(t, s, payloads)
	checkConfigsAsSent(t, s)
}

// waitObjects waits until the bucket holds exactly the keys and returns their
// lines.
func waitObjects(t *testing.T, b *bucket, keys ...string) map[string][]string {
	t.Helper()
	lines := map[string][]string{}
	eventually(t, func() error {
		got, err := b.keys(t.Context())
		if err == nil && !slices.Equal(got, keys) {
			err = fmt.Errorf("objects %q, want %q", got, keys)
		}
		return err
	})
	if err := b.lines(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
	return lines
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("line %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// checkWithKcat reads the topic with a client that is not ours: keys, values and
// headers are what the MQTT source promises.
func checkWithKcat(t *testing.T, s *sluice, payloads []string) {
	t.Helper()
	out, err := exec.Command("kcat", "-b", s.Kafka, "-C", "-t", "iot-sensors", "-o", "beginning", "-e", "-q",
		"-f", "%o|%k|%h|%S|%s\x01").CombinedOutput()
	if err != nil {
		t.Fatalf("kcat: %v\n%s", err, out)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x01"), "\x01")
	if len(got) != len(payloads) {
		t.Fatalf("kcat read %d records, want %d", len(got), len(payloads))
	}
	for i, payload := range payloads {
		parts := strings.SplitN(got[i], "|", 5)
		headers := parts[2]
		if parts[0] != fmt.Sprint(i) || parts[1] != "sensor/temperature" || parts[4] != payload ||
			!strings.Contains(headers, "mqtt.qos=1") || !strings.Contains(headers, "mqtt.retained=false") {
			t.Fatalf("record %d is %q, want payload %q", i, got[i], payload)
		}
	}
}

// checkConfigsAsSent wants the configs back as they were sent, plus the name (I6).
func checkConfigsAsSent(t *testing.T, s *sluice) {
	t.Helper()
	for file, name := range map[string]string{"mqtt-source.json": "mqtt-source-connector", "s3-sink.json": "s3-sink-connector"} {
		var sent struct{ Config map[string]string }
		if err := json.Unmarshal([]byte(seedConfig(t, file)), &sent); err != nil {
			t.Fatal(err)
		}
		sent.Config["name"] = name
		want, err := json.Marshal(sent.Config)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := s.request(t, "GET", "/connectors/"+name+"/config", ""); strings.TrimSpace(got) != string(want) {
			t.Errorf("config %s, want %s", got, want)
		}
	}
}
