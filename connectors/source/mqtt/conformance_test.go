package mqtt

import (
	"strconv"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

func TestConformance(t *testing.T) {
	connecttest.Spec(t, Spec, map[string]string{optServerURI: "tcp://broker:1883", optTopics: "sensor/temperature", "kafka.topic": "iot-sensors"})
	connecttest.Source(t, newFixture)
}

// newFixture makes a broker that already has the session, so that what is
// published before the source has connected waits in it.
func newFixture(t testing.TB) connecttest.SourceFixture {
	m := startMosquitto(t, "max_inflight_messages 1000")
	c := paho.NewClient(paho.NewClientOptions().AddBroker(m.uri()).SetClientID("id").SetCleanSession(false))
	for _, request := range []func() paho.Token{c.Connect, func() paho.Token { return c.Subscribe("t/#", 1, nil) }} {
		if token := request(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	c.Disconnect(100)
	return connecttest.SourceFixture{
		Spec:     Spec,
		Settings: fast(m.uri(), optClientID, "id"),
		Produce: func(from, to int) {
			p := publisher(t, m.uri())
			publish(t, p, "t/x", 1, numbers(from, to)...)
			p.Disconnect(100)
		},
		Number: func(r *connect.Record) (int, error) { return strconv.Atoi(string(r.Value.Bytes())) },
	}
}
