package mqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
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

	// Options of Confluent's connector that are refused or not used.
	trustStorePath, keyStorePath                      string
	trustStorePassword, keyStorePassword, keyPassword connect.Secret

	servers   []server    // of ServerURI, set by its check
	tlsConfig *tls.Config // set by Open and Ping
}

// Spec describes the connector.
var Spec = connect.Spec{
	Class:   "sluice.MqttSourceConnector",
	Aliases: []string{"io.confluent.connect.mqtt.MqttSourceConnector"},
	Version: "0.1.0",
	Doc: "Reads messages from an MQTT 3.1.1 broker into a topic. With QoS 1 or 2 and a persistent session, " +
		"which are the defaults, a message is acknowledged to the broker only after it is durable in the log.",
	New: func() connect.Config { return new(Config) },
}

// Source returns a source for this config.
func (c *Config) Source() connect.Source { return newSource(*c) }

// ExactlyOnce implements connect.ExactlyOnce: the MQTT server keeps the position,
// and sends again what was not acknowledged.
func (c *Config) ExactlyOnce() bool { return false }

// Split deals the topics to at most maxTasks tasks as Kafka Connect groups
// partitions: in order, the first tasks getting one more when it does not come
// out even. Each task has its own client id and so its own session; the first
// keeps the id that a single task has.
func (c *Config) Split(maxTasks int) []map[string]string {
	tasks := max(1, min(maxTasks, len(c.Topics)))
	each, more := len(c.Topics)/tasks, len(c.Topics)%tasks
	settings := make([]map[string]string, tasks)
	rest := c.Topics
	for i := range settings {
		n := each
		if i < more {
			n++
		}
		settings[i] = map[string]string{optTopics: strings.Join(rest[:n], ",")}
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
	_, tlsErrs := c.loadTLS()
	return append(errs, tlsErrs...)
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
func inRange[T int | time.Duration](v *T, lowest, highest, unit T) func() error {
	return func() error {
		if *v < lowest || *v > highest {
			return fmt.Errorf("it must be between %d and %d", int64(lowest/unit), int64(highest/unit))
		}
		return nil
	}
}

// refuseJKS is the check of the options that name a Java key store.
func refuseJKS(path *string, remedy string) func() error {
	return func() error {
		if *path == "" {
			return nil
		}
		return errors.New("Java key stores are not supported: " + remedy +
			", as PEM text or the path of a PEM file, and leave this option out" +
			" (keytool and openssl convert a key store: keytool -importkeystore -deststoretype PKCS12, then openssl pkcs12)")
	}
}
