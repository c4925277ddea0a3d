package mqtt

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// maker returns a recordMaker for settings.
func maker(t testing.TB, settings ...string) *recordMaker {
	t.Helper()
	c := parse(t, fast("tcp://broker", settings...))
	r, err := newRecordMaker(c, "id", slog.New(slog.DiscardHandler), new(counts))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTopicMapping(t *testing.T) {
	cases := []struct{ template, regex, topic, want string }{
		{"iot", "", "a/b", "iot"},
		{"${topic}", "", "a/b/c d", "a.b.c_d"},
		{"iot.${2}", "", "site/7/temp", "iot.7"},
		{"iot.${4}", "", "site/7/temp", "mqtt"}, // no such level
		{"${1}", "", "/a", "mqtt"},              // an empty level makes an empty name
		{"${1}", "", "..", "mqtt"},              // not a name
		{"${1}", "", strings.Repeat("x", 250), "mqtt"},
		{"${topic}", "", "schöne/grüße", "sch_ne.gr__e"},
		{"s-${1}-${kind}", `site/(\d+)/(?P<kind>\w+)`, "site/7/temp", "s-7-temp"},
		{"s-${1}-${kind}", `site/(\d+)/(?P<kind>\w+)`, "site/x/temp", "mqtt"},
		{"s-${1}-${kind}", `site/(\d+)/(?P<kind>\w+)`, "site/7/temp/more", "mqtt"},
		{"all", `site/.*`, "site/7", "all"},
		{"all", `site/.*`, "other", "mqtt"},
	}
	for _, c := range cases {
		r := maker(t, "kafka.topic", c.template, "kafka.topic.regex", c.regex)
		for range 2 { // the second time it is known
			if got, _ := r.topics.of(c.topic); got != c.want {
				t.Errorf("%s, %s: topic %s becomes %s, want %s", c.template, c.regex, c.topic, got, c.want)
			}
		}
	}
}

// Devices cannot make topics without end.
func TestTopicsAreBounded(t *testing.T) {
	r := maker(t, "kafka.topic", "${1}", "kafka.topics.max", "3")
	got := make(map[string]int)
	for i := range 2 * maxNames {
		topic, _ := r.topics.of(fmt.Sprint(i))
		got[topic]++
	}
	if len(got) != 4 || got["mqtt"] != 2*maxNames-3 || len(r.topics.known) > maxNames {
		t.Errorf("%d topics, %d to the fallback, %d known", len(got), got["mqtt"], len(r.topics.known))
	}
}

const readingSchema = `{"type":"record","name":"Reading","fields":[{"name":"id","type":"string"},{"name":"c","type":"double"},{"name":"in","type":{"type":"record","name":"In","fields":[{"name":"n","type":"long"}]}}]}`

func TestPayloadAndKey(t *testing.T) {
	const reading = `{"id":"x","c":1.5,"in":{"n":7}}`
	cases := []struct {
		settings []string
		payload  string
		want     string // key, value and type of the value
	}{
		{nil, reading, `"site/1" ` + fmt.Sprintf("%d bytes", len(reading))},
		{[]string{"mqtt.payload.format", "string"}, "héllo", `"site/1" "héllo"`},
		{[]string{"mqtt.payload.format", "string"}, "\xff", "skipped"},
		{[]string{"mqtt.payload.format", "json"}, reading, `"site/1" MAP without schema`},
		{[]string{"mqtt.payload.format", "json"}, "{", "skipped"},
		{[]string{"mqtt.payload.format", "json", "mqtt.payload.schema", readingSchema}, reading, `"site/1" STRUCT Reading`},
		{[]string{"mqtt.payload.format", "json", "mqtt.payload.schema", readingSchema}, `{"id":1}`, "skipped"},
		{[]string{"mqtt.payload.format", "avro", "mqtt.payload.schema", readingSchema}, "\x02x\x00\x00\x00\x00\x00\x00\xf8\x3f\x0e", `"site/1" STRUCT Reading`},
		{[]string{"mqtt.payload.format", "avro", "mqtt.payload.schema", readingSchema}, "\x02", "skipped"},
		{[]string{"mqtt.record.key", "none"}, "v", "none 1 bytes"},
		{[]string{"mqtt.record.key", "level", "mqtt.record.key.level", "2"}, "v", `"1" 1 bytes`},
		{[]string{"mqtt.record.key", "level", "mqtt.record.key.level", "3"}, "v", "none 1 bytes"},
		{[]string{"mqtt.record.key", "field", "mqtt.record.key.field", "in.n"}, reading, fmt.Sprintf("7 %d bytes", len(reading))},
		{[]string{"mqtt.record.key", "field", "mqtt.record.key.field", "id"}, "no json", "none 7 bytes"},
		{[]string{"mqtt.record.key", "field", "mqtt.record.key.field", "in.x"}, reading, fmt.Sprintf("none %d bytes", len(reading))},
		{[]string{"mqtt.record.key", "field", "mqtt.record.key.field", "in"}, reading, fmt.Sprintf("none %d bytes", len(reading))},
		{[]string{"mqtt.record.key", "field", "mqtt.record.key.field", "in.n", "mqtt.payload.format", "json", "mqtt.payload.schema", readingSchema}, reading, "7 STRUCT Reading"},
	}
	for _, c := range cases {
		r := maker(t, append([]string{"mqtt.payload.invalid", "skip"}, c.settings...)...)
		b := connect.NewBatch(10, 1<<20)
		if err := r.append(b, &message{topic: "site/1", payload: []byte(c.payload)}); err != nil {
			t.Fatal(err)
		}
		if got := describe(b); got != c.want {
			t.Errorf("%v, payload %q: got %s, want %s", c.settings, c.payload, got, c.want)
		}
	}
}

// describe says what the only record of a batch is.
func describe(b *connect.Batch) string {
	if b.Len() == 0 {
		return "skipped"
	}
	r := &b.Records()[0]
	key := "none"
	switch r.Key.Type() {
	case connect.String:
		key = fmt.Sprintf("%q", r.Key.Text())
	case connect.Int64:
		key = fmt.Sprint(r.Key.Int())
	}
	switch {
	case r.Value.Type() == connect.Bytes:
		return fmt.Sprintf("%s %d bytes", key, r.Value.Len())
	case r.Value.Type() == connect.String:
		return fmt.Sprintf("%s %q", key, r.Value.Text())
	case r.ValueSchema == nil:
		return fmt.Sprintf("%s %v without schema", key, r.Value.Type())
	}
	return fmt.Sprintf("%s %v %s", key, r.Value.Type(), r.ValueSchema.Name())
}

// An invalid payload fails the task, or goes where it is kept as it came.
func TestInvalidPayload(t *testing.T) {
	b := connect.NewBatch(10, 1<<20)
	m := &message{topic: "t", payload: []byte("{")}
	err := maker(t, "mqtt.payload.format", "json").append(b, m)
	if err == nil || !strings.Contains(err.Error(), "mqtt.payload.invalid=skip") || b.Len() != 0 {
		t.Errorf("got %v and %d records, want an error with a remedy", err, b.Len())
	}
	r := maker(t, "mqtt.payload.format", "json", "mqtt.payload.invalid", "skip", "mqtt.payload.invalid.topic", "bad")
	if err := r.append(b, m); err != nil || b.Len() != 1 {
		t.Fatalf("got %v and %d records", err, b.Len())
	}
	if rec := b.Records()[0]; rec.Topic != "bad" || string(rec.Value.Bytes()) != "{" || r.numbers.invalid.Load() != 1 {
		t.Errorf("got topic %s, value %s", rec.Topic, rec.Value.Bytes())
	}
}

func TestRetainedPolicy(t *testing.T) {
	for policy, want := range map[string][]bool{"keep": {true, true}, "drop": {true, false}, "only": {false, true}} {
		c := parse(t, fast("tcp://broker", "mqtt.retained", policy))
		got := []bool{c.wants(&message{}), c.wants(&message{retained: true})}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", policy, got, want)
		}
	}
}

