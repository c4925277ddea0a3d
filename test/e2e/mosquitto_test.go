package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const mqttAddress = "127.0.0.1:1883" // of this namespace; tests run one after the other

// mosquitto is an MQTT broker with persistence, so that it can be stopped and
// started.
type mosquitto struct {
	*process
	conf string
}

// startMosquitto starts a broker with an empty store and further lines of its
// config file.
func startMosquitto(t *testing.T, lines ...string) *mosquitto {
	t.Helper()
	dir := t.TempDir()
	m := &mosquitto{conf: filepath.Join(dir, "mosquitto.conf")}
	// Without limits on its queues: what it would drop cannot be told from what
	// Sluice would lose.
	conf := fmt.Sprintf("listener 1883 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nlog_dest stderr\nlog_type subscribe\n%s\n", dir, strings.Join(lines, "\n"))
	if err := os.WriteFile(m.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start(t)
	t.Cleanup(func() { m.stop(t) })
	return m
}

func (m *mosquitto) start(t *testing.T) {
	t.Helper()
	path := "mosquitto"
	if _, err := os.Stat("/usr/sbin/mosquitto"); err == nil {
		path = "/usr/sbin/mosquitto" // not in every user's PATH
	}
	p, err := spawn(nil, path, "-c", m.conf)
	if err != nil {
		t.Fatal(err)
	}
	m.process = p
	eventually(t, func() error {
		conn, err := net.Dial("tcp", mqttAddress)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// stop ends the broker, which saves its store.
func (m *mosquitto) stop(t *testing.T) {
	t.Helper()
	m.signal(syscall.SIGTERM)
	m.exit(t)
}

// publisher is a device: QoS 1, many messages in flight, reconnecting.
func publisher(t *testing.T) mqtt.Client {
	t.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + mqttAddress).SetClientID("e2e-publisher").SetCleanSession(false).
		SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond).SetMaxResumePubInFlight(10_000)
	client := mqtt.NewClient(o)
	token := client.Connect()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("connect publisher: %v", token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return client
}

// publish sends messages at a rate per second and waits for their
// acknowledgements.
func publish(t *testing.T, client mqtt.Client, topic string, rate int, payloads []string) {
	t.Helper()
	start := time.Now()
	tokens := make([]mqtt.Token, 0, len(payloads))
	for i, payload := range payloads {
		if due := start.Add(time.Duration(i) * time.Second / time.Duration(rate)); i%100 == 0 && time.Until(due) > 0 {
			<-time.After(time.Until(due))
		}
		tokens = append(tokens, client.Publish(topic, 1, false, payload))
	}
	for i, token := range tokens {
		if !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("message %d was not acknowledged: %v", i, token.Error())
		}
	}
}

// waitSubscribed waits until a client has subscribed to a filter since the broker
// was started; what is published before is for nobody.
func (m *mosquitto) waitSubscribed(t *testing.T, filter string) {
	t.Helper()
	eventually(t, func() error {
		if strings.Contains(m.out.String(), filter) {
			return nil
		}
		return fmt.Errorf("nobody has subscribed to %s", filter)
	})
}
