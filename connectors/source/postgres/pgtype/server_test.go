package pgtype

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// server opens a connection to a new database with the extensions that PostgreSQL
// is shipped with and some types of our own, in the settings that text needs.
func server(t testing.TB) *pgx.Conn { return serverOf(t, pgtest.Default) }

func serverOf(t testing.TB, version int) *pgx.Conn {
	t.Helper()
	conn := pgtest.Shared(t, version).Database(t).Connect(t)
	for _, s := range Settings {
		exec(t, conn, fmt.Sprintf("SET %s = '%s'", s.Name, s.Value))
	}
	exec(t, conn, `CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION isn;
		CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s'); CREATE DOMAIN price AS numeric(8,2); CREATE DOMAIN price2 AS price;
		CREATE DOMAIN tags AS text[]; CREATE TYPE pair AS (a int, b text);
		CREATE TYPE floatrange AS RANGE (subtype = float8)`)
	return conn
}

func exec(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

func load(t testing.TB, conn *pgx.Conn) *Catalog {
	t.Helper()
	c := NewCatalog()
	if err := c.Load(context.Background(), conn); err != nil {
		t.Fatal(err)
	}
	return c
}

// columnOf describes the only column of a table or of the result of its query.
func columnOf(t testing.TB, conn *pgx.Conn, table string) Column {
	t.Helper()
	col := Column{Name: "v"}
	err := conn.QueryRow(context.Background(), `SELECT a.atttypid, a.atttypmod, a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), d.adbin IS NOT NULL
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = $1::regclass AND a.attname = 'v'`, table).Scan(&col.TypeOID, &col.TypeMod, &col.NotNull, &col.Default, &col.HasDefault)
	if err != nil {
		t.Fatal(err)
	}
	return col
}

// copyText returns the cells of a column in the text form, nil for nulls.
func copyText(t testing.TB, conn *pgx.Conn, table string) [][]byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := conn.PgConn().CopyTo(context.Background(), &out, "COPY (SELECT v FROM "+table+" ORDER BY id) TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	var cells [][]byte
	for line := range bytes.Lines(out.Bytes()) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if string(line) == `\N` {
			cells = append(cells, nil)
			continue
		}
		cells = append(cells, append([]byte{}, uncopy(line)...))
	}
	return cells
}

