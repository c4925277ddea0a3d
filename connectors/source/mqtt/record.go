package mqtt

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// Names of the header keys: those of Confluent's connector, and of what MQTT 5
// adds.
const (
	headerMessageID       = "mqtt.message.id"
	headerQoS             = "mqtt.qos"
	headerRetained        = "mqtt.retained"
	headerDuplicate       = "mqtt.duplicate"
	headerContentType     = "mqtt.content.type"
	headerResponseTopic   = "mqtt.response.topic"
	headerCorrelationData = "mqtt.correlation.data"
	headerPayloadFormat   = "mqtt.payload.format.indicator"
	headerMessageExpiry   = "mqtt.message.expiry.seconds"
	headerUserProperty    = "mqtt.user." // and the property's name
)

// maxProperties bounds the headers of one record that come from MQTT 5 (I5).
const maxProperties = 1000

// invalidLogInterval is the least time between log lines about payloads.
const invalidLogInterval = 30 * time.Second

// recordMaker makes records of messages. Its owner is Read.
type recordMaker struct {
	config   *Config
	clientID string
	log      *slog.Logger
	numbers  *counts
	topics   topicMapper
	payload  *payloadDecoder
	key      func(b *connect.Batch, r *connect.Record, m *message)
	logged   time.Time // when an invalid payload was logged
}

func newRecordMaker(c *Config, clientID string, log *slog.Logger, n *counts) (*recordMaker, error) {
	payload, err := newPayloadDecoder(c)
	if err != nil {
		return nil, err
	}
	topics, err := newTopicMapper(c)
	if err != nil {
		return nil, err
	}
	r := &recordMaker{config: c, clientID: clientID, log: log, numbers: n, topics: topics, payload: payload}
	r.key = r.keyMaker()
	return r, nil
}

// append appends the record of a message.
func (r *recordMaker) append(b *connect.Batch, m *message) error {
	schema, value, err := r.payload.decode(b, m.payload)
	topic := ""
	if err != nil {
		r.numbers.invalid.Add(1)
		if r.config.PayloadInvalid == invalidFail {
			return r.failure(m, err)
		}
		r.logInvalid(m, err)
		if topic = r.config.PayloadInvalidTopic; topic == "" {
			return nil
		}
		schema, value = connect.BytesSchema, connect.BytesValue(b.Bytes(m.payload))
	} else {
		mapped := true
		if topic, mapped = r.topics.of(m.topic); !mapped {
			r.numbers.unmapped.Add(1)
		}
	}
	rec := b.Append()
	rec.Topic, rec.Timestamp = topic, m.arrived
	rec.ValueSchema, rec.Value = schema, value
	rec.Headers = headers(b, m)
	r.key(b, rec, m)
	return nil
}

func (r *recordMaker) failure(m *message, err error) error {
	return fmt.Errorf("decode the payload of a message of MQTT topic %q as %s: %w; correct the sender, "+
		"or let %s=skip go on without such messages (%s keeps them)", m.topic, r.config.PayloadFormat, err, optPayloadInvalid, optPayloadInvalidTopic)
}

func (r *recordMaker) logInvalid(m *message, err error) {
	if now := time.Now(); now.Sub(r.logged) > invalidLogInterval {
		r.logged = now
		r.log.Warn("mqtt payload skipped, as others may be", "mqtt_topic", m.topic, "invalid", r.numbers.invalid.Load(), logError, err)
	}
}

// appendGap appends the record that tells of a lost session.
func (r *recordMaker) appendGap(b *connect.Batch, m *message) {
	if r.config.GapTopic == "" {
		return
	}
	text := append(b.Buffer(0), `{"event":"session.lost","mqtt.client.id":`...)
	text = connectjson.AppendString(text, r.clientID)
	text = append(text, `,"detected.ms":`...)
	r.appendEvent(b, m, append(strconv.AppendInt(text, m.arrived, 10), '}'))
}

