package debezium

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCompareFindsChanges alters recorded answers, one thing at a time, and wants
// the comparison to see each.
func TestCompareFindsChanges(t *testing.T) {
	want, err := ReadGolden(golden, "changes")
	if err != nil {
		t.Fatal(err)
	}
	if d := Compare(want, want); d != nil {
		t.Fatalf("a golden differs from itself: %v", d)
	}
	tests := []struct {
		name, path string
		alter      func([]Topic) []Topic
	}{
		{"record missing", "records", edit(func(o *Topic) { o.Records = o.Records[1:] })},
		{"record doubled", "records", edit(func(o *Topic) { o.Records = append(o.Records, o.Records[3]) })},
		{"records exchanged", "value.op", edit(func(o *Topic) { o.Records[3], o.Records[8] = o.Records[8], o.Records[3] })},
		{"topic missing", "topic", func(all []Topic) []Topic { return all[1:] }},
		{"topic that should not be", "topic", func(all []Topic) []Topic {
			return append(all, Topic{Name: "x", Records: []Entry{{"key 1", "value 1"}}})
		}},
		{"key", "key.id", replace("key schema 0 {\"id\":3}", "key schema 0 {\"id\":4}")},
		{"number for a string", "value.after.customer", replace(`"customer":"cid"`, `"customer":0`)},
		{"null for a value", "value.after.amount", replace(`"amount":"C7g="`, `"amount":null`)},
		{"member missing", "value.after members", replace(`,"amount":"C7g="`, ``)},
		{"members in another order", "value.after members", replace(`"id":3,"customer":"cid"`, `"customer":"cid","id":3`)},
		{"operation", "value.op", replace(`"op":"c"`, `"op":"u"`)},
		{"no tombstone", "value", replace("value none", "value {}")},
		{"order of positions", "value.source.lsn", replace(`"lsn":"lsn 9"`, `"lsn":"lsn 900"`)},
		{"header", "header __debezium.newkey", edit(func(o *Topic) { dropHeader(o, "header __debezium.newkey") })},
		{"schema", "schema.fields.after.fields.amount members", edit(func(o *Topic) {
			o.Schemas[1] = strings.ReplaceAll(o.Schemas[1], `"version":1,"parameters":{"scale"`, `"parameters":{"scale"`)
		})},
		{"schema of a record", "value schema", replace("value schema 1", "value schema 0")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(Format(want)) // a copy
			if err != nil {
				t.Fatal(err)
			}
			found := Compare(want, test.alter(got))
			if !slices.ContainsFunc(found, func(d Difference) bool { return d.Path == test.path }) {
				t.Errorf("differences %v, want one at %s", found, test.path)
			}
		})
	}
}

// edit alters the topic of the orders.
func edit(f func(*Topic)) func([]Topic) []Topic {
	return func(all []Topic) []Topic {
		f(&all[slices.IndexFunc(all, func(t Topic) bool { return t.Name == "changes.public.orders" })])
		return all
	}
}

// replace alters one line of the orders that has old.
func replace(from, to string) func([]Topic) []Topic {
	return edit(func(o *Topic) {
		for _, e := range o.Records {
			for i := range e {
				if strings.Contains(e[i], from) {
					e[i] = strings.Replace(e[i], from, to, 1)
					return
				}
			}
		}
	})
}

func dropHeader(o *Topic, prefix string) {
	for i, e := range o.Records {
		o.Records[i] = slices.DeleteFunc(e, func(line string) bool { return strings.HasPrefix(line, prefix) })
	}
}

