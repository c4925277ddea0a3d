package debezium

import "slices"

// Decisions are the differences that are meant to be.
var Decisions = slices.Concat(
	oldRowWithoutKey("changes*", "public.identity_index"), oldRowWithoutKey("no_data", "public.identity_index"),
	oldRowWithoutKey("changes_keys", "public.orders"),
	oldRowWithoutKey("unwrap*", "routed.identity_index"), maskedAndDescribed, comments, transactionCounts, keyOutOfSight, tables, types,
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
		{Scenario: scenario, Topic: topic, Path: "header __*", Reason: why},
	}
}

// maskedAndDescribed is a column that both column.mask.hash.* and
// column.propagate.source.type name.
var maskedAndDescribed = []Decision{
	{Scenario: "changes_masked", Topic: "public.identity_full", Path: "value.*.secret", Reason: "the value is hashed, which Debezium leaves out when its type is propagated"},
	{Scenario: "changes_masked", Topic: "public.identity_full", Path: "schema*.secret.*parameters members", Want: "__debezium.source.column.type __debezium.source.column.length __debezium.source.column.scale __debezium.source.column.name", Got: "masked", Reason: "the column is masked, and described as that"},
}

// comments are what include.schema.comments is for; Debezium has it for MySQL.
var comments = []Decision{
	{Scenario: "changes_masked", Topic: "public.orders", Path: "schema*.customer* members", Reason: "include.schema.comments puts comments into the schemas, which Debezium's connector for PostgreSQL does not"},
}

// keyOutOfSight is a column of the key that column.include.list does not name.
var keyOutOfSight = []Decision{
	{Scenario: "schemas", Topic: "public.t", Path: "key.secret_key", Want: "0", Got: "7", Reason: "a key is whole: Debezium's snapshot has zero for a column of it that a filter leaves out"},
	{Scenario: "schemas", Topic: "public.t", Path: "key schema", Want: "2", Got: "0", Reason: sameKey},
	{Scenario: "schemas", Topic: "public.t", Path: "schemas", Want: "3", Got: "2", Reason: sameKey},
}

const sameKey = "the schema of a key is the same in a snapshot and after it; Debezium's stream has the column that a filter leaves out as optional"

// transactionCounts are the counts at the end of a transaction.
var transactionCounts = []Decision{
	{Scenario: "*", Topic: "transaction", Path: "value.data_collections*", Reason: "the counts are in the order of the first event, not of a hash table, and messages count together, not each under the address of a Java object"},
	{Scenario: "changes_tx", Topic: "transaction", Path: "value.event_count", Want: "2", Got: "1", Reason: "an update is one event under REPLICA IDENTITY USING INDEX, see oldRowWithoutKey"},
}
