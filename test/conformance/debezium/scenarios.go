package debezium

import (
	"cmp"
	"slices"
	"strings"
)

// A Scenario is a connector config and the scripts that it sees.
type Scenario struct {
	Name    string // of the connector, and the prefix of its topics
	Scripts []string
	Config  map[string]string // {name} stands for Name
	Avro    bool              // instead of JSON, in Confluent's framing
	Ends    bool              // the connector reads a snapshot and no changes
}

// topic is the name of a table's topic in the schema public.
func (s *Scenario) topic(table string) string {
	return strings.Join([]string{s.Name, "public", table}, s.delimiter())
}

func (s *Scenario) delimiter() string { return cmp.Or(s.Config["topic.delimiter"], ".") }

// heartbeats is the topic of heartbeats, if it has a name of its own.
func (s *Scenario) heartbeats() string { return s.Config["topic.heartbeat.prefix"] + "." + s.Name }

// schemas makes JsonConverter write schemas, once for each topic of a golden.
func schemas(config map[string]string) map[string]string {
	config["key.converter.schemas.enable"], config["value.converter.schemas.enable"] = "true", "true"
	return config
}

// avroSuffix is what the name of a scenario ends in when it is played with Avro.
const avroSuffix = "_avro"

// withAvro adds the same scenarios with Avro, but for those whose config is about
// JsonConverter. Names become what Avro allows, as users have them.
func withAvro(scenarios []Scenario) []Scenario {
	all := slices.Clip(scenarios)
	for _, s := range scenarios {
		config := map[string]string{"schema.name.adjustment.mode": "avro", "field.name.adjustment.mode": "avro"}
		for option, value := range s.Config {
			if !strings.Contains(option, ".converter.") {
				config[option] = value
			}
		}
		if s.Name == "names" {
			config["column.exclude.list"] = "public.UPPER.a-b" // with a.b there would be two of a_b, which both refuse
		}
		all = append(all, Scenario{Name: s.Name + avroSuffix, Scripts: s.Scripts, Config: config, Avro: true, Ends: s.Ends})
	}
	return all
}

