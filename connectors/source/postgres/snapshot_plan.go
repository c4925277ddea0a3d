package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// relationQuery reads what a plan needs of tables and of the partitions of
// partitioned ones. $1 are the tables' oids.
const relationQuery = `
WITH wanted AS (
	SELECT c.oid AS root, c.oid, 0 AS level FROM pg_class c WHERE c.oid = ANY ($1) AND c.relkind <> 'p'
	UNION ALL
	SELECT c.oid, t.relid, t.level FROM pg_class c, pg_partition_tree(c.oid) t WHERE c.oid = ANY ($1) AND c.relkind = 'p' AND t.isleaf
)
SELECT w.root, w.level, c.oid, n.nspname, c.relname, c.relkind IN ('r', 'm') AND coalesce(a.amname = 'heap', false),
	c.relkind = 'r', c.reltuples,
	CASE WHEN c.relkind IN ('r', 'm') THEN coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int ELSE 0 END,
	c.relfilenode, coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) > 0, c.relreplident = 'f', c.xmin::text,
	-- the row of a system column is as old as the table
	coalesce((SELECT t.xmin::text FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum = -1), '2'),
	ARRAY(SELECT t.attname::text FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND t.attstorage <> 'p')
FROM wanted w JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
ORDER BY n.nspname, c.relname`

// relationFacts is a row of relationQuery.
type relationFacts struct {
	relation
	root     uint32
	level    int      // of a partition below its root
	full     bool     // replica identity FULL: old rows have all values
	xmin     uint32   // of the row in pg_class
	born     uint32   // the transaction that made it
	storable []string // columns whose values may be out of line
}

// readRelations reads the relations of tables, by table.
func readRelations(ctx context.Context, q querier, oids []uint32) (map[uint32][]*relationFacts, error) {
	rows, err := q.Query(ctx, relationQuery, oids)
	if err != nil {
		return nil, fmt.Errorf("read the tables of the snapshot: %s", errorText(err))
	}
	defer rows.Close()
	found := make(map[uint32][]*relationFacts)
	for rows.Next() {
		f := new(relationFacts)
		var pages int64
		var xmin, born string
		err := rows.Scan(&f.root, &f.level, &f.oid, &f.name.schema, &f.name.name, &f.paged, &f.only, &f.rows, &pages, &f.file, &f.toasted, &f.full, &xmin, &born, &f.storable)
		if err != nil {
			return nil, fmt.Errorf("read the tables of the snapshot: %w", err)
		}
		f.pages = uint32(min(pages, 1<<32-1))
		if f.xmin, err = parseXID(xmin); err == nil {
			f.born, err = parseXID(born)
		}
		if err != nil {
			return nil, fmt.Errorf("read the tables of the snapshot: %w", err)
		}
		found[f.root] = append(found[f.root], f)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the tables of the snapshot: %s", errorText(err))
	}
	return found, nil
}

func parseXID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err
}

// longerThan is the size of values that are never kept out of line, which a
// pointer to them would be no shorter than.
const longerThan = 24

