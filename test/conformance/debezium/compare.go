package debezium

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Difference is one place in which a run is not what Debezium does.
type Difference struct {
	Topic  string
	Record int    // its number in the topic, -1 when it is about the whole topic
	Path   string // within the record, such as value.after.amount
	Want   string
	Got    string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s record %d %s:\n  want %s\n  got  %s", d.Topic, d.Record, d.Path, shorten(d.Want), shorten(d.Got))
}

// shorten keeps a line readable.
func shorten(s string) string {
	if len(s) > 400 {
		return s[:200] + " ... " + s[len(s)-200:]
	}
	return s
}

// Compare returns where got differs from what Debezium made of the same scenario.
func Compare(want, got []Topic) []Difference {
	var all []Difference
	for _, w := range want {
		i := slices.IndexFunc(got, func(g Topic) bool { return g.Name == w.Name })
		if i < 0 {
			all = append(all, Difference{w.Name, -1, "topic", fmt.Sprintf("%d records", len(w.Records)), "no topic"})
			continue
		}
		all = append(all, compareTopic(&w, &got[i])...)
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w Topic) bool { return w.Name == g.Name }) {
			all = append(all, Difference{g.Name, -1, "topic", "no topic", fmt.Sprintf("%d records, the first %v", len(g.Records), g.Records[0])})
		}
	}
	return all
}

func compareTopic(want, got *Topic) []Difference {
	var all []Difference
	add := func(record int, path, w, g string) {
		all = append(all, Difference{want.Name, record, path, w, g})
	}
	if len(want.Records) != len(got.Records) {
		add(-1, "records", outline(want), outline(got))
	}
	for _, pair := range align(want.Records, got.Records) {
		compareEntry(want.Records[pair[0]], got.Records[pair[1]], func(path, w, g string) { add(pair[0], path, w, g) })
	}
	for i := range min(len(want.Schemas), len(got.Schemas)) {
		compareJSON("schema", want.Schemas[i], got.Schemas[i], func(path, w, g string) { add(i, path, w, g) })
	}
	if len(want.Schemas) != len(got.Schemas) {
		add(-1, "schemas", fmt.Sprint(len(want.Schemas)), fmt.Sprint(len(got.Schemas)))
	}
	return all
}

