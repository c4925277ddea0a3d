package postgres

import (
	"context"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

func (s *Source) startSnapshots(ctx context.Context, st *slotState, again bool) error { return nil }

func (s *Source) snapshotActive() bool { return false }

func (s *Source) readSnapshot(ctx context.Context, b *connect.Batch) error { return nil }

func (s *Source) snapshotOffset() []byte { return nil }

func (s *Source) closeSnapshots() {}

// snapshotDue tells whether a snapshot has to come before the transaction that
// commits at final.
func (s *Source) snapshotDue(final pgoutput.LSN) bool { return false }

// boundary is called between transactions: everything before lsn is in batches.
func (s *Source) boundary(b *connect.Batch, lsn pgoutput.LSN) error { return nil }

// observe sees each change of the stream before it becomes a record.
func (s *Source) observe(t *table, kind pgoutput.Kind, o *origin, c *pgoutput.Change) {}