// longCondition says that one of a row's values may be out of line.
func longCondition(columns []selection, storable []string) string {
	var any []string
	for _, c := range columns {
		if slices.Contains(storable, c.name) {
			any = append(any, fmt.Sprintf("pg_column_size(%s) > %d", quoteIdent(c.name), longerThan))
		}
	}
	if len(any) == 0 {
		return ""
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// planner makes the plan of a snapshot.
type planner struct {
	cfg   *config
	state *snapshotState
	added *addedTables
	later *visibility // that of the transaction that reads
	// viaRoot: the publication has changes of partitions as changes of the
	// partitioned table.
	viaRoot bool
}

// plan decides what is read, in order: what is captured, without what is done.
func (p *planner) plan(ctx context.Context, q querier, tables []*table, resumed bool) (*snapshotPlan, error) {
	tables, err := p.ordered(tables)
	if err != nil {
		return nil, err
	}
	oids := make([]uint32, len(tables))
	for i, t := range tables {
		oids[i] = t.oid
	}
	facts, err := readRelations(ctx, q, oids)
	if err != nil {
		return nil, err
	}
	plan := &snapshotPlan{rows: p.cfg.snapshot.chunkRows, resumed: resumed, seen: p.state.seen, relation: p.state.Relation, place: tid{p.state.Page, p.state.Tuple}}
	plan.exact = !p.state.seen.ambiguous(p.later)
	taken := p.partitions(tables, facts)
	for _, t := range p.byRows(tables, facts) {
		sql := p.override(t)
		for _, f := range facts[t.oid] {
			if taken[f.oid] != t.oid || resumed && p.state.seen.precedes(f.born, p.later) {
				continue // the stream has all of a table that is younger than the snapshot
			}
			r := p.relation(t, f)
			if sql != "" {
				r = statement(t, f, sql)
			}
			if !p.state.Done.has(r.oid) {
				plan.relations = append(plan.relations, r)
			}
			if sql != "" {
				break // instead of all partitions
			}
		}
		if n := len(plan.relations); n > 0 && plan.relations[n-1].table == t {
			plan.relations[n-1].lastOfTable = true
		}
	}
	return plan, nil
}

// partitions decides which captured table a partition belongs to that is captured
// itself and by the table that it is a part of: each row is read once, as the
// stream has it once.
func (p *planner) partitions(tables []*table, facts map[uint32][]*relationFacts) map[uint32]uint32 {
	owner := make(map[uint32]*relationFacts)
	for _, t := range tables {
		for _, f := range facts[t.oid] {
			if before := owner[f.oid]; before == nil || p.viaRoot == (f.level > before.level) {
				owner[f.oid] = f
			}
		}
	}
	roots := make(map[uint32]uint32, len(owner))
	for oid, f := range owner {
		roots[oid] = f.root
	}
	return roots
}

// relation puts together what is needed to read one.
func (p *planner) relation(t *table, f *relationFacts) *relation {
	r := &f.relation
	r.table = t
	r.columns = t.selected()
	r.long = longCondition(r.columns, f.storable)
	r.toasted = r.toasted && t.hasKey() && !f.full && r.long != ""
	r.rewritten = p.state.seen.precedes(f.xmin, p.later)
	return r
}

// statement is what is read with a SELECT in place of a table, whose partitions are not
// told apart then. f is the first of these, or the table.
func statement(t *table, f *relationFacts, sql string) *relation {
	return &relation{oid: t.oid, name: t.name, table: t, columns: t.selected(), override: sql, rows: f.rows}
}

// override is the SELECT that the config or the signal has for a table.
func (p *planner) override(t *table) string {
	for _, s := range p.state.Tables {
		if s.Name == t.name.String() && s.Select != "" {
			return s.Select
		}
	}
	return p.cfg.snapshot.overrides[t.name.String()]
}

// ordered are the tables of the snapshot, in the order of the patterns of
// table.include.list that they match and then by name, as Debezium has them.
func (p *planner) ordered(tables []*table) ([]*table, error) {
	order := p.cfg.filters.tables.include
	rank := make(map[*table]int, len(tables))
	var list []*table
	for _, t := range tables {
		wanted, err := p.wanted(t)
		if err != nil {
			return nil, err
		}
		if !wanted {
			continue
		}
		n, err := order.index(t.name.String())
		if err != nil {
			return nil, err
		}
		if n < 0 { // signal tables are captured without being listed
			n = len(order)
		}
		rank[t], list = n, append(list, t)
	}
	slices.SortStableFunc(list, func(a, b *table) int {
		return cmp.Or(rank[a]-rank[b], strings.Compare(a.name.String(), b.name.String()))
	})
	return list, nil
}

// wanted tells whether the snapshot has a table: all that the config says, those that
// a signal asks for, or those that were not captured before.
func (p *planner) wanted(t *table) (bool, error) {
	name := t.name.String()
	if len(p.state.Tables) > 0 {
		return slices.ContainsFunc(p.state.Tables, func(s snapshotTable) bool { return s.Name == name }), nil
	}
	if p.added != nil {
		return p.added.has(t.name)
	}
	if only := p.cfg.snapshot.collections; only != nil {
		return only.match(name)
	}
	return true, nil
}

// byRows sorts by the estimated number of rows, if the config wants it.
func (p *planner) byRows(tables []*table, facts map[uint32][]*relationFacts) []*table {
	sign := map[string]float64{"ascending": 1, "descending": -1}[p.cfg.snapshot.orderByRows]
	if sign == 0 {
		return tables
	}
	rows := func(t *table) (n float64) {
		for _, f := range facts[t.oid] {
			n += max(f.rows, 0)
		}
		return n * sign
	}
	slices.SortStableFunc(tables, func(a, b *table) int { return cmp.Compare(rows(a), rows(b)) })
	return tables
}
