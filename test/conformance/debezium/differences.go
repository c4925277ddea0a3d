package debezium

import "slices"

// Decisions are the differences that are meant to be.
var Decisions = slices.Concat(
	oldRowWithoutKey("changes*", "public.identity_index"), oldRowWithoutKey("no_data", "public.identity_index"),
	oldRowWithoutKey("changes_keys", "public.orders"),
	maskedAndDescribed, comments, transactionCounts, tables, types,
)

// oldRowWithoutKey are updates and deletes under REPLICA IDENTITY USING INDEX on other
// columns than the key's, or of a key of message.key.columns that the replica identity
// lacks: the old row does not have the key.
func oldRowWithoutKey(scenario, topic string) []Decision {
	const why = "an old row without the key is no change of the key: Debezium reads the key as zeros and deletes the row of that key"
	return []Decision{
		{Scenario: scenario, Topic: topic, Path: "records", Reason: why},
		{Scenario: scenario, Topic: topic, Path: "key*", Reason: why},
		{Scenario: scenario, Topic: topic, Path: "value*", Reason: why},
		{Scenario: scenario, Topic: topic, Path: "header __debezium.*key", Reason: why},
	}
}

// maskedAndDescribed is a column that both column.mask.hash.* and
// column.propagate.source.type name.
var maskedAndDescribed = []Decision{
	{Scenario: "changes_masked", Topic: "public.identity_full", Path: "value.*.secret", Reason: "the value is hashed, which Debezium leaves out when its type is propagated"},
	{Scenario: "changes_masked", Topic: "public.identity_full", Path: "schema.fields.*.fields.secret.parameters members", Want: "__debezium.source.column.type __debezium.source.column.length __debezium.source.column.scale __debezium.source.column.name", Got: "masked", Reason: "the column is masked, and described as that"},
}

// comments are what include.schema.comments is for; Debezium has it for MySQL.
var comments = []Decision{
	{Scenario: "changes_masked", Topic: "public.orders", Path: "schema.fields.*.fields.customer members", Got: "type optional doc parameters field", Reason: "include.schema.comments puts comments into the schemas, which Debezium's connector for PostgreSQL does not"},
}

// transactionCounts are the counts at the end of a transaction.
var transactionCounts = []Decision{
	{Scenario: "*", Topic: "transaction", Path: "value.data_collections*", Reason: "the counts are in the order of the first event, not of a hash table, and messages count together, not each under the address of a Java object"},
	{Scenario: "changes_tx", Topic: "transaction", Path: "value.event_count", Want: "2", Got: "1", Reason: "an update is one event under REPLICA IDENTITY USING INDEX, see oldRowWithoutKey"},
}
