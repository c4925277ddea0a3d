package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestBadConfigs wants every bad config to be refused with the key and the remedy.
func TestBadConfigs(t *testing.T) {
	s := startSluice(t, nil)
	source, sink := seedConfig(t, "mqtt-source.json"), seedConfig(t, "s3-sink.json")
	tests := []struct {
		name, config string
		want         []string
	}{
		{"unknown class", changed(t, source, map[string]string{"connector.class": "io.confluent.connect.mqtt.MqttSourceConector"}),
			[]string{"MqttSourceConector", "io.confluent.connect.mqtt.MqttSourceConnector"}},
		{"no class", `{"name":"x","config":{"password":"geheim"}}`, []string{"connector.class"}},
		{"missing MQTT topic", strings.Replace(source, `"mqtt.topics"`, `"mqtt.topicz"`, 1), []string{"mqtt.topics"}},
		{"missing topic", strings.Replace(sink, `"topics"`, `"topicz"`, 1), []string{"topics"}},
		{"missing bucket", strings.Replace(sink, `"s3.bucket.name"`, `"s3.bucket"`, 1), []string{"s3.bucket.name"}},
		{"wrong type", changed(t, source, map[string]string{"tasks.max": "many"}), []string{"tasks.max", "many"}},
		{"wrong value", changed(t, source, map[string]string{"mqtt.qos": "7"}), []string{"mqtt.qos", "7"}},
		{"wrong flush size", changed(t, sink, map[string]string{"flush.size": "-1"}), []string{"flush.size"}},
		{"format of another storage", changed(t, sink, map[string]string{"format.class": "io.confluent.connect.hdfs.orc.OrcFormat"}),
			[]string{"format.class", "JsonFormat", "ParquetFormat"}},
		{"transforms", changed(t, sink, map[string]string{"transforms": "a"}), []string{"transforms"}},
	}
	for _, tt := range tests {
		code, body := s.request(t, "POST", "/connectors", tt.config)
		if code != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400: %s", tt.name, code, body)
		}
		for _, part := range tt.want {
			if !strings.Contains(body, part) {
				t.Errorf("%s: %s does not say %q", tt.name, body, part)
			}
		}
		if strings.Contains(body, "geheim") {
			t.Errorf("%s: the answer shows a value of the config: %s", tt.name, body)
		}
	}
	if _, body := s.request(t, "GET", "/connectors", ""); strings.TrimSpace(body) != "[]" {
		t.Errorf("connectors %s, want none", body)
	}
}

// TestUnreachable wants validation to tell that a server does not answer, at the
// option to look at.
func TestUnreachable(t *testing.T) {
	s := startSluice(t, []string{"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_EC2_METADATA_DISABLED=true"})
	tests := []struct{ class, config, key string }{
		{"io.confluent.connect.mqtt.MqttSourceConnector",
			changed(t, seedConfig(t, "mqtt-source.json"), map[string]string{"mqtt.server.uri": "tcp://127.0.0.1:1"}), "mqtt.server.uri"},
		{"io.confluent.connect.s3.S3SinkConnector",
			changed(t, seedConfig(t, "s3-sink.json"), map[string]string{"store.url": "http://127.0.0.1:1"}), "store.url"},
	}
	for _, tt := range tests {
		var c struct{ Config map[string]string }
		if err := json.Unmarshal([]byte(tt.config), &c); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(c.Config)
		if err != nil {
			t.Fatal(err)
		}
		code, text := s.request(t, "PUT", "/connector-plugins/"+tt.class+"/config/validate", string(body))
		if code != http.StatusOK {
			t.Errorf("%s: status %d: %s", tt.class, code, text)
			continue
		}
		errs := validationErrors(t, text)
		delete(errs, "name") // forms ask before there is one
		if len(errs) != 1 || len(errs[tt.key]) != 1 || !strings.Contains(errs[tt.key][0], "127.0.0.1:1") {
			t.Errorf("%s: errors %q, want one at %s that names the address", tt.class, errs, tt.key)
		}
	}
}

// validationErrors returns the errors of a validation by option.
func validationErrors(t *testing.T, text string) map[string][]string {
	t.Helper()
	var infos struct {
		ErrorCount int `json:"error_count"`
		Configs    []struct {
			Value struct {
				Name   string
				Errors []string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &infos); err != nil {
		t.Fatal(err)
	}
	errs, n := map[string][]string{}, 0
	for _, c := range infos.Configs {
		if len(c.Value.Errors) > 0 {
			errs[c.Value.Name] = c.Value.Errors
			n += len(c.Value.Errors)
		}
	}
	if n != infos.ErrorCount {
		t.Errorf("error_count %d, but %d errors", infos.ErrorCount, n)
	}
	return errs
}
