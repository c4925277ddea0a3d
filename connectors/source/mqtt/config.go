package mqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
)

// Names of the options that messages refer to.
const (
	optServerURI = "mqtt.server.uri"
	optTopics    = "mqtt.topics"
	optClientID  = "mqtt.client.id"
	optUsername  = "mqtt.username"
	optPassword  = "mqtt.password"
	optTLSCA     = "mqtt.tls.ca"
	optTLSCert   = "mqtt.tls.cert"
	optTLSKey    = "mqtt.tls.key"
	optQueueSize = "records.buffer.queue.size"
	optMaxPacket = "mqtt.max.packet.bytes"

	optVersion             = "mqtt.version"
	optKafkaTopic          = "kafka.topic"
	optTopicRegex          = "kafka.topic.regex"
	optKey                 = "mqtt.record.key"
	optKeyField            = "mqtt.record.key.field"
	optPayloadFormat       = "mqtt.payload.format"
	optPayloadSchema       = "mqtt.payload.schema"
	optPayloadInvalid      = "mqtt.payload.invalid"
	optPayloadInvalidTopic = "mqtt.payload.invalid.topic"
	optTrustStore          = "mqtt.ssl.trust.store.path"
	optKeyStore            = "mqtt.ssl.key.store.path"
	optWillTopic           = "mqtt.will.topic"
	optSessionPurge        = "mqtt.session.purge"
	optSessionExpiry       = "mqtt.session.expiry.seconds"
	optDropsTopic          = "mqtt.broker.drops.topic"
)

// Values of mqtt.retained.
const (
	retainedKeep = "keep"
	retainedDrop = "drop"
	retainedOnly = "only"
)

// Config is the config of the connector. Its fields are the options of the same
// names; Define has their documentation.
type Config struct {
	ServerURI      []string
	Topics         []string
	KafkaTopic     string
	QoS            int
	CleanSession   bool
	ClientID       string
	ConnectTimeout time.Duration
	KeepAlive      time.Duration
	Username       connect.Secret
	Password       connect.Secret
	MaxRetry       time.Duration
	TLSCA          string
	TLSCert        string
	TLSKey         connect.Secret
	QueueSize      int
	MaxBatchSize   int
	FullTimeout    time.Duration
	MaxPacketBytes int

	Version        string
	SessionExpiry  int64
	ReceiveMaximum int
	SessionPurge   bool
	Retained       string
	WillTopic      string
	WillPayload    string
	WillQoS        int
	WillRetained   bool

	TopicRegex          string
	TopicFallback       string
	TopicsMax           int
	Key                 string
	KeyLevel            int
	KeyField            string
	PayloadFormat       string
	PayloadSchema       string
	PayloadInvalid      string
	PayloadInvalidTopic string
	GapTopic            string
	DropsTopic          string

	TrustStorePath, KeyStorePath                      string
	TrustStorePassword, KeyStorePassword, KeyPassword connect.Secret

	servers   []server    // of ServerURI, set by its check
	tlsConfig *tls.Config // set by Open and Ping
}

// Spec describes the connector.
var Spec = connect.Spec{
	Class:   "sluice.MqttSourceConnector",
	Aliases: []string{"io.confluent.connect.mqtt.MqttSourceConnector"},
	Version: "0.1.0",
	Doc: "Reads messages from an MQTT broker (3.1.1 or 5) into topics. With QoS 1 and a persistent session, " +
		"which are the defaults, a message is acknowledged to the broker only after it is durable in the log; " +
		"with QoS 2 it becomes exactly one record.",
	New:     func() connect.Config { return new(Config) },
	Metrics: metrics(),
}

// Source returns a source for this config.
func (c *Config) Source() connect.Source { return newSource(*c) }

// ExactlyOnce implements connect.ExactlyOnce. With QoS 2 the packet ids that are in
// use are written in one transaction with the records. With QoS 0 and 1 the broker
// keeps the position, and sends again what was not acknowledged.
func (c *Config) ExactlyOnce() bool { return c.QoS == 2 && !c.CleanSession }

