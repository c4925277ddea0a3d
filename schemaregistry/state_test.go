package schemaregistry_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// schemaLine is the record of a version as Confluent's registry writes it.
func schemaLine(subject string, version, id int, text string, deleted bool) line {
	return line{fmt.Sprintf(`{"keytype":"SCHEMA","subject":"%s","version":%d,"magic":1}`, subject, version),
		fmt.Sprintf(`{"subject":"%s","version":%d,"id":%d,"schema":%q,"deleted":%t}`, subject, version, id, text, deleted)}
}

func subjectLine(keytype, subject, value string) line {
	return line{fmt.Sprintf(`{"keytype":"%s","subject":"%s","magic":0}`, keytype, subject), value}
}

// TestTopicsMean says what the versions are that the records of a topic add up to.
func TestTopicsMean(t *testing.T) {
	const int1, string2 = "s 1 id=1 deleted=false AVRO \"int\"; ", "s 2 id=2 deleted=false AVRO \"string\"; "
	for name, c := range map[string]struct {
		lines []line
		want  string
	}{
		"a deleted subject goes on with later versions": {[]line{schemaLine("s", 1, 1, `"int"`, false), schemaLine("s", 2, 2, `"string"`, false),
			subjectLine("DELETE_SUBJECT", "s", `{"subject":"s","version":1}`)}, "s 1 id=1 deleted=true AVRO \"int\"; " + string2},
		"what is cleared of a subject is what is deleted": {[]line{schemaLine("s", 1, 1, `"int"`, true), schemaLine("s", 2, 2, `"string"`, false),
			subjectLine("CLEAR_SUBJECT", "s", `{"subject":"s"}`)}, string2},
		"versions are in order": {[]line{schemaLine("s", 2, 2, `"string"`, false), schemaLine("s", 1, 1, `"int"`, false)}, int1 + string2},
		"a version gets another schema": {[]line{schemaLine("s", 1, 1, `"int"`, false), schemaLine("s", 1, 5, `"long"`, false)},
			"s 1 id=5 deleted=false AVRO \"long\"; "},
		"an id keeps its schema": {[]line{schemaLine("s", 1, 1, `"int"`, false), schemaLine("t", 1, 1, `"long"`, false)}, int1},
		"the same text with other metadata is the id's schema": {[]line{schemaLine("s", 1, 1, `"int"`, false),
			{`{"keytype":"SCHEMA","subject":"t","version":1,"magic":1}`, `{"subject":"t","version":1,"id":1,"metadata":{"properties":{"a":"b"}},"schema":"\"int\"","deleted":false}`}},
			int1 + "t 1 id=1 deleted=false AVRO \"int\"; "},
		"a key of another magic": {[]line{schemaLine("s", 1, 1, `"int"`, false),
			{`{"keytype":"SCHEMA","subject":"s","version":2,"magic":2}`, `{"subject":"s","version":2,"id":2,"schema":"\"string\""}`}}, int1},
	} {
		r, _ := registrytest.Start(t, topicWith(t, c.lines))
		if got := contents(t, r); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
		if _, _, err := r.ByID(t.Context(), schemaregistry.Name{Context: schemaregistry.DefaultContext}, 1); name == "a version gets another schema" && code(err) != schemaregistry.CodeSchemaNotFound {
			t.Errorf("the id that no version has any more: %v", err)
		}
	}
	r, _ := registrytest.Start(t, topicWith(t, []line{{`{"keytype":"CONFIG","subject":"s","magic":1}`, `{"subject":"s","compatibilityLevel":"FULL"}`}}))
	if c, err := r.Config(t.Context(), name("s"), false); code(err) != schemaregistry.CodeNoSubjectConfig {
		t.Errorf("a config whose key has another magic counts: %+v, %v", c, err)
	}
}

// What a transaction of another client wrote and took back is nothing.
func TestAbortedRecords(t *testing.T) {
	opts := topicWith(t, []line{schemaLine("s", 1, 1, `"int"`, false)})
	w := client(t, append(slices.Clone(opts), kgo.TransactionalID("other")))
	if err := w.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	l := schemaLine("s", 2, 2, `"string"`, false)
	if err := w.ProduceSync(t.Context(), &kgo.Record{Topic: "_schemas", Key: []byte(l.key), Value: []byte(l.value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := w.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	r, _ := registrytest.Start(t, opts)
	if got, want := contents(t, r), "s 1 id=1 deleted=false AVRO \"int\"; "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A record under a key of another form is a record of its own to a compaction: what is written in its place takes it away.
func TestForeignFormsAreReplaced(t *testing.T) {
	foreign := []line{
		{`{"magic":1,"keytype":"SCHEMA","subject":"s","version":1}`, `{"subject":"s","version":1,"id":1,"schema":"\"int\"","deleted":false}`},
		{`{"magic":0,"keytype":"CONFIG","subject":"s"}`, `{"subject":"s","compatibilityLevel":"FULL"}`},
		{`{"magic":0,"keytype":"MODE","subject":"s"}`, `{"subject":"s","mode":"READWRITE"}`},
	}
	opts := topicWith(t, foreign)
	r, _ := registrytest.Start(t, opts)
	ctx, none := t.Context(), schemaregistry.None
	if _, err := r.SetConfig(ctx, name("s"), func(c *schemaregistry.Config) { c.Level = &none }); err != nil {
		t.Fatal(err)
	}
	if err := r.SetMode(ctx, name("s"), schemaregistry.Import, true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Register(ctx, name("s"), schemaregistry.Input{Text: `"long"`}, schemaregistry.RegisterOptions{ID: 5, Version: 1}); err != nil {
		t.Fatal(err)
	}
	lines := topicLines(t, opts)
	for _, l := range foreign {
		if !slices.Contains(lines, line{l.key, absent}) {
			t.Errorf("%s is left in the topic", l.key)
		}
	}
}

// A topic that would forget schemas is refused, and no retry is made.
func TestUnusableTopics(t *testing.T) {
	compact, remove := "compact", "delete"
	for policy, partitions := range map[*string]int32{&compact: 2, &remove: 1} {
		opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
		if _, err := kadm.NewClient(client(t, opts)).CreateTopic(t.Context(), partitions, 1, map[string]*string{"cleanup.policy": policy}, "_schemas"); err != nil {
			t.Fatal(err)
		}
		r := schemaregistry.New(schemaregistry.Settings{ClientOpts: opts, Providers: schemaregistry.Providers(), Logger: slog.New(slog.DiscardHandler)})
		if err := r.Run(t.Context()); !errors.Is(err, schemaregistry.ErrPermanent) { // one that takes the topic runs on
			t.Errorf("%d partitions, cleanup.policy=%s: %v", partitions, *policy, err)
		}
	}
}
