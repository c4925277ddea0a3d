package transform

import (
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

var update = flag.Bool("update", false, "write testdata/differences.txt")

// differencesHeader explains the file; it is kept by hand.
const differencesHeader = `# Where Sluice's transforms answer otherwise than Kafka's (kafka.txt), on purpose:
#
#  1. Cast of a whole Date, Time, Timestamp or Decimal gives a schema that does not go on to call itself one, which
#     no converter could write.
#  2. Digits of a number are ASCII.
#  3. ReplaceField takes a field's own value even when its name is also that of a renamed one; Kafka takes the
#     other's or fails. Of two schemaless fields that get one name the last counts, not the last of a hash map.
#  4. SetSchemaMetadata sets the name of any schema; Kafka fails for what is not a struct.
#
# The line that begins a paragraph is the transform. Values: x bytes, n the unscaled value of a Decimal, d and f the
# bits of a floating-point number.

`

// TestKafka compares with what Kafka's own classes made of the same records.
func TestKafka(t *testing.T) {
	recorded, err := os.ReadFile("testdata/kafka.txt")
	if err != nil {
		t.Fatal(err)
	}
	records := readRecords(t)
	var got strings.Builder
	got.WriteString(differencesHeader)
	compared := 0
	texts := make(map[string]int) // errors with other words, and how often
	for _, c := range strings.Split(string(recorded), "\n# ")[1:] {
		lines := strings.Split(strings.TrimSuffix(c, "\n"), "\n")
		compared += len(lines) - 1
		got.WriteString(differences(strings.Split(lines[0], "\t"), records, lines[1:], texts))
	}
	got.WriteString("# Errors of both with other words, and how many answers have them:\n\n")
	for _, pair := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(&got, "%d\t%s\n", texts[pair], pair)
	}
	if compared < 9000 {
		t.Errorf("only %d answers were recorded", compared)
	}
	const file = "testdata/differences.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Error("other differences than before; look at them with -update and git diff")
	}
}

func differences(config []string, records []testRecord, kafka []string, texts map[string]int) string {
	var out strings.Builder
	ours := answers(config, records)
	for i := range max(len(kafka), len(ours)) {
		theirs, own := at(kafka, i), at(ours, i)
		_, theirError, bothFail := strings.Cut(theirs, "\terror ")
		_, ownError, weFail := strings.Cut(own, "\terror ")
		switch {
		case theirs == own:
		case bothFail && weFail:
			texts["kafka\t"+theirError+"\n\tsluice\t"+ownError]++
		default:
			fmt.Fprintf(&out, "\tkafka\t%s\n\tsluice\t%s\n", theirs, own)
		}
	}
	if out.Len() == 0 {
		return ""
	}
	return strings.Join(config, "\t") + "\n" + out.String() + "\n"
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "none"
}

// testRecord is a line of records.txt.
type testRecord struct {
	name string
	connect.Record
}

func readRecords(t testing.TB) []testRecord {
	t.Helper()
	text, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]convert.Converter{}
	for kind, schemas := range map[string]string{"e": "true", "p": "false"} {
		read[kind], err = convert.New(convert.JSONClass, false, map[string]string{"value.converter.schemas.enable": schemas,
			"value.converter.replace.null.with.default": "false"})
		if err != nil {
			t.Fatal(err)
		}
	}
	headers, err := convert.NewHeader("", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := connect.NewBatch(1, 1) // lives as long as the records
	var records []testRecord
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		r := testRecord{name: f[0]}
		r.Topic, r.Partition, r.Offset, r.Timestamp = f[1], int32(number(t, f[2])), number(t, f[3]), connect.NoTimestamp
		if f[4] != "" {
			r.Timestamp = number(t, f[4])
		}
		for h := range strings.SplitSeq(f[5], ";") {
			if key, literal, ok := strings.Cut(h, "="); ok {
				s, v, err := headers.ToConnectHeader(b, "", key, []byte(literal))
				if err != nil {
					t.Fatal(err)
				}
				r.Headers = append(r.Headers, connect.Header{Key: key, Schema: s, Value: v})
			}
		}
		if c := read[f[6]]; c != nil {
			if r.KeySchema, r.Key, err = c.ToConnect(b, "t", []byte(f[7])); err != nil {
				t.Fatal(err)
			}
		}
		if c := read[f[8]]; c != nil {
			if r.ValueSchema, r.Value, err = c.ToConnect(b, "t", []byte(f[9])); err != nil {
				t.Fatal(err)
			}
		}
		records = append(records, r)
	}
	return records
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// configured returns the plan of one transform, or of one predicate, with the
// options of a line of transforms.txt.
func configured(config []string) (*Plan, error) {
	settings := map[string]string{"transforms": "x", "transforms.x.type": transformPackage + config[0]}
	prefix := "transforms.x."
	if strings.HasPrefix(config[0], "predicates.") {
		settings = map[string]string{"predicates": "x", "predicates.x.type": transformPackage + config[0]}
		prefix = "predicates.x."
	}
	for _, o := range config[1:] {
		name, value, _ := strings.Cut(o, "=")
		settings[prefix+name] = value
	}
	return planOf(settings, false)
}

