package postgres

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// Why a snapshot is taken.
const (
	kindInitial  = "initial"
	kindBlocking = "blocking" // asked for by a signal
	kindTables   = "tables"   // of tables that are captured only now
	kindAlways   = "always"   // of all tables, at each start
)

// snapshotState is how far an unfinished snapshot is, as an offset keeps it:
//
//	{"kind": "initial",
//	 "at":   "742:745:743",   the snapshot S that the rows belong to; empty: it cannot be resumed
//	 "lsn":  "0/1A2B3C8",     where the stream that follows S begins
//	 "ts_us": 1700000000000000,
//	 "done": "cn4,3,3.2",     the relations that are done, an oidSet
//	 "rel":  16390, "page": 17, "tuple": 4,   the last row that was handed over
//	 "rows": 12345,
//	 "tables": [{"name": "public.orders", "select": "SELECT …"}]}   of a signal; all when missing
//	 "before": {"schemas": …, "tables": …}   only tables that these filters do not capture
//
// docs/decisions/0009 has the proof that this is enough.
type snapshotState struct {
	Kind     string          `json:"kind"`
	At       string          `json:"at"`
	LSN      pgoutput.LSN    `json:"-"`
	LSNText  string          `json:"lsn"`
	Micros   int64           `json:"ts_us"`
	Done     oidSet          `json:"done,omitempty"`
	Relation uint32          `json:"rel,omitempty"`
	Page     uint32          `json:"page,omitempty"`
	Tuple    uint16          `json:"tuple,omitempty"`
	Rows     int64           `json:"rows,omitempty"`
	ID       string          `json:"id,omitempty"` // of the signal
	Tables   []snapshotTable `json:"tables,omitempty"`
	Before   *capturedFilter `json:"before,omitempty"`

	seen visibility // At, parsed
}

// snapshotTable is a table that a signal asks for.
type snapshotTable struct {
	Name   string `json:"name"`             // schema.table
	Select string `json:"select,omitempty"` // instead of all rows
}

// maxSnapshotTables bounds the tables that a signal may ask for, since the offset
// keeps them (I5).
const maxSnapshotTables = 1000

// init fills the fields that the offset keeps in another form.
func (s *snapshotState) init() (err error) {
	if s.LSN, err = pgoutput.ParseLSN(s.LSNText); err != nil {
		return fmt.Errorf("offset of a snapshot: %w", err)
	}
	if s.At != "" {
		if s.seen, err = parseVisibility(s.At); err != nil {
			return fmt.Errorf("offset of a snapshot: %w", err)
		}
	}
	return nil
}

// restart forgets all progress: S is not known, so nothing can be resumed.
func (s *snapshotState) restart() {
	s.Done, s.Relation, s.Page, s.Tuple, s.Rows = nil, 0, 0, 0, 0
}

// oidSet is a set of relations, ascending. As text it is the runs of neighbours:
// the distance from the run before and, after a dot, how many more follow, in base
// 36. Tables that were made one after the other take three characters each.
type oidSet []uint32

func (s oidSet) has(oid uint32) bool {
	_, ok := slices.BinarySearch(s, oid)
	return ok
}

func (s *oidSet) add(oid uint32) {
	if i, ok := slices.BinarySearch(*s, oid); !ok {
		*s = slices.Insert(*s, i, oid)
	}
}

// MarshalJSON implements json.Marshaler.
func (s oidSet) MarshalJSON() ([]byte, error) {
	dst := []byte{'"'}
	last := uint32(0)
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && s[i+n] == s[i]+uint32(n) {
			n++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(s[i]-last), 36)
		if n > 1 {
			dst = append(dst, '.')
			dst = strconv.AppendUint(dst, uint64(n-1), 36)
		}
		i += n
		last = s[i-1]
	}
	return append(dst, '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *oidSet) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*s = nil
	last := uint64(0)
	for run := range strings.SplitSeq(text, ",") {
		if run == "" {
			continue
		}
		step, more, _ := strings.Cut(run, ".")
		first, n, err := parseRun(step, more)
		if err != nil || last+first+n > 1<<32-1 || uint64(len(*s))+n > maxRelations {
			return fmt.Errorf("offset of a snapshot: %q is no list of relations", clip(text))
		}
		for oid := last + first; oid <= last+first+n; oid++ {
			*s = append(*s, uint32(oid))
		}
		last += first + n
	}
	return nil
}

// maxRelations bounds the relations of a set (I5).
const maxRelations = 1 << 20

func parseRun(step, more string) (first, n uint64, err error) {
	if first, err = strconv.ParseUint(step, 36, 32); err == nil && more != "" {
		n, err = strconv.ParseUint(more, 36, 32)
	}
	if err == nil && first == 0 {
		err = strconv.ErrRange
	}
	return first, n, err
}
