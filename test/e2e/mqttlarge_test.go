package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestLargeMQTTMessage: a message of 10 MB is more than a topic takes by default. The
// task fails and says which settings to change; with these the message arrives.
func TestLargeMQTTMessage(t *testing.T) {
	const name, option = "mqtt-source-connector", "producer.override.max.request.size"
	broker := startMosquitto(t)
	s := startSluice(t, nil)
	s.create(t, seedConfig(t, "mqtt-source.json"))
	broker.waitSubscribed(t, "sensor/temperature")
	large := strings.Repeat("x", 10_000_000)
	publish(t, publisher(t), "sensor/temperature", 2000, []string{large})
	eventually(t, func() error {
		states, err := s.states(name)
		if err == nil && !(strings.Contains(states, "FAILED") && strings.Contains(states, option) && strings.Contains(states, "max.message.bytes")) {
			err = fmt.Errorf("states %s", states)
		}
		return err
	})

	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	limit := "20000000"
	if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, "iot-sensors"); err != nil {
		t.Fatal(err)
	}
	var c struct{ Config map[string]string }
	if err := json.Unmarshal([]byte(changed(t, seedConfig(t, "mqtt-source.json"), map[string]string{option: limit})), &c); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	if code, text := s.request(t, "PUT", "/connectors/"+name+"/config", string(config)); code != 200 {
		t.Fatalf("PUT: %d %s", code, text)
	}
	eventually(t, func() error {
		records := s.records(t, "iot-sensors")
		if len(records) != 1 || string(records[0].Value) != large {
			return fmt.Errorf("%d records", len(records))
		}
		return nil
	})
	s.stop(t)
}
