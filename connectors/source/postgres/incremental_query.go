package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// errUnreadable marks what no other attempt would change.
var errUnreadable = errors.New("the table cannot be read so")

// chunkQuery reads a table in the order of a key, a few rows at a time.
type chunkQuery struct {
	table  *table
	info   tableInfo // what the catalog said of it
	filter string    // SQL condition; "": all rows
	keys   []keyColumn
}

// keyColumn is a column of the key that a table is read by.
type keyColumn struct {
	name     string
	typeName string // as SQL has it
	nullable bool
}

// readKeyColumns asks for the types of the columns.
func readKeyColumns(ctx context.Context, q querier, oid uint32, names []string) ([]keyColumn, error) {
	keys := make([]keyColumn, len(names))
	for i, name := range names {
		keys[i].name = name
		err := q.QueryRow(ctx, fmt.Sprintf(`SELECT format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute
			WHERE attrelid = %d AND attname = %s AND attnum > 0 AND NOT attisdropped`, oid, quoteLiteral(name))).Scan(&keys[i].typeName, &keys[i].nullable)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, fmt.Errorf("%w: it has no column %s", errUnreadable, clip(name))
		}
		if err != nil {
			return nil, fmt.Errorf("read the key column %s: %w", name, err)
		}
	}
	return keys, nil
}

// list are the key's columns with their table's name, without which ORDER BY would
// mean those of the answer.
func (q *chunkQuery) list(suffix string) string {
	names := make([]string, len(q.keys))
	for i, k := range q.keys {
		names[i] = q.from() + "." + quoteIdent(k.name) + suffix
	}
	return strings.Join(names, ", ")
}

// row is a key as a row of SQL.
func (q *chunkQuery) row(key []string) string {
	values := make([]string, len(q.keys))
	for i, k := range q.keys {
		values[i] = quoteLiteral(key[i]) + "::" + k.typeName
	}
	return "ROW(" + strings.Join(values, ", ") + ")"
}

func (q *chunkQuery) from() string { return quoteTable(q.table.name.schema, q.table.name.name) }

// greatest is the query for the greatest key.
func (q *chunkQuery) greatest() string {
	where := ""
	if q.filter != "" {
		where = " WHERE (" + q.filter + ")"
	}
	return fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s LIMIT 1", q.list("::text"), q.from(), where, q.list(" DESC NULLS LAST"))
}

// rows is the query for the next rows: first the keys as text, then the row.
func (q *chunkQuery) rows(after, upTo []string, limit int) string {
	list := []string{q.list("::text")}
	for _, c := range q.table.selected() {
		name := quoteIdent(c.name)
		if c.text {
			name += "::text"
		}
		list = append(list, name)
	}
	key := "ROW(" + q.list("") + ")"
	where := []string{key + " <= " + q.row(upTo)}
	if after != nil {
		where = append(where, key+" > "+q.row(after))
	}
	if q.filter != "" {
		where = append(where, "("+q.filter+")")
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d", strings.Join(list, ", "), q.from(), strings.Join(where, " AND "), q.list(""), limit)
}

// forms are the forms of the columns of rows.
func (q *chunkQuery) forms() []bool {
	var forms []bool
	for range q.keys {
		forms = append(forms, false)
	}
	for _, c := range q.table.selected() {
		forms = append(forms, !c.text)
	}
	return forms
}
