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
	groupPayload = "Payload"
	groupWill    = "Last Will"
)

// Define declares the options: Confluent's names, and mqtt.client.id, mqtt.tls.*
// and mqtt.max.packet.bytes beside them. Two defaults differ from Confluent's,
// so that nothing is lost by default: mqtt.qos is 1 instead of 0, and
// mqtt.clean.session.enabled false instead of true.
func (c *Config) Define(d *connect.Def) {
	d.Add(c.serverOptions()...)
	d.Add(c.sessionOptions()...)
	d.Add(c.tlsOptions()...)
	d.Add(c.recordOptions()...)
	d.Add(c.payloadOptions()...)
	d.Add(c.willOptions()...)
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
			Doc: "Topic filters to subscribe to; + stands for one level, # at the end for all that follow. " +
				"Of $share/group/filter each client of the group, so each task, gets a part of the messages.",
			Group: groupMQTT, Importance: connect.High, Width: connect.WidthLong, Display: "MQTT Topics"},
		{Name: optVersion, Var: &c.Version, Default: "3", OneOf: []string{"3", "5"},
			Doc: "Version of MQTT: 3 is 3.1.1, which every broker speaks. With 5 the broker heeds mqtt.receive.maximum and " +
				"mqtt.session.expiry.seconds, its reasons are in errors, and properties of messages become headers.",
			Group: groupMQTT, Importance: connect.Medium, Width: connect.WidthShort, Display: "MQTT Version"},
		{Name: optKafkaTopic, Var: &c.KafkaTopic, Default: "mqtt",
			Doc: "Topic of the log that the records go to. ${topic} stands for the MQTT topic, ${1}, ${2} and so on for its levels, " +
				"or for the groups of kafka.topic.regex; a slash becomes a dot, other letters that names may not have an underscore.",
			Group: groupKafka, Importance: connect.High, Width: connect.WidthMedium, Display: "Kafka Topic"},
		{Name: "mqtt.qos", Var: &c.QoS, Default: "1", Check: inRange(&c.QoS, 0, 2, 1),
			Doc: "Highest QoS to receive with. 1 and 2 are acknowledged after the record is durable in the log: messages of QoS 1 " +
				"arrive at least once, those that are published and received with QoS 2 exactly once; with 0 the broker does not " +
				"wait and messages can be lost.",
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
		{Name: optSessionExpiry, Var: &c.SessionExpiry, Default: "4294967295",
			Check: inRange(&c.SessionExpiry, 1, math.MaxUint32, 1),
			Doc: "Seconds that the broker should keep the session while the connector is away; 4294967295 means for ever. " +
				"MQTT 5 only: MQTT 3.1.1 leaves it to the broker.",
			Group: groupSession, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Session Expiry"},
		{Name: "mqtt.receive.maximum", Var: &c.ReceiveMaximum, Default: "1000",
			Check: inRange(&c.ReceiveMaximum, 1, maxWindow, 1),
			Doc:   "Messages of QoS 1 and 2 that the broker may send before it waits for acknowledgements. MQTT 5 only; the broker may allow less.",
			Group: groupSession, Importance: connect.Low, Width: connect.WidthShort, Display: "Receive Maximum"},
		{Name: optSessionPurge, Var: &c.SessionPurge, Default: "true",
			Doc: "Whether the broker is told to forget the session, and what waits in it, when the connector is deleted, and that of a " +
				"task when there are fewer tasks. Set it to false to delete a connector and make it again without a gap.",
			Group: groupSession, Importance: connect.Medium, Width: connect.WidthShort, Display: "Purge Session"},
		{Name: "max.retry.time.ms", Var: &c.MaxRetry, Default: "30000",
			Check: inRange(&c.MaxRetry, time.Millisecond, time.Hour, time.Millisecond),
			Doc: "Longest wait between two attempts to connect. Waits start below one second and grow at random; " +
				"the connector does not give up.",
			Group: groupSession, Importance: connect.Low, Width: connect.WidthShort, Display: "Maximum Retry Time"},
	}
}

