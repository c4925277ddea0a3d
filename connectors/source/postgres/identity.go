package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// publishable returns the quoted full names of tables.
func publishable(tables []tableInfo) []string {
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = quoteTable(tables[i].name.schema, tables[i].name.name)
	}
	return names
}

// setIdentities sets the replica identities of replica.identity.autoset.values, and
// warns of tables whose updates and deletes the server will refuse.
func (s *Source) setIdentities(ctx context.Context, conn *pgx.Conn, tables []tableInfo) error {
	var without []string
	for i := range tables {
		t := &tables[i]
		rule, err := s.identityRule(t)
		if err != nil {
			return err
		}
		if rule != nil {
			if err := s.setIdentity(ctx, conn, t, rule); err != nil {
				return err
			}
		}
		if t.kind == 'r' && (t.identity == pgoutput.IdentityNothing || t.identity == pgoutput.IdentityDefault && len(t.primaryKey) == 0) {
			without = append(without, t.name.String())
		}
	}
	if len(without) > 0 {
		s.log.Warn("tables have no replica identity: the server refuses updates and deletes of them once they are published; "+
			"give them a primary key, or set REPLICA IDENTITY with "+optReplicaIdentity, "tables", listed(without))
	}
	return nil
}

// identityRule returns the first rule for a table, nil when there is none.
func (s *Source) identityRule(t *tableInfo) (*identityRule, error) {
	for i := range s.cfg.replication.replicaIdentity {
		r := &s.cfg.replication.replicaIdentity[i]
		if ok, err := r.tables.matches(t.name.String()); ok || err != nil {
			return r, err
		}
	}
	return nil, nil
}

var identityLetters = map[string]byte{"DEFAULT": pgoutput.IdentityDefault, "FULL": pgoutput.IdentityFull,
	"NOTHING": pgoutput.IdentityNothing, "INDEX": pgoutput.IdentityIndex}

func (s *Source) setIdentity(ctx context.Context, conn *pgx.Conn, t *tableInfo, rule *identityRule) error {
	want := identityLetters[rule.identity]
	if t.identity == want && want != pgoutput.IdentityIndex {
		return nil
	}
	if s.cfg.connection.readOnly {
		return &connect.ConfigError{Option: optReplicaIdentity, Reason: fmt.Sprintf("the replica identity of %s is to be set, but %s is true", t.name, optReadOnly)}
	}
	sql := "ALTER TABLE " + quoteTable(t.name.schema, t.name.name) + " REPLICA IDENTITY " + rule.identity
	if want == pgoutput.IdentityIndex {
		same, err := s.usesIndex(ctx, conn, t, rule.index)
		if err != nil || same {
			return err
		}
		sql = "ALTER TABLE " + quoteTable(t.name.schema, t.name.name) + " REPLICA IDENTITY USING INDEX " + quoteIdent(rule.index)
	}
	if err := s.cfg.connection.change(ctx, conn, sql); err != nil {
		if state := sqlState(err); state == "" || inTheWay(state) {
			return asked(sql, err)
		}
		return &connect.ConfigError{Option: optReplicaIdentity, Reason: fmt.Sprintf("%s: %s", sql, errorText(err))}
	}
	t.identity = want
	s.log.Info("replica identity set", "table", t.name.String(), "identity", rule.identity)
	return nil
}

// usesIndex tells whether an index is a table's replica identity already.
func (s *Source) usesIndex(ctx context.Context, conn *pgx.Conn, t *tableInfo, index string) (same bool, err error) {
	err = within(ctx, s.cfg.connection.catalogTimeout(), func(ctx context.Context) error {
		return conn.QueryRow(ctx, fmt.Sprintf(`SELECT coalesce((SELECT i.indisreplident FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE i.indrelid = %d AND c.relname = %s), false)`, t.oid, quoteLiteral(index))).Scan(&same)
	})
	return same && t.identity == pgoutput.IdentityIndex, catalogError(err)
}

// publishedOperations are what a publication that the connector makes sends.
func (c *config) publishedOperations() []string {
	skipped := c.records.skipped
	if !c.records.skippedGiven {
		skipped = operations{}
	}
	var names []string
	for _, op := range []struct {
		name    string
		skipped bool
	}{{"insert", skipped.create}, {"update", skipped.update}, {"delete", skipped.delete}, {"truncate", skipped.truncate}} {
		if !op.skipped {
			names = append(names, op.name)
		}
	}
	return names
}
