package connect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// This file and sketch_twophase_test.go try the API on its two hardest users
// before anything is built on it; docs/decisions/0001 explains them method by
// method.

// wal is a database whose log is pruned up to what its reader confirms, as a
// replication slot's is. Nothing that was pruned can be read again.
type wal struct {
	changes []change
	pruned  uint64 // changes of transactions that committed at or below are gone
}

type change struct {
	commitLSN uint64 // of the transaction
	ordinal   int    // of the change in it
	columns   []string
	values    []int64
}

// replicationSource reads a wal: nested structs, a schema for each shape of the
// table, a position of (commit LSN, ordinal), feedback from Commit.
type replicationSource struct {
	db        *wal
	schemas   map[string]*connect.Schema // compiled once for each shape
	at        position
	confirmed atomic.Uint64
}

type position struct {
	CommitLSN uint64 `json:"lsn_commit"`
	Ordinal   int    `json:"ordinal"` // the last change of that transaction that was read
}

var server = json.RawMessage(`{"server":"shop"}`)

func (s *replicationSource) Open(ctx context.Context, sc connect.SourceContext) error {
	stored, err := sc.Offset(ctx, server)
	if err != nil || stored == nil {
		return err
	}
	if err := json.Unmarshal(stored, &s.at); err != nil {
		return fmt.Errorf("read stored offset: %w", err)
	}
	if s.db.pruned > s.at.CommitLSN {
		return fmt.Errorf("the slot was pruned to %d, beyond the stored %d", s.db.pruned, s.at.CommitLSN)
	}
	return nil
}

func (s *replicationSource) Read(ctx context.Context, b *connect.Batch) error {
	s.feedback()
	for _, c := range s.db.changes {
		if b.Full() {
			break
		}
		if c.commitLSN <= s.db.pruned || !s.at.before(c) {
			continue
		}
		s.append(b, c)
		s.at = position{c.commitLSN, c.ordinal}
	}
	offset, err := json.Marshal(s.at)
	if err != nil {
		return err
	}
	// Confirming means whole transactions: in the middle of one, the token is the
	// transaction before.
	b.Mark(connect.Mark{Partition: server, Offset: offset, Token: s.wholeTransactions()})
	return ctx.Err()
}

func (p position) before(c change) bool {
	return c.commitLSN > p.CommitLSN || c.commitLSN == p.CommitLSN && c.ordinal > p.Ordinal
}

func (s *replicationSource) wholeTransactions() uint64 {
	for _, c := range s.db.changes {
		if s.at.before(c) && c.commitLSN == s.at.CommitLSN {
			return s.at.CommitLSN - 1
		}
	}
	return s.at.CommitLSN
}

// append adds an envelope of {after: {columns...}, source: {lsn}, op}.
func (s *replicationSource) append(b *connect.Batch, c change) {
	row := b.Cells(len(c.values))
	for i, v := range c.values {
		row[i] = connect.Int64Value(v)
	}
	origin := b.Cells(1)
	origin[0] = connect.Int64Value(int64(c.commitLSN))
	envelope := b.Cells(3)
	envelope[0], envelope[1], envelope[2] = connect.StructValue(row), connect.StructValue(origin), connect.StringValue("c")
	r := b.Append()
	r.Topic, r.ValueSchema, r.Value = "shop.orders", s.schema(c.columns), connect.StructValue(envelope)
}

func (s *replicationSource) schema(columns []string) *connect.Schema {
	shape := fmt.Sprint(columns)
	if have := s.schemas[shape]; have != nil {
		return have
	}
	fields := make([]connect.Field, len(columns))
	for i, c := range columns {
		fields[i] = connect.Field{Name: c, Schema: connect.Int64Schema}
	}
	s.schemas[shape] = connect.MustStruct("Envelope",
		connect.Field{Name: "after", Schema: connect.MustStruct("Value", fields...)},
		connect.Field{Name: "source", Schema: connect.MustStruct("Source", connect.Field{Name: "lsn", Schema: connect.Int64Schema})},
		connect.Field{Name: "op", Schema: connect.StringSchema})
	return s.schemas[shape]
}

func (s *replicationSource) Commit(m connect.Mark) { s.confirmed.Store(m.Token) }

// feedback tells the database what it may prune. A real source does it from a
// goroutine of its own, so that it goes on while nobody calls Read.
func (s *replicationSource) feedback() { s.db.pruned = max(s.db.pruned, s.confirmed.Load()) }

func (s *replicationSource) Close() error { return nil }

// shopWAL has transactions of one to five changes; the table gets a column in
// the middle of the third.
func shopWAL() *wal {
	db := &wal{}
	columns := []string{"id"}
	for lsn := uint64(10); lsn < 15; lsn++ {
		for i := range int(lsn - 9) {
			if lsn == 12 && i == 1 {
				columns = []string{"id", "amount"}
			}
			c := change{commitLSN: lsn, ordinal: i, columns: columns, values: []int64{int64(len(db.changes)), 7}[:len(columns)]}
			db.changes = append(db.changes, c)
		}
	}
	return db
}

// TestReplicationSourceFits crashes the engine after every possible number of
// steps (Read, store records, store offset, Commit) and resumes. Every change
// must be stored, those that an engine with transactions stores exactly once.
func TestReplicationSourceFits(t *testing.T) {
	for crash := 1; crash < 40; crash++ {
		db := shopWAL()
		store := &durable{}
		runReplication(t, db, store, crash)
		runReplication(t, db, store, 1000)
		if got, want := len(store.ids), len(db.changes); got != want {
			t.Fatalf("crash after %d steps: %d changes are stored, want %d: %v", crash, got, want, store.ids)
		}
		for i, id := range store.ids {
			if id != int64(i) {
				t.Fatalf("crash after %d steps: change %d is stored as number %d", crash, id, i)
			}
		}
	}
}

// durable is what survives a crash: records and offset of one transaction.
type durable struct {
	ids    []int64
	offset json.RawMessage
}

func runReplication(t *testing.T, db *wal, store *durable, steps int) {
	t.Helper()
	s := &replicationSource{db: db, schemas: map[string]*connect.Schema{}}
	err := s.Open(t.Context(), connect.SourceContext{
		Offset: func(context.Context, json.RawMessage) (json.RawMessage, error) { return store.offset, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	b := connect.NewBatch(3, 1<<20)
	for len(store.ids) < len(db.changes) {
		b.Reset()
		if err := s.Read(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if steps--; steps == 0 {
			return // before anything is durable
		}
		for _, r := range b.Records() {
			after := r.Value.Cells()[0].Cells()
			if want := len(r.ValueSchema.Fields()[0].Schema.Fields()); len(after) != want {
				t.Fatalf("a row has %d cells and its schema %d fields", len(after), want)
			}
			store.ids = append(store.ids, after[0].Int())
		}
		m := b.Marks()[0]
		store.offset = append(json.RawMessage(nil), m.Offset...)
		if steps--; steps == 0 {
			return // durable, but not confirmed
		}
		s.Commit(m)
	}
}