// Scenarios are all that are recorded. The types are the same in all of their
// scenarios, and so are the changes.
var Scenarios = withAvro([]Scenario{
	{Name: "types", Scripts: []string{"types.sql"}, Config: schemas(map[string]string{})},
	{Name: "types_plain", Scripts: []string{"types.sql"}, Config: map[string]string{}},
	{Name: "types_text", Scripts: []string{"types.sql"}, Config: schemas(map[string]string{
		"decimal.handling.mode": "string", "time.precision.mode": "isostring", "hstore.handling.mode": "map",
		"interval.handling.mode": "string", "binary.handling.mode": "base64", "include.unknown.datatypes": "true",
	})},
	{Name: "types_connect", Scripts: []string{"types.sql"}, Config: schemas(map[string]string{
		"decimal.handling.mode": "double", "time.precision.mode": "connect", "binary.handling.mode": "hex", "money.fraction.digits": "3",
	})},
	{Name: "types_micro", Scripts: []string{"types.sql"}, Config: schemas(map[string]string{
		"time.precision.mode": "microseconds", "binary.handling.mode": "base64-url-safe", "include.unknown.datatypes": "true",
		"unavailable.value.placeholder": "hex:41424300ff",
	})},
	{Name: "types_nano", Scripts: []string{"types.sql"}, Config: schemas(map[string]string{
		"time.precision.mode": "nanoseconds", "table.exclude.list": "public.t_not_null", // a delete of its rows ends Debezium's task
	})},
	{Name: "types_adaptive_micro", Scripts: []string{"types.sql"}, Config: schemas(map[string]string{
		"time.precision.mode": "adaptive_time_microseconds", "value.converter.replace.null.with.default": "false",
		"value.converter.decimal.format": "NUMERIC",
	})},
	{Name: "defaults", Scripts: []string{"defaults.sql"}, Config: schemas(map[string]string{})},
	{Name: "defaults_kept", Scripts: []string{"defaults.sql"}, Config: schemas(map[string]string{"value.converter.replace.null.with.default": "false"})},
	{Name: "changes", Scripts: []string{"changes.sql"}, Config: schemas(map[string]string{})},
	{Name: "changes_tx", Scripts: []string{"changes.sql"}, Config: map[string]string{"provide.transaction.metadata": "true", "skipped.operations": "none"}},
	{Name: "changes_few", Scripts: []string{"changes.sql"}, Config: map[string]string{
		"tombstones.on.delete": "false", "skipped.operations": "u", "table.exclude.list": "public.no_key,public.identity_full",
		"message.prefix.include.list": "audit.*", "extended.headers.enabled": "false",
	}},
	{Name: "changes_keys", Scripts: []string{"changes.sql"}, Config: schemas(map[string]string{
		"message.key.columns": "public.no_key:label,id;public.orders:customer;(.*).identity_full:note,id", "skip.messages.without.change": "true",
		"column.exclude.list": "public.orders.amount,public.identity_.*.secret", "message.prefix.exclude.list": "noise",
	})},
	{Name: "changes_masked", Scripts: []string{"changes.sql"}, Config: schemas(map[string]string{
		"column.mask.with.5.chars": "public.orders.customer", "column.truncate.to.3.chars": "public.identity_full.note,public.no_key.label",
		"column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K": "public.identity_.*.secret", "column.propagate.source.type": ".*",
		"include.schema.comments": "true", "schema.name.adjustment.mode": "avro", "field.name.adjustment.mode": "avro",
	})},
	{Name: "toast", Scripts: []string{"toast.sql"}, Config: schemas(map[string]string{})},
	{Name: "ddl", Scripts: []string{"ddl.sql"}, Config: schemas(map[string]string{})},
	{Name: "partitions", Scripts: []string{"partitions.sql"}, Config: map[string]string{}},
	{Name: "partitions_root", Scripts: []string{"partitions.sql"}, Config: map[string]string{"publish.via.partition.root": "true"}},
	{Name: "transactions", Scripts: []string{"transactions.sql"}, Config: map[string]string{"provide.transaction.metadata": "true"}},
	{Name: "no_data", Scripts: []string{"changes.sql"}, Config: map[string]string{"snapshot.mode": "no_data", "publication.autocreate.mode": "filtered", "schema.include.list": "public", "table.exclude.list": "public.unlogged"}},
	{Name: "snapshot_order", Scripts: []string{"snapshot.sql"}, Config: map[string]string{
		"snapshot.include.collection.list":    "public.b_two,public.a_one,public.zz_marker",
		"snapshot.select.statement.overrides": "public.b_two", "snapshot.select.statement.overrides.public.b_two": "SELECT * FROM b_two WHERE id > 1 ORDER BY id",
	}},
	{Name: "snapshot_empty", Scripts: []string{"snapshot.sql"}, Config: map[string]string{"table.include.list": "public.empty_.*,public.zz_marker"}},
	{Name: "names", Scripts: []string{"names.sql"}, Config: schemas(map[string]string{})},
	{Name: "schemas", Scripts: []string{"schemas.sql"}, Config: schemas(map[string]string{
		"schema.include.list": "sho.*,public", "table.exclude.list": "shown\\.no_.*", "column.include.list": ".*\\.(id|v)",
		"skip.messages.without.change": "true", "provide.transaction.metadata": "true",
	})},
	{Name: "schemas_excluded", Scripts: []string{"schemas.sql"}, Config: map[string]string{"schema.exclude.list": "hidden", "column.mask.hash.SHA-256.with.salt.CzQMA0cB5K": ".*\\.secret"}},
	{Name: "outbox", Scripts: []string{"outbox.sql"}, Config: routed(map[string]string{})},
	{Name: "outbox_expanded", Scripts: []string{"outbox.sql"}, Config: schemas(routed(map[string]string{
		"table.expand.json.payload": "true", "table.json.payload.null.behavior": "optional_bytes", "route.tombstone.on.empty.payload": "true",
		"table.fields.additional.placement": "type:header:eventType,tenant:envelope", "table.field.event.timestamp": "happened",
	}))},
	{Name: "unwrap", Scripts: []string{"changes.sql"}, Config: schemas(unwrapped(map[string]string{}))},
	{Name: "unwrap_rewrite", Scripts: []string{"changes.sql"}, Config: unwrapped(map[string]string{
		"delete.tombstone.handling.mode": "rewrite", "add.fields": "op,table,source.snapshot:was", "add.fields.prefix": "_", "add.headers": "op,source.schema",
	})},
	{Name: "heartbeat", Scripts: []string{"heartbeat.sql"}, Config: schemas(map[string]string{
		"heartbeat.interval.ms": "100", "topic.heartbeat.prefix": "beats", "table.exclude.list": "public.beats", "publication.autocreate.mode": "filtered",
		"heartbeat.action.query": "INSERT INTO beats VALUES (1) ON CONFLICT DO NOTHING",
	})},
	{Name: "naming_regex", Scripts: []string{"shards.sql"}, Config: schemas(map[string]string{
		"topic.naming.strategy": "io.debezium.schema.SchemaRegexTopicNamingStrategy", "topic.regex": "(.*)shard_(\\d+)", "topic.replacement": "$1shards",
		"topic.key.field.name": "shard", "topic.key.field.regex": "(.*)shard_(\\d+)", "topic.key.field.replacement": "number $2",
	})},
	{Name: "naming_delimiter", Scripts: []string{"shards.sql"}, Config: map[string]string{"topic.delimiter": "-", "topic.transaction": "tx", "provide.transaction.metadata": "true"}},
	{Name: "mode_initial", Scripts: []string{"restart.sql"}, Config: map[string]string{}},
	{Name: "mode_always", Scripts: []string{"restart.sql"}, Config: map[string]string{"snapshot.mode": "always"}},
	{Name: "mode_when_needed", Scripts: []string{"restart.sql"}, Config: map[string]string{"snapshot.mode": "when_needed"}},
	{Name: "mode_no_data", Scripts: []string{"restart.sql"}, Config: map[string]string{"snapshot.mode": "no_data"}},
	{Name: "mode_configured", Scripts: []string{"restart.sql"}, Config: map[string]string{
		"snapshot.mode": "configuration_based", "snapshot.mode.configuration.based.snapshot.data": "true",
		"snapshot.mode.configuration.based.snapshot.schema": "true", "snapshot.mode.configuration.based.start.stream": "true",
	}},
	{Name: "mode_initial_only", Scripts: []string{"restart.sql"}, Config: map[string]string{"snapshot.mode": "initial_only"}, Ends: true},
	{Name: "incremental", Scripts: []string{"incremental.sql"}, Config: map[string]string{
		"snapshot.mode": "no_data", "signal.data.collection": "public.signals", "incremental.snapshot.chunk.size": "4",
	}},
	{Name: "signals_topic", Scripts: []string{"signals_topic.sql"}, Config: map[string]string{
		"snapshot.mode": "no_data", "read.only": "true", "signal.enabled.channels": "kafka", "signal.poll.interval.ms": "100",
	}},
	{Name: "origin", Scripts: []string{"origin.sql"}, Config: map[string]string{"provide.transaction.metadata": "true"}},
	{Name: "publication", Scripts: []string{"publication.sql"}, Config: map[string]string{"publication.name": "of_judge", "publication.autocreate.mode": "disabled", "snapshot.mode": "no_data"}},
	{Name: "stopped", Scripts: []string{"stopped.sql"}, Config: schemas(map[string]string{})},
})

// routed are the options of a transform that routes the events of an outbox.
func routed(options map[string]string) map[string]string {
	config := map[string]string{
		"transforms": "outbox", "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
		"transforms.outbox.route.topic.replacement": "{name}.event.${routedByValue}", "transforms.outbox.predicate": "outbox",
		"predicates": "outbox", "predicates.outbox.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "predicates.outbox.pattern": ".*\\.outbox",
	}
	for option, value := range options {
		config["transforms.outbox."+option] = value
	}
	return config
}

// unwrapped are those of a chain that leaves the rows alone and renames their topics.
func unwrapped(options map[string]string) map[string]string {
	config := map[string]string{
		"transforms": "unwrap,route", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
		"transforms.route.type":  "org.apache.kafka.connect.transforms.RegexRouter",
		"transforms.route.regex": "([^.]+)\\.public\\.(identity_.*)", "transforms.route.replacement": "$1.routed.$2",
	}
	for option, value := range options {
		config["transforms.unwrap."+option] = value
	}
	return config
}
