package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const examples = "../../examples/monitoring/"

// dashboard is what matters here of Grafana's format.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Panels        []panel
	Templating    struct {
		List []struct {
			Name, Type string
			Definition string
			Datasource *datasource
		}
	}
}

type panel struct {
	ID         int
	Type       string
	Title      string
	Datasource *datasource
	GridPos    struct{ H, W, X, Y int }
	Targets    []struct {
		RefID      string `json:"refId"`
		Expr       string
		Datasource *datasource
	}
}

type datasource struct{ Type, UID string }

func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	all := map[string]*dashboard{}
	for _, name := range []string{"grafana-worker.json", "grafana-broker.json"} {
		b, err := os.ReadFile(examples + name)
		if err != nil {
			t.Fatal(err)
		}
		d := &dashboard{}
		if err := json.Unmarshal(b, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = d
	}
	return all
}

// TestDashboardsCanBeImported checks what Grafana needs to show them with any
// data source.
func TestDashboardsCanBeImported(t *testing.T) {
	for name, d := range dashboards(t) {
		if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || len(d.Panels) == 0 {
			t.Errorf("%s: uid %q, title %q, schema version %d, %d panels", name, d.UID, d.Title, d.SchemaVersion, len(d.Panels))
		}
		defined := map[string]string{"__rate_interval": ""}
		for _, v := range d.Templating.List {
			defined[v.Name] = v.Type
			if v.Type == "query" && !isVariable(v.Datasource) {
				t.Errorf("%s: variable %s has a data source of its own", name, v.Name)
			}
		}
		if defined["datasource"] != "datasource" || defined["instance"] != "query" {
			t.Errorf("%s: variables %v, want a data source and an instance", name, defined)
		}
		if _, ok := defined["connector"]; !ok && name == "grafana-worker.json" {
			t.Errorf("%s: no variable connector", name)
		}
		ids := map[int]bool{}
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d, %q: its id is taken, or it has no title", name, p.ID, p.Title)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if taken[[2]int{x, y}] != "" || x >= 24 {
						t.Fatalf("%s: panel %q lies on %q or outside", name, p.Title, taken[[2]int{x, y}])
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if !isVariable(p.Datasource) || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q has a data source of its own, or no query", name, p.Title)
			}
			for _, q := range p.Targets {
				if !isVariable(q.Datasource) || q.RefID == "" {
					t.Errorf("%s: a query of panel %q has a data source of its own, or no name", name, p.Title)
				}
				for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
					if _, ok := defined[v[1]]; !ok {
						t.Errorf("%s: panel %q uses the variable %s, which there is not", name, p.Title, v[1])
					}
				}
			}
		}
	}
}

func isVariable(d *datasource) bool {
	return d != nil && d.Type == "prometheus" && d.UID == "${datasource}"
}

// query is a query of a dashboard, with values for its variables.
type query struct{ where, expr string }

func queries(t *testing.T) (all []query) {
	t.Helper()
	values := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$connector", ".*", "$topic", ".*")
	boards := dashboards(t)
	for _, name := range slices.Sorted(maps.Keys(boards)) {
		for _, p := range boards[name].Panels {
			for _, q := range p.Targets {
				all = append(all, query{name + ", " + p.Title + ", " + q.RefID, values.Replace(q.Expr)})
			}
		}
		for _, v := range boards[name].Templating.List {
			if m := regexp.MustCompile(`^label_values\((.*), \w+\)$`).FindStringSubmatch(v.Definition); m != nil {
				all = append(all, query{name + ", variable " + v.Name, values.Replace(m[1])})
			} else if v.Type == "query" {
				t.Errorf("%s: variable %s is %q, want label_values", name, v.Name, v.Definition)
			}
		}
	}
	return all
}

// TestExamplesUseWhatThereIs looks up the names and labels of every query of the
// dashboards and alerts.
func TestExamplesUseWhatThereIs(t *testing.T) {
	page, families := busyPage(t)
	labels := map[string][]string{"up": nil}
	for _, d := range families {
		labels[d.Name] = d.Labels
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			labels[d.Name+suffix] = d.Labels
		}
	}
	for _, s := range samples(string(page)) {
		if strings.HasPrefix(s.name, "process_") || strings.HasPrefix(s.name, "go_") {
			labels[s.name] = nil
		}
	}
	rules, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	all := queries(t)
	for _, m := range regexp.MustCompile(`(?m)^ *expr: (.*)$`).FindAllStringSubmatch(string(rules), -1) {
		all = append(all, query{"alerts", m[1]})
	}
	if len(all) < 100 {
		t.Fatalf("%d queries were found, which are not all", len(all))
	}
	always := []string{"instance", "job", "le", "quantile"}
	for _, q := range all {
		for _, m := range regexp.MustCompile(`\b((?:kafka|sluice|process|go)_\w+|up)\b(?:\{([^}]*)\})?`).FindAllStringSubmatch(q.expr, -1) {
			of, ok := labels[m[1]]
			if !ok {
				t.Errorf("%s: there is no metric %s", q.where, m[1])
			}
			for _, l := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(of, l[1]) && !slices.Contains(always, l[1]) {
					t.Errorf("%s: %s has no label %s", q.where, m[1], l[1])
				}
			}
		}
	}
}

// sample is one line of a page.
type sample struct {
	name, labels string
	value        float64
}

func samples(page string) (all []sample) {
	line := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	for _, m := range line.FindAllStringSubmatch(page, -1) {
		v, err := strconv.ParseFloat(m[3], 64)
		if err == nil {
			all = append(all, sample{m[1], m[2], v})
		}
	}
	return all
}

// TestQueriesFindSomething has promtool parse every query of the dashboards and
// evaluate it over the page of a server that was used: it must have an answer.
func TestQueriesFindSomething(t *testing.T) {
	page, _ := busyPage(t)
	var rules, test strings.Builder
	rules.WriteString("groups:\n- name: queries\n  rules:\n")
	test.WriteString("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n")
	for _, s := range samples(string(page)) {
		labels := strings.Join(slices.DeleteFunc([]string{`instance="sluice:8083"`, `job="sluice"`, s.labels}, func(l string) bool { return l == "" }), ",")
		value := strconv.FormatFloat(s.value, 'f', -1, 64)
		if s.value != s.value {
			value = "0" // nothing was observed yet
		}
		fmt.Fprintf(&test, "  - series: '%s{%s}'\n    values: '%s+0x20'\n", s.name, strings.ReplaceAll(labels, "'", "''"), value)
	}
	test.WriteString("  alert_rule_test:\n")
	checked := 0
	for i, q := range queries(t) {
		// Groups of workers are another page's.
		if strings.Contains(q.expr, "kafka_connect_worker_rebalance_") {
			continue
		}
		fmt.Fprintf(&rules, "  - alert: Q%d\n    expr: %q\n    annotations: {query: %q}\n", i, "absent("+q.expr+")", q.where)
		fmt.Fprintf(&test, "  - {eval_time: 15m, alertname: Q%d}\n", i)
		checked++
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yml": rules.String(), "test.yml": test.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := promtool(t, nil, "check", "rules", filepath.Join(dir, "rules.yml")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := promtool(t, nil, "test", "rules", filepath.Join(dir, "test.yml")); err != nil {
		t.Errorf("queries without an answer: %v\n%s", err, out)
	}
	t.Logf("%d queries", checked)
}