// What MQTT 5 says of a message is in headers, up to a limit.
func TestProperties(t *testing.T) {
	props := []byte("\x01\x01" + "\x02\x00\x00\x00\x3c" + "\x03\x00\x04text" + "\x08\x00\x01r" + "\x09\x00\x02\x01\xff" + "\x26\x00\x01k\x00\x01v" + "\x26\x00\x01k\x00\x01w" + "\x0b\x05")
	b := connect.NewBatch(10, 1<<20)
	m := &message{topic: "t", properties: append([]byte{byte(len(props))}, props...)}
	if err := maker(t).append(b, m); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range b.Records()[0].Headers[4:] {
		got = append(got, fmt.Sprintf("%s=%v", h.Key, h.Value))
	}
	want := []string{"mqtt.payload.format.indicator=1", "mqtt.message.expiry.seconds=60", "mqtt.content.type=text", "mqtt.response.topic=r",
		"mqtt.correlation.data=[1 255]", "mqtt.user.k=v", "mqtt.user.k=w"}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if name, _, _ := strings.Cut(want[i], "="); !strings.HasPrefix(got[i], name+"=") {
			t.Errorf("header %d: got %s, want %s", i, got[i], want[i])
		}
	}
	if n := countProperties([]byte(strings.Repeat("\x26\x00\x00\x00\x00", 2*maxProperties))); n != maxProperties {
		t.Errorf("%d properties become headers, want %d", n, maxProperties)
	}
}
