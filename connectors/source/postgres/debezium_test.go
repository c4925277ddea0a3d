package postgres

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// recorded calls check for each line that Debezium's classes were given, with its
// fields and the answer. See test/conformance/postgres.
func recorded(t *testing.T, what string, least int, check func(t *testing.T, in []string, want string)) {
	text, err := os.ReadFile("testdata/debezium/" + what + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	_, answers, _ := strings.Cut(string(text), "\n")
	lines := strings.Split(strings.TrimSuffix(answers, "\n"), "\n")
	if len(lines) < 2*least {
		t.Fatalf("only %d answers were recorded", len(lines)/2)
	}
	unescape := strings.NewReplacer(`\0`, "\x00", `\L`, strings.Repeat("x", 70000))
	for i := 0; i+1 < len(lines); i += 2 {
		t.Run(lines[i], func(t *testing.T) {
			check(t, strings.Split(unescape.Replace(lines[i]), "\t"), strings.TrimPrefix(lines[i+1], "\t"))
		})
	}
}

func TestTopicsAreDebeziums(t *testing.T) {
	recorded(t, "topics", 50, func(t *testing.T, in []string, want string) {
		settings := minimal(optNaming, "io.debezium.schema."+in[0], "topic.delimiter", in[1])
		for _, option := range in[4:] {
			name, value, _ := strings.Cut(option, "=")
			settings[name] = value
		}
		c := configure(t, settings)
		topic, _, err := c.topics.table(tableName{in[2], in[3]})
		if got := strings.Join([]string{topic, topic, c.topics.transactions(), c.topics.heartbeats()}, "\t"); got != want || err != nil {
			t.Errorf("\ngot  %s, %v\nwant %s", got, err, want)
		}
	})
}

func TestNamesAreAdjustedAsDebeziums(t *testing.T) {
	recorded(t, "adjust", 70, func(t *testing.T, in []string, want string) {
		what, mode, _ := strings.Cut(in[0], " ")
		o := recordOptions{schemaNames: mode, fieldNames: mode}
		got := o.schemaName(in[1])
		if what == "field" {
			got = o.fieldName(in[1])
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// filtersDiffer are patterns of which Debezium's answers are another.
var filtersDiffer = map[string]string{
	`a\`: "error", // a backslash at the end is refused as an expression, not as a list
}

func TestFiltersAreDebeziums(t *testing.T) {
	recorded(t, "filters", 30, func(t *testing.T, in []string, want string) {
		got := "error"
		if p, err := compilePatterns(in[0]); err == nil {
			ok, err := p.match(in[1])
			if got = strconv.FormatBool(ok); err != nil {
				got = "error"
			}
		}
		if other, ok := filtersDiffer[in[0]]; ok {
			want = other
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestMasksAreDebeziums(t *testing.T) {
	recorded(t, "masks", 40, func(t *testing.T, in []string, want string) {
		words := strings.Fields(in[0])
		option := map[string]string{"truncate": "column.truncate.to.", "stars": "column.mask.with.", "v1": "column.mask.hash.", "v2": "column.mask.hash.v2."}[words[0]] + words[1]
		if len(words) == 2 {
			option += ".chars"
		} else {
			option += ".with.salt." + words[2]
		}
		c := configure(t, minimal(option, `s\.t\.c`))
		length, _ := strconv.Atoi(in[1])
		described := pgtype.Column{Name: "c", TypeOID: oidVarchar, TypeMod: int32(length) + 4}
		if length == unlimited {
			described.TypeMod = -1
		}
		v := connect.StringValue(in[2])
		if in[2] == "~" {
			v = connect.Value{}
		}
		var place column
		if err := c.masks.describe(pgtype.NewCatalog(), tableName{"s", "t"}, &described, &place); err != nil {
			t.Fatal(err)
		}
		got := "~"
		if place.mask != nil {
			v = place.masked(connect.NewBatch(1, 1<<20), v)
		}
		if !v.IsNull() {
			got = v.Text()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
