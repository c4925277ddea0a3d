package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/javaprops"
)

func TestParseProperties(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"separators", "a=1\nb: 2\nc 3\nd = 4\ne\t:\t5", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}},
		{"comments and blank lines", "# c\n  ! c\n\n \n a=1\r\nb=2\r", map[string]string{"a": "1", "b": "2"}},
		{"continuation", "a=1,\\\n   2,\\\n\t3\nb=x", map[string]string{"a": "1,2,3", "b": "x"}},
		{"even backslashes do not continue", "a=1\\\\\nb=2", map[string]string{"a": `1\`, "b": "2"}},
		{"a blank line ends a continuation", "a=1\\\n\nb=2", map[string]string{"a": "1", "b": "2"}},
		{"escapes", `a\ b\=c=\u00e4\t\q\:`, map[string]string{"a b=c": "ä\tq:"}},
		{"no value", "a\nb=\nc:", map[string]string{"a": "", "b": "", "c": ""}},
		{"value with separators", "a=b=c:d e", map[string]string{"a": "b=c:d e"}},
		{"trailing space stays", "a=1 ", map[string]string{"a": "1 "}},
		{"the last one counts", "a=1\na=2", map[string]string{"a": "2"}},
		{"backslash at the end", "a=1\\", map[string]string{"a": "1"}},
	}
	for _, tt := range tests {
		got, err := javaprops.Parse(tt.text)
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	for _, text := range []string{`a=\u12`, `a=\u12x4`, `\uzzzz=1`} {
		if got, err := javaprops.Parse(text); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("a=b\\\n c\\u0041")
	f.Fuzz(func(t *testing.T, text string) { javaprops.Parse(text) })
}

func TestEnvironProperties(t *testing.T) {
	got := environProperties([]string{
		"CONNECT_OFFSET_FLUSH_INTERVAL_MS=10", "CONNECT_A__B___C=x=y", "CONNECT_=1", "CONNECTX=1", "PATH=/bin",
	})
	want := map[string]string{"offset.flush.interval.ms": "10", "a_b-c": "x=y"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseConnector(t *testing.T) {
	tests := []struct {
		name, text string
		want       connectorFile
	}{
		{"POST form", `{"name":"n","config":{"a":"1"},"initial_state":"PAUSED","tasks":1}`,
			connectorFile{Name: "n", Config: map[string]string{"a": "1"}, InitialState: "PAUSED"}},
		{"name in the config", `{"config":{"a":"1","name":"n"}}`,
			connectorFile{Name: "n", Config: map[string]string{"a": "1", "name": "n"}}},
		{"flat", ` {"name":"n","tasks.max":2,"b":true,"c":null}`,
			connectorFile{Name: "n", Config: map[string]string{"name": "n", "tasks.max": "2", "b": "true"}}},
		{"flat with a config key", `{"name":"n","config":"x"}`,
			connectorFile{Name: "n", Config: map[string]string{"name": "n", "config": "x"}}},
		{"properties", "# c\nname=n\na=1\n",
			connectorFile{Name: "n", Config: map[string]string{"name": "n", "a": "1"}}},
	}
	for _, tt := range tests {
		got, err := parseConnector(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
	bad := map[string]string{
		`{"name":"n"`:                       "not valid JSON",
		`{"a":"1"}`:                         `no "name"`,
		`{"config":{}}`:                     `no "name"`,
		"a=1":                               `no "name"`,
		`{"name":"n","config":{"a":["x"]}}`: `"a" is an object or a list`,
		`{"name":"n","password":{"x":"y"}}`: `"password" is an object or a list`,
		`name=\uxx`:                         "hexadecimal",
	}
	for text, want := range bad {
		if _, err := parseConnector(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestExampleConfigs(t *testing.T) {
	paths, err := filepath.Glob("../../examples/configs/*.json")
	if err != nil || len(paths) < 2 {
		t.Fatalf("examples %v, %v", paths, err)
	}
	for _, path := range paths {
		if c, err := readConnectorFile(path); err != nil || c.Name == "" || c.Config["connector.class"] == "" {
			t.Errorf("%s: %+v, %v", path, c, err)
		}
	}
}

func FuzzParseConnector(f *testing.F) {
	f.Add(`{"name":"n","config":{"a":"1"}}`)
	f.Add(`{"name":"n","a":1.5e3,"b":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConnector(text)
		if err == nil && c.Name == "" {
			t.Errorf("%q: a connector without a name", text)
		}
	})
}

// TestLoad shows the order file, environment, flags.
func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.properties")
	text := "group.id=g\noffset.flush.interval.ms=1\nlisteners=http://127.0.0.1:7001\nbootstrap.servers=a:1, b:2\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := serverFlags{config: file, dataDir: "d", rest: defaultREST, kafka: defaultKafka, registry: defaultRegistry}
	environ := []string{"CONNECT_OFFSET_FLUSH_INTERVAL_MS=2"}

	got, err := f.load(nil, environ, nil)
	want := Config{
		DataDir: "d", REST: "127.0.0.1:7001", Kafka: defaultKafka, Registry: defaultRegistry, BootstrapServers: []string{"a:1", "b:2"},
		Properties: map[string]string{"group.id": "g", "offset.flush.interval.ms": "2"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}

	f.rest, f.bootstrap = "127.0.0.1:7002", ""
	got, err = f.load(map[string]bool{"rest": true, "bootstrap-servers": true}, environ, nil)
	want.REST, want.BootstrapServers = "127.0.0.1:7002", nil
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, maxConfigBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	base := serverFlags{dataDir: "d", rest: defaultREST, kafka: defaultKafka, registry: defaultRegistry}
	tests := []struct {
		name    string
		change  func(*serverFlags)
		environ []string
		files   []string
		want    []string
	}{
		{"config missing", func(f *serverFlags) { f.config = dir + "/none" }, nil, nil, []string{"--config", dir + "/none", "no such file"}},
		{"config too large", func(f *serverFlags) { f.config = big }, nil, nil, []string{"--config", "larger than"}},
		{"addresses", func(f *serverFlags) { f.rest, f.kafka = "8083", "x" }, nil, nil, []string{"--rest 8083", "--kafka x", "127.0.0.1:0"}},
		{"bootstrap", func(*serverFlags) {}, []string{"CONNECT_BOOTSTRAP_SERVERS=a"}, nil, []string{"--bootstrap-servers a"}},
		{"listeners", func(*serverFlags) {}, []string{"CONNECT_LISTENERS=https://:1"}, nil, []string{"listeners", "listeners.https.ssl.keystore.location"}},
		{"connector file", func(*serverFlags) {}, nil, []string{dir + "/c.json"}, []string{"connector file", "c.json"}},
		{"data dir", func(f *serverFlags) { f.dataDir = "" }, nil, nil, []string{"--data-dir"}},
	}
	for _, tt := range tests {
		f := base
		tt.change(&f)
		_, err := f.load(nil, tt.environ, tt.files)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", tt.name, err, part)
			}
		}
	}
}
