package debezium

const twice = "a row is read once, for the topic that its changes go to; Debezium's snapshot reads it again for the other table of the partitioned or inherited pair"

// tables are differences in what a snapshot reads.
var tables = []Decision{
	{Scenario: "partitions", Topic: "public.by_hash", Path: "topic", Want: "3 records", Got: "no topic", Reason: twice},
	{Scenario: "partitions", Topic: "public.by_list", Path: "topic", Want: "2 records", Got: "no topic", Reason: twice},
	{Scenario: "partitions", Topic: "public.by_range", Path: "topic", Want: "2 records", Got: "no topic", Reason: twice},
	{Scenario: "partitions", Topic: "public.by_hash_0", Path: "value.source.snapshot", Want: `"first_in_data_collection"`, Got: `"first"`, Reason: twice},
	{Scenario: "partitions_root", Topic: "public.by_*_*", Path: "topic", Got: "no topic", Reason: twice},
	{Scenario: "partitions_root", Topic: "public.by_range_2020", Path: "records", Want: `2: r{"id":1,"day":18387} c{"id":6,"day":18262}`, Got: `1: c{"id":6,"day":18262}`, Reason: twice},
	{Scenario: "partitions_root", Topic: "public.by_range", Path: "value.source.snapshot", Want: `"last_in_data_collection"`, Got: `"last"`, Reason: twice},
	{Scenario: "changes*", Topic: "public.parent", Path: "records", Want: `3: r{"id":1} r{"id":2} c{"id":10}`, Got: `2: r{"id":1} c{"id":10}`, Reason: twice},
	{Scenario: "changes*", Topic: "public.parent", Path: "records", Want: `4: r{"id":1} r{"id":2} c{"id":10} tnone`, Got: `3: r{"id":1} c{"id":10} tnone`, Reason: twice},
	{Scenario: "unwrap*", Topic: "public.parent", Path: "records", Want: `3: {"id":1} {"id":2} {"id":10}`, Got: `2: {"id":1} {"id":10}`, Reason: twice},
	{Scenario: "unwrap*", Topic: "public.parent", Path: "value._was", Want: `"first_in_data_collection"`, Got: `"last_in_data_collection"`, Reason: twice},
	{Scenario: "changes*", Topic: "public.parent", Path: "value.source.snapshot", Want: `"first_in_data_collection"`, Got: `"last_in_data_collection"`, Reason: twice},
}
