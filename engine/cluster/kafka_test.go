package cluster

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What testdata holds was recorded from Kafka Connect's own classes by
// test/conformance/workers/record.sh.

// parseWork reads connectors, and tasks as connector-number, with commas between.
func parseWork(t testing.TB, text string) []TaskID {
	var work []TaskID
	for item := range strings.SplitSeq(text, ",") {
		name, number, isTask := strings.Cut(item, "-")
		switch {
		case isTask:
			work = append(work, TaskID{name, parseInt(t, number)})
		case item != "":
			work = append(work, TaskID{item, connectorTask})
		}
	}
	return work
}

func parseInt(t testing.TB, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func showWork(work []TaskID) string {
	var names []string
	for _, t := range work {
		if t.isConnector() {
			names = append(names, t.Connector)
		} else {
			names = append(names, fmt.Sprintf("%s-%d", t.Connector, t.Task))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// Our bytes are Java's, and Java's are read as what they were made of.
func TestWireFormat(t *testing.T) {
	text, err := os.ReadFile("testdata/wire.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return l == "" || l[0] == '#' })
	if len(lines) < 20 {
		t.Fatalf("%d lines in wire.txt", len(lines))
	}
	for pair := range slices.Chunk(lines, 2) {
		kind, rest, _ := strings.Cut(pair[0], " ")
		f := map[string]string{}
		for field := range strings.SplitSeq(rest, " ") {
			k, v, _ := strings.Cut(field, "=")
			f[k] = v
		}
		want, err := hex.DecodeString(pair[1])
		if err != nil {
			t.Fatal(err)
		}
		version := int16(parseInt(t, f["version"]))
		var a *assignment
		if _, ok := f["leader"]; ok {
			a = &assignment{version: version, err: int16(parseInt(t, f["error"])), leader: f["leader"], leaderURL: f["leaderurl"],
				offset: int64(parseInt(t, f["leaderoffset"])), work: parseWork(t, f["work"]), revoked: parseWork(t, f["revoked"])}
			if f["delay"] != "" {
				a.delay = time.Duration(parseInt(t, f["delay"])) * time.Millisecond
			}
		}
		if kind == "subscription" {
			s := &subscription{version: version, url: f["url"], offset: int64(parseInt(t, f["offset"])), current: a}
			checkWire(t, pair[0], s.encode(), want)
			got, err := decodeSubscription(want)
			if err != nil || !sameAssignment(got.current, s.current) || got.url != s.url || got.offset != s.offset || got.version != s.version {
				t.Errorf("%s: read %+v, %v", pair[0], got, err)
			}
			continue
		}
		checkWire(t, pair[0], a.encode(), want)
		if got, err := decodeAssignment(want); err != nil || !sameAssignment(got, a) {
			t.Errorf("%s: read %+v, %v", pair[0], got, err)
		}
	}
}

func checkWire(t *testing.T, what string, got, want []byte) {
	if string(got) != string(want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

// sameAssignment compares all but the order of work.
func sameAssignment(a, b *assignment) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	for _, w := range []*[]TaskID{&x.work, &x.revoked, &y.work, &y.revoked} {
		*w = slices.Clone(*w)
		slices.SortFunc(*w, compareTasks)
	}
	return reflect.DeepEqual(x, y)
}

// scenarios calls do for each recorded round with what it was computed from and what
// Kafka made of it; it returns the number of rounds.
func scenarios(t testing.TB, scenario func(maxDelay time.Duration), do func(line string, r round, want string)) int {
	file, err := os.Open("testdata/rounds.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 0
	lines := bufio.NewScanner(unzip)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if ms, ok := strings.CutPrefix(lines.Text(), "scenario delay="); ok {
			scenario(time.Duration(parseInt(t, ms)) * time.Millisecond)
			continue
		}
		input, want, _ := strings.Cut(lines.Text(), " => ")
		do(input, parseRound(t, input), want)
		rounds++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rounds
}

func parseRound(t testing.TB, input string) round {
	r := round{configured: set{}, members: map[string][]TaskID{}}
	for field := range strings.SplitSeq(input, " ") {
		key, value, ok := strings.Cut(field, "=")
		switch {
		case !ok:
			name, work, _ := strings.Cut(field, ":")
			r.members[name] = parseWork(t, work)
		case key == "now":
			r.now = time.UnixMilli(int64(parseInt(t, value)))
		case key == "last":
			r.lastCompleted = int32(parseInt(t, value))
		case key == "gen":
			r.generation = int32(parseInt(t, value))
		case key == "conf":
			for i := 0; i < len(value); i += 2 { // a letter and a digit each
				r.configured[TaskID{value[i : i+1], connectorTask}] = true
				for n := range int(value[i+1] - '0') {
					r.configured[TaskID{value[i : i+1], n}] = true
				}
			}
		}
	}
	return r
}

// The assignor gives the answers of Kafka's IncrementalCooperativeAssignor.
func TestAssignorAgainstKafka(t *testing.T) {
	var s state
	var maxDelay time.Duration
	number, failed := 0, 0
	rounds := scenarios(t, func(d time.Duration) { s, maxDelay = newState(), d; number++ }, func(line string, r round, want string) {
		var changes map[string]change
		s, changes = s.assign(r, maxDelay)
		got := fmt.Sprint(s.delay.Milliseconds())
		for _, member := range slices.Sorted(maps.Keys(changes)) {
			if c := changes[member]; len(c.added) > 0 {
				got += " " + member + "+" + showWork(c.added)
			}
			if c := changes[member]; len(c.revoked) > 0 {
				got += " " + member + "-" + showWork(c.revoked)
			}
		}
		if got != want && failed < 10 {
			failed++
			t.Errorf("scenario %d, at most %s:\n%s\n got %s\nwant %s", number, maxDelay, line, got, want)
		}
	})
	if rounds < 4000 {
		t.Errorf("only %d rounds were compared", rounds)
	}
}
