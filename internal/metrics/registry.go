package metrics

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Type is the type of a family.
type Type string

// The types of families.
const (
	CounterType   Type = "counter"
	GaugeType     Type = "gauge"
	SummaryType   Type = "summary"
	HistogramType Type = "histogram"
)

// Desc describes a family of metrics.
type Desc struct {
	Name   string
	Type   Type
	Help   string   // one line
	Labels []string // of every sample, in this order
}

// Collector writes the present values of some families.
type Collector struct {
	Descs   []*Desc
	Collect func(w *Writer)
}

// Registry is what GET /metrics shows. The zero value is empty. It is safe for use by many goroutines.
type Registry struct {
	mu         sync.Mutex // guards collectors
	collectors []Collector
	raw        []func(io.Writer)

	scraping sync.Mutex // one answer is made at a time (I5); guards buf
	buf      bytes.Buffer
}

// Register adds a collector.
func (r *Registry) Register(c Collector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collectors = append(r.collectors, c)
}

// RegisterRaw adds a function that writes families of its own in the text format, such as those of a library.
func (r *Registry) RegisterRaw(f func(io.Writer)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, f)
}

// Descs lists the families of all collectors, sorted by name.
func (r *Registry) Descs() []*Desc {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Desc
	for _, c := range r.collectors {
		all = append(all, c.Descs...)
	}
	slices.SortFunc(all, func(a, b *Desc) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// WriteTo writes everything in the text format.
func (r *Registry) WriteTo(out io.Writer) (int64, error) {
	r.mu.Lock()
	collectors, raw := slices.Clone(r.collectors), slices.Clone(r.raw)
	r.mu.Unlock()
	r.scraping.Lock()
	defer r.scraping.Unlock()
	r.buf.Reset()
	w := &Writer{buf: r.buf.AvailableBuffer()}
	for _, c := range collectors {
		w.allowed = c.Descs
		c.Collect(w)
	}
	r.buf.Write(w.buf)
	for _, f := range raw {
		f(&r.buf)
	}
	n, err := out.Write(r.buf.Bytes())
	return int64(n), err
}

// ServeHTTP answers a scrape.
func (r *Registry) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = r.WriteTo(w) // the scraper went away
}

// Writer takes the samples of one scrape.
type Writer struct {
	buf     []byte
	allowed []*Desc
	desc    *Desc // of the family being written; nil: it was not declared
}

// Family begins a family. All its samples come before the next Family.
func (w *Writer) Family(d *Desc) {
	if w.desc = nil; !slices.Contains(w.allowed, d) {
		return
	}
	w.desc = d
	w.buf = append(w.buf, "# HELP "...)
	w.buf = append(w.buf, d.Name...)
	w.buf = append(w.buf, ' ')
	w.buf = append(w.buf, d.Help...)
	w.buf = append(w.buf, "\n# TYPE "...)
	w.buf = append(w.buf, d.Name...)
	w.buf = append(w.buf, ' ')
	w.buf = append(w.buf, d.Type...)
	w.buf = append(w.buf, '\n')
}

// Int writes a sample. labels are the values of the family's labels; trailing ones that are left out are not written, which
// is how Kafka's exporters write a total beside its parts.
func (w *Writer) Int(v int64, labels ...string) {
	if w.desc != nil {
		w.head("", labels)
		w.buf = append(strconv.AppendInt(append(w.buf, ' '), v, 10), '\n')
	}
}

// Float writes a sample as Int does.
func (w *Writer) Float(v float64, labels ...string) {
	if w.desc != nil {
		w.head("", labels)
		w.value(v)
	}
}

// One writes a family with a single sample.
func (w *Writer) One(d *Desc, v int64) {
	w.Family(d)
	w.Int(v)
}

func (w *Writer) value(v float64) {
	w.buf = append(strconv.AppendFloat(append(w.buf, ' '), v, 'g', -1, 64), '\n')
}

// head writes a sample's name and labels.
func (w *Writer) head(suffix string, labels []string) {
	w.buf = append(w.buf, w.desc.Name...)
	w.buf = append(w.buf, suffix...)
	for i, v := range labels {
		w.label(i == 0, w.desc.Labels[i], v)
	}
	if len(labels) > 0 {
		w.buf = append(w.buf, '}')
	}
}

// label writes one label, with its value escaped.
func (w *Writer) label(first bool, name, value string) {
	if first {
		w.buf = append(w.buf, '{')
	} else {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '=', '"')
	if !isPlain(value) {
		value = escaper.Replace(strings.ToValidUTF8(value, "\uFFFD"))
	}
	w.buf = append(w.buf, value...)
	w.buf = append(w.buf, '"')
}

// isPlain reports whether a label's value needs no care.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c == '\\' || c == '"' || c == '\n' {
			return false
		}
	}
	return true
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