// uncopy undoes the escapes of COPY's text format that PostgreSQL writes.
func uncopy(s []byte) []byte {
	return []byte(strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\t`, "\t", `\b`, "\b", `\f`, "\f", `\v`, "\v").Replace(string(s)))
}

// copyBinary returns the cells of a column in the binary form, nil for nulls.
func copyBinary(t testing.TB, conn *pgx.Conn, table string) [][]byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := conn.PgConn().CopyTo(context.Background(), &out, "COPY (SELECT v FROM "+table+" ORDER BY id) TO STDOUT (FORMAT binary)"); err != nil {
		t.Fatal(err)
	}
	data := out.Bytes()[19:]
	var cells [][]byte
	for int16(binary.BigEndian.Uint16(data)) != -1 {
		n := int32(binary.BigEndian.Uint32(data[2:]))
		data = data[6:]
		if n < 0 {
			cells = append(cells, nil)
			continue
		}
		cells = append(cells, data[:n:n])
		data = data[n:]
	}
	return cells
}

// everyMode are options such that each mode is in one of them.
func everyMode() []*Options {
	var all []*Options
	decimals := []DecimalMode{DecimalPrecise, DecimalDouble, DecimalString}
	binaries := []BinaryMode{BinaryBytes, BinaryBase64, BinaryBase64URLSafe, BinaryHex}
	for i, m := range []TimeMode{TimeAdaptive, TimeAdaptiveMicroseconds, TimeConnect, TimeISOString, TimeMicroseconds, TimeNanoseconds, TimeStructured} {
		all = append(all, &Options{Decimal: decimals[i%3], Time: m, Hstore: []HstoreMode{HstoreJSON, HstoreMap}[i%2],
			Interval: []IntervalMode{IntervalNumeric, IntervalString}[i/3%2], Binary: binaries[i%4], MoneyFractionDigits: i % 4})
	}
	return all
}

// agree reads every cell of a table in both forms and every mode and wants the
// same value, or the same trouble, of both. It returns how many values there were.
func agree(t *testing.T, conn *pgx.Conn, c *Catalog, table string) int {
	t.Helper()
	col := columnOf(t, conn, table)
	texts, bins := copyText(t, conn, table), copyBinary(t, conn, table)
	if len(texts) != len(bins) || len(texts) == 0 {
		t.Fatalf("%d rows in text, %d in binary", len(texts), len(bins))
	}
	values := 0
	for _, o := range everyMode() {
		codec, err := c.Compile(col, o)
		if err != nil || codec == nil {
			t.Fatalf("codec %v, %v", codec, err)
		}
		if !codec.BinaryOK() {
			t.Fatal("no binary form")
		}
		for i := range texts {
			if texts[i] == nil {
				continue
			}
			b := connect.NewBatch(1, 1)
			x, errX := codec.Text(b, texts[i])
			y, errY := codec.Binary(b, bins[i])
			if !x.Equal(y) || (errX == nil) != (errY == nil) || errX != nil && errX.Error() != errY.Error() {
				t.Errorf("%+v, cell %q: text is %v (%v), binary %x is %v (%v)", *o, texts[i], x, errX, bins[i], y, errY)
			}
			if errX == nil {
				values++
				if got := valueJSON(codec.Schema, x); strings.HasPrefix(got, "ERROR") {
					t.Errorf("%+v, cell %q is not of its schema: %s", *o, texts[i], got)
				}
			}
		}
	}
	return values
}

// everyType has values of every type with a mapping, as SQL expressions.
var everyType = []struct {
	typ    string
	values string
}{
	{"bool", `true, false`},
	{"int2", `-32768, 0, 32767`}, {"int4", `-2147483648, 0, 2147483647`}, {"int8", `-9223372036854775808, 0, 9223372036854775807`},
	{"oid", `0, 4294967295`},
	{"float4", `'NaN', '-Infinity', 'Infinity', '-0', 1.1754944e-38, 1e-45, 3.4028235e38, 0.1, 1e15, 16777216`},
	{"float8", `'NaN', '-Infinity', 'Infinity', '-0', 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e22, 123456789.123`},
	{"numeric", `0, 1, -1, 0.000, 100, 1.500, 1e-16383, 1e131071, 'NaN', 'Infinity', '-Infinity', 9999, 10000, 99999999, 0.0001, 0.00001, 12345678901234567890.123456789, -0.99`},
	{"numeric(10,2)", `0, 1, -1.5, 99999999.99, -99999999.99, 'NaN', 0.01, 10000, 0.1`}, {"numeric(1000,500)", `repeat('9',500)::numeric, 1e-500`},
	{"numeric(38,9)", `12345678901234567890123456789.123456789, -0.000000001`}, {"numeric(5,-2)", `12300, -100, 0`}, {"numeric(3,5)", `0.00999`},
	{"money", `'0', '1234.56', '-0.01', '92233720368547758.07', '-92233720368547758.08'`},
	{"bytea", `'', '\x00ff', decode('fbff00','hex')`},
	{"bit(1)", `B'0', B'1'`}, {"bit(9)", `B'000000000', B'100000001', B'010000011'`}, {"bit(16)", `B'1000000000000001'`},
	{"varbit", `B'', B'1', B'1010', B'0000000001', B'11111111111111111111'`}, {"varbit(1)", `B'', B'0', B'1'`},
	{"text", `'', 'a', E'tab\tnewline\nbackslash\\', 'grün', repeat('x', 10000)`}, {"varchar(5)", `'', 'grün'`}, {"char(5)", `'', 'a'`},
	{`"char"`, `'', 'a', E'\\377'`}, {"name", `'x'`}, {"xml", `'<?xml version="1.0"?><a>b</a>', '<a/>'`},
	{"json", `'{"a" : [1, "\u00e4"]}', 'null'`}, {"jsonb", `'{"a" : [1, "\u00e4"], "n": 1e400}', 'null'`},
	{"uuid", `'76019d1a-ad2e-4b22-96e9-1a6d6543c818', '00000000-0000-0000-0000-000000000000'`},
	{"inet", `'192.168.0.1', '192.168.0.1/24', '0.0.0.0/0', '::', '::1', '::1/64', '2001:db8::1', '::ffff:1.2.3.4', '::1.2.3.4', '1:0:0:2::3', '1::', '0:0:1::', '::2:0:0:0:1', 'fe80::/10'`},
	{"cidr", `'10.0.0.0/8', '1.2.3.4/32', '::/0', '2001:db8::/32', '::ffff:1.2.3.0/120', '::1/128'`},
	{"macaddr", `'08:00:2b:01:02:0f'`}, {"macaddr8", `'08:00:2b:01:02:03:04:0f'`},
	{"tsvector", `'', 'a:1A,2B b:3C c:4D d', $$'it''s' 'back\\\\slash'$$`},
	{"int4range", `'empty', '(,)', '[1,5)', '(,5]', '[1,]'`}, {"int8range", `'[-9223372036854775808,9223372036854775806]'`},
	{"numrange", `'[5.3,6.30)', '(-Infinity,NaN]', '(,1e30)'`},
	{"daterange", `'[2019-03-31,infinity)', '[-infinity,0044-03-15 BC]', '(12020-01-01,)'`},
	{"tsrange", `'["2019-03-31 15:30:00",infinity)', '["0044-03-15 01:02:03.5 BC","294276-12-31 23:59:59.999999"]'`},
	{"tstzrange", `'["2019-03-31 15:30:00+02","2019-04-30 15:30:00.000001-03:30"]', '["0044-03-15 01:02:03.5+00 BC",infinity]'`},
	{"date", `'1970-01-01', '2000-02-29', '4714-11-24 BC', '0001-12-31 BC', '0001-01-01', '5874897-12-31', 'infinity', '-infinity', '9999-12-31', '10000-01-01', '1900-03-01'`},
	{"time", `'00:00', '12:34:56.789123', '24:00', '23:59:59.999999'`}, {"time(3)", `'12:34:56.789', '24:00'`}, {"time(0)", `'12:34:56'`},
	{"timestamp", `'1970-01-01 00:00:00', '1969-12-31 23:59:59.999999', '4714-11-24 00:00:00 BC', '294246-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999', 'infinity', '-infinity', '2262-04-11 23:47:16.854775', '2020-02-03 04:05:06.7'`},
	{"timestamp(3)", `'2020-02-03 04:05:06.789', '1969-12-31 23:59:59.999', 'infinity'`}, {"timestamp(0)", `'2020-02-03 04:05:06'`},
	{"timestamptz", `'1970-01-01 00:00:00+00', '2020-02-03 04:05:06.7+05:30', '4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', 'infinity', '-infinity'`},
	{"timestamptz(3)", `'2020-02-03 04:05:06.789+00', '2020-02-03 04:05:06+00'`}, {"timestamptz(0)", `'2020-02-03 04:05:06+00'`},
	{"timetz", `'12:34:56.789+00', '00:00+15:59:59', '24:00:00-15:59:59', '24:00+00', '01:00:00+02'`}, {"timetz(1)", `'12:34:56.7-08'`},
	{"interval", `'0', '1 year 2 mons 3 days 04:05:06.78', '-1 year -2 mons 3 days -00:00:00.000001', '178000000 years', '-178000000 years', '2562047788:00:54.775807', '-2562047788:00:54.775807', '1 mon -1 day 00:00:01', '-2147483648 days', '2147483647 days', '11 mons', '-1 mons +1 day', 'infinity'::interval, '-infinity'::interval`},
	{"interval(2)", `'00:00:01.25'`}, {"interval day to second(0)", `'1 day 00:00:01'`},
	{"point", `'(1,-2.5)', '(NaN,Infinity)', '(1e300,-0)'`}, {"box", `'(1,2),(3,4)'`}, {"lseg", `'[(1,2),(3,4)]'`}, {"line", `'{1,2,3}'`},
	{"circle", `'<(1,2),3>'`}, {"path", `'[(1,2),(3,4)]', '((1,2),(3,4),(5,6))'`}, {"polygon", `'((0,0),(1,0),(0,1))', '((1,1))', '((0,0),(1,0),(0,0))'`},
	{"hstore", `'', 'a=>1, b=>NULL, "c d"=>"q\"u\\o"', '""=>""'`}, {"citext", `'aBc'`}, {"ltree", `'', 'a.b.c'`},
	{"mood", `'sad', 'it''s'`}, {"price", `1.5`}, {"price2", `1.5, -2`}, {"tags", `'{a,NULL,"b c"}', '{}'`},
	{"int4[]", `'{}', '{1,NULL,3}', '[2:3]={1,2}', '{{1,2},{3,4}}'`}, {"int2[]", `'{1}'`}, {"int8[]", `'{1}'`}, {"oid[]", `'{1}'`},
	{"numeric[]", `'{1.50,NULL}', '{NaN}'`}, {"numeric(5,2)[]", `'{1.50}'`}, {"float4[]", `'{1.5,NaN}'`}, {"float8[]", `'{1.5}'`}, {"bool[]", `'{t,f,NULL}'`},
	{"text[]", `'{a,"b,c","d\"e\\f",NULL,"NULL","",Null x}'`}, {"varchar(3)[]", `'{abc}'`}, {"char(3)[]", `'{a}'`}, {`"char"[]`, `'{a}'`}, {"uuid[]", `'{76019d1a-ad2e-4b22-96e9-1a6d6543c818}'`},
	{"json[]", `array['{"a": "b\"c"}'::json]`}, {"jsonb[]", `array['{"a": "b\"c"}'::jsonb, null]`}, {"date[]", `'{2020-01-01,infinity}'`},
	{"time(3)[]", `'{12:00:00.5}'`}, {"timetz[]", `'{12:00:00+02}'`}, {"timestamp[]", `'{2020-01-01 00:00:00}'`}, {"timestamptz(3)[]", `'{2020-01-01 00:00:00+00}'`},
	{"inet[]", `'{::1,1.2.3.4/8}'`}, {"cidr[]", `'{10.0.0.0/8}'`}, {"macaddr[]", `'{08:00:2b:01:02:0f}'`}, {"int4range[]", `'{"[1,5)",empty}'`}, {"tsrange[]", `array['["2019-03-31 15:30:00",infinity)'::tsrange]`},
	{"bytea[]", `array['\xdead'::bytea, null]`}, {"bit(3)[]", `array[B'101'::bit(3)]`}, {"tsvector[]", `array['a:1'::tsvector]`}, {"box[]", `'{(1,2),(3,4);(0,0),(1,1)}'`}, {"polygon[]", `array['((0,0),(1,0),(0,1))'::polygon]`},
	{"mood[]", `'{sad,"it''s"}', '{NULL}'`}, {"citext[]", `'{aBc}'`}, {"ltree[]", `'{a.b,c}'`}, {"hstore[]", `array['a=>1'::hstore]`},
}

// since are the versions that know a type or value of everyType first.
var since = map[string]int{"numeric(5,-2)": 15, "numeric(3,5)": 15, `'2562047788:00:54.775807'`: 15, `'-2562047788:00:54.775807'`: 15,
	`'infinity'::interval`: 17, `'-infinity'::interval`: 17}

// TestFormsAgree inserts every value of everyType once and wants the text and the
// binary form that the server writes of it to be read as the same, by the oldest,
// the usual and the newest version.
func TestFormsAgree(t *testing.T) {
	for _, version := range []int{pgtest.Versions[0], pgtest.Default, pgtest.Versions[len(pgtest.Versions)-1]} {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			conn := serverOf(t, version)
			c := load(t, conn)
			for i, e := range everyType {
				if since[e.typ] <= version {
					t.Run(e.typ, func(t *testing.T) { insertAndAgree(t, conn, c, fmt.Sprintf("t%d", i), e.typ, e.values, version) })
				}
			}
		})
	}
}

func insertAndAgree(t *testing.T, conn *pgx.Conn, c *Catalog, table, typ, values string, version int) {
	exec(t, conn, fmt.Sprintf("CREATE TABLE %s (id int, v %s)", table, typ))
	inserts := []string{fmt.Sprintf("INSERT INTO %s VALUES (0, NULL)", table)}
	for id, v := range splitValues(values) {
		if since[strings.TrimSpace(v)] <= version {
			inserts = append(inserts, fmt.Sprintf("INSERT INTO %s VALUES (%d, %s)", table, id+1, v))
		}
	}
	exec(t, conn, strings.Join(inserts, ";"))
	if agree(t, conn, c, table) == 0 {
		t.Error("not one value was read")
	}
}

// splitValues splits SQL expressions at commas outside quotes and brackets.
func splitValues(s string) []string {
	var out []string
	depth, start, quote := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			quote = !quote
		case quote:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			out, start = append(out, s[start:i]), i+1
		}
	}
	return append(out, s[start:])
}

// TestGeneratedFormsAgree does the same with values that the server makes up.
func TestGeneratedFormsAgree(t *testing.T) {
	conn := server(t)
	c := load(t, conn)
	exec(t, conn, "SELECT setseed(0.5)")
	const float = `((random()*2-1) * 10.0::float8 ^ (random()*600-300)::int)`
	const micros = `((random()*2-1) * 9e15)::int8`
	for i, g := range []struct{ typ, expr string }{
		{"int8", `(random()*18446744073709551615 - 9223372036854775808)::numeric::int8`},
		{"float8", float}, {"float4", `((random()*2-1) * 10.0::float8 ^ (random()*70-35)::int)::float4`},
		{"numeric", `round(((random()*2-1)::numeric * 10::numeric ^ (random()*80)::int), (random()*30)::int)`},
		{"numeric(38,10)", `(random()*2-1)::numeric * 10::numeric ^ (random()*27)::int`},
		{"numeric", `(random()*10)::int::numeric * 10::numeric ^ (random()*400)::int / 10::numeric ^ (random()*400)::int`},
		{"money", `((random()*2-1) * 9e16)::numeric::money`},
		{"date", `'2000-01-01'::date + ((random()-0.001) * 2145031948)::int`}, {"date", `'2000-01-01'::date + (random()*4000000 - 2400000)::int`},
		{"timestamp", `'2000-01-01'::timestamp + make_interval(secs => ` + micros + `/1e6 * (CASE WHEN random()<0.5 THEN 1 ELSE 0.02 END)) * (CASE WHEN random()<0.8 THEN 0.02 ELSE 0.0001 END)`},
		{"timestamptz(4)", `to_timestamp((random()*2-1)*4e9)`},
		{"time", `'00:00'::time + make_interval(secs => random()*86399)`},
		{"timetz", `('00:00'::time + make_interval(secs => random()*86399))::text::time AT TIME ZONE make_interval(secs => ((random()*2-1)*50000)::int)`},
		{"interval", `make_interval(months => ((random()*2-1)*1e9)::int, days => ((random()*2-1)*2e9)::int, secs => (random()*2-1)*9e12)`},
		{"interval", `make_interval(months => ((random()*2-1)*30)::int, days => ((random()*2-1)*40)::int, secs => (random()*2-1)*9000)`},
		{"inet", `set_masklen(('::'::inet + (random()*9e18)::int8), (random()*128)::int)`},
		{"inet", `('ff' || to_hex((random()*255)::int) || ':' || to_hex((random()*3)::int*(random()*9)::int) || ':0:' || to_hex((random())::int) || ':' || to_hex((random())::int) || ':' || to_hex(random()::int*65535) || ':' || to_hex((random()*2)::int) || ':' || to_hex(random()::int))::inet`},
		{"inet", `set_masklen('0.0.0.0'::inet + (random()*4294967295)::int8, (random()*32)::int)`},
		{"varbit", `substring((random()*9e18)::int8::bit(64)::varbit for (random()*64)::int)`},
		{"bytea", `decode(md5(random()::text), 'hex')`}, {"uuid", `gen_random_uuid()`},
		{"text", `md5(random()::text) || chr(1 + (random()*55000)::int)`},
		{"hstore", `hstore(ARRAY[md5(random()::text), chr(1 + (random()*300)::int) || '"\', 'x'], ARRAY[chr(1 + (random()*300)::int), NULL, '"'])`},
		{"tsvector", `to_tsvector('english', 'the quick brown foxes it''s ' || md5(random()::text) || ' foxes') || setweight(to_tsvector('simple', 'a b a \ c'''), 'B')`},
		{"numrange", `numrange((random()*100)::numeric(10,4), (random()*100+100)::numeric(10,4), (ARRAY['[]','()','[)','(]'])[1+(random()*3)::int])`},
		{"tstzrange", `tstzrange(to_timestamp((random()*2-1)*4e9), NULL)`}, {"daterange", `daterange(NULL, '2000-01-01'::date + ((random()*2-1)*2000000)::int)`},
		{"point", `point(` + float + `, ` + float + `)`}, {"float8[]", `ARRAY[` + float + `, NULL, ` + float + `]`},
		{"text[]", `ARRAY[md5(random()::text), chr(1 + (random()*300)::int), NULL, '', 'null', '{', 'a b', '"', '\']`},
	} {
		t.Run(g.typ, func(t *testing.T) {
			table := fmt.Sprintf("g%d", i)
			exec(t, conn, fmt.Sprintf("CREATE TABLE %s (id serial, v %s); INSERT INTO %[1]s (v) SELECT %[3]s FROM generate_series(1, 500)", table, g.typ, g.expr))
			if n := agree(t, conn, c, table); n < 500 {
				t.Errorf("%d values were read", n)
			}
		})
	}
}
