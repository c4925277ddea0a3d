package postgres

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// emitterBench is an emitter and a table of twelve columns of different types.
func emitterBench(b *testing.B, settings map[string]string) (*emitter, *table, row) {
	cfg, err := Spec.Configure(settings)
	if err != nil {
		b.Fatal(err)
	}
	columns := []struct {
		typ  string
		cell string
	}{
		{"int8", "1234567"}, {"int4", "42"}, {"text", "a customer's name"}, {"varchar", "someone@example.com"}, {"bool", "t"}, {"float8", "3.25"},
		{"numeric", "1234.56"}, {"timestamptz", "2026-01-02 03:04:05.678901+00"}, {"timestamp", "2026-01-02 03:04:05.678901"}, {"date", "2026-01-02"},
		{"uuid", "0b6d1f3c-7c0e-4a53-9f0b-2f0d9d3f5a11"}, {"json", `{"a":1,"b":[1,2,3],"c":"text"}`},
	}
	info := tableInfo{oid: 1, name: tableName{"public", "bench"}, primaryKey: []string{"c0"}}
	rel := &pgoutput.Relation{OID: 1, Namespace: "public", Name: "bench", Identity: pgoutput.IdentityDefault}
	var r row
	for i, c := range columns {
		name, mod := "c"+strconv.Itoa(i), int32(-1)
		if c.typ == "numeric" {
			mod = 10<<16 | 2 + 4
		}
		info.columns = append(info.columns, pgtype.Column{Name: name, TypeOID: typeOIDs[c.typ], TypeMod: mod, NotNull: i == 0})
		rel.Columns = append(rel.Columns, pgoutput.RelationColumn{Name: name, TypeOID: typeOIDs[c.typ], TypeMod: mod})
		r = append(r, pgoutput.Column{Kind: pgoutput.ColumnText, Data: []byte(c.cell)})
	}
	t, err := newStreamTable(cfg.(*config), pgtype.NewCatalog(), info, rel)
	if err != nil {
		b.Fatal(err)
	}
	e, err := newEmitter(cfg.(*config), connect.SourceContext{Logger: slog.New(slog.DiscardHandler)}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	return e, t, r
}

// emit runs one event until b is done, resetting the batch as the engine does.
func emit(b *testing.B, event func(batch *connect.Batch) error) {
	batch := connect.NewBatch(5000, 4<<20)
	for range 3 { // until the batch has the memory that it needs
		for !batch.Full() {
			_ = event(batch)
		}
		batch.Reset()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := event(batch); err != nil {
			b.Fatal(err)
		}
		if batch.Full() {
			batch.Reset()
		}
	}
}

// BenchmarkEmitter is one event of twelve columns in text: a row of the stream to a
// record in a batch.
func BenchmarkEmitter(b *testing.B) {
	o := &origin{lsn: 123456789, lastCommit: 123456000, txID: 1234, micros: time.Now().UnixMicro()}
	b.Run("insert", func(b *testing.B) {
		e, t, r := emitterBench(b, minimal())
		emit(b, func(batch *connect.Batch) error { return e.insert(batch, t, o, r) })
	})
	b.Run("update full", func(b *testing.B) {
		e, t, r := emitterBench(b, minimal())
		emit(b, func(batch *connect.Batch) error { return e.update(batch, t, o, pgoutput.OldFull, r, r) })
	})
	b.Run("delete", func(b *testing.B) {
		e, t, r := emitterBench(b, minimal())
		old := make(row, len(r))
		for i := range old {
			old[i] = pgoutput.Column{Kind: pgoutput.ColumnNull}
		}
		old[0] = r[0]
		emit(b, func(batch *connect.Batch) error { return e.delete(batch, t, o, pgoutput.OldKey, old) })
	})
	b.Run("transaction metadata", func(b *testing.B) {
		e, t, r := emitterBench(b, minimal(optTransaction, "true"))
		e.tx.start(1)
		emit(b, func(batch *connect.Batch) error { return e.insert(batch, t, o, r) })
	})
	b.Run("hash of a column", func(b *testing.B) {
		e, t, r := emitterBench(b, minimal("column.mask.hash.v2.SHA-256.with.salt.x", ".*c2"))
		emit(b, func(batch *connect.Batch) error { return e.insert(batch, t, o, r) })
	})
}
