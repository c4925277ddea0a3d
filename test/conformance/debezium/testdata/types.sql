-- The types of PostgreSQL: each value is there when the snapshot is taken, and comes
-- again as a change.
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE EXTENSION ltree;
CREATE EXTENSION isn;
CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE other.mood AS ENUM ('rot', 'grün', 'b,l"au');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive CHECK (VALUE < 100);
CREATE DOMAIN price AS numeric(10,2);
CREATE DOMAIN dearer AS price;
CREATE DOMAIN label AS varchar(20);
CREATE DOMAIN int_list AS int[];
CREATE DOMAIN stamp AS timestamp(3);

CREATE TABLE t_integer (id int PRIMARY KEY, b boolean, i2 smallint, i4 integer, i8 bigint, o oid, b1 bit(1));
INSERT INTO t_integer VALUES (1, true, 1, 2, 3, 4, B'1');
INSERT INTO t_integer VALUES (2, false, -32768, -2147483648, -9223372036854775808, 0, B'0');
INSERT INTO t_integer VALUES (3, NULL, 32767, 2147483647, 9223372036854775807, 4294967295, NULL);
INSERT INTO t_integer VALUES (4);

CREATE TABLE t_serial (a smallserial, b serial, c bigserial PRIMARY KEY);
INSERT INTO t_serial DEFAULT VALUES;

CREATE TABLE t_float (id int PRIMARY KEY, f4 real, f8 double precision);
INSERT INTO t_float VALUES (1, 3.14, 2.718281828459045);
INSERT INTO t_float VALUES (2, 'NaN', 'NaN');
INSERT INTO t_float VALUES (3, 'Infinity', 'Infinity');
INSERT INTO t_float VALUES (4, '-Infinity', '-Infinity');
INSERT INTO t_float VALUES (5, '-0', '-0');
INSERT INTO t_float VALUES (6, 1e-45, 5e-324);
INSERT INTO t_float VALUES (7, 3.4028235e38, 1.7976931348623157e308);
INSERT INTO t_float VALUES (8, 1e7, 1e21);
INSERT INTO t_float VALUES (9, 0.1, 0.1);
INSERT INTO t_float VALUES (10, 123456.789, 1e-7);
INSERT INTO t_float VALUES (11, 16777216, 9007199254740993);
INSERT INTO t_float VALUES (12, 1e-3, 1e-3);
INSERT INTO t_float VALUES (13, 9999999, 9999999);
INSERT INTO t_float VALUES (14, 0, 0);
INSERT INTO t_float VALUES (15);

CREATE TABLE t_numeric (id int PRIMARY KEY, n numeric, n1 numeric(1), n5_2 numeric(5,2), n10_4 numeric(10,4), n38_10 numeric(38,10), n3 numeric(3));
INSERT INTO t_numeric VALUES (1, 1.1, 1, 10.11, 10.1111, 123456789.0123456789, 222);
INSERT INTO t_numeric VALUES (2, 0, 0, 0, 0, 0, 0);
INSERT INTO t_numeric VALUES (3, -1.5, -9, -999.99, -999999.9999, -9999999999999999999999999999.9999999999, -999);
INSERT INTO t_numeric VALUES (4, 100, 9, 999.99, 999999.9999, 9999999999999999999999999999.9999999999, 999);
INSERT INTO t_numeric VALUES (5, 1.500, NULL, 1.50, 1.5, 1.5, NULL);
INSERT INTO t_numeric VALUES (6, 0.00001, NULL, 0.01, 0.0001, 0.0000000001, NULL);
INSERT INTO t_numeric VALUES (7, 123456789012345678901234567890.123456789012345678901234567890);
INSERT INTO t_numeric VALUES (8, 1e20);
INSERT INTO t_numeric VALUES (9, 128);
INSERT INTO t_numeric VALUES (10, -128);
INSERT INTO t_numeric VALUES (11, -129);
INSERT INTO t_numeric VALUES (12, 255);
INSERT INTO t_numeric VALUES (13, 0.000);
INSERT INTO t_numeric VALUES (14, 1e-30);
INSERT INTO t_numeric VALUES (15, 3.0000000000);
INSERT INTO t_numeric VALUES (16);

