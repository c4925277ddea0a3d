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

// Limits of signals (I5): of the data of one, of its id, and of all that wait together
// and those that an offset keeps, as JSON. A record of the log takes 1 MiB.
const (
	maxSignal      = 256 << 10
	maxSignalID    = 1024
	maxWaiting     = 1000
	maxWaitingSize = 256 << 10
)

// signal is a request to a running connector.
type signal struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data string `json:"data,omitempty"` // a JSON object
	// topicOffset is its place in the topic of signals; -1: it came another way.
	topicOffset int64
	bytes       int // memory of size; 0: it was not asked for
}

// size is what the signal takes in an offset, where some characters take six bytes.
func (s *signal) size() int {
	if s.bytes == 0 {
		text, _ := json.Marshal(s) // of strings
		s.bytes = len(text)
	}
	return s.bytes
}

// same tells whether it is the same request, come the same way.
func (s *signal) same(other *signal) bool {
	return s.ID == other.ID && s.Type == other.Type && s.Data == other.Data && s.topicOffset == other.topicOffset
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

	pattern pattern
}

// check says what is wrong with a signal as a whole.
func (s *signal) check() error {
	if len(s.ID) > maxSignalID || len(s.Data) > maxSignal || s.size() > maxSignal {
		return fmt.Errorf("it is too long: its id may have %d bytes and all of it %d as JSON", maxSignalID, maxSignal)
	}
	return nil
}

// parse reads the data of a signal.
func (s *signal) parse() (d signalData, err error) {
	if err := s.check(); err != nil || s.Data == "" {
		return d, err
	}
	if err := json.Unmarshal([]byte(s.Data), &d); err != nil {
		return d, fmt.Errorf("its data are no JSON object as signals have it: %w", err)
	}
	if len(d.Conditions) > maxSnapshotTables {
		return d, fmt.Errorf("additional-conditions has more than %d elements", maxSnapshotTables)
	}
	for i := range d.Conditions {
		if d.Conditions[i].pattern, err = compileCollection(d.Conditions[i].Collection); err != nil {
			return d, err
		}
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
	for i := range d.Conditions {
		c := &d.Conditions[i]
		if ok, err := c.pattern.matches(t.String()); ok || err != nil {
			return strings.TrimSpace(c.Filter), err
		}
	}
	return "", nil
}

// signalOf reads a signal from a row of the signal table. One that is too long is cut,
// and refused for its length later.
func signalOf(t *table, r row) (s signal, ok bool) {
	s.topicOffset = -1
	for i := range min(len(t.columns), len(r)) {
		switch data := cellText(&t.columns[i], r[i]); strings.ToLower(t.columns[i].name) {
		case "id":
			s.ID = data[:min(len(data), maxSignalID+1)]
		case "type":
			s.Type = data[:min(len(data), maxSignalID)]
		case "data":
			s.Data = data[:min(len(data), maxSignal+1)]
		}
	}
	return s, s.Type != "" && s.Type != signalWindowOpen && s.Type != signalWindowClose
}
