package debezium

// A Scenario is a connector config and the scripts that it sees.
type Scenario struct {
	Name    string // of the connector, and the prefix of its topics
	Scripts []string
	Config  map[string]string
}

// topic is the name of a table's topic in the schema public.
func (s *Scenario) topic(table string) string { return s.Name + ".public." + table }

// schemas makes JsonConverter write schemas, once for each topic of a golden.
func schemas(config map[string]string) map[string]string {
	config["key.converter.schemas.enable"], config["value.converter.schemas.enable"] = "true", "true"
	return config
}

// Scenarios are all that are recorded. The types are the same in all of their
// scenarios, and so are the changes.
var Scenarios = []Scenario{
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
}
