package main

import (
	"log/slog"
	"strings"
	"testing"
)

// TestSignalSettingsAreValidated wants wrong settings of the topic of signals to be
// errors of the config, under the name that the user knows, and not of its tasks. A
// topic that is not read has none.
func TestSignalSettingsAreValidated(t *testing.T) {
	a, _ := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	for _, c := range []struct {
		name   string
		set    []string
		option string // "": none of those of signals
		want   string
	}{
		{"right", []string{"signal.consumer.auto.offset.reset", "latest", "signal.kafka.bootstrap.servers", "127.0.0.1:1"}, "", ""},
		{"not read", []string{"signal.enabled.channels", "source", "signal.consumer.auto.offset.reset", "sometimes"}, "", ""},
		{"a value", []string{"signal.consumer.auto.offset.reset", "sometimes"}, "signal.consumer.auto.offset.reset", "signal.consumer.auto.offset.reset: String must be one of"},
		{"a number", []string{"signal.consumer.fetch.max.bytes", "much"}, "signal.consumer.fetch.max.bytes", "for configuration signal.consumer.fetch.max.bytes"},
		{"brokers", []string{"signal.consumer.bootstrap.servers", "nowhere"}, "signal.consumer.bootstrap.servers", "HOST:PORT"},
		{"brokers of Debezium's", []string{"signal.kafka.bootstrap.servers", "nowhere"}, "signal.kafka.bootstrap.servers", "HOST:PORT"},
		{"a missing one", []string{"signal.consumer.security.protocol", "SASL_SSL"}, "signal.consumer.security.protocol", "signal.consumer.sasl.mechanism: "},
		{"a login", []string{"signal.kafka.bootstrap.servers", "127.0.0.1:1", "signal.consumer.security.protocol", "SASL_PLAINTEXT", "signal.consumer.sasl.mechanism", "PLAIN",
			"signal.consumer.sasl.jaas.config", `x password="hunter2"`}, "signal.consumer.sasl.jaas.config", "semicolon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := connectorFile{Name: "shop", Config: map[string]string{"connector.class": "io.debezium.connector.postgresql.PostgresConnector",
				"database.hostname": "127.0.0.1", "database.port": "1", "database.user": "u", "database.dbname": "shop", "topic.prefix": "shop",
				"signal.enabled.channels": "source,kafka"}}
			for i := 0; i < len(c.set); i += 2 {
				file.Config[c.set[i]] = c.set[i+1]
			}
			for option, errors := range validated(t, a, file) {
				text := strings.Join(errors, "\n")
				switch {
				case strings.Contains(text, "hunter2"):
					t.Errorf("%s: the error has the password", option)
				case option == c.option && strings.Contains(text, "signal.") && strings.Contains(text, c.want):
					c.option = ""
				case option != "database.hostname":
					t.Errorf("%s: %s", option, text)
				}
			}
			if c.option != "" {
				t.Errorf("%s has no error with %q", c.option, c.want)
			}
		})
	}
}
