package transform

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

// unwrapDiffers are configs of which answers are meant to differ, and why.
var unwrapDiffers = map[string]string{
	"add.fields=before":            "Debezium makes an empty struct of the schema and fails with what is in it",
	"add.fields=source":            "Debezium makes an empty struct of the schema and fails with what is in it",
	"add.fields=updateDescription": "Debezium looks for MongoDB's field and fails; it is left out",
	"add.fields=nowhere.x":         "Debezium fails with the first row, ours with the first change",
	"add.fields=op,op":             "Debezium fails with the first row; ours with the first change",
}

func TestExtractNewRecordState(t *testing.T) {
	compareWithDebezium(t, "ExtractNewRecordState", "unwrap", "records", 28, unwrapDiffers)
}

func TestByLogicalTableRouter(t *testing.T) {
	compareWithDebezium(t, "ByLogicalTableRouter", "logical", "records", 13, map[string]string{
		`topic.regex=pre\.(.*) topic.replacement=$2`: "Debezium fails with the first record that matches; the config is refused",
	})
}

func TestEventRouter(t *testing.T) {
	compareWithDebezium(t, "outbox.EventRouter", "outbox", "outbox.records", 32, map[string]string{
		"table.fields.additional.placement=type:nowhere": "Debezium fails with the first event; the config is refused",
		"table.fields.additional.placement=type":         "Debezium fails with what is no message; the config is refused",
	})
}