CREATE TABLE t_numeric_special (id int PRIMARY KEY, n numeric, n10_2 numeric(10,2), negative numeric(2,-3), wide numeric(3,5));
INSERT INTO t_numeric_special VALUES (1, 'NaN', 'NaN', 12000, 0.00123);
INSERT INTO t_numeric_special VALUES (2, 'Infinity', NULL, -99000, -0.00999);
INSERT INTO t_numeric_special VALUES (3, '-Infinity', 1, 0, 0);

CREATE TABLE t_money (id int PRIMARY KEY, m money);
INSERT INTO t_money VALUES (1, '1234.11');
INSERT INTO t_money VALUES (2, '-0.01');
INSERT INTO t_money VALUES (3, '0');
INSERT INTO t_money VALUES (4, '92233720368547758.07');
INSERT INTO t_money VALUES (5, '-92233720368547758.08');
INSERT INTO t_money VALUES (6, NULL);

CREATE TABLE t_text (id int PRIMARY KEY, c1 "char", c char(5), vc varchar(10), t text, ci citext, n name, x xml, bp bpchar, vcu varchar);
INSERT INTO t_text VALUES (1, 'x', 'ab', 'varchar', 'text', 'CiText', 'a_name', '<a><b/>c</a>', 'ab  ', 'any');
INSERT INTO t_text VALUES (2, '', '', '', '', '', '', '<a/>', '', '');
INSERT INTO t_text VALUES (3, 'ü', 'äöü', 'ž š č', E'tab\t newline\n quote" backslash\\ slash/ bell\x07 del\x7f', 'ÄÖ', 'ñ', '<ž/>', 'ž', E'\u2028\u2029\uFEFF');
INSERT INTO t_text VALUES (4, NULL, NULL, NULL, U&'\+01F600 \+010FFFF e\0301', NULL, NULL, NULL, NULL, E'</script>&<>''');
INSERT INTO t_text VALUES (5, E'\\101', 'NULL', '\N', 'null', '{}', '[]', '<!-- c --><a b="c">&amp;</a>', 'true', '\\x41');
INSERT INTO t_text VALUES (6);

CREATE TABLE t_bytes (id int PRIMARY KEY, b bytea);
INSERT INTO t_bytes VALUES (1, '\x000102fffefd');
INSERT INTO t_bytes VALUES (2, '\x');
INSERT INTO t_bytes VALUES (3, 'escape \\ \001 text');
INSERT INTO t_bytes VALUES (4, decode(repeat('fbff', 40), 'hex'));
INSERT INTO t_bytes VALUES (5, NULL);

CREATE TABLE t_bits (id int PRIMARY KEY, b1 bit(1), b2 bit(2), b8 bit(8), b9 bit(9), b64 bit(64), v1 bit varying(1), v5 bit varying(5), v bit varying);
INSERT INTO t_bits VALUES (1, B'1', B'11', B'10000001', B'100000001', repeat('10', 32)::bit(64), B'1', B'101', B'1111000011110000');
INSERT INTO t_bits VALUES (2, B'0', B'00', B'00000000', B'000000000', repeat('0', 64)::bit(64), B'0', B'', B'');
INSERT INTO t_bits VALUES (3, B'1', B'01', B'00000001', B'000000010', (1::bigint)::bit(64), B'', B'00001', B'0000000000000001');
INSERT INTO t_bits VALUES (4, NULL, B'10', B'11111111', B'111111111', (-1::bigint)::bit(64), NULL, B'11111', B'1');
INSERT INTO t_bits VALUES (5);

