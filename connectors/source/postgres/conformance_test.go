package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
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

// TestReadIsStoppedWhileItConnects: what the client says of a connection that was cut short
// is no error of the server.
func TestReadIsStoppedWhileItConnects(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.open()
	r.source.disconnect()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.source.Read(ctx, r.batch); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
