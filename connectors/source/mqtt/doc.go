// Package mqtt is a source connector that reads MQTT 3.1.1 messages into one
// topic of the log. It takes the configs of Confluent's MQTT source connector.
//
// # Record
//
// The key is the MQTT topic (STRING), the value the payload (BYTES), the
// timestamp the time of arrival. Four headers carry the rest of the PUBLISH
// packet: mqtt.message.id and mqtt.qos (INT32), mqtt.retained and
// mqtt.duplicate (BOOLEAN). One PUBLISH makes one record, however many filters
// match it.
//
// # Delivery
//
// At least once for QoS 1 and 2: a message is acknowledged to the broker, in
// the order of arrival, only after its record is durable in the log (I2). A
// message that arrives again, with or without the DUP flag, becomes a record
// again; nothing is dropped on a guess.
//
//	broker ─► paho ─► queue ─► Read ─► (log, durable) ─► Commit ─► acker ─► paho ─► broker
//	                  │ unread       │ uncommitted                 │
//	                  └── bounded together: queue.go ──────────────┘
//
// An acknowledgement belongs to the connection on which its message came. When
// that connection is gone, the broker sends the message again on the next one.
//
// # Session
//
// The broker keeps messages for a client that is away only under a fixed client
// id and without a clean session, so that is the default. The filters that
// the session has are stored as the source offset of the pair of server and
// client id. With it the connector
//
//   - subscribes only to what is new and unsubscribes from what was removed from
//     mqtt.topics: each SUBSCRIBE brings all retained messages again, so a session
//     that is present is left alone;
//   - knows that it had a session when the broker reports none, which means
//     that messages may have been dropped, and says so in the log.
//
// Deleting the connector's offsets makes it subscribe to everything again. A
// task that no longer exists (tasks.max or mqtt.topics made smaller) leaves its
// session on the broker.
//
// # Connection
//
// Each connection is a new paho client, because paho tells only the first
// connection of a client whether a session was present. The frames of the broker
// are checked before paho sees them (frame.go): paho would allocate what a header
// claims and panics on a SUBACK of the wrong length.
package mqtt
