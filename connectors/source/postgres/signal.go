package postgres

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Types of signals. Others, such as those of the rows that incremental snapshots
// write themselves, are ignored.
const (
	signalExecute     = "execute-snapshot"
	signalStop        = "stop-snapshot"
	signalPause       = "pause-snapshot"
	signalResume      = "resume-snapshot"
	signalLog         = "log"
	signalWindowOpen  = "snapshot-window-open"
	signalWindowClose = "snapshot-window-close"
)

// maxSignal is the longest data of a signal (I5).
const maxSignal = 1 << 20

// signal is a request to a running connector.
type signal struct {
	ID   string
	Type string
	Data string // a JSON object
}

// signalData is the data of every type of signal.
type signalData struct {
	Collections json.RawMessage   `json:"data-collections"` // strings; anything else refuses the signal
	Type        string            `json:"type"`
	Conditions  []signalCondition `json:"additional-conditions"`
	Surrogate   string            `json:"surrogate-key"`
	Message     string            `json:"message"`
}

type signalCondition struct {
	Collection string `json:"data-collection"`
	Filter     string `json:"filter"`
}

// parse reads the data of a signal.
func (s *signal) parse() (d signalData, err error) {
	if len(s.Data) > maxSignal {
		return d, fmt.Errorf("its data have %d bytes, more than %d", len(s.Data), maxSignal)
	}
	if s.Data == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(s.Data), &d); err != nil {
		return d, fmt.Errorf("its data are no JSON object as signals have it: %w", err)
	}
	return d, nil
}

// collections are the regular expressions for tables; none when there is no such
// member or it is empty.
func (d *signalData) collections() (patterns, error) {
	if len(d.Collections) == 0 {
		return nil, nil
	}
	var names []string
	if err := json.Unmarshal(d.Collections, &names); err != nil {
		return nil, fmt.Errorf("data-collections is no list of strings")
	}
	var list patterns
	for _, name := range names {
		p, err := compileCollection(name)
		if err != nil {
			return nil, err
		}
		if list = append(list, p); len(list) > maxSnapshotTables {
			return nil, fmt.Errorf("data-collections has more than %d elements", maxSnapshotTables)
		}
	}
	return list, nil
}

// compileCollection reads the name of a table or a regular expression for names,
// which may be quoted: "public"."orders".
func compileCollection(name string) (pattern, error) {
	name = strings.TrimSpace(name)
	if strings.HasPrefix(name, `"`) && strings.HasSuffix(name, `"`) {
		return compilePattern(regexp.QuoteMeta(strings.ReplaceAll(name, `"`, "")))
	}
	return compilePattern(name)
}

// condition is the filter for a table, "" when there is none.
func (d *signalData) condition(t tableName) (string, error) {
	for _, c := range d.Conditions {
		p, err := compileCollection(c.Collection)
		if err != nil {
			return "", err
		}
		if ok, err := p.matches(t.String()); ok || err != nil {
			return strings.TrimSpace(c.Filter), err
		}
	}
	return "", nil
}

// signalOf reads a signal from a row of the signal table.
func signalOf(t *table, r row) (s signal, ok bool) {
	fields := map[string]*string{"id": &s.ID, "type": &s.Type, "data": &s.Data}
	for i := range min(len(t.columns), len(r)) {
		if f := fields[strings.ToLower(t.columns[i].name)]; f != nil && len(r[i].Data) <= maxSignal {
			*f = string(r[i].Data)
		}
	}
	return s, s.Type != "" && s.Type != signalWindowOpen && s.Type != signalWindowClose
}