// align pairs the records of two runs: one by one, or when their number differs the
// longest sequence of operations on keys that both have.
func align(want, got []Entry) [][2]int {
	var pairs [][2]int
	if len(want) == len(got) {
		for i := range want {
			pairs = append(pairs, [2]int{i, i})
		}
		return pairs
	}
	w, g := operations(want), operations(got)
	common := make([][]int, len(w)+1) // the length of that sequence in the rests from i and j
	for i := range common {
		common[i] = make([]int, len(g)+1)
	}
	for i := len(w) - 1; i >= 0; i-- {
		for j := len(g) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if w[i] == g[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	for i, j := 0, 0; i < len(w) && j < len(g); {
		switch {
		case w[i] == g[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

func operations(records []Entry) []string {
	words := make([]string, len(records))
	for i, e := range records {
		words[i] = operation(e)
	}
	return words
}

// outline says in short what is in a topic: the operation and key of each record.
func outline(t *Topic) string {
	return fmt.Sprintf("%d: %s", len(t.Records), strings.Join(operations(t.Records), " "))
}

func operation(e Entry) string {
	_, v := sideOf(strings.TrimPrefix(e[1], "value "))
	n, err := parseJSON([]byte(v))
	if err != nil {
		return v
	}
	_, k := sideOf(strings.TrimPrefix(e[0], "key "))
	return n.get("op").str() + n.get("status").str() + k
}

// sideOf splits a key or value into its schema's number and its payload.
func sideOf(s string) (schema, payload string) {
	if rest, ok := strings.CutPrefix(s, "schema "); ok {
		schema, payload, _ = strings.Cut(rest, " ")
		return schema, payload
	}
	return "", s
}

type report func(path, want, got string)

func compareEntry(want, got Entry, add report) {
	for i, side := range []string{"key", "value"} {
		ws, w := sideOf(strings.TrimPrefix(want[i], side+" "))
		gs, g := sideOf(strings.TrimPrefix(got[i], side+" "))
		if ws != gs {
			add(side+" schema", ws, gs)
		}
		compareJSON(side, w, g, add)
	}
	w, g := want[2:], got[2:]
	for _, line := range w {
		if !slices.Contains(g, line) {
			add(headerPath(line), line, strings.Join(withPrefix(g, headerPath(line)), ", "))
		}
	}
	for _, line := range g {
		if len(withPrefix(w, headerPath(line))) == 0 {
			add(headerPath(line), "", line)
		}
	}
}

// headerPath is "header NAME" of a header's line.
func headerPath(line string) string {
	words := strings.SplitN(line, " ", 3)
	return strings.Join(words[:min(2, len(words))], " ")
}

func withPrefix(lines []string, prefix string) []string {
	var found []string
	for _, l := range lines {
		if strings.HasPrefix(l, prefix+" ") {
			found = append(found, l)
		}
	}
	return found
}

func compareJSON(path, want, got string, add report) {
	if want == got {
		return
	}
	w, werr := parseJSON([]byte(want))
	g, gerr := parseJSON([]byte(got))
	if werr != nil || gerr != nil {
		add(path, want, got)
		return
	}
	compareNodes(path, w, g, add)
}

// compareNodes finds the smallest parts that differ.
func compareNodes(path string, want, got *node, add report) {
	switch {
	case want.kind != got.kind || want.kind == 0:
		if want.String() != got.String() {
			add(path, want.String(), got.String())
		}
	case want.kind == '[':
		if len(want.items) != len(got.items) {
			add(path, want.String(), got.String())
			return
		}
		for i := range want.items {
			compareNodes(fmt.Sprintf("%s%s", path, element(want.items[i], i)), want.items[i], got.items[i], add)
		}
	default:
		if names(want) != names(got) {
			add(path+" members", names(want), names(got))
		}
		for _, m := range want.members {
			if other := got.get(m.name); other != nil {
				compareNodes(path+"."+m.name, m.value, other, add)
			}
		}
	}
}

// element names an element of an array: a field of a schema by its name.
func element(n *node, i int) string {
	for _, name := range []string{"field", "name"} { // Connect's and Avro's
		if f := n.get(name); f != nil {
			return "." + f.str()
		}
	}
	return fmt.Sprintf("[%d]", i)
}

func names(n *node) string {
	var all []string
	for _, m := range n.members {
		all = append(all, m.name)
	}
	return strings.Join(all, " ")
}

// Group puts differences together that are alike, with their number and the first of
// each, in the order in which they came.
func Group(all []Difference) []string {
	type group struct {
		first Difference
		count int
	}
	var order []string
	groups := make(map[string]*group)
	for _, d := range all {
		key := d.Topic + " " + d.Path
		if strings.Contains(d.Path, "source.") || strings.HasPrefix(d.Path, "header") {
			key = d.Path
		}
		if groups[key] == nil {
			groups[key] = &group{first: d}
			order = append(order, key)
		}
		groups[key].count++
	}
	lines := make([]string, len(order))
	for i, key := range order {
		lines[i] = fmt.Sprintf("%d× %s", groups[key].count, groups[key].first)
	}
	return lines
}

// A Decision is a difference that is meant to be, and why.
type Decision struct {
	Scenario, Topic, Path string // patterns of path.Match; a topic's is without its prefix
	Want, Got             string // what each has, if not empty
	Reason                string
}

// covers tells whether the decision is about this difference. What is said of a
// scenario holds with Avro too.
func (c *Decision) covers(scenario string, d Difference) bool {
	match := func(pattern, name string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	}
	_, topic, _ := strings.Cut(d.Topic, ".")
	return (match(c.Scenario, scenario) || match(c.Scenario, strings.TrimSuffix(scenario, avroSuffix))) && match(c.Topic, topic) && match(c.Path, d.Path) &&
		(c.Want == "" || c.Want == d.Want) && (c.Got == "" || c.Got == d.Got)
}
