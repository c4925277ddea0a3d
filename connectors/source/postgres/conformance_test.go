package postgres

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

func TestConformance(t *testing.T) {
	connecttest.Spec(t, Spec, map[string]string{"database.hostname": "db", "database.user": "u", "database.dbname": "shop", "topic.prefix": "shop"})
	connecttest.Source(t, newFixture)
}

// newFixture makes a database with a slot, so that what is written before the
// source is open comes too.
func newFixture(t testing.TB) connecttest.SourceFixture {
	r := newRig(t, `CREATE TABLE t (n int PRIMARY KEY); CREATE PUBLICATION dbz_publication FOR ALL TABLES`)
	r.db.Exec(t, `SELECT pg_create_logical_replication_slot('`+r.settings["slot.name"]+`', 'pgoutput')`)
	return connecttest.SourceFixture{
		Spec:     Spec,
		Settings: r.settings,
		Produce: func(from, to int) {
			r.db.Exec(t, fmt.Sprintf(`INSERT INTO t SELECT generate_series(%d, %d)`, from, to-1))
		},
		Number: func(rec *connect.Record) (int, error) {
			return strconv.Atoi(rec.Value.Cells()[envelopeAfter].Cells()[0].String())
		},
	}
}
