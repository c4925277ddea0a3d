package s3

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestKeysOfAnotherSchema ends the files at a key whose schema is another one, where they have a schema: its cells would stand under the first one's
// names.
func TestKeysOfAnotherSchema(t *testing.T) {
	id := connect.MustStruct("K", connect.Field{Name: "id", Schema: connect.Int32Schema}, connect.Field{Name: "site", Schema: connect.StringSchema})
	count := connect.MustStruct("K", connect.Field{Name: "count", Schema: connect.Int32Schema}, connect.Field{Name: "unit", Schema: connect.StringSchema})
	swapped := connect.MustStruct("K", connect.Field{Name: "site", Schema: connect.StringSchema}, connect.Field{Name: "id", Schema: connect.Int32Schema})
	again := connect.MustStruct("K", connect.Field{Name: "id", Schema: connect.Int32Schema}, connect.Field{Name: "site", Schema: connect.StringSchema})
	number, word := connect.Int32Value(7), connect.StringValue("x")
	for _, test := range []struct {
		format, rotation string
		starts           string
	}{
		{"avro.AvroFormat", rotationTogether, "0 1 2 3"},
		{"parquet.ParquetFormat", rotationTogether, "0 1 2 3"},
		{"avro.AvroFormat", rotationSeparate, "0 1 2"},
		{"parquet.ParquetFormat", rotationSeparate, "0 1 2"},
		{"json.JsonFormat", rotationTogether, "0"},
	} {
		srv, l := newServer(t), ledger{}
		h := mustOpen(t, srv, l, map[string]string{"flush.size": "5", "flush.on.close": "true", "store.kafka.keys": "true", "behavior.on.null.values": "write", "schema.rotation": test.rotation,
			"keys.format.class": "io.confluent.connect.s3.format." + test.format})
		b := rawBatch(0, 0, 5, 20)
		for i, key := range []connect.Record{
			{KeySchema: id, Key: connect.StructValue([]connect.Value{number, word})},
			{KeySchema: count, Key: connect.StructValue([]connect.Value{number, word})},
			{KeySchema: swapped, Key: connect.StructValue([]connect.Value{word, number})},
			{KeySchema: id, Key: connect.StructValue([]connect.Value{number, word})},
			{KeySchema: again, Key: connect.StructValue([]connect.Value{number, word})},
		} {
			b.Records()[i].KeySchema, b.Records()[i].Key = key.KeySchema, key.Key
		}
		h.write(b)
		h.sink.Leave([]connect.TopicPartition{tp(0)})
		h.commitAndApply(l, 5)
		var starts []string
		for _, key := range srv.keys(t) {
			if name, ok := strings.CutSuffix(key, ".json"); ok && !strings.HasSuffix(name, ".keys") {
				starts = append(starts, fmt.Sprint(name[len(name)-1:]))
			}
		}
		if got := strings.Join(starts, " "); got != test.starts || len(srv.keys(t)) != 2*len(starts) {
			t.Errorf("%s, %s: files of values begin at %s, want %s, in %d objects", test.format, test.rotation, got, test.starts, len(srv.keys(t)))
		}
	}
}