// compareWithDebezium compares with what a class of Debezium's made of the same
// records: topic, key, value and headers as JsonConverter writes them. Errors have
// other words.
func compareWithDebezium(t *testing.T, class, recordedFile, recordsFile string, least int, differ map[string]string) {
	t.Helper()
	records := lines(t, "testdata/debezium/"+recordsFile+".txt")
	recorded, err := os.ReadFile("testdata/debezium/" + recordedFile + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	configs := strings.Split(string(recorded), "\n# ")[1:]
	if len(configs) < least || len(records) < 10 {
		t.Fatalf("only %d configs and %d records were recorded", len(configs), len(records))
	}
	for _, c := range configs {
		answers := strings.Split(strings.TrimSuffix(c, "\n"), "\n")
		t.Run(answers[0], func(t *testing.T) {
			if len(answers)-1 != len(records) {
				t.Fatalf("%d answers for %d records", len(answers)-1, len(records))
			}
			for i, want := range answers[1:] {
				got := transformed(t, class, answers[0], records[i])
				bothFail := strings.HasPrefix(want, "error ") && strings.HasPrefix(got, "error ")
				if got != want && !bothFail && differ[answers[0]] == "" {
					t.Errorf("record %d\ngot  %s\nwant %s", i, got, want)
				}
			}
		})
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for l := range strings.SplitSeq(string(text), "\n") {
		if l != "" && !strings.HasPrefix(l, "#") {
			all = append(all, l)
		}
	}
	return all
}

// transformed answers as the recording does.
func transformed(t *testing.T, class, config, record string) string {
	settings := map[string]string{"transforms": "t", "transforms.t.type": debeziumPackage + class}
	for _, pair := range strings.Fields(config) {
		if name, value, ok := strings.Cut(pair, "="); ok {
			settings["transforms.t."+name] = value
		}
	}
	plan, err := planOf(settings, true)
	if err != nil {
		return "error " + err.Error()
	}
	json, err := convert.New(convert.JSONClass, false, map[string]string{"value.converter.schemas.enable": "true", "value.converter.replace.null.with.default": "false"})
	if err != nil {
		t.Fatal(err)
	}
	b := connect.NewBatch(10, 1<<20)
	in := strings.Split(record, "\t")
	r := connect.Record{Topic: in[0], Partition: connect.AnyPartition, Timestamp: connect.NoTimestamp}
	for i, part := range []part{keyPart, valuePart} {
		if in[i+1] == "-" {
			continue
		}
		s, v, err := json.ToConnect(b, "t", []byte(in[i+1]))
		if err != nil {
			t.Fatal(err)
		}
		part.store(&r, s, v)
	}
	if in[3] != "" {
		list, err := connect.NewArray(connect.StringSchema, connect.Attrs{})
		if err != nil {
			t.Fatal(err)
		}
		var names []connect.Value
		for name := range strings.SplitSeq(in[3], ",") {
			names = append(names, connect.StringValue(name))
		}
		r.Headers = []connect.Header{{Key: "drop", Schema: list, Value: connect.ArrayValue(names)}}
	}
	keep, err := plan.Chain().Apply(b, &r)
	switch {
	case err != nil:
		return "error " + err.Error()
	case !keep:
		return "dropped"
	}
	write := func(s *connect.Schema, v connect.Value) string {
		text, null, err := json.FromConnect(nil, "t", s, v)
		if err != nil {
			t.Errorf("%s: the record is not what its schema says: %v", config, err)
		}
		if null {
			return "-"
		}
		return string(text)
	}
	where := r.Topic
	if r.Partition != connect.AnyPartition {
		where += fmt.Sprint(" partition ", r.Partition)
	}
	if r.Timestamp != connect.NoTimestamp {
		where += fmt.Sprint(" at ", r.Timestamp)
	}
	out := []string{where, write(r.KeySchema, r.Key), write(r.ValueSchema, r.Value)}
	for _, h := range r.Headers {
		out = append(out, h.Key+" "+write(h.Schema, h.Value))
	}
	return strings.Join(out, "\t")
}

// TestOlderDeleteHandling has the options of versions before 2.5.
func TestOlderDeleteHandling(t *testing.T) {
	for config, want := range map[string]string{
		"": deletesTombstone, "drop.tombstones=false": deletesTombstone,
		"delete.handling.mode=drop": deletesDrop, "delete.handling.mode=drop drop.tombstones=false": deletesTombstone,
		"delete.handling.mode=rewrite": deletesRewrite, "delete.handling.mode=rewrite drop.tombstones=false": deletesRewriteWithTombstone,
		"delete.handling.mode=none": deletesTombstone, "delete.handling.mode=rewrite delete.tombstone.handling.mode=DROP": deletesDrop,
	} {
		settings := map[string]string{"transforms": "u", "transforms.u.type": "ExtractNewRecordState"}
		for _, pair := range strings.Fields(config) {
			name, value, _ := strings.Cut(pair, "=")
			settings["transforms.u."+name] = value
		}
		plan, err := planOf(settings, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.transforms[0].transform.(*extractNewRecordState).mode; got != want {
			t.Errorf("%q: got %s, want %s", config, got, want)
		}
	}
}

// BenchmarkExtractNewRecordState is a change of a table with ten columns.
func BenchmarkExtractNewRecordState(b *testing.B) {
	var fields []connect.Field
	cells := make([]connect.Value, 10)
	for i := range cells {
		fields = append(fields, connect.Field{Name: fmt.Sprint("c", i), Schema: connect.OptionalInt64Schema})
		cells[i] = connect.Int64Value(int64(i))
	}
	row, err := connect.NewStruct(fields, connect.Attrs{Name: "t.Value", Optional: true})
	if err != nil {
		b.Fatal(err)
	}
	source := connect.MustStruct("s", connect.Field{Name: "table", Schema: connect.StringSchema})
	envelope := connect.MustStruct("t.Envelope", connect.Field{Name: "before", Schema: row}, connect.Field{Name: "after", Schema: row},
		connect.Field{Name: "source", Schema: source}, connect.Field{Name: "op", Schema: connect.StringSchema})
	r := connect.Record{Topic: "t", ValueSchema: envelope, Value: connect.StructValue([]connect.Value{{}, connect.StructValue(cells),
		connect.StructValue([]connect.Value{connect.StringValue("t")}), connect.StringValue("c")})}
	plan, err := planOf(map[string]string{"transforms": "u", "transforms.u.type": "ExtractNewRecordState", "transforms.u.add.fields": "op,table"}, true)
	if err != nil {
		b.Fatal(err)
	}
	chain, batch := plan.Chain(), connect.NewBatch(1, 1)
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		one := r
		if keep, err := chain.Apply(batch, &one); !keep || err != nil {
			b.Fatal(keep, err)
		}
	}
}
