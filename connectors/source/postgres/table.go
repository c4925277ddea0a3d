package postgres

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// row is a row as the server sent it: a tuple of the stream, or a row of a COPY
// whose cells are text or binary as their kind says. A table says what is where.
type row = pgoutput.Tuple

// table is one version of one table: how its rows become records. It is immutable;
// a change of the table's structure makes another.
type table struct {
	oid      uint32
	name     tableName
	label    string // name as text, for counts and messages
	identity byte   // replica identity
	topic    string

	columns []column // one for each place in a row
	fields  int      // of the value
	keys    int      // fields of the key that come from columns; 0: there is no key
	// keyKnown: an old row that has only the columns of the replica identity has all of
	// the key.
	keyKnown bool
	// keySuffix is the value of a last field of the key that tells tables of one
	// topic apart; null: there is none.
	keySuffix connect.Value

	keySchema, valueSchema, envelopeSchema *connect.Schema

	source tableCells // what source says about the table
}

// column is one place in a row.
type column struct {
	name  string
	codec *pgtype.Codec // nil: the place is skipped
	mask  *columnMask   // nil: none
	field int           // of the value; -1: not there
	key   int           // field of the key; -1: not there
}

// selection is a column to select for a row.
type selection struct {
	name string
	text bool // cast it to text: its binary form cannot be read
}

// newTable returns the table whose rows are those of a SELECT of selected().
func newTable(c *config, cat *pgtype.Catalog, info tableInfo) (*table, error) {
	t, err := buildTable(c, cat, info)
	if err != nil {
		return nil, err
	}
	places := t.columns[:0:0]
	for _, column := range t.columns {
		if column.codec != nil {
			places = append(places, column)
		}
	}
	t.columns = places
	return t, nil
}

// newStreamTable returns the table whose rows are the tuples that follow a relation
// message. info is what the catalog says now.
func newStreamTable(c *config, cat *pgtype.Catalog, info tableInfo, r *pgoutput.Relation) (*table, error) {
	t, err := buildTable(c, cat, info.withRelation(r))
	if err != nil {
		return nil, err
	}
	t.keyKnown = true
	for i := range t.columns {
		if t.columns[i].key >= 0 && !r.Columns[i].Key {
			t.keyKnown = false
		}
	}
	return t, nil
}

// selected returns the columns that a row of a table of newTable has.
func (t *table) selected() []selection {
	s := make([]selection, len(t.columns))
	for i, c := range t.columns {
		s[i] = selection{c.name, !c.codec.BinaryOK()}
	}
	return s
}

// hasKey tells whether records of the table have a key.
func (t *table) hasKey() bool { return t.keySchema != nil }

func buildTable(c *config, cat *pgtype.Catalog, info tableInfo) (*table, error) {
	if err := info.checkCase(); err != nil {
		return nil, err
	}
	b := tableBuilder{config: c, catalog: cat, info: &info,
		t: &table{oid: info.oid, name: info.name, label: info.name.String(), identity: info.identity}}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("table %s: %w", info.name, err)
	}
	return b.t, nil
}
