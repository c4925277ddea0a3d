package mqtt

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each case of testdata/config.txt is settings, a line "->" and what validation
// says about them.
func TestConfig(t *testing.T) {
	file := filepath.Join("testdata", "config.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		settings, want, _ := strings.Cut(block+"\n", "->\n")
		got := validation(settings)
		if got != want && !*update {
			t.Errorf("%s\ngot\n%s\nwant\n%s", settings, got, want)
		}
		out.WriteString(settings + "->\n" + got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func validation(lines string) string {
	settings := make(map[string]string)
	for line := range strings.Lines(lines) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = strings.ReplaceAll(value, `\n`, "\n")
		}
	}
	var d connect.Def
	c := new(Config)
	c.Define(&d)
	var out strings.Builder
	if err := connect.Err(d.Parse(settings)); err != nil {
		return err.Error() + "\n"
	}
	for _, err := range c.Validate() {
		fmt.Fprintln(&out, err)
	}
	for _, u := range d.Unknown(settings) {
		fmt.Fprintf(&out, "unknown: %s (%s)\n", u.Name, u.Suggestion)
	}
	if out.Len() == 0 {
		return "ok\n"
	}
	return out.String()
}

func TestDefaults(t *testing.T) {
	var d connect.Def
	new(Config).Define(&d)
	got := make(map[string]string)
	for _, v := range d.Parse(map[string]string{optServerURI: "tcp://broker:1883", optTopics: "sensor/temperature"}) {
		if v.Value != nil && *v.Value != "" && !v.Option.Required {
			got[v.Option.Name] = *v.Value
		}
	}
	want := map[string]string{
		"kafka.topic": "mqtt", "mqtt.qos": "1", "mqtt.clean.session.enabled": "false",
		"mqtt.connect.timeout.seconds": "30", "mqtt.keepalive.interval.seconds": "60", "max.retry.time.ms": "30000",
		"records.buffer.queue.size": "50000", "records.buffer.queue.max.batch.size": "4096",
		"records.buffer.queue.full.timeout": "60000", "mqtt.max.packet.bytes": "16777216",
		"kafka.topic.fallback": "mqtt", "kafka.topics.max": "1000", "mqtt.payload.format": "bytes", "mqtt.payload.invalid": "fail",
		"mqtt.receive.maximum": "1000", "mqtt.record.key": "topic", "mqtt.record.key.level": "1", "mqtt.retained": "keep",
		"mqtt.session.expiry.seconds": "4294967295", "mqtt.session.purge": "true", "mqtt.version": "3",
		"mqtt.will.qos": "0", "mqtt.will.retained": "false", "mqtt.broker.drops.topic": "$SYS/broker/publish/messages/dropped",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestSplit(t *testing.T) {
	cases := []struct {
		topics, id string
		tasks      int
		want       []string
	}{
		{"a,b,c", "", 1, []string{"a,b,c"}},
		{"a,b,c", "", 2, []string{"a,b", "c"}},
		{"a,b,c,a", "", 9, []string{"a", "b", "c"}},
		{"a,b,c", "id", 3, []string{"a", "b id-1", "c id-2"}},
		{"$share/g/a,b", "id", 3, []string{"b,$share/g/a", "$share/g/a id-1", "$share/g/a id-2"}},
		{"a/#,a/b,c,a/+", "", 9, []string{"a/#", "c"}},
		{"$share/g/a", "", 1, []string{"$share/g/a"}},
	}
	for _, c := range cases {
		cfg := parse(t, fast("tcp://broker", optTopics, c.topics, optClientID, c.id))
		var got []string
		for _, s := range cfg.Split(c.tasks) {
			got = append(got, strings.TrimSpace(s[optTopics]+" "+s[optClientID]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %d tasks: got %q, want %q", c.topics, c.tasks, got, c.want)
		}
	}
}

func TestParseServer(t *testing.T) {
	cases := map[string]string{
		"tcp://broker":          "0 broker:1883",
		"mqtt://broker:1":       "0 broker:1",
		"ssl://[::1]":           "1 [::1]:8883",
		"TLS://broker":          "1 broker:8883",
		"mqtts://u:p@broker:99": "1 broker:99",
		"ws://broker/mqtt":      "2 broker:80",
		"wss://broker":          "3 broker:443",
	}
	for uri, want := range cases {
		s, err := parseServer(uri)
		if got := fmt.Sprintf("%d %s", s.transport, s.address); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", uri, got, err, want)
		}
		if strings.Contains(s.String(), "u:p") {
			t.Errorf("%s is shown with its password: %s", uri, s)
		}
	}
}

// An offset that was changed by hand to something else is an error, not a crash.
func TestStoredOffsetNotValid(t *testing.T) {
	o := new(offsets)
	cfg := parse(t, fast("tcp://broker"))
	session, err := openSession(t.Context(), cfg, "id", o.get)
	if err != nil {
		t.Fatal(err)
	}
	o.put(connect.Mark{Partition: session.partition, Offset: []byte(`[1]`)})
	if _, err := openSession(t.Context(), cfg, "id", o.get); err == nil || !strings.Contains(err.Error(), "offsets API") {
		t.Errorf("got %v, want an error with a remedy", err)
	}
}

func TestPingIsConfigError(t *testing.T) {
	var ce *connect.ConfigError
	err := parse(t, fast(fmt.Sprintf("tcp://127.0.0.1:%d", freePort(t)))).Ping(t.Context())
	if !errors.As(err, &ce) || ce.Option != optServerURI {
		t.Errorf("got %v, want an error of %s", err, optServerURI)
	}
}

func TestOverlapping(t *testing.T) {
	cases := []struct{ filters, want string }{
		{"a/+/c,a/b/+", "a/+/c and a/b/+"},
		{"+/b,a/#", "+/b and a/#"},
		{"a/b,a/c", ""},
		{"a/+,a/+/c", ""},
		{"+,a/#", "+ and a/#"}, // a/# matches a
		{"a/+/#,a", ""},
		{"#,$SYS/a", ""},
		{"+/a,$SYS/a", ""},
		{"$share/g/t/#,t/a", "$share/g/t/# and t/a"},
		{"$share/g/t,$share/h/t", "$share/g/t and $share/h/t"},
		{"$share/g/t,u", ""},
	}
	for _, c := range cases {
		if got := strings.Join(overlapping(strings.Split(c.filters, ",")), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.filters, got, c.want)
		}
	}
}

func TestWithoutCovered(t *testing.T) {
	cases := []struct{ filters, want string }{
		{"t/#,t/+,t/x", "t/#"},
		{"t/x,t/+", "t/+"},
		{"a/+/c,a/b/+", "a/+/c,a/b/+"}, // neither has all of the other
		{"t/#,t", "t/#"},
		{"#,$SYS/#,$SYS/a", "#,$SYS/#"},
		{"+/a,$SYS/a", "+/a,$SYS/a"},
		{"t/+,t/#", "t/#"},
		{"t/+,t/x/y", "t/+,t/x/y"},
		{"#,$share/g/t", "#,$share/g/t"},
	}
	for _, c := range cases {
		if got := strings.Join(withoutCovered(strings.Split(c.filters, ",")), ","); got != c.want {
			t.Errorf("%s: got %s, want %s", c.filters, got, c.want)
		}
	}
}
