package mqtt

import (
	"math"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// The groups of a form.
const (
	groupMQTT    = "MQTT"
	groupSession = "Session"
	groupTLS     = "TLS"
	groupKafka   = "Kafka"
	groupBuffer  = "Buffer"
)

// Define declares the options: Confluent's names, and mqtt.client.id, mqtt.tls.*
// and mqtt.max.packet.bytes beside them. Two defaults differ from Confluent's,
// so that nothing is lost by default: mqtt.qos is 1 instead of 0, and
// mqtt.clean.session.enabled false instead of true.
func (c *Config) Define(d *connect.Def) {
	d.Add(c.serverOptions()...)
	d.Add(c.sessionOptions()...)
	d.Add(c.tlsOptions()...)
	d.Add(c.bufferOptions()...)
	// Confluent's licence topic, and how long a Java poll waits for records: Read
	// returns as soon as there are any.
	d.Ignore("confluent.license", "confluent.topic", "confluent.topic.*", "records.buffer.queue.empty.timeout")
}

func (c *Config) serverOptions() []connect.Option {
	return []connect.Option{
		{Name: optServerURI, Var: &c.ServerURI, Required: true, Check: c.checkServers,
			Doc: "Brokers to connect to, the first that answers is used: tcp:// or mqtt://, ssl:// (also tls://, mqtts://), " +
				"ws:// or wss://, then host and port. The port may be left out: 1883, 8883, 80 and 443.",
			Group: groupMQTT, Importance: connect.High, Width: connect.WidthLong, Display: "MQTT Server URI"},
		{Name: optTopics, Var: &c.Topics, Required: true, Check: c.checkTopics,
			Doc:   "Topic filters to subscribe to; + stands for one level, # at the end for all that follow.",
			Group: groupMQTT, Importance: connect.High, Width: connect.WidthLong, Display: "MQTT Topics"},
		{Name: "kafka.topic", Var: &c.KafkaTopic, Default: "mqtt",
			Doc:   "Topic of the log that the records go to.",
			Group: groupKafka, Importance: connect.High, Width: connect.WidthMedium, Display: "Kafka Topic"},
		{Name: "mqtt.qos", Var: &c.QoS, Default: "1", Check: inRange(&c.QoS, 0, 2, 1),
			Doc: "Highest QoS to receive with. 1 and 2 are acknowledged after the record is durable in the log and so " +
				"arrive at least once; with 0 the broker does not wait and messages can be lost.",
			Group: groupMQTT, Importance: connect.High, Width: connect.WidthShort, Display: "QoS"},
		{Name: optUsername, Var: &c.Username, NoDefault: true,
			Doc:   "User name for the broker.",
			Group: groupMQTT, Importance: connect.High, Width: connect.WidthMedium, Display: "User Name"},
		{Name: optPassword, Var: &c.Password, NoDefault: true, Raw: true,
			Doc:   "Password for the broker.",
			Group: groupMQTT, Importance: connect.High, Width: connect.WidthMedium, Display: "Password"},
	}
}

func (c *Config) sessionOptions() []connect.Option {
	return []connect.Option{
		{Name: "mqtt.clean.session.enabled", Var: &c.CleanSession, Default: "false",
			Doc: "Whether the broker forgets subscriptions and waiting messages when the connection ends. " +
				"With true, messages that are published while the connector is away are lost.",
			Group: groupSession, Importance: connect.High, Width: connect.WidthShort, Display: "Clean Session"},
		{Name: optClientID, Var: &c.ClientID, Check: c.checkClientID,
			Doc: "Client id, under which the broker keeps the session; by default the connector's name, a dash and the task's number. " +
				"No other client of the broker may use it. With several tasks, the later ones add a dash and their number.",
			Group: groupSession, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Client ID"},
		{Name: "mqtt.connect.timeout.seconds", Var: &c.ConnectTimeout, Unit: time.Second, Default: "30",
			Check: inRange(&c.ConnectTimeout, time.Second, time.Hour, time.Second),
			Doc:   "Seconds that connecting and subscribing may take.",
			Group: groupSession, Importance: connect.Low, Width: connect.WidthShort, Display: "Connect Timeout"},
		{Name: "mqtt.keepalive.interval.seconds", Var: &c.KeepAlive, Unit: time.Second, Default: "60",
			Check: inRange(&c.KeepAlive, time.Second, math.MaxUint16*time.Second, time.Second),
			Doc:   "Seconds without traffic after which the broker is pinged. A dead connection is noticed 20 to 30 seconds later.",
			Group: groupSession, Importance: connect.Low, Width: connect.WidthShort, Display: "Keep Alive"},
		{Name: "max.retry.time.ms", Var: &c.MaxRetry, Default: "30000",
			Check: inRange(&c.MaxRetry, time.Millisecond, time.Hour, time.Millisecond),
			Doc: "Longest wait between two attempts to connect. Waits start below one second and grow at random; " +
				"the connector does not give up.",
			Group: groupSession, Importance: connect.Low, Width: connect.WidthShort, Display: "Maximum Retry Time"},
	}
}

func (c *Config) tlsOptions() []connect.Option {
	unused := "Not used: it belongs to a Java key store. Use " + optTLSCA + ", " + optTLSCert + " and " + optTLSKey + "."
	return []connect.Option{
		{Name: optTLSCA, Var: &c.TLSCA,
			Doc:   "Certificates of the authorities that the broker's certificate is checked with: PEM text or the path of a PEM file. The system's by default.",
			Group: groupTLS, Importance: connect.Medium, Width: connect.WidthLong, Display: "CA Certificates"},
		{Name: optTLSCert, Var: &c.TLSCert,
			Doc:   "Client certificate (and chain): PEM text or the path of a PEM file.",
			Group: groupTLS, Importance: connect.Medium, Width: connect.WidthLong, Display: "Client Certificate",
			Dependents: []string{optTLSKey}},
		{Name: optTLSKey, Var: &c.TLSKey, NoDefault: true,
			Doc:   "Private key of the client certificate, not encrypted: PEM text or the path of a PEM file.",
			Group: groupTLS, Importance: connect.Medium, Width: connect.WidthLong, Display: "Client Key"},
		{Name: "mqtt.ssl.trust.store.path", Var: &c.trustStorePath,
			Check: refuseJKS(&c.trustStorePath, "give the certificates in "+optTLSCA),
			Doc:   unused, Group: groupTLS, Importance: connect.Low, Width: connect.WidthLong},
		{Name: "mqtt.ssl.trust.store.password", Var: &c.trustStorePassword, NoDefault: true,
			Doc: unused, Group: groupTLS, Importance: connect.Low, Width: connect.WidthMedium},
		{Name: "mqtt.ssl.key.store.path", Var: &c.keyStorePath,
			Check: refuseJKS(&c.keyStorePath, "give the certificate and the key in "+optTLSCert+" and "+optTLSKey),
			Doc:   unused, Group: groupTLS, Importance: connect.Low, Width: connect.WidthLong},
		{Name: "mqtt.ssl.key.store.password", Var: &c.keyStorePassword, NoDefault: true,
			Doc: unused, Group: groupTLS, Importance: connect.Low, Width: connect.WidthMedium},
		{Name: "mqtt.ssl.key.password", Var: &c.keyPassword, NoDefault: true,
			Doc: unused, Group: groupTLS, Importance: connect.Low, Width: connect.WidthMedium},
	}
}

func (c *Config) bufferOptions() []connect.Option {
	return []connect.Option{
		{Name: optQueueSize, Var: &c.QueueSize, Default: "50000", Check: inRange(&c.QueueSize, 1, math.MaxInt32, 1),
			Doc: "Messages of QoS 0 that are held while the log is slower than the broker. For QoS 1 and 2 the broker's " +
				"window is the limit, at most 65535 messages; together they hold at most 32 MiB.",
			Group: groupBuffer, Importance: connect.Low, Width: connect.WidthShort, Display: "Queue Size"},
		{Name: "records.buffer.queue.max.batch.size", Var: &c.MaxBatchSize, Default: "4096",
			Check: inRange(&c.MaxBatchSize, 1, math.MaxInt32, 1),
			Doc:   "Most records that are read at once.",
			Group: groupBuffer, Importance: connect.Low, Width: connect.WidthShort, Display: "Batch Size"},
		{Name: "records.buffer.queue.full.timeout", Var: &c.FullTimeout, Default: "60000",
			Check: inRange(&c.FullTimeout, 0, math.MaxInt64, time.Millisecond),
			Doc: "Milliseconds to wait for room in a full queue, at most 5000 because the connection stands still meanwhile. " +
				"Then the oldest message of QoS 0 is dropped; with QoS 1 and 2 the connection is dropped instead and the " +
				"broker sends again.",
			Group: groupBuffer, Importance: connect.Low, Width: connect.WidthShort, Display: "Queue Full Timeout"},
		{Name: optMaxPacket, Var: &c.MaxPacketBytes, Default: "16777216",
			Check: inRange(&c.MaxPacketBytes, 1024, maxRemainingLength, 1),
			Doc:   "Largest packet to accept from the broker. A larger one fails the task, with nothing acknowledged.",
			Group: groupBuffer, Importance: connect.Low, Width: connect.WidthShort, Display: "Maximum Packet Size"},
	}
}
