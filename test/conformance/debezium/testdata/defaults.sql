-- Defaults of columns, in the schemas and for values that are null.
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE FUNCTION seven() RETURNS int LANGUAGE sql AS $$ SELECT 7; $$;
CREATE SEQUENCE counter;
CREATE TABLE d_number (id int PRIMARY KEY, b boolean DEFAULT true, bf boolean DEFAULT false NOT NULL, i2 smallint DEFAULT 3, i4 int DEFAULT 4, neg int DEFAULT -5, expr int DEFAULT 2 + 3, i8 bigint DEFAULT 123456789012, f4 real DEFAULT 1.5, f8 double precision DEFAULT -2.25, n numeric DEFAULT 1.10, n5_2 numeric(5,2) DEFAULT 3.1, nn numeric(5,2) NOT NULL DEFAULT 4, fn int DEFAULT seven(), fnn int NOT NULL DEFAULT seven(), sq int DEFAULT nextval('counter'), m money DEFAULT 1.25, bit1 bit(1) DEFAULT B'1', bit4 bit(4) DEFAULT B'0101');
CREATE TABLE d_text (id int PRIMARY KEY, t text DEFAULT 'some text', e text DEFAULT '', q text DEFAULT 'it''s', n text DEFAULT NULL, nn text NOT NULL DEFAULT 'must', v varchar(10) DEFAULT 'var', c char(5) DEFAULT 'ch', casted text DEFAULT 'x'::varchar, upper text DEFAULT upper('a'), un text NOT NULL DEFAULT upper('b'), who text DEFAULT current_user, u uuid DEFAULT '76019d1a-ad2e-4b22-96e9-1a6d6543c818', ug uuid NOT NULL DEFAULT gen_random_uuid(), j json DEFAULT '{"a":1}', jb jsonb NOT NULL DEFAULT '{}', x xml DEFAULT '<a/>', by bytea DEFAULT '\x0102', e1 colour DEFAULT 'green', en colour NOT NULL DEFAULT 'red', ar int[] DEFAULT '{1,2}', art text[] NOT NULL DEFAULT ARRAY['a','b'], i inet DEFAULT '10.0.0.1', r int4range DEFAULT '[1,2)', p point DEFAULT '(1,2)');
CREATE TABLE d_time (id int PRIMARY KEY, d date DEFAULT '2020-02-03', t time DEFAULT '01:02:03', t3 time(3) DEFAULT '01:02:03.456', ts timestamp DEFAULT '2020-02-03 04:05:06.789', ts3 timestamp(3) NOT NULL DEFAULT '2020-02-03 04:05:06.789', tz timestamptz DEFAULT '2020-02-03 04:05:06+00', ttz timetz DEFAULT '04:05:06+00', now timestamptz DEFAULT now(), nownn timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, today date NOT NULL DEFAULT CURRENT_DATE, localts timestamp NOT NULL DEFAULT LOCALTIMESTAMP, iv interval DEFAULT '1 day', ivn interval NOT NULL DEFAULT '2 hours', ep timestamp DEFAULT 'epoch', inf timestamp DEFAULT 'infinity');
INSERT INTO d_number (id, sq) VALUES (1, 1);
INSERT INTO d_number (id, b, i2, i4, neg, expr, i8, f4, f8, n, n5_2, fn, sq, m, bit1, bit4) VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO d_text (id, ug) VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
INSERT INTO d_text (id, t, e, q, v, c, casted, upper, who, u, ug, j, x, by, e1, ar, i, r, p) VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO d_time (id, now, nownn, today, localts) VALUES (1, '2021-01-01Z', '2021-01-01Z', '2021-01-01', '2021-01-01');
INSERT INTO d_time (id, d, t, t3, ts, tz, ttz, now, nownn, today, localts, iv, ep, inf) VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2021-01-01Z', '2021-01-01', '2021-01-01', NULL, NULL, NULL);
-- @stream
INSERT INTO d_number (id, sq) VALUES (11, 11);
INSERT INTO d_number SELECT 12, b, bf, i2, i4, neg, expr, i8, f4, f8, n, n5_2, nn, fn, fnn, sq, m, bit1, bit4 FROM d_number WHERE id = 2;
INSERT INTO d_text (id, ug) VALUES (11, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
INSERT INTO d_text SELECT 12, t, e, q, n, nn, v, c, casted, upper, un, who, u, ug, j, jb, x, by, e1, en, ar, art, i, r, p FROM d_text WHERE id = 2;
INSERT INTO d_time (id, now, nownn, today, localts) VALUES (11, '2021-01-01Z', '2021-01-01Z', '2021-01-01', '2021-01-01');
INSERT INTO d_time SELECT 12, d, t, t3, ts, ts3, tz, ttz, now, nownn, today, localts, iv, ivn, ep, inf FROM d_time WHERE id = 2;
DELETE FROM d_number WHERE id = 11;
DELETE FROM d_text WHERE id = 11;
DELETE FROM d_time WHERE id = 11;
-- @sync
ALTER TABLE d_number ADD COLUMN fast int DEFAULT 42;
INSERT INTO d_number (id, sq) VALUES (13, 13);
UPDATE d_number SET i4 = 5 WHERE id = 1;
-- @sync
ALTER TABLE d_number ALTER COLUMN i4 DROP DEFAULT;
INSERT INTO d_number (id, sq) VALUES (14, 14);
-- @sync
ALTER TABLE d_number ALTER COLUMN i4 SET DEFAULT 44, ALTER COLUMN bf SET DEFAULT true;
INSERT INTO d_number (id, sq) VALUES (15, 15);
