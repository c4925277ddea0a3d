package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

const (
	filterClass    = "org.apache.kafka.connect.transforms.Filter"
	tombstoneClass = "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"
	jsonClass      = "org.apache.kafka.connect.json.JsonConverter"
	stringClass    = "org.apache.kafka.connect.storage.StringConverter"
)

type validationCase struct {
	name string
	kv   []string // beside or in place of those of the defaults; an empty value removes
	// errors are parts of the errors, each with the option that has it before a colon.
	errors []string
}

// sinkValidations are those of Kafka Connect's own tests of its validation, but
// for converters that are abstract or cannot be constructed: ours are compiled in.
func sinkValidations() []validationCase {
	return []validationCase{
		{"no topics", []string{"topics", ""}, []string{"topics: Must configure one of topics or topics.regex", "topics.regex: Must configure one of"}},
		{"topics and regex", []string{"topics.regex", "r.*"}, []string{"topics: topics and topics.regex are mutually exclusive", "topics.regex: topics and topics.regex are mutually exclusive"}},
		{"dead letters in topics", []string{"errors.deadletterqueue.topic.name", "in"}, []string{"topics: The DLQ topic 'in' may not be included in the list of topics"}},
		{"dead letters match regex", []string{"topics", "", "topics.regex", "r.*", "errors.deadletterqueue.topic.name", "ruh.roh"}, []string{"topics.regex: The DLQ topic 'ruh.roh' may not be matched"}},
		{"default group is the workers'", []string{"name", "worker-group"}, []string{"name: Consumer group for sink connector named worker-group conflicts with Connect worker group connect-worker-group"}},
		{"own group is the workers'", []string{"consumer.override.group.id", "connect-worker-group"}, []string{"consumer.override.group.id: Consumer group connect-worker-group conflicts with Connect worker group"}},
		{"duplicate transforms", []string{"transforms", "t, t", "transforms.t.type", filterClass}, []string{"transforms: Invalid value [t, t] for configuration transforms: Duplicate alias provided."}},
		{"missing transform class", []string{"transforms", "t", "transforms.t.type", "WheresTheFruit"}, []string{"transforms.t.type: Invalid value WheresTheFruit"}},
		{"transform class of another kind", []string{"transforms", "t", "transforms.t.type", enginetest.SinkClass}, []string{"transforms.t.type: Invalid value " + enginetest.SinkClass}},
		{"negation without predicate", []string{"transforms", "t", "transforms.t.type", filterClass, "transforms.t.negate", "true"}, []string{"transforms.t.type: transforms.t.type: Config 'transforms.t.negate' was provided but there is no config 'transforms.t.predicate'"}},
		{"duplicate predicates", []string{"predicates", "p, p", "predicates.p.type", tombstoneClass}, []string{"predicates: Invalid value [p, p] for configuration predicates: Duplicate alias provided."}},
		{"missing predicate class", []string{"predicates", "p", "predicates.p.type", "WheresTheFruit"}, []string{"predicates.p.type: Invalid value WheresTheFruit"}},
		{"predicate class of another kind", []string{"predicates", "p", "predicates.p.type", enginetest.SinkClass}, []string{"predicates.p.type: Invalid value " + enginetest.SinkClass}},
		{"missing converter class", []string{"key.converter", "WheresTheFruit"}, []string{"key.converter: Invalid value WheresTheFruit"}},
		{"converter class of another kind", []string{"key.converter", enginetest.SinkClass}, []string{"key.converter: Invalid value " + enginetest.SinkClass}},
		{"misconfigured converter", []string{"key.converter", jsonClass, "key.converter.schemas.enable", "notaboolean"}, []string{"key.converter.schemas.enable: Invalid value notaboolean"}},
		{"converter without options", []string{"key.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"}, nil},
		{"missing header converter class", []string{"header.converter", "WheresTheFruit"}, []string{"header.converter: Invalid value WheresTheFruit"}},
		{"header converter class of another kind", []string{"header.converter", enginetest.SinkClass}, []string{"header.converter: Invalid value " + enginetest.SinkClass}},
		{"misconfigured header converter", []string{"header.converter", jsonClass, "header.converter.schemas.enable", "notaboolean"}, []string{"header.converter.schemas.enable: Invalid value notaboolean"}},
		{"header converter without options", []string{"header.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"}, nil},
	}
}

// TestValidation wants exactly the errors of each config, at the option that has
// them, and no answer but 200 for it.
func TestValidation(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), func(cfg *engine.Config) { cfg.GroupID = "connect-worker-group" },
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	for _, test := range sinkValidations() {
		t.Run(test.name, func(t *testing.T) {
			config := sinkConf("name", "snk")
			for i := 0; i < len(test.kv); i += 2 {
				config[test.kv[i]] = test.kv[i+1]
				if test.kv[i+1] == "" {
					delete(config, test.kv[i])
				}
			}
			infos, err := w.Validate(t.Context(), enginetest.SinkClass, config)
			must(t, err)
			checkErrors(t, infos, test.errors)
		})
	}
}

func checkErrors(t *testing.T, infos engine.ConfigInfos, want []string) {
	t.Helper()
	var got []string
	for _, c := range infos.Configs {
		for _, e := range c.Value.Errors {
			got = append(got, c.Value.Name+": "+e)
		}
	}
	if infos.ErrorCount != len(want) || len(got) != len(want) {
		t.Fatalf("error_count %d, errors %q; want %q", infos.ErrorCount, got, want)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, w) }) {
			t.Errorf("errors %q; want one that begins %q", got, w)
		}
	}
}

// TestPluginAliases uses the short names of classes everywhere, as configs for
// Kafka Connect may.
func TestPluginAliases(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, counting("out", 1, new(enginetest.Log)), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	for class, own := range map[string][]string{"TestSourceConnector": nil, "TestSink": {"topics", "out"}} {
		config := conf(class, append(own, "key.converter", "StringConverter", "value.converter", "StringConverter", "header.converter", "StringConverter",
			"transforms", "filter", "transforms.filter.type", "Filter", "transforms.filter.predicate", "tombstone",
			"predicates", "tombstone", "predicates.tombstone.type", "RecordIsTombstone")...)
		w.Create(t, class, config)
		w.Await(t, class, engine.Running, engine.Running)
	}
}

// TestManyErrorsAtOnce wants all errors of a config, not only the first.
func TestManyErrorsAtOnce(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	_, err := w.Worker.Create(t.Context(), "snk", conf(enginetest.SinkClass, "tasks.max", "none", "test.number", "many", "errors.tolerance", "some"), "")
	for _, part := range []string{"contains the following 5 error(s)", "tasks.max", "test.number", "errors.tolerance", "Must configure one of topics or topics.regex",
		"`/connector-plugins/{connectorType}/config/validate`"} {
		if !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("no %q in: %v", part, err)
		}
	}
}
