package postgres

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// minimal are the options without which there is no connector.
func minimal(more ...string) map[string]string {
	m := map[string]string{"database.hostname": "localhost", "database.user": "u", "database.dbname": "shop", "topic.prefix": "pre"}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func configure(t *testing.T, settings map[string]string) *config {
	t.Helper()
	c, err := Spec.Configure(settings)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*config)
}

// others are options of Debezium's whose type, default or importance is another
// here, and what it is.
var others = map[string]string{
	"plugin.name":       "STRING =pgoutput MEDIUM", // nothing else is needed on the server
	"topic.prefix":      "STRING required HIGH",
	"database.dbname":   "STRING required HIGH",
	"database.user":     "STRING required HIGH",
	"database.hostname": "STRING required HIGH",
	// Durations are LONG.
	"database.query.timeout.ms":    "LONG =600000 LOW",
	"heartbeat.interval.ms":        "LONG =0 MEDIUM",
	"notification.http.timeout.ms": "LONG =5000 LOW",
	"status.update.interval.ms":    "LONG =10000 MEDIUM",
	// What nobody reads is not taken apart.
	"custom.metric.tags":      "STRING null LOW",
	"custom.sanitize.pattern": "STRING null LOW",
}

// TestDebeziumOptions compares the options with the ConfigDef of Debezium's
// connector.
func TestDebeziumOptions(t *testing.T) {
	recorded, err := os.ReadFile("testdata/debezium/options.txt")
	if err != nil {
		t.Fatal(err)
	}
	var d connect.Def
	Spec.New().Define(&d)
	ours := make(map[string]string)
	for _, o := range d.Options() {
		def := "=" + o.Default
		switch {
		case o.Required:
			def = "required"
		case o.NoDefault || o.Default == "":
			def = "null"
		}
		ours[o.Name] = o.Type() + " " + def + " " + o.Importance.String()
	}
	n := 0
	for line := range strings.Lines(string(recorded)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		n++
		f := strings.Split(strings.TrimSpace(line), "\t")
		want := f[1] + " " + strings.TrimSuffix(strings.Replace(strings.Replace(f[2], "=class ", "=", 1), "=[", "=", 1), "]") + " " + f[3]
		if other, ok := others[f[0]]; ok {
			want = other
		}
		got, ok := ours[f[0]]
		switch {
		case !ok && len(d.Unknown(map[string]string{f[0]: "x"})) > 0 && !strings.Contains(f[0], "("):
			t.Errorf("%s is not an option", f[0])
		case ok && !strings.EqualFold(got, want):
			t.Errorf("%s\ngot  %s\nwant %s", f[0], got, want)
		}
	}
	if n < 120 {
		t.Errorf("only %d options were recorded", n)
	}
}

