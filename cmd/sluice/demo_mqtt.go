package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/examples/configs"
	"github.com/sluice-data/sluice/internal/demo"
)

const (
	demoDevices  = 10
	demoInterval = time.Second // between the readings of a device
	demoBucket   = "iot-data"
	demoTopic    = "iot-sensors"
)

// mqttDemo has devices that publish readings.
type mqttDemo struct {
	*demonstration
	broker *demo.Broker
	mqtt   net.Addr
}

func (m *mqttDemo) bucket() string { return demoBucket }

// open starts the MQTT broker.
func (m *mqttDemo) open(context.Context) error {
	ln, err := listenNear("127.0.0.1:1883")
	if err != nil {
		return err
	}
	m.mqtt = ln.Addr()
	m.broker = demo.NewBroker(m.logger)
	m.parts.start(func(ctx context.Context) error { return m.broker.Serve(ctx, ln) })
	return nil
}

func (m *mqttDemo) connectors() []example {
	return []example{
		{"mqtt-source.json", configs.MQTTSource, [][2]string{{"mqtt.server.uri", "tcp://" + m.mqtt.String()}}},
		{"s3-sink.json", configs.S3Sink, m.storeChanges()},
	}
}

func (m *mqttDemo) introduce(a Addresses) {
	fmt.Fprintf(m.out, `Sluice demo: %d simulated devices -> MQTT -> log -> S3, all in this process.

  MQTT broker  tcp://%-21s topic sensor/temperature, a reading per device and second
  Kafka        %-27s topic %s; try: kcat -b %s -t %s -C
  REST API     http://%-20s try: curl 'http://%s/connectors?expand=status'
  S3           http://%-20s bucket %s, as files in %s
`, demoDevices, m.mqtt, a.Kafka, demoTopic, a.Kafka, demoTopic, a.REST, a.REST, m.s3, demoBucket,
		filepath.Join(m.dir, "s3", "buckets", demoBucket))
	m.printChanges()
}

func (m *mqttDemo) kept() string {
	return fmt.Sprintf(`Kept in %s: mqtt-source.json, s3-sink.json, the log in data, the objects in s3.
The MQTT broker and the S3 server end with the demo: put the addresses of your own into the two files, then go on with`, m.dir)
}

func (m *mqttDemo) run(a Addresses) {
	m.parts.start(m.devices)
	m.parts.start(func(ctx context.Context) error { return m.records(ctx, a.Kafka) })
	w := &objectWatcher{demonstration: m.demonstration, found: func(o demo.Object, rows int64) {
		m.say("object %s  %d records, %d bytes", o.Key, rows, o.Bytes)
	}}
	m.parts.start(w.run)
}

// devices publishes readings once the source has subscribed.
func (m *mqttDemo) devices(ctx context.Context) error {
	select {
	case <-m.broker.Subscribed():
	case <-ctx.Done():
		return nil
	}
	return demo.Devices{Broker: m.mqtt.String(), Topic: "sensor/temperature", Count: demoDevices, Interval: demoInterval}.Run(ctx)
}

// shownRecords is how many records are shown before only objects are.
const shownRecords = 3

// records shows the first records of the topic, read as any Kafka client would.
func (m *mqttDemo) records(ctx context.Context, kafka string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.ConsumeTopics(demoTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		return fmt.Errorf("make Kafka client: %w", err)
	}
	defer client.Close()
	for shown := 0; shown < shownRecords; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, r := range fetches.Records() {
			if shown++; shown <= shownRecords {
				m.say("record %s[%d]@%d  %s", r.Topic, r.Partition, r.Offset, r.Value)
			}
		}
	}
	<-ctx.Done()
	return nil
}
