package pgtype

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Querier is a connection to the database: *pgx.Conn, a pool or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// The labels are joined as one aggregate: a sub-select for each type looks so
// expensive to the planner that compiling the query (JIT) takes half a second.
const selectTypes = `SELECT t.oid, t.typname::text, n.nspname::text, t.typtype::text, t.typcategory::text,
	t.typelem, t.typbasetype, t.typtypmod, t.typdelim::text, e.labels
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN (SELECT enumtypid, array_agg(enumlabel::text ORDER BY enumsortorder) AS labels
	FROM pg_catalog.pg_enum GROUP BY enumtypid) e ON e.enumtypid = t.oid `

// Every table has a composite type and an array of it, which no codec reads: they
// are left out, and looked up one by one should a column have such a type.
const whereUsual = `LEFT JOIN pg_catalog.pg_type x ON x.oid = t.typelem AND x.typtype = 'c'
WHERE t.typtype <> 'c' AND x.oid IS NULL`

// Load reads the types of the database, and how its money is written.
func (c *Catalog) Load(ctx context.Context, q Querier) error {
	types, err := queryTypes(ctx, q, selectTypes+whereUsual)
	if err != nil {
		return fmt.Errorf("read the types of the database: %w", err)
	}
	scale, err := queryMoneyScale(ctx, q)
	if err != nil {
		return fmt.Errorf("read the decimal places of money: %w", err)
	}
	c.add(types)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moneyScale = scale
	return nil
}

// Refresh reads a type again and what it is made of. A type that is gone from the
// database counts as one without a mapping from then on.
func (c *Catalog) Refresh(ctx context.Context, q Querier, oid uint32) error {
	for range maxDepth {
		types, err := queryTypes(ctx, q, selectTypes+`WHERE t.oid = $1`, oid)
		if err != nil {
			return fmt.Errorf("read the type with OID %d: %w", oid, err)
		}
		if len(types) == 0 {
			c.add([]*typeInfo{{oid: oid, name: "unknown", mod: -1}})
			return nil
		}
		c.add(types)
		if t := types[0]; t.kind == 'd' {
			oid = t.base
		} else if t.isArray() {
			oid = t.elem
		} else {
			return nil
		}
	}
	return fmt.Errorf("read the type with OID %d: more than %d types in one another", oid, maxDepth)
}

// RefreshEnum reads an enum again after a Codec met a label that it did not have.
// A label that the database does not have either, because it was renamed since, is
// accepted from then on without becoming part of the schema.
func (c *Catalog) RefreshEnum(ctx context.Context, q Querier, stale *StaleEnumError) error {
	if err := c.Refresh(ctx, q, stale.OID); err != nil {
		return err
	}
	c.accept(stale.OID, stale.Label)
	return nil
}

func queryTypes(ctx context.Context, q Querier, sql string, args ...any) ([]*typeInfo, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*typeInfo, error) {
		t := &typeInfo{}
		var kind, category, delim string
		err := row.Scan(&t.oid, &t.name, &t.schema, &kind, &category, &t.elem, &t.base, &t.mod, &delim, &t.labels)
		t.kind, t.category, t.delim = first(kind), first(category), first(delim)
		return t, err
	})
}

// first returns the byte of a column of type "char".
func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

func queryMoneyScale(ctx context.Context, q Querier) (int, error) {
	rows, err := q.Query(ctx, `SELECT scale(1::money::numeric)`)
	if err != nil {
		return 0, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
}