func (c *Config) tlsOptions() []connect.Option {
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
		{Name: optTrustStore, Var: &c.TrustStorePath,
			Doc:   "Truststore with the certificates of the authorities, in place of mqtt.tls.ca: a file in JKS, PKCS#12 or PEM.",
			Group: groupTLS, Importance: connect.Low, Width: connect.WidthLong, Display: "Truststore"},
		{Name: "mqtt.ssl.trust.store.password", Var: &c.TrustStorePassword, NoDefault: true,
			Doc: "Password of the truststore.", Group: groupTLS, Importance: connect.Low, Width: connect.WidthMedium},
		{Name: optKeyStore, Var: &c.KeyStorePath,
			Doc:   "Keystore with the client certificate and its key, in place of mqtt.tls.cert and mqtt.tls.key: a file in JKS, PKCS#12 or PEM.",
			Group: groupTLS, Importance: connect.Low, Width: connect.WidthLong, Display: "Keystore"},
		{Name: "mqtt.ssl.key.store.password", Var: &c.KeyStorePassword, NoDefault: true,
			Doc: "Password of the keystore.", Group: groupTLS, Importance: connect.Low, Width: connect.WidthMedium},
		{Name: "mqtt.ssl.key.password", Var: &c.KeyPassword, NoDefault: true,
			Doc: "Password of the key in the keystore; that of the keystore by default.", Group: groupTLS, Importance: connect.Low, Width: connect.WidthMedium},
	}
}

func (c *Config) recordOptions() []connect.Option {
	return []connect.Option{
		{Name: optTopicRegex, Var: &c.TopicRegex, Check: c.checkRegex,
			Doc: "Regular expression (RE2) that a whole MQTT topic has to match; kafka.topic refers to its groups as ${1} or ${name}. " +
				"What does not match goes to kafka.topic.fallback.",
			Group: groupKafka, Importance: connect.Low, Width: connect.WidthLong, Display: "Topic Regex"},
		{Name: "kafka.topic.fallback", Var: &c.TopicFallback, Default: "mqtt", Check: checkTopicName(&c.TopicFallback),
			Doc:   "Topic of the log for what kafka.topic and kafka.topic.regex give no valid name.",
			Group: groupKafka, Importance: connect.Low, Width: connect.WidthMedium, Display: "Fallback Topic"},
		{Name: "kafka.topics.max", Var: &c.TopicsMax, Default: "1000", Check: inRange(&c.TopicsMax, 1, 1_000_000, 1),
			Doc:   "Most names that kafka.topic may make of MQTT topics, which devices can choose; further ones go to kafka.topic.fallback.",
			Group: groupKafka, Importance: connect.Low, Width: connect.WidthShort, Display: "Maximum Topics"},
		{Name: optKey, Var: &c.Key, Default: keyTopic, OneOf: []string{keyTopic, keyLevel, keyField, keyNone},
			Doc:   "Key of the records: the MQTT topic, one of its levels, a field of the payload, or none.",
			Group: groupKafka, Importance: connect.Medium, Width: connect.WidthShort, Display: "Record Key"},
		{Name: "mqtt.record.key.level", Var: &c.KeyLevel, Default: "1", Check: inRange(&c.KeyLevel, 1, 65535, 1),
			Doc:   "Number of the level that is the key with mqtt.record.key=level, from 1. A topic with fewer levels has no key.",
			Group: groupKafka, Importance: connect.Low, Width: connect.WidthShort, Display: "Key Level"},
		{Name: optKeyField, Var: &c.KeyField,
			Doc: "Field of the payload that is the key with mqtt.record.key=field; dots lead into nested ones. Payloads without a format " +
				"of their own are read as JSON for it. A payload without the field has no key.",
			Group: groupKafka, Importance: connect.Low, Width: connect.WidthMedium, Display: "Key Field"},
		{Name: "mqtt.retained", Var: &c.Retained, Default: retainedKeep, OneOf: []string{retainedKeep, retainedDrop, retainedOnly},
			Doc: "What becomes of retained messages, which the broker sends when a filter is subscribed: keep makes records of them " +
				"(header mqtt.retained=true), drop leaves them out, only leaves out all others.",
			Group: groupMQTT, Importance: connect.Medium, Width: connect.WidthShort, Display: "Retained Messages"},
		{Name: "mqtt.gap.topic", Var: &c.GapTopic, Check: checkTopicName(&c.GapTopic),
			Doc: "Topic of the log for events that say that the broker has lost the session, and with it perhaps messages, or has dropped " +
				"messages (mqtt.broker.drops.topic); none by default. They are logged and counted (mqtt_session_gaps_total, " +
				"mqtt_broker_dropped_total) in any case.",
			Group: groupKafka, Importance: connect.Low, Width: connect.WidthMedium, Display: "Gap Topic"},
		{Name: optDropsTopic, Var: &c.DropsTopic, Default: "$SYS/broker/publish/messages/dropped", Check: c.checkDropsTopic,
			Doc: "MQTT topic with the broker's own counter of the messages that it has dropped, of all clients; the default is Mosquitto's. The " +
				"first task watches it, also for what was dropped while the connector was away. A broker that does not allow it is left " +
				"alone; empty means not to ask.",
			Group: groupMQTT, Importance: connect.Low, Width: connect.WidthLong, Display: "Topic of Broker's Drops"},
	}
}

