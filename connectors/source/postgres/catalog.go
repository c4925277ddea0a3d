package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// capturedTables reads from the catalog which tables the config captures: ordinary
// and partitioned ones, partitions too, ordered by name.
func capturedTables(ctx context.Context, q querier, c *config) ([]tableInfo, error) {
	rows, err := q.Query(ctx, `SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relreplident::text
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(catalog|toast|temp)'
		ORDER BY n.nspname, c.relname`)
	if err != nil {
		return nil, catalogError(err)
	}
	all, err := pgx.CollectRows(rows, scanTable)
	if err != nil {
		return nil, catalogError(err)
	}
	var captured []tableInfo
	for _, t := range all {
		ok, err := c.captures(t.name)
		if err != nil {
			return nil, err
		}
		if ok {
			captured = append(captured, t)
		}
	}
	return captured, describeTables(ctx, q, captured)
}

// readTable reads one table by its oid. ok is false when it is gone.
func readTable(ctx context.Context, q querier, oid uint32) (info tableInfo, ok bool, err error) {
	rows, err := q.Query(ctx, `SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relreplident::text
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = `+strconv.FormatUint(uint64(oid), 10))
	if err != nil {
		return info, false, catalogError(err)
	}
	found, err := pgx.CollectRows(rows, scanTable)
	if err != nil || len(found) == 0 {
		return info, false, catalogError(err)
	}
	err = describeTables(ctx, q, found)
	return found[0], true, err
}

func catalogError(err error) error { return asked("read the catalog", err) }

func scanTable(row pgx.CollectableRow) (t tableInfo, err error) {
	var kind, identity string
	if err = row.Scan(&t.oid, &t.name.schema, &t.name.name, &kind, &identity); err == nil {
		t.kind, t.identity = kind[0], identity[0]
	}
	return t, err
}

// describeTables reads the columns and keys of tables, a few hundred at a time.
func describeTables(ctx context.Context, q querier, tables []tableInfo) error {
	byOID := make(map[uint32]*tableInfo, len(tables))
	for part := range slices.Chunk(tables, 500) {
		oids := make([]string, len(part))
		for i := range part {
			byOID[part[i].oid] = &part[i]
			oids[i] = strconv.FormatUint(uint64(part[i].oid), 10)
		}
		list := strings.Join(oids, ",")
		if err := readColumns(ctx, q, list, byOID); err != nil {
			return catalogError(err)
		}
		if err := readKeys(ctx, q, list, byOID); err != nil {
			return catalogError(err)
		}
	}
	return nil
}

func readColumns(ctx context.Context, q querier, oids string, tables map[uint32]*tableInfo) error {
	rows, err := q.Query(ctx, `SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated <> '',
			a.atthasdef AND a.attgenerated = '', coalesce(CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, ''),
			coalesce(col_description(a.attrelid, a.attnum), '')
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid IN (`+oids+`) AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attrelid, a.attnum`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var oid uint32
		var c pgtype.Column
		if err := rows.Scan(&oid, &c.Name, &c.TypeOID, &c.TypeMod, &c.NotNull, &c.Generated, &c.HasDefault, &c.Default, &c.Doc); err != nil {
			return err
		}
		tables[oid].columns = append(tables[oid].columns, c)
	}
	return rows.Err()
}

// readKeys reads the columns of the primary key, and of the first unique index by
// name that is for all rows and has columns only.
func readKeys(ctx context.Context, q querier, oids string, tables map[uint32]*tableInfo) error {
	rows, err := q.Query(ctx, `SELECT i.indrelid, i.indisprimary, array_agg(a.attname::text ORDER BY k.place)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(attnum, place)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid IN (`+oids+`) AND i.indisunique AND i.indisvalid AND i.indexprs IS NULL AND i.indpred IS NULL AND k.place <= i.indnkeyatts
		GROUP BY i.indrelid, i.indisprimary, c.relname, i.indexrelid
		ORDER BY i.indrelid, i.indisprimary DESC, c.relname`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var oid uint32
		var primary bool
		var columns []string
		if err := rows.Scan(&oid, &primary, &columns); err != nil {
			return err
		}
		switch t := tables[oid]; {
		case primary:
			t.primaryKey = columns
		case t.uniqueIndex == nil:
			t.uniqueIndex = columns
		}
	}
	return rows.Err()
}
