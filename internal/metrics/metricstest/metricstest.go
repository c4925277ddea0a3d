// Package metricstest has what the tests of those who have metrics share.
package metricstest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/metrics"
)

// Scrape returns the page of metrics as lines.
func Scrape(t testing.TB, r *metrics.Registry) []string {
	t.Helper()
	var page bytes.Buffer
	if _, err := r.WriteTo(&page); err != nil {
		t.Fatal(err)
	}
	return strings.Split(page.String(), "\n")
}

// Documented wants every family on the page, once, and the table of a document
// to be that of the families. The table stands between two comments that name
// it. With update it is written.
func Documented(t *testing.T, r *metrics.Registry, path, name string, update bool) {
	t.Helper()
	page := strings.Join(Scrape(t, r), "\n")
	table := &strings.Builder{}
	fmt.Fprintln(table, "| Name | Type | Labels | Meaning |\n|---|---|---|---|")
	for _, d := range r.Descs() {
		fmt.Fprintf(table, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, strings.Join(d.Labels, ", "), d.Help)
		if n := strings.Count(page, fmt.Sprintf("# TYPE %s %s\n", d.Name, d.Type)); n != 1 {
			t.Errorf("%s is on the page %d times, want once", d.Name, n)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- table: "+name+" -->\n", "<!-- end of table: "+name+" -->"
	head, rest, ok := strings.Cut(string(text), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", path, begin, end)
	}
	switch {
	case old == table.String():
	case update:
		if err := os.WriteFile(path, []byte(head+begin+table.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not have this table; go test with -run Documented -update writes it\n%s", path, table)
	}
}
