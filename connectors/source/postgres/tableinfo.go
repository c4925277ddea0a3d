package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// tableInfo is what the catalog says about a table.
type tableInfo struct {
	oid      uint32
	name     tableName
	kind     byte            // relkind
	identity byte            // relreplident: one of pgoutput's Identity constants
	columns  []pgtype.Column // in the order of attnum, without dropped ones
	// primaryKey and uniqueIndex are names of columns in the order of the index. The
	// unique index is the first by name that has no expression and no predicate.
	primaryKey, uniqueIndex []string
}

// column returns the column of a name, or nil.
func (t *tableInfo) column(name string) *pgtype.Column {
	for i := range t.columns {
		if t.columns[i].Name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// withRelation returns the table as a relation message has it. The catalog is read
// later than the change was written: columns that it has already or has no more are
// those of the message, with what the catalog knows about columns of the same name.
// A column that the catalog does not know may be null.
func (t tableInfo) withRelation(r *pgoutput.Relation) tableInfo {
	known := t
	t.oid, t.name, t.identity = r.OID, tableName{r.Namespace, r.Name}, r.Identity
	t.columns = make([]pgtype.Column, len(r.Columns))
	for i, c := range r.Columns {
		var column pgtype.Column
		if k := known.column(c.Name); k != nil {
			column = *k
			if k.TypeOID != c.TypeOID {
				column.HasDefault, column.Default = false, "" // an expression of another type
			}
		}
		column.Name, column.TypeOID, column.TypeMod = c.Name, c.TypeOID, c.TypeMod
		t.columns[i] = column
	}
	return t
}

// key returns the names of the key's columns. Those that the table does not have
// yet are left out.
func (t *tableInfo) key() []string {
	names := t.primaryKey
	if len(names) == 0 {
		names = t.uniqueIndex
	}
	var key []string
	for _, name := range names {
		if t.column(name) != nil {
			key = append(key, name)
		}
	}
	return key
}

// checkCase refuses names that differ only in their case: many readers of the
// records cannot tell them apart.
func (t *tableInfo) checkCase() error {
	seen := make(map[string]string, len(t.columns))
	for _, c := range t.columns {
		lower := strings.ToLower(c.Name)
		if other, dup := seen[lower]; dup {
			return fmt.Errorf("table %s has the columns %q and %q, which differ only in case: rename one of them, or leave the table out with %s",
				t.name, other, c.Name, optTableExclude)
		}
		seen[lower] = c.Name
	}
	return nil
}

// withoutGenerated returns the table without generated columns, which the stream
// does not have.
func (t tableInfo) withoutGenerated() tableInfo {
	t.columns = slices.DeleteFunc(slices.Clone(t.columns), func(c pgtype.Column) bool { return c.Generated })
	return t
}