func TestUnknownOptionIsSuggested(t *testing.T) {
	var d connect.Def
	connect.DefineAll(Spec.New(), &d, minimal("table.include.lits", "a", "column.mask.with.8.chars", "s.t.c", "database.server.name", "x"))
	got := d.Unknown(minimal("table.include.lits", "a", "column.mask.with.8.chars", "s.t.c", "database.server.name", "x", "openlineage.integration.enabled", "false"))
	if len(got) != 1 || got[0].Suggestion != optTableInclude {
		t.Errorf("got %v, want table.include.lits with the suggestion %s", got, optTableInclude)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		set  []string
		want string
	}{
		{"both lists", []string{optTableInclude, "a.b", optTableExclude, "c.d"}, "table.exclude.list: it cannot be used together with table.include.list"},
		{"a regular expression", []string{optTableInclude, "a.[b"}, "table.include.list: the regular expression \"a.[b\""},
		{"a slot's name", []string{optSlot, "My-Slot"}, "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63"},
		{"a mode", []string{optSnapshotMode, "sometimes"}, "String must be one of: initial"},
		{"a mode in Java", []string{optSnapshotMode, "custom"}, "custom needs Java code"},
		{"a topic prefix", []string{optPrefix, "a b"}, "it has characters other than letters"},
		{"a converter", []string{"converters", "isbn"}, "it names Java code, which cannot be loaded"},
		{"a post processor", []string{"post.processors", "reselector"}, "REPLICA IDENTITY FULL"},
		{"an operation", []string{optSkipped, "c,x"}, `"x" is not an operation`},
		{"none and more", []string{optSkipped, "none,c"}, "none stands alone"},
		{"key columns", []string{optKeyColumns, "public.t"}, "is not of the form schema.table:column,column"},
		{"an identity", []string{optReplicaIdentity, "public.t:SOME"}, "is not of the form schema.table:DEFAULT"},
		{"stream parameters of ours", []string{optStreamParams, "proto_version=1"}, "proto_version is the connector's own to set"},
		{"stream parameters", []string{optStreamParams, "origin"}, "is not of the form name=value"},
		{"a select without its statement", []string{optSelectOverrides, "public.t"}, "set snapshot.select.statement.overrides.public.t"},
		{"a hash", []string{"column.mask.hash.v2.SHA-7.with.salt.x", "a.b.c"}, "its name has a hash other than"},
		{"a length", []string{"column.truncate.to.99999999.chars", "a.b.c"}, "its name has a number above"},
		{"a regex strategy", []string{optNaming, "io.debezium.schema.DefaultRegexTopicNamingStrategy"}, "topic.regex: it is needed"},
		{"a replacement", []string{optNaming, "SchemaRegexTopicNamingStrategy", optTopicRegex, "(a)", optTopicReplacement, "$2"}, "topic.replacement"},
		{"a notification topic", []string{optNotificationChannels, "sink"}, optNotificationTopic},
		{"a signal table", []string{optSignalTable, "signals"}, "is not of the form schema.table"},
		{"a signal topic", []string{optSignalTopic, "a b"}, "signal.kafka.topic: it has characters other than letters"},
		{"brokers of signals", []string{optSignalServers, "one:9092,two"}, `signal.kafka.bootstrap.servers: "two" is not HOST:PORT`},
		{"a placeholder", []string{optPlaceholder, "hex:0"}, "hex: is followed by"},
		{"a socket factory", []string{"database.sslfactory", "org.postgresql.ssl.NonValidatingFactory"}, "set database.sslmode to require"},
		{"a port", []string{optPort, "0"}, "it must be between 1 and 65535"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Spec.Configure(minimal(c.set...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}

// TestOlderSpellings has the names and values that configs of older versions have.
func TestOlderSpellings(t *testing.T) {
	settings := minimal("database.server.name", "old", "table.whitelist", "public.a", "column.blacklist", "public.a.b", "slot.drop_on_stop", "true",
		"toasted.value.placeholder", "gone", "heartbeat.topics.prefix", "hb", optSnapshotMode, "NEVER", optPlugin, "wal2json", optFlushLSN, "false",
		"decimal.handling.mode", "STRING")
	delete(settings, optPrefix)
	c := configure(t, settings)
	if c.topics.prefix != "old" || c.topics.heartbeats() != "hb.old" || c.filters.tables.include == nil || c.filters.columns.exclude == nil ||
		!c.replication.dropOnStop || string(c.types.options.Placeholder) != "gone" || c.snapshot.mode != snapshotNoData ||
		c.replication.flushMode != flushManual || c.types.options.Decimal != "string" {
		t.Errorf("an older spelling was not read: %+v", c)
	}
	settings[optPrefix] = "new"
	if c := configure(t, settings); c.topics.prefix != "new" {
		t.Errorf("got prefix %q, want that of the option's own name", c.topics.prefix)
	}
}

func TestParsedOptions(t *testing.T) {
	c := configure(t, minimal(optInitialStatements, "SET a=1; SELECT ';;' ;", optStreamParams, "origin=none; x = y",
		optReplicaIdentity, `public.a:FULL,public\.(b|c):index i_1,x.*:nothing`, optSkipped, "none",
		optSelectOverrides, "public.t", optSelectOverrides+".public.t", "SELECT 1;", "snapshot.max.threads.multiplier.public.t", "4",
		optSignalTable, "public.sig, s.x.y", optSignalChannels, "source,jmx", optPlaceholder, "hex:00ff"))
	if got := strings.Join(c.connection.initialStatements, "|"); got != "SET a=1|SELECT ';'" {
		t.Errorf("got statements %q", got)
	}
	if got := c.replication.streamParams; !slices.Equal(got, []streamParam{{"origin", "none"}, {"x", "y"}}) {
		t.Errorf("got parameters %v", got)
	}
	if r := c.replication.replicaIdentity; len(r) != 3 || r[0].identity != "FULL" || r[1].identity != "INDEX" || r[1].index != "i_1" || r[2].identity != "NOTHING" {
		t.Errorf("got identities %v", r)
	}
	if c.records.skipped != (operations{}) || !c.records.skippedGiven {
		t.Errorf("got skipped %v", c.records.skipped)
	}
	if !maps.Equal(c.snapshot.overrides, map[string]string{"public.t": "SELECT 1"}) || c.snapshot.tableMultipliers["public.t"] != 4 {
		t.Errorf("got overrides %v and multipliers %v", c.snapshot.overrides, c.snapshot.tableMultipliers)
	}
	if !slices.Equal(c.signals.tables, []tableName{{"public", "sig"}, {"s", "x.y"}}) || !slices.Equal(c.signals.channels, []string{"source"}) || c.signals.topic != "pre-signal" {
		t.Errorf("got signals %+v", c.signals)
	}
	if string(c.types.options.Placeholder) != "\x00\xff" {
		t.Errorf("got placeholder %x", c.types.options.Placeholder)
	}
	d := configure(t, minimal())
	if d.records.skipped != (operations{truncate: true}) || d.records.skippedGiven || d.replication.flushMode != flushConnector {
		t.Errorf("got defaults %+v %+v", d.records, d.replication)
	}
}