func (c *Config) payloadOptions() []connect.Option {
	return []connect.Option{
		{Name: optPayloadFormat, Var: &c.PayloadFormat, Default: formatBytes, OneOf: []string{formatBytes, formatString, formatJSON, formatAvro},
			Doc: "What payloads are: bytes as they are, UTF-8 text, JSON (without a schema unless mqtt.payload.schema has one) or " +
				"Avro's binary form.",
			Group: groupPayload, Importance: connect.Medium, Width: connect.WidthShort, Display: "Payload Format"},
		{Name: optPayloadSchema, Var: &c.PayloadSchema,
			Doc: "Avro schema of the payloads, as JSON or the path of a file, for mqtt.payload.format=json and avro. " +
				"It is not inferred from messages.",
			Group: groupPayload, Importance: connect.Medium, Width: connect.WidthLong, Display: "Payload Schema"},
		{Name: optPayloadInvalid, Var: &c.PayloadInvalid, Default: invalidFail, OneOf: []string{invalidFail, invalidSkip},
			Doc:   "What to do with a payload that is not what mqtt.payload.format says: fail the task, with nothing acknowledged, or skip it.",
			Group: groupPayload, Importance: connect.Medium, Width: connect.WidthShort, Display: "Invalid Payloads"},
		{Name: optPayloadInvalidTopic, Var: &c.PayloadInvalidTopic, Check: checkTopicName(&c.PayloadInvalidTopic),
			Doc:   "Topic of the log that skipped payloads go to, as bytes; by default they go nowhere.",
			Group: groupPayload, Importance: connect.Low, Width: connect.WidthMedium, Display: "Topic of Invalid Payloads"},
	}
}

func (c *Config) willOptions() []connect.Option {
	return []connect.Option{
		{Name: optWillTopic, Var: &c.WillTopic, Check: c.checkWill,
			Doc:   "MQTT topic to which the broker publishes when the connector is gone without taking leave (last will); none by default.",
			Group: groupWill, Importance: connect.Low, Width: connect.WidthMedium, Display: "Will Topic"},
		{Name: "mqtt.will.payload", Var: &c.WillPayload, Raw: true,
			Doc:   "Payload of the last will.",
			Group: groupWill, Importance: connect.Low, Width: connect.WidthMedium, Display: "Will Payload"},
		{Name: "mqtt.will.qos", Var: &c.WillQoS, Default: "0", Check: inRange(&c.WillQoS, 0, 2, 1),
			Doc:   "QoS of the last will.",
			Group: groupWill, Importance: connect.Low, Width: connect.WidthShort, Display: "Will QoS"},
		{Name: "mqtt.will.retained", Var: &c.WillRetained, Default: "false",
			Doc:   "Whether the last will is retained.",
			Group: groupWill, Importance: connect.Low, Width: connect.WidthShort, Display: "Will Retained"},
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
