// Package mqtt is a source connector that reads messages of an MQTT broker, with
// MQTT 3.1.1 or 5, into topics of the log. It takes the configs of Confluent's MQTT
// source connector.
//
// # Record
//
// By default the key is the MQTT topic (STRING), the value the payload (BYTES), the
// timestamp the time of arrival. Four headers carry the rest of the PUBLISH packet:
// mqtt.message.id and mqtt.qos (INT32), mqtt.retained and mqtt.duplicate (BOOLEAN);
// with MQTT 5 its properties follow. Options choose the topic (topic.go), the key
// (key.go) and what the payload is (payload.go).
//
// # Delivery
//
// A message of QoS 1 or 2 is acknowledged to the broker, in the order of arrival,
// only after its record is durable in the log (I2).
//
//	broker ─► wire ─► frames ─► receiver ─► queue ─► Read ─► (log, durable) ─► Commit ─► acker ─► wire ─► broker
//	           │        │                     │ unread       │ uncommitted
//	           └─ paho ─┘ all but messages    └─ bounded together: queue.go ─┘
//
// An acknowledgement belongs to the connection on which its message came. When
// that connection is gone, the broker sends the message again on the next one.
//
// QoS 1 is at least once: a message that comes again, with or without the DUP flag,
// becomes a record again. The flag alone does not say that the first one arrived,
// and nothing is dropped on a guess.
//
// QoS 2 is exactly once, as long as the broker keeps its session. Two packets of
// the broker have to be answered for each message:
//
//	PUBLISH id ─► record, and id in the source offset, in one transaction ─► PUBREC id
//	PUBREL id  ─► id out of the source offset, durable                    ─► PUBCOMP id
//
// A PUBLISH with an id that is in the offset, which comes after a crash with the DUP
// flag, is answered and nothing else, if it is the same message: the offset has a sum
// of topic and payload beside each id. A task that is killed after the broker has lost
// the session, and before its offset says so, leaves ids that the next one would
// else believe to be of the new session. Without the flag a PUBLISH is new whatever its
// content (MQTT-3.3.1-1): devices that say the same again and again, and new sessions,
// which begin with the same ids, are common, and Mosquitto sets the flag. PUBCOMP lets the broker use the id for another
// message, so it must not go out while the offset still has it: after a crash the
// new message would be taken for the old one. Neither paho library can wait there,
// which is why PUBLISH and PUBREL do not pass through them (frame.go).
//
// Released messages stay in the offset for one more round trip, because Mosquitto
// publishes some of them again (ledger.go).
//
// # Session
//
// The broker keeps messages for a client that is away only under a fixed client
// id and without a clean session, so that is the default. The filters that
// the session has are stored as the source offset of the pair of server and
// client id, beside the packet ids. With it the connector
//
//   - subscribes only to what is new and unsubscribes from what was removed from
//     mqtt.topics: each SUBSCRIBE brings all retained messages again, so a session
//     that is present is left alone. In MQTT 5 it does not, so there each connection subscribes
//     to everything, in case the session is not the one that the offset is of;
//   - says before CONNECT that it connects (MQTT 3.1.1): a task that is killed before it has
//     subscribed in a new session leaves the next one in doubt, which subscribes to everything;
//   - knows that it had a session when the broker reports none, which means
//     that messages may have been dropped: it says so in the log, in the metric
//     mqtt_session_gaps_total and, if mqtt.gap.topic is set, as a record.
//
// Deleting the connector's offsets makes it subscribe to everything again. The
// session of a connector that is deleted, or of a task that is no more, is removed
// from the broker (remove.go).
//
// # Connection
//
// Each connection is a new client of paho.mqtt.golang or, with mqtt.version=5,
// paho.golang: the former tells only the first connection of a client whether a
// session was present. The frames of the broker are checked before they see them
// (frame.go): they would allocate what a header claims, and the former panics on a
// SUBACK of the wrong length.
package mqtt
