package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
)

// publicationInfo is what the catalog has of a publication.
type publicationInfo struct {
	exists, allTables, viaRoot       bool
	insert, update, delete, truncate bool
	tables                           []string // quoted full names of those that it lists
	published                        []string // of those that it covers: of schemas, partitions
}

// publisher makes and keeps the publication as publication.autocreate.mode says.
type publisher struct {
	cfg     *config
	log     *slog.Logger
	version int
}

// ensure makes sure that the publication is there before the slot is: what was
// written before it existed cannot be decoded. It returns whether it made it.
// captured are the quoted full names of the captured tables.
func (p *publisher) ensure(ctx context.Context, conn *pgx.Conn, captured []string) (created bool, err error) {
	name := p.cfg.replication.publication
	var have publicationInfo
	err = within(ctx, p.cfg.connection.catalogTimeout(), func(ctx context.Context) (err error) {
		have, err = readPublication(ctx, conn, name)
		return err
	})
	if err != nil {
		return false, err
	}
	switch mode := p.cfg.replication.autocreate; {
	case !have.exists && mode == autocreateDisabled:
		return false, publicationError("there is no publication %s in the database and %s is disabled: CREATE PUBLICATION %s FOR TABLE ..., or set %s to filtered",
			name, optAutocreate, quoteIdent(name), optAutocreate)
	case mode == autocreateFiltered && len(captured) == 0:
		return false, publicationError("no table of the database is captured, and %s is filtered: correct table.include.list and the other filters, or use all_tables", optAutocreate)
	case !have.exists:
		return true, p.create(ctx, conn, captured)
	case mode == autocreateFiltered:
		return false, p.alter(ctx, conn, have, captured)
	}
	p.warn(have, captured)
	return false, nil
}

func publicationError(format string, args ...any) error {
	return &connect.ConfigError{Option: optPublication, Reason: fmt.Sprintf(format, args...)}
}

func (p *publisher) create(ctx context.Context, conn *pgx.Conn, captured []string) error {
	sql := "CREATE PUBLICATION " + quoteIdent(p.cfg.replication.publication)
	switch p.cfg.replication.autocreate {
	case autocreateAllTables:
		sql += " FOR ALL TABLES"
	case autocreateFiltered:
		sql += " FOR TABLE " + strings.Join(captured, ", ")
	}
	sql += " WITH (" + strings.Join(p.options(), ", ") + ")"
	if err := p.cfg.connection.change(ctx, conn, sql); err != nil {
		return p.explain("create", sql, err)
	}
	p.log.Info("publication created", logPublication, p.cfg.replication.publication, "mode", p.cfg.replication.autocreate)
	return nil
}

// options of a publication that the connector makes. Without generated columns a
// server of version 18 refuses updates of tables that have one and REPLICA
// IDENTITY FULL.
func (p *publisher) options() []string {
	options := []string{"publish = " + quoteLiteral(strings.Join(p.cfg.publishedOperations(), ", "))}
	if p.cfg.replication.viaPartitionRoot {
		options = append(options, "publish_via_partition_root = true")
	}
	if p.version >= version18 {
		options = append(options, "publish_generated_columns = stored")
	}
	return options
}

// alter brings the list of tables to what is captured.
func (p *publisher) alter(ctx context.Context, conn *pgx.Conn, have publicationInfo, captured []string) error {
	name := p.cfg.replication.publication
	if have.allTables {
		return publicationError("the publication %s is for all tables, and %s is filtered: use all_tables, or another publication", name, optAutocreate)
	}
	if sameSet(have.tables, captured) {
		return nil
	}
	sql := "ALTER PUBLICATION " + quoteIdent(name) + " SET TABLE " + strings.Join(captured, ", ")
	if err := p.cfg.connection.change(ctx, conn, sql); err != nil {
		return p.explain("alter", sql, err)
	}
	p.log.Info("publication altered: changes of added tables come from now on, the backlog does not have them", logPublication, name, "tables", len(captured))
	return nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// warn says which captured tables an existing publication does not have.
func (p *publisher) warn(have publicationInfo, captured []string) {
	if have.allTables || have.viaRoot {
		return
	}
	published := make(map[string]bool, len(have.published))
	for _, t := range have.published {
		published[t] = true
	}
	missing := slices.DeleteFunc(slices.Clone(captured), func(t string) bool { return published[t] })
	if len(missing) > 0 {
		p.log.Warn("captured tables are not in the publication: no change of them will come; add them with ALTER PUBLICATION ... ADD TABLE, or set "+optAutocreate+" to filtered",
			logPublication, p.cfg.replication.publication, "tables", listed(missing))
	}
}

// listed shows the first of many names.
func listed(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (p *publisher) explain(verb, sql string, err error) error {
	reason := fmt.Sprintf("%s the publication %s: %s", verb, p.cfg.replication.publication, errorText(err))
	switch state := sqlState(err); {
	case state == statePrivilege:
		return publicationError("%s. Run this as a user who may, or use %s=filtered with a user that owns the tables: %s", reason, optAutocreate, sql)
	case state == stateDuplicateObject, state == "", inTheWay(state):
		return connect.Retriable(errors.New(reason))
	}
	return publicationError("%s", reason)
}

func readPublication(ctx context.Context, q querier, name string) (publicationInfo, error) {
	var p publicationInfo
	err := q.QueryRow(ctx, `SELECT puballtables, pubviaroot, pubinsert, pubupdate, pubdelete, pubtruncate,
		coalesce((SELECT array_agg(`+quotedName("n.nspname", "c.relname")+`)
			FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid), '{}'),
		CASE WHEN puballtables THEN '{}' ELSE coalesce((SELECT array_agg(`+quotedName("t.schemaname", "t.tablename")+`)
			FROM pg_publication_tables t WHERE t.pubname = p.pubname), '{}') END
		FROM pg_publication p WHERE pubname = `+quoteLiteral(name)).
		Scan(&p.allTables, &p.viaRoot, &p.insert, &p.update, &p.delete, &p.truncate, &p.tables, &p.published)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return p, asked("read the publication "+name, err)
	}
	p.exists = true
	return p, nil
}
