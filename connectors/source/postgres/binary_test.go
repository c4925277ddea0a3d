package postgres

import (
	"maps"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// everyForm has columns of all kinds of types; what pgtype's TestFormsAgree does for
// each value, this does for rows on their way through the stream.
const everyForm = `
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s'); CREATE DOMAIN price AS numeric(8,2); CREATE TYPE pair AS (a int, b text);
CREATE TABLE every (id bigint, code uuid, PRIMARY KEY (id, code), b bool, i2 int2, i4 int4, o oid, f4 float4, f8 float8, n numeric, n2 numeric(12,2), m money, raw bytea, bit1 bit(1), bits bit(9), vb varbit,
	t text, v varchar(20), c char(5), x xml, j json, jb jsonb, ip inet, net cidr, mac macaddr, ts tsvector, ir int4range, tr tstzrange, d date, ti time, t3 timestamp(3), t6 timestamp,
	tz timestamptz, tz3 timestamptz(3), ttz timetz, iv interval, pt point, po polygon, h hstore, ci citext, lt ltree, mo mood, pr price, ia int4[], ta text[], na numeric[], tza timestamptz[], ma mood[],
	pa pair, lsn pg_lsn);
ALTER TABLE every REPLICA IDENTITY FULL;
CREATE TABLE "keyed" (id text PRIMARY KEY, big text);
ALTER TABLE keyed ALTER big SET STORAGE EXTERNAL`

const everyValue = `'76019d1a-ad2e-4b22-96e9-1a6d6543c818', true, -32768, 2147483647, 4294967295, 'NaN', 1e22, 12345678901234567890.1234500, -0.05, '-1234.56', '\x00ff', B'1', B'100000001', B'1010',
	E'tab\tgrün\\', 'ab', 'a', '<?xml version="1.0"?><a>b</a>', '{"a" : [1]}', '{"a" : [1, "ä"]}', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:0f', 'a:1A b:2', '(,5]', '["2019-03-31 15:30:00+02",infinity)',
	'0044-03-15 BC', '24:00', '2020-02-03 04:05:06.789', 'infinity', '2020-02-03 04:05:06.7+05:30', '1969-12-31 23:59:59.999+00', '12:34:56.789-08', '-1 year -2 mons 3 days 04:05:06.78', '(1,-2.5)', '((0,0),(1,0),(0,1))',
	'a=>1, b=>NULL', 'aBc', 'a.b.c', 'it''s', 1.5, '{1,NULL,3}', '{a,"b,c",NULL}', '{1.50,NaN}', '{2020-01-01 00:00:00+00}', '{sad,"it''s"}', '(1,x)', '16/B374D848'`

const everyChange = `
INSERT INTO every (id, code) VALUES (1, gen_random_uuid());
INSERT INTO every VALUES (2, ` + everyValue + `);
UPDATE every SET n = 0.000, f8 = '-0', t6 = '4714-11-24 00:00 BC', tz = '-infinity', iv = '0', bits = B'000000000', h = '', ia = '{}', m = '0' WHERE id = 2;
UPDATE every SET id = 3 WHERE id = 2;
DELETE FROM every;
INSERT INTO keyed VALUES ('k', repeat('long ', 600));
UPDATE keyed SET id = 'other';
DELETE FROM keyed;
TRUNCATE every`

// showJSON shows a record without what no two readers of it have in common: when
// they have read it.
func showJSON(t testing.TB) func(*connect.Record) string {
	return func(r *connect.Record) string {
		text := func(s *connect.Schema, v connect.Value) string {
			if v.IsNull() {
				return "null"
			}
			if cells := v.Cells(); s.Name() != "" && strings.HasSuffix(s.Name(), ".Envelope") {
				cells[envelopeTsMs], cells[envelopeTsUs], cells[envelopeTsNs] = connect.Value{}, connect.Value{}, connect.Value{}
			}
			out, err := connectjson.Append(nil, s, v, connectjson.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		return r.Topic + " " + text(r.KeySchema, r.Key) + " " + text(r.ValueSchema, r.Value)
	}
}

// TestBinaryAndTextAreTheSame reads the same changes in both forms.
func TestBinaryAndTextAreTheSame(t *testing.T) {
	t.Parallel()
	inText := newRig(t, everyForm, "streaming.binary", "false", "skipped.operations", "none", "binary.handling.mode", "hex")
	inText.show = showJSON(t)
	inText.open()
	binary := &rig{t: t, db: inText.db, batch: newBatchOf(3), store: true, commit: true, show: showJSON(t), settings: maps.Clone(inText.settings)}
	binary.settings["streaming.binary"], binary.settings["slot.name"] = "true", inText.settings["slot.name"]+"_b"
	t.Cleanup(binary.stop)
	binary.open()
	inText.db.Exec(t, everyChange)
	const events = 17
	inText.batch = newBatchOf(1)
	inText.until(events)
	binary.until(events)
	if i := firstOther(binary.events, inText.events); i >= 0 {
		t.Errorf("event %d\nbinary %s\ntext   %s", i, binary.events[i], inText.events[i])
	}
	if !strings.Contains(inText.events[1], `"lt":"a.b.c"`) {
		t.Errorf("the values are not there: %s", inText.events[1])
	}
	if inText.source.stream.binary || !binary.source.stream.binary {
		t.Error("both were read in the same form")
	}
}

// TestTypesThatAreTextOnly meets a table with such a type in the middle of a
// transaction: the stream goes over to text and every event comes once.
func TestTypesThatAreTextOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, `CREATE TYPE pair AS (a int, b text); CREATE TABLE n (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY, v pair)`,
		"include.unknown.datatypes", "true", "binary.handling.mode", "base64")
	r.batch = newBatchOf(2)
	r.open()
	r.db.Exec(t, `INSERT INTO n VALUES (1)`)
	r.want(`public.n c - (1)`)
	if !r.source.stream.binary {
		t.Error("values were not asked for in binary form")
	}
	r.db.Exec(t, `BEGIN; INSERT INTO n SELECT generate_series(2, 6); INSERT INTO p VALUES (1, '(1,x)'); INSERT INTO n VALUES (7); COMMIT`)
	r.want(`public.n c - (2)`, `public.n c - (3)`, `public.n c - (4)`, `public.n c - (5)`, `public.n c - (6)`, `public.p c - (1 "KDEseCk=")`, `public.n c - (7)`)
	if r.source.stream.binary {
		t.Error("values are still asked for in binary form")
	}
	if log := r.log.String(); strings.Contains(log, "read: ") || strings.Count(log, "values are read as text") != 1 {
		t.Errorf("the change of form is to be told once and is no error:\n%s", log)
	}
}

// TestSignalsInBinary reads a signal table whose columns are not all text.
func TestSignalsInBinary(t *testing.T) {
	t.Parallel()
	r := newRig(t, `CREATE TABLE n (id int PRIMARY KEY); INSERT INTO n VALUES (1), (2); CREATE TABLE s (id int PRIMARY KEY, type varchar(32), data jsonb)`,
		"signal.data.collection", "public.s", "table.include.list", "public.n")
	r.open()
	r.db.Exec(t, `INSERT INTO s VALUES (1, 'execute-snapshot', '{"type": "blocking", "data-collections": ["public.n"]}')`)
	r.want(`public.s c - (1 "execute-snapshot" "{\"type\": \"blocking\", \"data-collections\": [\"public.n\"]}")`, `public.n r - (1)`, `public.n r - (2)`)
}
