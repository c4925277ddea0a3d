package file

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

var update = flag.Bool("update", false, "write testdata/differences.txt")

// differencesHeader explains the file; it is kept by hand.
const differencesHeader = `# Where the source answers otherwise than Kafka's (kafka.txt), on purpose: positions are bytes, which Kafka's
# task counts in UTF-16 characters.

`

// TestKafka plays cases.txt and compares with what Kafka's own task answered.
func TestKafka(t *testing.T) {
	recorded, err := os.ReadFile("testdata/kafka.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := differencesHeader
	cases := 0
	for _, block := range strings.Split(string(recorded), "\n\n") {
		block = strings.Trim(block, "\n")
		if block == "" || strings.HasPrefix(block, "#") {
			continue
		}
		cases++
		if ours := play(t, block); ours != block {
			got += difference(block, ours)
		}
	}
	if cases < 20 {
		t.Fatalf("only %d cases were recorded", cases)
	}
	const file = "testdata/differences.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the differences are not those of %s; look at them with -update and git diff\ngot  %q\nwant %q", file, got, want)
	}
}

// difference shows the lines that differ, under the steps.
func difference(kafka, ours string) string {
	var b strings.Builder
	k, o := strings.Split(kafka, "\n"), strings.Split(ours, "\n")
	for i := range max(len(k), len(o)) {
		theirs, own := at(k, i), at(o, i)
		if theirs == own {
			if !strings.HasPrefix(theirs, "\t") {
				fmt.Fprintln(&b, theirs)
			}
			continue
		}
		fmt.Fprintf(&b, "kafka%s\nsluice%s\n", theirs, own)
	}
	return b.String() + "\n"
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// play does the steps of a recorded case and returns them with our answers.
func play(t *testing.T, block string) string {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, path)
	var out []string
	for _, step := range strings.Split(block, "\n") {
		if strings.HasPrefix(step, "\t") {
			continue
		}
		out = append(out, step)
		verb, rest, _ := strings.Cut(step, " ")
		switch verb {
		case "append":
			appendTo(t, path, unescape(t, rest))
		case "poll":
			out = append(out, r.poll()...)
		case "position":
			r.offset = json.RawMessage(`{"position":` + rest + `}`)
			r.restart()
		case "restart":
			r.restart()
		case "alter", "stdin":
			out = append(out, alter(verb == "stdin", rest))
		default:
			t.Fatalf("unknown step %q", step)
		}
	}
	return strings.Join(out, "\n")
}

// poll reads line by line, so that each has its mark, until there is none.
func (r *reader) poll() []string {
	var out []string
	for {
		s := r.source.(*Source)
		if !hasLine(r.t, s) {
			return out
		}
		lines, err := r.read(1, patience)
		if err != nil {
			r.t.Fatal(err)
		}
		offset, err := parsePosition(r.offset)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("\tSTRING\t%d\t%s", offset, strings.ReplaceAll(lines[0], "\t", `\t`)))
	}
}

// hasLine tells whether a Read would find a line without waiting: one ends in what
// the file has after the source's position.
func hasLine(t testing.TB, s *Source) bool {
	t.Helper()
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	position := s.position
	if s.file == nil {
		if err := s.resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		position, s.regular = s.position, false
	}
	var l lines
	l.added(copy(l.room(), text[min(position, int64(len(text))):]))
	_, size := l.next()
	return size > 0
}

func alter(stdin bool, arguments string) string {
	c := &Config{file: "/f", topic: "t"}
	if stdin {
		c.file = ""
	}
	partition, offset, _ := strings.Cut(arguments, " ")
	m := connect.Mark{Partition: json.RawMessage(partition), Offset: json.RawMessage(offset)}
	if offset == "null" {
		m.Offset = nil
	}
	ok, err := c.AlterOffsets(context.Background(), []connect.Mark{m})
	if err != nil {
		return "\t" + err.Error()
	}
	return "\t" + strconv.FormatBool(ok)
}

func unescape(t *testing.T, text string) string {
	t.Helper()
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