CREATE TABLE t_time (id int PRIMARY KEY, d date, t time, t0 time(0), t3 time(3), t4 time(4), ts timestamp, ts0 timestamp(0), ts1 timestamp(1), ts3 timestamp(3), ts4 timestamp(4), ttz timetz, ttz0 timetz(0), ttz3 timetz(3), tstz timestamptz, tstz0 timestamptz(0), tstz1 timestamptz(1), tstz3 timestamptz(3), tstz4 timestamptz(4));
INSERT INTO t_time VALUES (1, '2016-11-04', '13:51:30.123456', '13:51:30', '13:51:30.123', '13:51:30.1234', '2016-11-04T13:51:30.123456', '2016-11-04T13:51:30', '2016-11-04T13:51:30.1', '2016-11-04T13:51:30.123', '2016-11-04T13:51:30.1234', '13:51:30.123456+02', '13:51:30+02', '13:51:30.123-07:30', '2016-11-04T13:51:30.123456+02:00', '2016-11-04T13:51:30+02:00', '2016-11-04T13:51:30.1+02:00', '2016-11-04T13:51:30.123+02:00', '2016-11-04T13:51:30.1234+02:00');
INSERT INTO t_time VALUES (2, '1970-01-01', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '00:00:00Z', '00:00:00Z', '00:00:00Z', '1970-01-01Z', '1970-01-01Z', '1970-01-01Z', '1970-01-01Z', '1970-01-01Z');
INSERT INTO t_time VALUES (3, '1969-12-31', '23:59:59.999999', '23:59:59', '23:59:59.999', '23:59:59.9999', '1969-12-31T23:59:59.999999', '1969-12-31T23:59:59', '1969-12-31T23:59:59.9', '1969-12-31T23:59:59.999', '1969-12-31T23:59:59.9999', '23:59:59.999999+14', '23:59:59-14', '23:59:59.999+00', '1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59Z', '1969-12-31T23:59:59.9Z', '1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.9999Z');
INSERT INTO t_time VALUES (4, '2000-02-29', '24:00:00', '24:00:00', '24:00:00', '24:00:00', '2000-02-29T00:00:00.1', '2038-01-19T03:14:08', '2000-02-29', '1999-12-31T23:59:60', '2000-02-29', '24:00:00+00', '24:00:00+14', '12:00:00.120+05:45', '2000-02-29T00:00:00.1Z', '2038-01-19T03:14:08Z', '2000-02-29Z', '2000-02-29T12:00:00.12Z', '2000-02-29T12:00:00.120Z');
INSERT INTO t_time VALUES (5, '0001-01-01', '00:00:00.000001', '00:00:01', '00:00:00.001', '00:00:00.0001', '0001-01-01', '1582-10-04', '1582-10-15', '1600-02-29', '1899-12-31T23:59:59.9999', '00:00:00.000001-12', '00:00:01+01', '00:00:00.001+01', '0001-01-02Z', '1582-10-04Z', '1582-10-15Z', '1600-02-29Z', '1899-12-31T23:59:59.9999Z');
INSERT INTO t_time VALUES (6);

CREATE TABLE t_time_extreme (id int PRIMARY KEY, d date, ts timestamp, ts3 timestamp(3), tstz timestamptz);
INSERT INTO t_time_extreme VALUES (1, 'infinity', 'infinity', 'infinity', 'infinity');
INSERT INTO t_time_extreme VALUES (2, '-infinity', '-infinity', '-infinity', '-infinity');
INSERT INTO t_time_extreme VALUES (3, '0044-03-15 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00Z BC');
INSERT INTO t_time_extreme VALUES (4, '12345-06-07', '12345-06-07T08:09:10.111', '12345-06-07T08:09:10.111', '12345-06-07T08:09:10.111Z');
INSERT INTO t_time_extreme VALUES (5, '5874897-12-31', '294276-12-31T23:59:59.999999', '294276-12-31T23:59:59.999', '294276-12-31T23:59:59.999999Z');
INSERT INTO t_time_extreme VALUES (6, '4713-01-01 BC', '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00Z BC');

CREATE TABLE t_interval (id int PRIMARY KEY, i interval, i3 interval(3), iy interval year, ids interval day to second);
INSERT INTO t_interval VALUES (1, 'P1Y2M3DT4H5M6.78S', '1 day 02:03:04.567', '3 years', '4 days 01:02:03.4');
INSERT INTO t_interval VALUES (2, '0', '0', '0', '0');
INSERT INTO t_interval VALUES (3, '-1 year -2 mons +3 days -04:05:06.000001', '-00:00:00.001', '-1 year', '-1 day');
INSERT INTO t_interval VALUES (4, '178000000 years', '1 month', '178000 years', '106751991 days');
INSERT INTO t_interval VALUES (5, '1 mon', '23:59:59.999', '11 years', '00:00:00.000001');
INSERT INTO t_interval VALUES (6, '400 hours', NULL, NULL, NULL);
INSERT INTO t_interval VALUES (7);

