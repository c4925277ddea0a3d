package postgres

import (
	"encoding/json"
	"fmt"
	"slices"
)

// incrementalState is how far an incremental snapshot is, as an offset keeps it.
type incrementalState struct {
	ID     string             `json:"id,omitempty"` // of the signal
	Tables []incrementalTable `json:"tables"`       // the first is in work
	// Last is the key of the last row of the first table that was handed over, Max
	// the greatest key when it was begun, as text; nil: there is none yet.
	Last   []string `json:"last,omitempty"`
	Max    []string `json:"max,omitempty"`
	Rows   int64    `json:"rows,omitempty"` // of the first table
	Paused bool     `json:"paused,omitempty"`
}

// incrementalTable is a table to be read.
type incrementalTable struct {
	Name      string `json:"name"` // schema.table
	Filter    string `json:"filter,omitempty"`
	Surrogate string `json:"surrogate,omitempty"` // the column to go by, in place of the key
}

// next goes on to the next table.
func (s *incrementalState) next() {
	s.Tables = slices.Delete(s.Tables, 0, 1)
	s.Last, s.Max, s.Rows = nil, nil, 0
}

// add adds the tables that are not there yet, all or none.
func (s *incrementalState) add(tables []incrementalTable) error {
	list := slices.Clone(s.Tables)
	for _, t := range tables {
		if !slices.ContainsFunc(list, func(have incrementalTable) bool { return have.Name == t.Name }) {
			list = append(list, t)
		}
	}
	if err := fitsOffset(list, len(list)); err != nil {
		return err
	}
	s.Tables = list
	return nil
}

// fitsOffset refuses tables that an offset has no room for (I5): the log takes no
// record of more than 1 MiB, so a longer one would stop the connector for good.
func fitsOffset(list any, n int) error {
	if n > maxSnapshotTables {
		return fmt.Errorf("a snapshot of %d tables is too large: ask for %d at most", n, maxSnapshotTables)
	}
	text, err := json.Marshal(list)
	if err == nil && len(text) > maxSignal {
		err = fmt.Errorf("its tables and conditions take %d bytes together, more than %d: ask for fewer at once", len(text), maxSignal)
	}
	return err
}

// incrementalMembers are the members of an offset that are about incremental
// snapshots: ours, and Debezium's of one that it has not finished. Its keys are
// Java's serialised objects, so such a table is read from the start.
type incrementalMembers struct {
	State       *incrementalState `json:"sluice_incremental"`
	Collections string            `json:"incremental_snapshot_collections"`
}

type debeziumCollection struct {
	Name      string `json:"incremental_snapshot_collections_id"`
	Filter    string `json:"incremental_snapshot_collections_additional_condition"`
	Surrogate string `json:"incremental_snapshot_collections_surrogate_key"`
}

// loadIncremental reads the stored offset; nil: there is no snapshot.
func loadIncremental(stored json.RawMessage) (*incrementalState, error) {
	var m incrementalMembers
	if err := json.Unmarshal(stored, &m); err != nil {
		return nil, fmt.Errorf("offset of an incremental snapshot: %w", err)
	}
	if m.State != nil || m.Collections == "" {
		if m.State != nil && len(m.State.Tables) == 0 {
			return nil, nil
		}
		return m.State, nil
	}
	var list []debeziumCollection
	if err := json.Unmarshal([]byte(m.Collections), &list); err != nil {
		return nil, fmt.Errorf("offset of an incremental snapshot: incremental_snapshot_collections: %w", err)
	}
	s := new(incrementalState)
	tables := make([]incrementalTable, len(list))
	for i, c := range list {
		tables[i] = incrementalTable(c)
	}
	if err := s.add(tables); err != nil {
		return nil, err
	}
	if len(s.Tables) == 0 {
		return nil, nil
	}
	return s, nil
}