// Split deals the topics to at most maxTasks tasks as Kafka Connect groups
// partitions: in order, the first tasks getting one more when it does not come
// out even. A shared subscription goes to every task, since the broker deals its
// messages. Each task has its own client id and so its own session; the first
// keeps the id that a single task has.
func (c *Config) Split(maxTasks int) []map[string]string {
	var shared, rest []string
	for _, t := range c.Topics {
		if strings.HasPrefix(t, "$share/") {
			shared = append(shared, t)
		} else {
			rest = append(rest, t)
		}
	}
	// Two tasks have two sessions: what both ask for would come twice.
	rest = withoutCovered(rest)
	tasks := max(1, min(maxTasks, len(rest)))
	if len(shared) > 0 {
		tasks = max(1, maxTasks)
	}
	each, more := len(rest)/tasks, len(rest)%tasks
	settings := make([]map[string]string, tasks)
	for i := range settings {
		n := each
		if i < more {
			n++
		}
		settings[i] = map[string]string{optTopics: strings.Join(append(rest[:n:n], shared...), ",")}
		rest = rest[n:]
		if c.ClientID != "" && i > 0 {
			settings[i][optClientID] = fmt.Sprintf("%s-%d", c.ClientID, i)
		}
	}
	return settings
}

// Validate checks what concerns more than one option, and the TLS files.
func (c *Config) Validate() []*connect.ConfigError {
	var errs []*connect.ConfigError
	if c.Password.IsSet() && !c.Username.IsSet() {
		errs = append(errs, &connect.ConfigError{Option: optPassword,
			Reason: "MQTT has no password without a user name: set " + optUsername + " too"})
	}
	errs = append(errs, c.checkPayload()...)
	if _, err := newTopicMapper(c); err != nil {
		errs = append(errs, &connect.ConfigError{Option: optKafkaTopic, Reason: err.Error()})
	}
	_, tlsErrs := c.loadTLS()
	return append(errs, tlsErrs...)
}

func (c *Config) checkPayload() []*connect.ConfigError {
	var errs []*connect.ConfigError
	hasSchema := c.PayloadFormat == formatJSON || c.PayloadFormat == formatAvro
	switch {
	case c.PayloadFormat == formatAvro && c.PayloadSchema == "":
		errs = append(errs, &connect.ConfigError{Option: optPayloadSchema,
			Reason: "Avro cannot be read without its schema: give it here, as JSON or the path of a file"})
	case c.PayloadSchema != "" && !hasSchema:
		errs = append(errs, &connect.ConfigError{Option: optPayloadSchema,
			Reason: "it is for " + optPayloadFormat + "=json or avro: set that, or leave it out"})
	case c.PayloadSchema != "":
		var refused *connect.ConfigError
		if _, err := newPayloadDecoder(c); errors.As(err, &refused) {
			errs = append(errs, refused)
		}
	}
	if c.Key == keyField && c.KeyField == "" {
		errs = append(errs, &connect.ConfigError{Option: optKeyField, Reason: "it is missing, while " + optKey + " is field"})
	}
	return errs
}

func (c *Config) checkRegex() error {
	_, err := regexp.Compile(c.TopicRegex)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return nil
}

func (c *Config) checkWill() error {
	switch {
	case c.WillTopic == "":
		return nil
	case strings.ContainsAny(c.WillTopic, "+#"):
		return errors.New("a message cannot be sent to a filter: leave + and # out")
	}
	return checkFilter(c.WillTopic)
}

func (c *Config) checkDropsTopic() error {
	switch {
	case c.DropsTopic == "":
		return nil
	case strings.ContainsAny(c.DropsTopic, "+#"):
		return errors.New("it is one topic, not a filter: leave + and # out")
	}
	return checkFilter(c.DropsTopic)
}

func (c *Config) checkServers() error {
	c.servers = c.servers[:0]
	for _, uri := range c.ServerURI {
		s, err := parseServer(uri)
		if err != nil {
			return err
		}
		c.servers = append(c.servers, s)
	}
	return nil
}

// checkTopics checks the filters and drops those that are given twice.
func (c *Config) checkTopics() error {
	seen := make(map[string]bool, len(c.Topics))
	unique := c.Topics[:0]
	for _, filter := range c.Topics {
		if err := checkFilter(filter); err != nil {
			return err
		}
		if !seen[filter] {
			seen[filter] = true
			unique = append(unique, filter)
		}
	}
	c.Topics = unique
	return nil
}

func (c *Config) checkClientID() error {
	if len(c.ClientID) > 65535 || !utf8.ValidString(c.ClientID) || strings.ContainsRune(c.ClientID, 0) {
		return errors.New("it must be at most 65535 bytes of UTF-8 without NUL")
	}
	return nil
}

// inRange is the check of a number's option.
func inRange[T int | int64 | time.Duration](v *T, lowest, highest, unit T) func() error {
	return func() error {
		if *v < lowest || *v > highest {
			return fmt.Errorf("it must be between %d and %d", int64(lowest/unit), int64(highest/unit))
		}
		return nil
	}
}
