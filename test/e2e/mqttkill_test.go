package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mqttFlow is one connector and the device that it reads from.
type mqttFlow struct {
	version string
	qos     byte
	client  mqtt.Client
	sent    int // messages that the broker has taken, numbered from 0
}

func (f *mqttFlow) name() string { return fmt.Sprintf("mqtt%s-qos%d", f.version, f.qos) }

func (f *mqttFlow) config(t *testing.T) string {
	return changed(t, seedConfig(t, "mqtt-source.json"), map[string]string{"name": f.name(), "mqtt.topics": f.name() + "/#",
		"kafka.topic": f.name(), "mqtt.version": f.version, "mqtt.qos": strconv.Itoa(int(f.qos)), "max.retry.time.ms": "200"})
}

// atOnce is how many messages a device sends before it waits for the first of
// them: fewer than the window of the broker.
const atOnce = 200

// publish sends numbers, 2,000 a second at most, until stop is closed, and waits
// until the broker has them.
func (f *mqttFlow) publish(stop <-chan struct{}) error {
	var tokens []mqtt.Token
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return f.await(tokens)
		case <-tick.C:
		}
		for range 20 {
			tokens = append(tokens, f.client.Publish(f.name()+"/x", f.qos, false, strconv.Itoa(f.sent)))
			f.sent++
		}
		if extra := len(tokens) - atOnce; extra > 0 {
			if err := f.await(tokens[:extra]); err != nil {
				return err
			}
			tokens = tokens[extra:]
		}
	}
}

func (f *mqttFlow) await(tokens []mqtt.Token) error {
	for _, token := range tokens {
		if !token.WaitTimeout(patience) || token.Error() != nil {
			return fmt.Errorf("%s: the broker did not take a message: %v", f.name(), token.Error())
		}
	}
	return nil
}

// check wants all numbers in the order in which they were sent: with QoS 2 once,
// with QoS 1 at least once. It returns how many came again.
func (f *mqttFlow) check(records []*kgo.Record) (again int, err error) {
	seen := make([]bool, f.sent)
	next := 0
	for _, r := range records {
		n, err := strconv.Atoi(string(r.Value))
		switch {
		case err != nil || n < 0 || n >= f.sent:
			return 0, fmt.Errorf("%s: %q was not sent", f.name(), r.Value)
		case seen[n]:
			again++
			continue
		case n > next:
			return 0, fmt.Errorf("%s: %d comes before %d", f.name(), n, next)
		}
		seen[n] = true
		next++
	}
	switch {
	case next < f.sent:
		return again, fmt.Errorf("%s: %d of %d are missing, the first is %d", f.name(), f.sent-next, f.sent, next)
	case again > 0 && f.qos == 2:
		return again, fmt.Errorf("%s: %d of %d are there twice", f.name(), again, f.sent)
	}
	return again, nil
}

// TestMQTTOverKillNine publishes to four connectors, QoS 1 and 2 with MQTT 3.1.1
// and 5, while the server is killed with SIGKILL again and again: in every third
// round before it may be ready, else when messages have arrived. Nothing is lost, and with QoS 2
// nothing is there twice (I2, I7).
//
// It begins when the sources have seen that the broker counts its packet ids: before, what
// Mosquitto publishes again after two short connections is not known again.
//
// SLUICE_KILL_ROUNDS is how many kills there are, SLUICE_KILL_SEED repeats a run.
func TestMQTTOverKillNine(t *testing.T) {
	rounds, seed := envNumber(t, "SLUICE_KILL_ROUNDS", 9), envNumber(t, "SLUICE_KILL_SEED", time.Now().UnixNano())
	t.Logf("%d rounds, SLUICE_KILL_SEED=%d", rounds, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	broker := startMosquitto(t, "max_inflight_messages 500", "set_tcp_nodelay true")
	s := startSluice(t, nil)
	flows := []*mqttFlow{{version: "3", qos: 1}, {version: "3", qos: 2}, {version: "5", qos: 1}, {version: "5", qos: 2}}
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	errs := make(chan error, len(flows))
	for _, f := range flows {
		s.create(t, f.config(t))
		broker.waitSubscribed(t, f.name())
		f.client = device(t, f.name()+"-device")
	}
	for _, f := range flows {
		publishing.Go(func() { errs <- f.publish(stop) })
	}
	for _, f := range flows {
		if f.qos == 2 {
			eventually(t, func() error { return s.knowsPacketIDs(t, f.name()) })
		}
	}
	for n := range rounds {
		if n%3 > 0 {
			eventually(t, s.hasMQTTMessages)
			<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
		}
		s.kill()
		if n%3 < 2 {
			s.start(t)
			continue
		}
		s.launch(t)
		<-time.After(time.Duration(random.IntN(1500)) * time.Millisecond)
	}
	if !s.running() {
		t.Fatalf("sluice ended by itself:\n%s", s.out)
	}
	s.kill()
	s.start(t)
	close(stop)
	publishing.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range flows {
		again := 0
		eventually(t, func() (err error) {
			again, err = f.check(s.committed(t, f.name()))
			return err
		})
		t.Logf("%s: %d sent, none lost, %d came again", f.name(), f.sent, again)
	}
	s.stop(t)
}

// device returns a client that stays connected: the broker is not killed here.
func device(t *testing.T, id string) mqtt.Client {
	t.Helper()
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + mqttAddress).SetClientID(id).SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("connect %s: %v", id, token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return client
}

// knowsPacketIDs returns nil when the offset of a source of QoS 2 says that the broker counts
// its packet ids.
func (s *sluice) knowsPacketIDs(t *testing.T, name string) error {
	if _, text := s.request(t, "GET", "/connectors/"+name+"/offsets", ""); !strings.Contains(text, `"mqtt.qos2.released"`) {
		return fmt.Errorf("%s: the offset does not say that the broker counts: %s", name, text)
	}
	return nil
}

// hasMQTTMessages returns nil when each connector has got messages since the start.
func (s *sluice) hasMQTTMessages() error {
	resp, err := http.Get("http://" + s.REST + "/metrics")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	with := 0
	for line := range bytes.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), "} ")
		if strings.HasPrefix(name, "sluice_mqtt_messages_total{") && value != "0" {
			with++
		}
	}
	if with < 4 {
		return fmt.Errorf("%d connectors have got messages", with)
	}
	return nil
}

// envNumber returns a number of the environment.
func envNumber[T int | int64](t *testing.T, name string, otherwise T) T {
	t.Helper()
	text := cmp.Or(os.Getenv(name), strconv.FormatInt(int64(otherwise), 10))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return T(n)
}
