package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// TestDeleteOverKillNine deletes a connector while its broker is away and kills the
// server before it can purge the session: the next start does it.
func TestDeleteOverKillNine(t *testing.T) {
	broker := startMosquitto(t)
	s := startSluice(t, nil)
	s.create(t, seedConfig(t, "mqtt-source.json"))
	broker.waitSubscribed(t, "sensor/temperature")
	broker.stop(t)
	if code, text := s.request(t, "DELETE", "/connectors/mqtt-source-connector", ""); code != 204 {
		t.Fatalf("DELETE: %d %s", code, text)
	}
	eventually(t, func() error {
		if _, text := s.request(t, "GET", "/connectors", ""); strings.TrimSpace(text) != "[]" {
			return fmt.Errorf("connectors: %s", text)
		}
		return nil
	})
	s.kill()
	broker.start(t)
	if present, err := sessionPresent("mqtt-source-connector-0"); err != nil || !present {
		t.Fatalf("the broker has no session before the start: %v, %v; the test shows nothing", present, err)
	}
	s.start(t)
	eventually(t, func() error {
		present, err := sessionPresent("mqtt-source-connector-0")
		if err == nil && present {
			err = errors.New("the broker still has the session")
		}
		return err
	})
	s.stop(t)
}

// sessionPresent asks the broker. It leaves a session that there was, and no new one.
func sessionPresent(id string) (bool, error) {
	connect := func(clean bool) (present bool, err error) {
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + mqttAddress).SetClientID(id).SetCleanSession(clean).SetAutoReconnect(false))
		token := client.Connect().(*mqtt.ConnectToken)
		if !token.WaitTimeout(patience) || token.Error() != nil {
			return false, fmt.Errorf("connect: %v", token.Error())
		}
		client.Disconnect(100)
		return token.SessionPresent(), nil
	}
	present, err := connect(false)
	if err == nil && !present {
		_, err = connect(true)
	}
	return present, err
}
