package mqtt

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// confluentKey is an option of Confluent's MQTT source connector.
type confluentKey struct {
	name, typ string
	// theirs is Confluent's default, ours another one where that loses messages.
	theirs, ours string
	// good are values that are taken, bad such that are refused.
	good, bad []string
}

const none = "none" // no default

var confluentKeys = []confluentKey{
	{"mqtt.server.uri", "LIST", "required", "", []string{"tcp://a", "ssl://a:1,ws://b,wss://c"}, []string{"a:1883", "http://a", "tcp://"}},
	{"mqtt.topics", "LIST", "required", "", []string{"a", "a/+/b,#", "$share/g/a"}, []string{"a/#/b", "a+", "$share/g"}},
	{"kafka.topic", "STRING", "mqtt", "", []string{"t", "a.b_c-D"}, []string{"a b", "a/b"}},
	{"mqtt.qos", "INT", "0", "1", []string{"0", "1", "2"}, []string{"3", "-1", "one"}},
	{"mqtt.clean.session.enabled", "BOOLEAN", "true", "false", []string{"true", "false"}, []string{"yes"}},
	{"mqtt.connect.timeout.seconds", "LONG", "30", "", []string{"1", "600"}, []string{"0", "-1", "x"}},
	{"mqtt.keepalive.interval.seconds", "LONG", "60", "", []string{"1", "65535"}, []string{"0", "65536", "x"}},
	{"mqtt.username", "PASSWORD", none, "", []string{"u"}, nil},
	{"mqtt.password", "PASSWORD", none, "", []string{" p "}, nil},
	{"max.retry.time.ms", "LONG", "30000", "", []string{"1", "60000"}, []string{"0", "-1", "1s"}},
	{"mqtt.ssl.trust.store.path", "STRING", "", "", nil, []string{"/no/such/file"}},
	{"mqtt.ssl.trust.store.password", "PASSWORD", none, "", []string{"p"}, nil},
	{"mqtt.ssl.key.store.path", "STRING", "", "", nil, []string{"/no/such/file"}},
	{"mqtt.ssl.key.store.password", "PASSWORD", none, "", []string{"p"}, nil},
	{"mqtt.ssl.key.password", "PASSWORD", none, "", []string{"p"}, nil},
	{"records.buffer.queue.size", "INT", "50000", "", []string{"1"}, []string{"0", "x"}},
	{"records.buffer.queue.max.batch.size", "INT", "4096", "", []string{"1"}, []string{"0", "x"}},
	{"records.buffer.queue.full.timeout", "LONG", "60000", "", []string{"0", "100"}, []string{"-1", "x"}},
}

// Every key of Confluent's connector is there under its name, with its default or a
// safer one, takes what it should and refuses what it should, and names itself in
// the refusal.
func TestConfluentKeys(t *testing.T) {
	var d connect.Def
	new(Config).Define(&d)
	known := make(map[string]*connect.Option)
	for i := range d.Options() {
		known[d.Options()[i].Name] = &d.Options()[i]
	}
	for _, k := range confluentKeys {
		o := known[k.name]
		if o == nil {
			t.Errorf("%s: there is no such option", k.name)
			continue
		}
		want := k.theirs
		if k.ours != "" {
			want = k.ours
		}
		got := o.Default
		switch {
		case o.Required:
			got = "required"
		case o.NoDefault:
			got = none
		}
		if got != want || o.Type() != k.typ {
			t.Errorf("%s: got type %s and default %q, want %s and %q", k.name, o.Type(), got, k.typ, want)
		}
		for _, value := range k.good {
			if errs := optionErrors(map[string]string{k.name: value, optUsername: "u"}); len(errs) > 0 {
				t.Errorf("%s=%s: got %v", k.name, value, errs)
			}
		}
		for _, value := range k.bad {
			errs := optionErrors(map[string]string{k.name: value})
			if len(errs) != 1 || errs[0] != k.name {
				t.Errorf("%s=%s: errors of %q, want one of the option", k.name, value, errs)
			}
		}
	}
}

// optionErrors returns the options that are refused.
func optionErrors(settings map[string]string) (options []string) {
	all := fast("tcp://broker")
	for name, value := range settings {
		all[name] = value
	}
	var d connect.Def
	c := new(Config)
	c.Define(&d)
	for _, v := range d.Parse(all) {
		if len(v.Errors) > 0 {
			options = append(options, v.Option.Name)
		}
	}
	if len(options) > 0 {
		return options
	}
	for _, err := range c.Validate() {
		options = append(options, err.Option)
	}
	return options
}

// What Confluent's configs have beside that is no typing error.
func TestConfluentKeysThatMeanNothingHere(t *testing.T) {
	var d connect.Def
	new(Config).Define(&d)
	settings := map[string]string{"confluent.license": "", "confluent.topic": "_confluent-command",
		"confluent.topic.bootstrap.servers": "kafka:9092", "confluent.topic.replication.factor": "1",
		"confluent.topic.sasl.jaas.config": "x", "records.buffer.queue.empty.timeout": "100"}
	if unknown := d.Unknown(settings); len(unknown) > 0 {
		t.Errorf("warned of: %+v", unknown)
	}
}