// TestCanonical wants runs to be equal that differ in what differs by itself, and
// different ones not.
func TestCanonical(t *testing.T) {
	record := func(lsn, tx, us int, version string) Record {
		value := fmt.Sprintf(`{"after":{"id":1},"source":{"version":"%s","ts_ms":%d,"sequence":"[null,\"%d\"]","ts_us":%d,"ts_ns":%d,"txId":%d,"lsn":%d},"transaction":{"id":"%d:%d","total_order":1},"ts_ms":%d}`,
			version, us/1000, lsn, us, us*1000, tx, lsn, tx, lsn, us/1000+5)
		return Record{Topic: "p.t", Key: []byte(`{"id":1}`), Value: []byte(value)}
	}
	one := canonical(t, record(100, 7, 5_000_000, "a"), record(200, 8, 6_000_000, "a"))
	if d := Compare(one, canonical(t, record(1100, 17, 7_000_123, "b"), record(1300, 19, 9_000_456, "b"))); d != nil {
		t.Errorf("differences of equal runs: %v", d)
	}
	for name, other := range map[string][]Topic{
		"positions that go back": canonical(t, record(200, 7, 5_000_000, "a"), record(100, 8, 6_000_000, "a")),
		"a position twice":       canonical(t, record(100, 7, 5_000_000, "a"), record(100, 8, 6_000_000, "a")),
		"one transaction":        canonical(t, record(100, 7, 5_000_000, "a"), record(200, 7, 6_000_000, "a")),
		"one commit time":        canonical(t, record(100, 7, 5_000_000, "a"), record(200, 8, 5_000_000, "a")),
	} {
		if Compare(one, other) == nil {
			t.Errorf("%s: no difference is seen", name)
		}
	}
}

func canonical(t *testing.T, records ...Record) []Topic {
	t.Helper()
	topics, err := Canonical(records)
	if err != nil {
		t.Fatal(err)
	}
	return topics
}

// TestCanonicalPositions plays two transactions, a message and a row of an incremental
// snapshot, where the server does, or does not, write between what ends and what begins.
func TestCanonicalPositions(t *testing.T) {
	type positions struct{ begin, first, message, gone, end, next, read int }
	run := func(p positions) []Topic {
		event := func(op, after string, commit, lsn, tx int) Record {
			return Record{Topic: "p.t", Value: fmt.Appendf(nil, `{"op":%q,"source":{"snapshot":%q,"sequence":"[\"%d\",\"%d\"]","lsn":%d},"transaction":{"id":"%d:%d"}}`, op, after, commit, lsn, lsn, tx, lsn)}
		}
		border := func(status string, tx, lsn int) Record {
			id := fmt.Sprintf("%d:%d", tx, lsn)
			return Record{Topic: "p.tx", Key: fmt.Appendf(nil, `{"id":%q}`, id), Value: fmt.Appendf(nil, `{"status":%q,"id":%q}`, status, id)}
		}
		return canonical(t, border("BEGIN", 5, p.begin), event("c", "false", 10, p.first, 5), event("m", "false", 10, p.message, 5), event("d", "false", 10, p.gone, 5), border("END", 5, p.end),
			Record{Topic: "p.t", Value: fmt.Appendf(nil, `{"op":"r","source":{"snapshot":"incremental","sequence":"[\"%d\",\"%d\"]"}}`, p.end, p.read)},
			border("BEGIN", 6, p.next), event("c", "false", p.end, p.next, 6))
	}
	one := run(positions{begin: 20, first: 20, message: 30, gone: 30, end: 50, next: 50, read: 50})
	if d := Compare(one, run(positions{begin: 20, first: 20, message: 30, gone: 38, end: 50, next: 60, read: 50})); d != nil {
		t.Errorf("differences of runs whose servers write at other times: %v", d)
	}
	for name, other := range map[string][]Topic{
		"a BEGIN elsewhere":              run(positions{begin: 21, first: 20, message: 30, gone: 30, end: 50, next: 50, read: 50}),
		"events in another order":        run(positions{begin: 20, first: 35, message: 30, gone: 30, end: 50, next: 50, read: 50}),
		"a row behind a later change":    run(positions{begin: 20, first: 20, message: 30, gone: 30, end: 50, next: 50, read: 51}),
		"a row before an earlier change": run(positions{begin: 20, first: 20, message: 30, gone: 30, end: 50, next: 50, read: 30}),
	} {
		if Compare(one, other) == nil {
			t.Errorf("%s: no difference is seen", name)
		}
	}
}

// TestScripts wants the scripts to be as large as they should be, and errors of
// wrong ones.
func TestScripts(t *testing.T) {
	total := 0
	for _, s := range Scenarios {
		for _, name := range s.Scripts {
			text, err := os.ReadFile("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			script, err := ParseScript(string(text))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			total += len(script.Before) + len(script.Stream)
		}
	}
	if total < 300 {
		t.Errorf("the scripts have %d steps, want 300", total)
	}
	for _, text := range []string{"SELECT 1", "-- @nothing", "COPY t FROM STDIN;\n1", "-- @since x", "-- @records"} {
		if _, err := ParseScript(text); err == nil {
			t.Errorf("script %q has no error", text)
		}
	}
}
