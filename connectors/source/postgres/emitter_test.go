package postgres

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// newTestEmitter returns an emitter, and the table of the columns as the stream has it.
func newTestEmitter(t testing.TB, settings map[string]string, info tableInfo) (*emitter, *table) {
	t.Helper()
	cfg, err := Spec.Configure(settings)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEmitter(cfg.(*config), connect.SourceContext{Logger: slog.New(slog.DiscardHandler)}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	rel := &pgoutput.Relation{OID: info.oid, Namespace: info.name.schema, Name: info.name.name, Identity: pgoutput.IdentityDefault}
	for i, c := range info.columns {
		rel.Columns = append(rel.Columns, pgoutput.RelationColumn{Key: i == 0, Name: c.Name, TypeOID: c.TypeOID, TypeMod: c.TypeMod})
	}
	made, err := newStreamTable(cfg.(*config), pgtype.NewCatalog(), info, rel)
	if err != nil {
		t.Fatal(err)
	}
	return e, made
}

// checkRecords wants every record to be what its schemas say.
func checkRecords(t *testing.T, b *connect.Batch) {
	t.Helper()
	for i, r := range b.Records() {
		for _, v := range []struct {
			schema *connect.Schema
			value  connect.Value
		}{{r.KeySchema, r.Key}, {r.ValueSchema, r.Value}} {
			if v.schema == nil && v.value.IsNull() {
				continue
			}
			if _, err := connectjson.Append(nil, v.schema, v.value, connectjson.Options{}); err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
	}
}

func TestTableWithoutColumns(t *testing.T) {
	e, table := newTestEmitter(t, minimal(), tableInfo{oid: 1, name: tableName{"public", "none"}})
	b := connect.NewBatch(10, 1<<20)
	if err := e.insert(b, table, &origin{lsn: 1}, row{}); err != nil {
		t.Fatal(err)
	}
	if b.Len() != 1 || table.hasKey() {
		t.Fatalf("got %d records, key %v; want one without key", b.Len(), table.hasKey())
	}
	checkRecords(t, b)
}

func TestTableWithManyColumns(t *testing.T) {
	info := tableInfo{oid: 1, name: tableName{strings.Repeat("s", 63), strings.Repeat("ü", 31)}}
	var r row
	for i := range 1600 {
		info.columns = append(info.columns, pgtype.Column{Name: fmt.Sprintf("col.%d \"x\"", i), TypeOID: oidText, TypeMod: -1})
		r = append(r, pgoutput.Column{Kind: pgoutput.ColumnText, Data: []byte("v")})
	}
	e, table := newTestEmitter(t, minimal(), info)
	b := connect.NewBatch(10, 1<<20)
	if err := e.insert(b, table, &origin{lsn: 1}, r); err != nil {
		t.Fatal(err)
	}
	checkRecords(t, b)
	if want := "pre." + strings.Repeat("s", 63) + "." + strings.Repeat("_", 31); table.topic != want {
		t.Errorf("got topic %s, want %s", table.topic, want)
	}
}

// TestFailedCallAppendsNothing has updates whose second row cannot be read: what the
// first one made must not stay.
func TestFailedCallAppendsNothing(t *testing.T) {
	info := tableInfo{oid: 1, name: tableName{"public", "t"}, primaryKey: []string{"id"},
		columns: []pgtype.Column{{Name: "id", TypeOID: 23, TypeMod: -1, NotNull: true}, {Name: "n", TypeOID: 1700, TypeMod: 5<<16 + 4}}}
	e, table := newTestEmitter(t, minimal(optConverting, "fail", optTransaction, "true"), info)
	cells := func(texts ...string) (r row) {
		for _, text := range texts {
			r = append(r, pgoutput.Column{Kind: pgoutput.ColumnText, Data: []byte(text)})
		}
		return r
	}
	b := connect.NewBatch(10, 1<<20)
	o := &origin{lsn: 1, txID: 7}
	e.begin(b, o)
	b.Reset()
	for _, fail := range []func() error{
		func() error { return e.insert(b, table, o, cells("1", "NaN")) },
		func() error { return e.update(b, table, o, pgoutput.OldFull, cells("1", "NaN"), cells("2", "1")) },
		func() error { return e.update(b, table, o, pgoutput.OldFull, cells("1", "1"), cells("2", "NaN")) },
		func() error { return e.delete(b, table, o, pgoutput.OldFull, cells("1", "NaN")) },
		func() error { return e.insert(b, table, o, cells("1")) },
		func() error { return e.insert(b, table, o, row{{Kind: 'x'}, {Kind: 'n'}}) },
	} {
		if err := fail(); err == nil {
			t.Error("a row that cannot be read made no error")
		}
	}
	if b.Len() != 0 || e.tx.total != 0 {
		t.Errorf("got %d records and %d events counted, want none", b.Len(), e.tx.total)
	}
}

// FuzzEmitter makes records of rows with any cells.
func FuzzEmitter(f *testing.F) {
	f.Add([]byte("\x01\x00\x05t1 t2 n u"), byte('K'))
	f.Add([]byte("tunbt"), byte('O'))
	types := []string{"int8", "text", "numeric", "timestamptz", "json", "bytea", "uuid", "int4[]", "date", "float8", "bool", "varchar"}
	info := tableInfo{oid: 1, name: tableName{"public", "t"}, primaryKey: []string{"c0", "c1"}}
	for i, name := range types {
		info.columns = append(info.columns, pgtype.Column{Name: fmt.Sprintf("c%d", i), TypeOID: typeOIDs[name], TypeMod: -1, NotNull: i%2 == 0})
	}
	e, table := newTestEmitter(f, minimal(optTransaction, "true", optSkipped, "none", "column.mask.hash.SHA-256.with.salt.x", ".*c11", "column.truncate.to.3.chars", ".*c4"), info)
	kinds := []byte{pgoutput.ColumnText, pgoutput.ColumnBinary, pgoutput.ColumnNull, pgoutput.ColumnUnchanged, pgoutput.ColumnText}
	parse := func(data []byte) (r row, rest []byte) {
		for range types {
			if len(data) < 2 {
				r = append(r, pgoutput.Column{Kind: pgoutput.ColumnNull})
				continue
			}
			c := pgoutput.Column{Kind: kinds[int(data[0])%len(kinds)]}
			n := min(int(data[1])%40, len(data)-2)
			if c.Kind == pgoutput.ColumnText || c.Kind == pgoutput.ColumnBinary {
				c.Data = data[2 : 2+n]
			}
			r, data = append(r, c), data[2+n:]
		}
		return r, data
	}
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		for i, c := range table.columns { // the server sends text for types without a binary form
			if !c.codec.BinaryOK() {
				t.Fatalf("column %d has no binary form", i)
			}
		}
		first, rest := parse(data)
		second, _ := parse(rest)
		b := connect.NewBatch(100, 1<<20)
		o := &origin{lsn: pgoutput.LSN(len(data)), txID: 1, micros: 1}
		e.begin(b, o)
		_ = e.insert(b, table, o, first)
		_ = e.update(b, table, o, kind, first, second)
		_ = e.delete(b, table, o, kind, first)
		_ = e.truncate(b, table, o)
		_ = e.message(b, o, &pgoutput.Message{Prefix: data, Content: data})
		e.commit(b, o)
		checkRecords(t, b)
	})
}
