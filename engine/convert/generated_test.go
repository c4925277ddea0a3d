package convert

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestGenerated compares with what Kafka's own converters answered to generated
// inputs. What differs must have one of the reasons of differences.txt.
func TestGenerated(t *testing.T) {
	file, err := os.Open("testdata/generated.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(recorded), "\n")
	cases := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if len(cases) < 2300 {
		t.Fatalf("only %d cases were recorded", len(cases))
	}
	reasons := map[string]int{}
	for _, c := range cases {
		lines := strings.Split(c, "\n")
		kafka, ours := lines[1:], answers(t, lines[0], true)
		for i := range max(len(kafka), len(ours)) {
			label, theirs := answer(kafka, i)
			_, own := answer(ours, i)
			if theirs == own {
				continue
			}
			reason := reasonFor(lines[0], label, theirs, own)
			reasons[reason]++
			if reason == "" {
				t.Errorf("%s\n%s\tkafka\t%s\n%s\tsluice\t%s", lines[0], label, theirs, label, own)
			}
			if label == "read" {
				break
			}
		}
	}
	if got := fmt.Sprint(reasons); got != differencesByReason {
		t.Errorf("the numbers of differences are\n%s\nwant\n%s", got, differencesByReason)
	}
}

// differencesByReason is how many differences the generated inputs have: one more
// that has a reason is to be looked at too.
const differencesByReason = "map[1 wrong type, 3 something after the value:34 10 digits of a float:113 11 a Decimal's leading bytes:3 " +
	"2 integer beyond INT64:6 4 order of names:24 6 text of a logical type or bytes:697 7 all digits of a header's number:29 " +
	"8 encoding:74 9 logical type:131]"

// Kinds of text that is the same though it is written otherwise.
var (
	floats   = regexp.MustCompile(`-?\d+\.\d+(E-?\d+)?`)
	base64s  = regexp.MustCompile(`"[A-Za-z0-9+/]+=*"`)
	times    = regexp.MustCompile(`-?\d{4,}-\d\d-\d\d(T[0-9:.]+Z)?|\d\d:\d\d:\d\d\.\d{3}Z|[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}`)
	huge     = regexp.MustCompile(`\d{19,}`)
	logicals = regexp.MustCompile(`^\w+\??\t(?:\{"schema":)?\{"type":"(int32|int64|bytes)","name":"org.apache.kafka.connect.data.`)
)

// reasonFor says which reason of differences.txt an answer has to differ, "" when
// it has none.
func reasonFor(input, label, theirs, own string) string {
	kind, text, _ := strings.Cut(input, "\t")
	switch {
	case label == "read":
		return reasonToRead(kind, text, theirs, own)
	case strings.Contains("utf8 latin1 ascii", label):
		if own == "error" && label != "utf8" && strings.Contains(unhex(theirs), "?") { // for what the encoding has not
			return "8 encoding"
		}
		theirs, own = unhex(theirs), unhex(own)
	case strings.Contains("integer long bytes", label) && theirs == "error" && logicals.MatchString(input):
		return "9 logical type"
	}
	switch {
	case strings.Contains(theirs, "[B@"), strings.Contains(theirs, "HeapByteBuffer"), times.ReplaceAllString(theirs, "T") == times.ReplaceAllString(own, "T"):
		return "6 text of a logical type or bytes"
	case same(theirs, floats, bySize(64)) == same(own, floats, bySize(64)):
		return "10 digits of a float"
	case (kind == "float" || strings.Contains(input, `"float"`)) && withoutDigits(theirs) == withoutDigits(own):
		return "10 digits of a float"
	case strings.Contains(input, connect.DecimalName) && same(theirs, base64s, shortest) == same(own, base64s, shortest):
		return "11 a Decimal's leading bytes"
	case sortedJSON(theirs) == sortedJSON(own), strings.HasPrefix(kind, "plain") && label == "string" && sortedText(theirs) == sortedText(own):
		return "4 order of names"
	}
	return ""
}

func reasonToRead(kind, text, theirs, own string) string {
	switch {
	case strings.HasSuffix(kind, "?") && own == "error":
		return "1 wrong type, 3 something after the value"
	case kind == "plain" && own == "error" && huge.MatchString(text):
		return "2 integer beyond INT64"
	case kind == "header" && own == "FLOAT64" && theirs != "STRING" && theirs != "error":
		return "7 all digits of a header's number"
	case (kind == "utf8" || kind == "ascii") && own == "error":
		return "8 encoding"
	}
	return ""
}

// same replaces what is alike by one way to write it.
func same(text string, pattern *regexp.Regexp, write func(string) string) string {
	return pattern.ReplaceAllStringFunc(text, write)
}

func bySize(bits int) func(string) string {
	return func(number string) string {
		f, err := strconv.ParseFloat(number, bits)
		if err != nil {
			return number
		}
		return strconv.FormatFloat(f, 'g', -1, bits)
	}
}

// withoutDigits leaves the digits of floats out that FLOAT32 has no room for, and
// how times are written.
func withoutDigits(text string) string {
	return times.ReplaceAllString(same(text, floats, bySize(32)), "T")
}

// shortest drops the leading bytes of a two's complement number that say nothing.
func shortest(quoted string) string {
	b, err := base64.StdEncoding.DecodeString(strings.Trim(quoted, `"`))
	if err != nil {
		return quoted
	}
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return base64.StdEncoding.EncodeToString(b)
}

func unhex(answer string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(answer, "= "))
	if err != nil {
		return answer
	}
	return string(b)
}

// sortedText sorts the entries of the text of maps.
func sortedText(answer string) string {
	entries := strings.Split(strings.NewReplacer("{", "", "}", "", "= ", "").Replace(answer), ", ")
	slices.Sort(entries)
	return strings.Join(entries, ", ")
}

// sortedJSON sorts the names of objects. Text that is no JSON stays as it is.
func sortedJSON(answer string) string {
	decoder := json.NewDecoder(strings.NewReader(strings.TrimPrefix(answer, "= ")))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return answer
	}
	text, err := json.Marshal(v)
	if err != nil {
		return answer
	}
	return string(text)
}