// planOf does what the engine does.
func planOf(settings map[string]string, source bool) (*Plan, error) {
	var d connect.Def
	plan := Define(&d, settings)
	values := d.Parse(settings)
	if err := connect.Err(values); err != nil {
		return nil, err
	}
	if errs := plan.Errors(values, source); len(errs) > 0 {
		return nil, errs[0]
	}
	return plan, nil
}

// answers does what the oracle does.
func answers(config []string, records []testRecord) []string {
	plan, err := configured(config)
	if err != nil {
		return []string{"config\terror " + err.Error()}
	}
	chain := plan.Chain()
	b := connect.NewBatch(1, 1)
	var lines []string
	for _, in := range records {
		b.Reset()
		var outcome string
		if chain == nil {
			holds, err := plan.predicates[0].predicate.test(&in.Record)
			if outcome = fmt.Sprintf("holds %v", holds); err != nil {
				outcome = err.Error()
			}
		} else {
			r := in.Record
			keep, err := chain.Apply(b, &r)
			switch {
			case err != nil:
				outcome = "error " + strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(err.(*Error).Err.Error())
			case !keep:
				outcome = "dropped"
			default:
				outcome = changes(&in.Record, &r)
			}
		}
		lines = append(lines, in.name+"\t"+outcome)
	}
	return lines
}

func changes(in, out *connect.Record) string {
	var changed []string
	before := parts(in)
	for i, after := range parts(out) {
		if before[i] != after {
			changed = append(changed, after)
		}
	}
	if changed == nil {
		return "same"
	}
	return strings.Join(changed, "\t")
}

func parts(r *connect.Record) []string {
	headers := "headers "
	for _, h := range r.Headers {
		headers += h.Key + "=" + both(h.Schema, h.Value) + ";"
	}
	return []string{"topic " + r.Topic, "key " + both(r.KeySchema, r.Key), "value " + both(r.ValueSchema, r.Value), headers}
}

func both(s *connect.Schema, v connect.Value) string {
	if s == nil {
		return "~=" + valueText(nil, v)
	}
	return describe(s) + "=" + valueText(s, v)
}

func describe(s *connect.Schema) string {
	b := s.Type().String()
	switch s.Type() {
	case connect.Struct:
		b += "("
		for _, f := range s.Fields() {
			b += f.Name + ":" + describe(f.Schema) + ","
		}
		b += ")"
	case connect.Array:
		b += "(" + describe(s.Value()) + ")"
	case connect.Map:
		b += "(" + describe(s.Key()) + "," + describe(s.Value()) + ")"
	}
	if s.Optional() {
		b += "?"
	}
	if s.Name() != "" {
		b += "<" + strings.ReplaceAll(s.Name(), "org.apache.kafka.connect.data.", "") + ">"
	}
	if s.Version() != 0 {
		b += "#" + strconv.Itoa(s.Version())
	}
	if s.Doc() != "" {
		b += `"` + s.Doc() + `"`
	}
	if p := s.Parameters(); len(p) > 0 {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(p)) {
			pairs = append(pairs, k+"="+p[k])
		}
		b += "{" + strings.Join(pairs, ", ") + "}"
	}
	if d, ok := s.Default(); ok {
		b += ":=" + valueText(s, d)
	}
	return b
}

func valueText(s *connect.Schema, v connect.Value) string {
	switch v.Type() {
	case connect.Null:
		return "null"
	case connect.String:
		return `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`).Replace(v.Text()) + `"`
	case connect.Float32:
		return fmt.Sprintf("f%x", math.Float32bits(float32(v.Float())))
	case connect.Float64:
		return fmt.Sprintf("d%x", math.Float64bits(v.Float()))
	case connect.Bytes:
		if isDecimal(s) {
			return "n" + bigInt(v.Bytes()).String()
		}
		return "x" + hex.EncodeToString(v.Bytes())
	case connect.Array, connect.Map, connect.Struct:
		return groupText(s, v)
	}
	return v.String()
}

func groupText(s *connect.Schema, v connect.Value) string {
	var key, value *connect.Schema
	if s != nil {
		key, value = s.Key(), s.Value()
	}
	cells := v.Cells()
	switch v.Type() {
	case connect.Struct:
		b := "("
		for i, f := range s.Fields() {
			b += valueText(f.Schema, cells[i]) + ","
		}
		return b + ")"
	case connect.Array:
		b := "["
		for _, e := range cells {
			b += valueText(value, e) + ","
		}
		return b + "]"
	}
	var pairs []string
	for i := 0; i < len(cells); i += 2 {
		pairs = append(pairs, valueText(key, cells[i])+"="+valueText(value, cells[i+1]))
	}
	slices.SortFunc(pairs, func(a, b string) int {
		a, _, _ = strings.Cut(a, `"=`)
		b, _, _ = strings.Cut(b, `"=`)
		return strings.Compare(a, b)
	})
	return "{" + strings.Join(pairs, ", ") + "}"
}