CREATE TABLE t_json (id int PRIMARY KEY, j json, jb jsonb, u uuid, h hstore);
INSERT INTO t_json VALUES (1, '{"a": 1,  "b":[true,null], "a": 2}', '{"a": 1,  "b":[true,null], "a": 2}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a=>1, b=>NULL');
INSERT INTO t_json VALUES (2, 'null', 'null', '00000000-0000-0000-0000-000000000000', '');
INSERT INTO t_json VALUES (3, '"text \u00e9 \"q\""', '"text \u00e9 \"q\""', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '"quo\"te"=>"back\\slash", "new
line"=>"tab	", "ü"=>"ž", ""=>""');
INSERT INTO t_json VALUES (4, '123456789012345678901234567890.10', '123456789012345678901234567890.10', NULL, '"a,b"=>"=>", NULL=>"NULL"');
INSERT INTO t_json VALUES (5, '[]', '[1e5, -0.0, 1.10]', NULL, 'c=>"", bb=>2, a=>3');
INSERT INTO t_json VALUES (6, '  {"spaces" : "kept"}  ', '{"z":1,"aa":2}', NULL, 'slash=>"/", amp=>"<&>"');
INSERT INTO t_json VALUES (7);

CREATE TABLE t_net (id int PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO t_net VALUES (1, '192.168.2.0/12', '192.168/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05');
INSERT INTO t_net VALUES (2, '192.168.2.1', '10.0.0.1', '08002b-010203', '08002b:0102030405');
INSERT INTO t_net VALUES (3, '::1', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '08:00:2b:01:02:03');
INSERT INTO t_net VALUES (4, '::ffff:1.2.3.4/128', '::/0', NULL, NULL);
INSERT INTO t_net VALUES (5);

CREATE TABLE t_search (id int PRIMARY KEY, v tsvector, q tsquery, l ltree, lq lquery, lsn pg_lsn, isbn isbn, isbn13 isbn13, ean ean13);
INSERT INTO t_search VALUES (1, 'a fat cat sat:3A on:2,4B', 'fat & (rat | cat)', 'Top.Science.Astronomy', '*.Science.*', '16/B374D848', '0-393-04002-X', '978-0-393-04002-9', '9780393040029');
INSERT INTO t_search VALUES (2, '''it''''s'' ''quo"te''', '!a <-> b', '', '*', '0/0', NULL, NULL, NULL);
INSERT INTO t_search VALUES (3);

CREATE TABLE t_range (id int PRIMARY KEY, i4 int4range, i8 int8range, n numrange, ts tsrange, tstz tstzrange, d daterange, m int4multirange);
INSERT INTO t_range VALUES (1, '[1,5)', '(10,20]', '[1.50,2)', '[2020-01-01 00:00,2020-06-01 12:30:00.5)', '[2020-01-01 00:00+02,2020-06-01 12:30:00.5+02)', '[2020-01-01,2020-12-31]', '{[1,2),[5,9)}');
INSERT INTO t_range VALUES (2, 'empty', '(,)', '(,1]', '(,2020-01-01)', '["2019-03-31 15:30:00",infinity]', '[2020-01-01,)', '{}');
INSERT INTO t_range VALUES (3);

CREATE TABLE t_point (id int PRIMARY KEY, p point);
INSERT INTO t_point VALUES (1, '(1,1)');
INSERT INTO t_point VALUES (2, '(-0.5,1e10)');
INSERT INTO t_point VALUES (3, NULL);

CREATE TABLE t_shape (id int PRIMARY KEY, bx box, ls lseg, pa path, po polygon, ci circle, li line, a int);
INSERT INTO t_shape VALUES (1, '(1,1),(0,0)', '[(0,0),(1,1)]', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1>', '{1,2,3}', 1);
INSERT INTO t_shape VALUES (2);

CREATE TABLE t_enum (id int PRIMARY KEY, m mood, o other.mood, ms mood[]);
INSERT INTO t_enum VALUES (1, 'sad', 'grün', '{sad,happy}');
INSERT INTO t_enum VALUES (2, 'happy', 'b,l"au', '{}');
INSERT INTO t_enum VALUES (3);

CREATE TABLE t_enum_key (m mood PRIMARY KEY, v int);
INSERT INTO t_enum_key VALUES ('ok', 1);

CREATE TABLE t_domain (id int PRIMARY KEY, p positive, s small_positive, pr price, de dearer, l label, il int_list, st stamp);
INSERT INTO t_domain VALUES (1, 5, 6, 12.50, 7.25, 'label', '{1,2}', '2020-01-02 03:04:05.678');
INSERT INTO t_domain VALUES (2);

CREATE TABLE t_composite (id int PRIMARY KEY, c pair, cs pair[], v int);
INSERT INTO t_composite VALUES (1, '(1,"a b")', '{"(1,x)"}', 7);
INSERT INTO t_composite VALUES (2);

CREATE TABLE t_array (id int PRIMARY KEY, b boolean[], i2 smallint[], i4 int[], i8 bigint[], f4 real[], f8 double precision[], n numeric[], n5_2 numeric(5,2)[], t text[], vc varchar(5)[], c char(3)[], by bytea[], u uuid[], j json[], jb jsonb[], d date[], ti time[], tz timetz[], ts timestamp[], tstz timestamptz[], i inet[], ci cidr[], m macaddr[], r int4range[], nr numrange[], tr tsrange[], tzr tstzrange[], dr daterange[], ct citext[], lt ltree[], o oid[]);
INSERT INTO t_array VALUES (1, '{t,f}', '{1,2}', '{3,4}', '{5,6}', '{1.5,2.5}', '{0.1,1e100}', '{1.10,2}', '{1.1,22.22}', '{a,b}', '{v,w}', '{a,bcd}', '{"\\x00ff","\\x"}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{"{\"a\": 1}"}', '{"[1, 2]"}', '{2020-01-01,1969-12-31}', '{01:02:03.456789}', '{01:02:03+02}', '{"2020-01-01 01:02:03.456789"}', '{"2020-01-01 01:02:03.456789+02"}', '{1.2.3.4}', '{10.0.0.0/8}', '{08:00:2b:01:02:03}', '{"[1,5)",empty}', '{"[1.1,2.2]"}', '{"[2020-01-01,2020-01-02)"}', '{"[2020-01-01 00:00+00,2020-01-02 00:00+00)"}', '{"[2020-01-01,2020-01-02)"}', '{Ab}', '{a.b,c}', '{1,2}');
INSERT INTO t_array VALUES (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
INSERT INTO t_array VALUES (3, '{t,NULL}', '{NULL,1}', '{NULL}', '{1,NULL}', '{NULL}', '{NULL}', '{NULL,1.5}', '{NULL,1.5}', '{NULL,"NULL","a,b","q\"","\\",""," "}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}');
INSERT INTO t_array VALUES (4);

CREATE TABLE t_array_bound (id int PRIMARY KEY, i int[], t text[]);
INSERT INTO t_array_bound VALUES (1, '[0:2]={7,8,9}', '[5:6]={a,b}');

CREATE TABLE t_array_dropped (id int PRIMARY KEY, m money[], n name[], i interval[], vb varbit[], x xml[], p point[], h hstore[], v int);
INSERT INTO t_array_dropped VALUES (1, '{1.10}', '{n}', '{"1 day"}', '{101}', '{<a/>}', '{"(1,2)"}', '{"a=>1"}', 1);
INSERT INTO t_array_dropped VALUES (2);

CREATE TABLE t_not_null (id int PRIMARY KEY, b boolean NOT NULL, i int NOT NULL, n numeric(6,3) NOT NULL, t text NOT NULL, ts timestamp NOT NULL, tz timestamptz NOT NULL, u uuid NOT NULL, j jsonb NOT NULL, e mood NOT NULL, a int[] NOT NULL, by bytea NOT NULL, iv interval NOT NULL, p point NOT NULL);
INSERT INTO t_not_null VALUES (1, true, 1, 1.125, 'a', '2020-01-01', '2020-01-01Z', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{}', 'ok', '{1}', '\x01', '1 day', '(1,2)');

-- @stream
INSERT INTO t_integer SELECT id + 100, b, i2, i4, i8, o, b1 FROM t_integer ORDER BY id;
INSERT INTO t_serial DEFAULT VALUES;
INSERT INTO t_serial DEFAULT VALUES;
INSERT INTO t_float SELECT id + 100, f4, f8 FROM t_float ORDER BY id;
INSERT INTO t_numeric SELECT id + 100, n, n1, n5_2, n10_4, n38_10, n3 FROM t_numeric ORDER BY id;
INSERT INTO t_numeric_special SELECT id + 100, n, n10_2, negative, wide FROM t_numeric_special ORDER BY id;
INSERT INTO t_money SELECT id + 100, m FROM t_money ORDER BY id;
INSERT INTO t_text SELECT id + 100, c1, c, vc, t, ci, n, x, bp, vcu FROM t_text ORDER BY id;
INSERT INTO t_bytes SELECT id + 100, b FROM t_bytes ORDER BY id;
INSERT INTO t_bits SELECT id + 100, b1, b2, b8, b9, b64, v1, v5, v FROM t_bits ORDER BY id;
INSERT INTO t_time SELECT id + 100, d, t, t0, t3, t4, ts, ts0, ts1, ts3, ts4, ttz, ttz0, ttz3, tstz, tstz0, tstz1, tstz3, tstz4 FROM t_time ORDER BY id;
INSERT INTO t_time_extreme SELECT id + 100, d, ts, ts3, tstz FROM t_time_extreme ORDER BY id;
INSERT INTO t_interval SELECT id + 100, i, i3, iy, ids FROM t_interval ORDER BY id;
INSERT INTO t_json SELECT id + 100, j, jb, u, h FROM t_json ORDER BY id;
INSERT INTO t_net SELECT id + 100, i, c, m, m8 FROM t_net ORDER BY id;
INSERT INTO t_search SELECT id + 100, v, q, l, lq, lsn, isbn, isbn13, ean FROM t_search ORDER BY id;
INSERT INTO t_range SELECT id + 100, i4, i8, n, ts, tstz, d, m FROM t_range ORDER BY id;
INSERT INTO t_point SELECT id + 100, p FROM t_point ORDER BY id;
INSERT INTO t_shape SELECT id + 100, bx, ls, pa, po, ci, li, a FROM t_shape ORDER BY id;
INSERT INTO t_enum SELECT id + 100, m, o, ms FROM t_enum ORDER BY id;
INSERT INTO t_enum_key VALUES ('sad', 2);
UPDATE t_enum_key SET v = 3 WHERE m = 'sad';
INSERT INTO t_domain SELECT id + 100, p, s, pr, de, l, il, st FROM t_domain ORDER BY id;
INSERT INTO t_composite SELECT id + 100, c, cs, v FROM t_composite ORDER BY id;
INSERT INTO t_array SELECT id + 100, b, i2, i4, i8, f4, f8, n, n5_2, t, vc, c, by, u, j, jb, d, ti, tz, ts, tstz, i, ci, m, r, nr, tr, tzr, dr, ct, lt, o FROM t_array ORDER BY id;
INSERT INTO t_array_bound SELECT id + 100, i, t FROM t_array_bound ORDER BY id;
INSERT INTO t_array_dropped SELECT id + 100, m, n, i, vb, x, p, h, v FROM t_array_dropped ORDER BY id;
INSERT INTO t_not_null SELECT id + 100, b, i, n, t, ts, tz, u, j, e, a, by, iv, p FROM t_not_null ORDER BY id;
UPDATE t_not_null SET id = 7 WHERE id = 1;
DELETE FROM t_not_null WHERE id = 101;
DELETE FROM t_numeric WHERE id = 1;
-- The time zone and styles of the writer do not matter.
SET TimeZone = 'America/New_York';
SET DateStyle = 'German, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = 0;
SET bytea_output = 'escape';
INSERT INTO t_time SELECT id + 200, d, t, t0, t3, t4, ts, ts0, ts1, ts3, ts4, ttz, ttz0, ttz3, tstz, tstz0, tstz1, tstz3, tstz4 FROM t_time WHERE id = 1;
INSERT INTO t_interval SELECT id + 200, i, i3, iy, ids FROM t_interval WHERE id = 1;
INSERT INTO t_range SELECT id + 200, i4, i8, n, ts, tstz, d, m FROM t_range WHERE id = 1;
-- A label that is added while the connector runs.
-- @sync
ALTER TYPE mood ADD VALUE 'calm' BEFORE 'ok';
INSERT INTO t_enum VALUES (301, 'calm', 'rot', '{calm,sad}');
-- @sync
ALTER TYPE mood ADD VALUE 'wild';
INSERT INTO t_enum VALUES (302, 'wild', 'rot', '{wild}');
INSERT INTO t_enum_key VALUES ('wild', 4);
