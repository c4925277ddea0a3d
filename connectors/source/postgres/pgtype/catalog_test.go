package pgtype

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
)

func compileColumn(t *testing.T, c *Catalog, col Column) *Codec {
	t.Helper()
	codec, err := c.Compile(col, &Options{MoneyFractionDigits: 2})
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// TestRefresh makes types after the catalog was loaded.
func TestRefresh(t *testing.T) {
	ctx := context.Background()
	conn := server(t)
	c := load(t, conn)
	exec(t, conn, `CREATE TYPE late AS ENUM ('b', 'a'); CREATE DOMAIN later AS late[]; CREATE TABLE t (id int, v later)`)
	col := columnOf(t, conn, "t")
	_, err := c.Compile(col, &Options{})
	var unknown *UnknownTypeError
	for range 3 {
		if !errors.As(err, &unknown) {
			break
		}
		if err := c.Refresh(ctx, conn, unknown.OID); err != nil {
			t.Fatal(err)
		}
		_, err = c.Compile(col, &Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	allowed, _ := compileColumn(t, c, col).Schema.Value().Parameter("allowed")
	if allowed != "b,a" {
		t.Errorf("allowed is %q", allowed)
	}
}

// TestRefreshOfNothing wants a type that is gone to be one without a mapping, not
// one to be asked for again.
func TestRefreshOfNothing(t *testing.T) {
	conn := server(t)
	c := NewCatalog()
	col := Column{Name: "v", TypeOID: 4_000_000_000, TypeMod: -1}
	if err := c.Refresh(context.Background(), conn, col.TypeOID); err != nil {
		t.Fatal(err)
	}
	if codec := compileColumn(t, c, col); codec != nil {
		t.Error("the column is not left out")
	}
}

// TestStaleEnum adds a label between two others, and reads one that is no more.
func TestStaleEnum(t *testing.T) {
	ctx := context.Background()
	conn := server(t)
	c := load(t, conn)
	exec(t, conn, `CREATE TABLE t (id int, v mood)`)
	col := columnOf(t, conn, "t")
	codec := compileColumn(t, c, col)
	exec(t, conn, `ALTER TYPE mood ADD VALUE 'so-so' BEFORE 'ok'`)
	read := func(label string) (*StaleEnumError, string) {
		v, err := codec.Text(connect.NewBatch(1, 1), []byte(label))
		var stale *StaleEnumError
		if err != nil && !errors.As(err, &stale) {
			t.Fatal(err)
		}
		return stale, v.Text()
	}
	for _, label := range []string{"so-so", "renamed"} {
		stale, got := read(label)
		if stale == nil || got != label {
			t.Fatalf("%q is %q, stale %v", label, got, stale)
		}
		if err := c.RefreshEnum(ctx, conn, stale); err != nil {
			t.Fatal(err)
		}
		codec = compileColumn(t, c, col)
		if stale, _ := read(label); stale != nil {
			t.Errorf("%q is stale for ever", label)
		}
	}
	if err := c.Load(ctx, conn); err != nil {
		t.Fatal(err)
	}
	codec = compileColumn(t, c, col)
	if stale, _ := read("renamed"); stale != nil {
		t.Error("loading the catalog again forgets what was accepted")
	}
	if allowed, _ := codec.Schema.Parameter("allowed"); allowed != "sad,so-so,ok,it's" {
		t.Errorf("allowed is %q", allowed)
	}
}

// TestCatalogOfAServer wants what the server says of its own types to be what a
// catalog begins with, and types of extensions to be found in any schema.
func TestCatalogOfAServer(t *testing.T) {
	conn := server(t)
	begin, loaded := NewCatalog(), load(t, conn)
	for oid, want := range begin.types {
		got := loaded.types[oid]
		if got.name != want.name || want.isArray() && got.elem != want.elem || got.delim != want.delim || got.isArray() != want.isArray() {
			t.Errorf("type %d is %+v, not %+v", oid, *got, *want)
		}
	}
	exec(t, conn, `CREATE SCHEMA far; ALTER EXTENSION hstore SET SCHEMA far; CREATE TABLE t (id int, v far.hstore)`)
	codec := compileColumn(t, load(t, conn), columnOf(t, conn, "t"))
	if codec.Schema.Name() != jsonName {
		t.Errorf("hstore in another schema is a %q", codec.Schema.Name())
	}
}

// TestDomainModifiers wants the modifier of a domain to reach its columns.
func TestDomainModifiers(t *testing.T) {
	conn := server(t)
	exec(t, conn, `CREATE DOMAIN deep AS price2; CREATE TABLE t (id int, v deep)`)
	codec := compileColumn(t, load(t, conn), columnOf(t, conn, "t"))
	if scale, _ := codec.Schema.Parameter("scale"); scale != "2" {
		t.Errorf("the scale is %q", scale)
	}
}

// TestServerDefaults takes default expressions through the server, which writes
// them in a form of its own.
func TestServerDefaults(t *testing.T) {
	conn := server(t)
	c := load(t, conn)
	for i, d := range []struct{ typ, expr, want string }{
		{"int", "-5", "-5"}, {"int", "1+2", "none"}, {"bigint", "9000000000", "9000000000"}, {"smallint", "'7'", "7"},
		{"serial", "", "0"}, {"int", "NULL", "none"}, {"boolean", "true", "true"}, {"boolean", "(not true)", "none"},
		{"numeric(10,2)", "-1.5", `"/2o="`}, {"float8", "-1e300", "-1.0E300"}, {"real", "'NaN'", `"NaN"`},
		{"text", "'it''s'", `"it's"`}, {"text", `E'a\\b\nc'`, `"a\\b\nc"`}, {"varchar(5)", "'x'", `"x"`}, {"text", "'a' || 'b'", "none"},
		{"text", "current_user", `""`}, {"char(3)", "'x'", `"x"`}, {"text", "md5('a')", `""`}, {"text", "'(::'", `"(::"`},
		{"date", "'2020-02-03'", "18295"}, {"date", "'2020-02-03'::timestamp::date", "none"}, {"date", "current_date", "0"}, {"date", "now()", "0"},
		{"timestamp", "'2020-02-03 04:05:06.7'", "1580702706700000"}, {"timestamp", "(now() at time zone 'utc')", "0"},
		{"timestamptz", "'2020-02-03 04:05:06+05:30'", `"2020-02-02T22:35:06.000000Z"`}, {"timestamptz", "current_timestamp", `"1970-01-01T00:00:00.000000Z"`},
		{"timestamptz", "now() + interval '1 day'", `"1970-01-01T00:00:00.000000Z"`},
		{"time", "'12:00'", "43200000000"}, {"interval", "'1 day -2 hours'", "79200000000"}, {"uuid", "gen_random_uuid()", `"00000000-0000-0000-0000-000000000000"`},
		{"json", `'{"a": 1}'`, `"{\"a\": 1}"`}, {"jsonb", "'{}'", `"{}"`}, {"bit(3)", "B'101'", `"BQ=="`}, {"bit(1)", "'1'", "true"}, {"varbit(8)", "'101'", `"BQ=="`},
		{"mood", "'it''s'", `"it's"`}, {"mood", "'sad'", `"sad"`}, {"xml", "'<a/>'", `"<a/>"`},
		{"int[]", "'{1}'", "none"}, {"hstore", "''", "none"}, {"bytea", "'x'", "none"}, {"price", "1", "none"}, {"point", "'(1,2)'", "none"},
	} {
		table := fmt.Sprintf("t%d", i)
		clause := ""
		if d.expr != "" {
			clause = "DEFAULT " + d.expr
		}
		exec(t, conn, fmt.Sprintf("CREATE TABLE %s (id int, v %s %s)", table, d.typ, clause))
		col := columnOf(t, conn, table)
		codec := compileColumn(t, c, col)
		got := "none"
		if v, ok := codec.Schema.Default(); ok {
			got = valueJSON(codec.Schema, v)
		}
		if got != d.want {
			t.Errorf("%s DEFAULT %s (%s): the schema has %s, want %s", d.typ, d.expr, col.Default, got, d.want)
		}
		col.NotNull = true
		if zero := compileColumn(t, c, col); d.want != "none" && valueJSON(zero.Schema, zero.Zero) != d.want {
			t.Errorf("%s DEFAULT %s: what is missing from a tuple is %v", d.typ, d.expr, zero.Zero)
		}
	}
}

// TestManyTypes wants enums and domains to be loaded with their arrays, and the
// types that stand for the rows of tables not.
func TestManyTypes(t *testing.T) {
	conn := server(t)
	before := len(load(t, conn).types)
	makeTypes(t, conn, 100)
	if n := len(load(t, conn).types) - before; n != 400 {
		t.Errorf("%d more types", n)
	}
}

// makeTypes makes n enums and n domains, which have as many array types, and n
// tables.
func makeTypes(t testing.TB, conn *pgx.Conn, n int) {
	t.Helper()
	for from := 0; from < n; from += 500 { // each takes a lock until the end of its transaction
		exec(t, conn, fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP
			EXECUTE format('CREATE TYPE e%%s AS ENUM (''a'', ''b'', ''c'')', i); EXECUTE format('CREATE DOMAIN d%%s AS e%%s', i, i);
			EXECUTE format('CREATE TABLE many%%s (id int)', i); END LOOP; END $$`, from, min(from+500, n)-1))
	}
}

func BenchmarkLoad(b *testing.B) {
	conn := server(b)
	makeTypes(b, conn, 5000)
	b.ReportAllocs()
	for b.Loop() {
		c := load(b, conn)
		b.ReportMetric(float64(len(c.types)), "types")
	}
}