// appendDrops appends the record that tells of messages that the broker has dropped.
func (r *recordMaker) appendDrops(b *connect.Batch, m *message, dropped int64) {
	if r.config.GapTopic == "" {
		return
	}
	text := append(b.Buffer(0), `{"event":"broker.dropped","mqtt.client.id":`...)
	text = connectjson.AppendString(text, r.clientID)
	text = strconv.AppendInt(append(text, `,"dropped":`...), dropped, 10)
	text = append(text, `,"detected.ms":`...)
	r.appendEvent(b, m, append(strconv.AppendInt(text, m.arrived, 10), '}'))
}

func (r *recordMaker) appendEvent(b *connect.Batch, m *message, text []byte) {
	rec := b.Append()
	rec.Topic, rec.Timestamp = r.config.GapTopic, m.arrived
	rec.KeySchema, rec.Key = connect.StringSchema, connect.StringValue(r.clientID)
	rec.ValueSchema, rec.Value = connect.StringSchema, connect.StringValue(b.Text(text))
}

// headers are those of Confluent's connector, then those of MQTT 5's properties.
func headers(b *connect.Batch, m *message) []connect.Header {
	props := m.propertyBytes()
	h := b.Headers(4 + countProperties(props))
	h[0] = connect.Header{Key: headerMessageID, Schema: connect.Int32Schema, Value: connect.Int32Value(int32(m.id))}
	h[1] = connect.Header{Key: headerQoS, Schema: connect.Int32Schema, Value: connect.Int32Value(int32(m.qos))}
	h[2] = connect.Header{Key: headerRetained, Schema: connect.BooleanSchema, Value: connect.BooleanValue(m.retained)}
	h[3] = connect.Header{Key: headerDuplicate, Schema: connect.BooleanSchema, Value: connect.BooleanValue(m.duplicate)}
	n := 4
	for n < len(h) {
		var p property
		p, props, _ = cutProperty(props) // checked when it came
		if header, ok := p.header(b); ok {
			h[n] = header
			n++
		}
	}
	return h
}

// propertyBytes are the properties without their length.
func (m *message) propertyBytes() []byte {
	if len(m.properties) == 0 {
		return nil
	}
	props, _, _ := cutProperties(m.properties) // checked when it came
	return props
}

// countProperties returns how many properties become headers.
func countProperties(props []byte) (n int) {
	for len(props) > 0 && n < maxProperties {
		var p property
		p, props, _ = cutProperty(props)
		if p.isHeader() {
			n++
		}
	}
	return n
}

func (p *property) isHeader() bool {
	switch p.id {
	case propPayloadFormat, propMessageExpiry, propContentType, propResponseTopic, propCorrelationData, propUserProperty:
		return true
	}
	return false
}

func (p *property) header(b *connect.Batch) (h connect.Header, ok bool) {
	switch p.id {
	case propContentType:
		return textHeader(b, headerContentType, p.value), true
	case propResponseTopic:
		return textHeader(b, headerResponseTopic, p.value), true
	case propUserProperty:
		name := append(append(b.Buffer(len(headerUserProperty) + len(p.name))[:0], headerUserProperty...), p.name...)
		return textHeader(b, validText(b, name), p.value), true
	case propCorrelationData:
		return connect.Header{Key: headerCorrelationData, Schema: connect.BytesSchema, Value: connect.BytesValue(b.Bytes(p.value))}, true
	case propPayloadFormat:
		return connect.Header{Key: headerPayloadFormat, Schema: connect.Int32Schema, Value: connect.Int32Value(int32(p.number))}, true
	case propMessageExpiry:
		return connect.Header{Key: headerMessageExpiry, Schema: connect.Int64Schema, Value: connect.Int64Value(int64(p.number))}, true
	}
	return connect.Header{}, false
}

func textHeader(b *connect.Batch, key string, text []byte) connect.Header {
	return connect.Header{Key: key, Schema: connect.StringSchema, Value: connect.StringValue(validText(b, text))}
}
