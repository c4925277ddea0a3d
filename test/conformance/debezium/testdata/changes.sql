-- Inserts, updates and deletes under each replica identity, keys that change, tables
-- without keys, truncates and messages.
CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, amount numeric(10,2), placed timestamp DEFAULT '2020-01-01 00:00:00');
COMMENT ON TABLE orders IS 'what was ordered';
COMMENT ON COLUMN orders.customer IS 'who did';
CREATE TABLE identity_full (id int PRIMARY KEY, note text, secret varchar(40));
ALTER TABLE identity_full REPLICA IDENTITY FULL;
CREATE TABLE identity_index (id int PRIMARY KEY, code varchar(10) NOT NULL, note text);
CREATE UNIQUE INDEX identity_index_code ON identity_index (code);
ALTER TABLE identity_index REPLICA IDENTITY USING INDEX identity_index_code;
CREATE TABLE identity_nothing (id int PRIMARY KEY, note text);
ALTER TABLE identity_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE composite_key (b int, a varchar(5), v int, PRIMARY KEY (a, b));
CREATE TABLE no_key (id int, label text);
CREATE TABLE no_key_full (id int, label text);
ALTER TABLE no_key_full REPLICA IDENTITY FULL;
CREATE TABLE unique_only (id int NOT NULL, code text NOT NULL, v int);
CREATE UNIQUE INDEX unique_only_code ON unique_only (code);
CREATE TABLE unique_nullable (id int, code text, v int);
CREATE UNIQUE INDEX unique_nullable_code ON unique_nullable (code);
CREATE TABLE generated (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, ident int GENERATED ALWAYS AS IDENTITY);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent (id));
CREATE TABLE child_of_inheritance (extra text) INHERITS (parent);
INSERT INTO orders VALUES (1, 'ann', 10.50), (2, 'bob', 20);
INSERT INTO identity_full VALUES (1, 'first', 'hidden');
INSERT INTO identity_index VALUES (1, 'a', 'first');
INSERT INTO identity_nothing VALUES (1, 'first');
INSERT INTO composite_key VALUES (1, 'x', 1);
INSERT INTO no_key VALUES (1, 'one'), (1, 'one');
INSERT INTO no_key_full VALUES (1, 'one');
INSERT INTO unique_only VALUES (1, 'a', 1);
INSERT INTO unique_nullable VALUES (1, 'a', 1), (2, NULL, 2);
INSERT INTO generated (id, a) VALUES (1, 5);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1, 1);
INSERT INTO child_of_inheritance VALUES (2, 'inherits');
-- @stream
INSERT INTO orders VALUES (3, 'cid', 30);
INSERT INTO orders (id, customer) VALUES (4, 'dan'), (5, 'eve'), (6, 'fay');
UPDATE orders SET amount = 31 WHERE id = 3;
UPDATE orders SET amount = amount;
UPDATE orders SET customer = 'ann2', amount = NULL WHERE id = 1;
UPDATE orders SET id = 30 WHERE id = 3;
UPDATE orders SET id = id + 1000 WHERE id IN (4, 5);
DELETE FROM orders WHERE id = 6;
DELETE FROM orders WHERE id = 12345;
DELETE FROM orders;
INSERT INTO identity_full VALUES (2, 'second', NULL);
UPDATE identity_full SET note = 'changed' WHERE id = 1;
UPDATE identity_full SET note = note WHERE id = 1;
UPDATE identity_full SET note = NULL, secret = 'more' WHERE id = 2;
UPDATE identity_full SET id = 20, note = 'moved' WHERE id = 2;
DELETE FROM identity_full WHERE id = 1;
DELETE FROM identity_full WHERE id = 20;
INSERT INTO identity_index VALUES (2, 'b', 'second');
UPDATE identity_index SET note = 'changed' WHERE id = 1;
UPDATE identity_index SET code = 'aa' WHERE id = 1;
UPDATE identity_index SET id = 10 WHERE id = 1;
UPDATE identity_index SET id = 11, code = 'aaa' WHERE id = 10;
DELETE FROM identity_index WHERE code = 'b';
INSERT INTO identity_nothing VALUES (2, 'second');
-- @fails
UPDATE identity_nothing SET note = 'changed' WHERE id = 2;
-- @fails
DELETE FROM identity_nothing WHERE id = 2;
INSERT INTO composite_key VALUES (2, 'y', 1), (3, 'z', 1);
UPDATE composite_key SET v = 2 WHERE a = 'x';
UPDATE composite_key SET b = 20 WHERE a = 'y';
UPDATE composite_key SET a = 'zz', b = 30, v = 9 WHERE a = 'z';
DELETE FROM composite_key WHERE a = 'zz';
INSERT INTO no_key VALUES (2, 'two');
-- @fails
UPDATE no_key SET label = 'deux' WHERE id = 2;
INSERT INTO no_key_full VALUES (2, 'two');
UPDATE no_key_full SET label = 'deux' WHERE id = 2;
DELETE FROM no_key_full WHERE id = 2;
INSERT INTO unique_only VALUES (2, 'b', 2);
-- @fails
UPDATE unique_only SET v = 3 WHERE id = 2;
ALTER TABLE unique_only REPLICA IDENTITY USING INDEX unique_only_code;
UPDATE unique_only SET v = 4 WHERE id = 2;
UPDATE unique_only SET code = 'bb' WHERE id = 2;
DELETE FROM unique_only WHERE id = 2;
INSERT INTO unique_nullable VALUES (3, 'c', 3), (4, NULL, 4);
INSERT INTO generated (id, a) VALUES (2, 6);
UPDATE generated SET a = 7 WHERE id = 2;
DELETE FROM generated WHERE id = 2;
INSERT INTO unlogged VALUES (1);
INSERT INTO parent VALUES (10);
INSERT INTO child_of_inheritance VALUES (11, 'inherits');
-- Two keys are exchanged in one transaction.
INSERT INTO orders VALUES (1, 'left', 1), (2, 'right', 2);
BEGIN;
UPDATE orders SET id = 99 WHERE id = 1;
UPDATE orders SET id = 1 WHERE id = 2;
UPDATE orders SET id = 2 WHERE id = 99;
COMMIT;
-- Upserts and merges.
INSERT INTO orders VALUES (1, 'again', 5) ON CONFLICT (id) DO UPDATE SET customer = excluded.customer;
INSERT INTO orders VALUES (1, 'again', 5) ON CONFLICT DO NOTHING;
MERGE INTO orders o USING (VALUES (1, 'merged'), (77, 'new')) AS s (id, customer) ON o.id = s.id WHEN MATCHED THEN UPDATE SET customer = s.customer WHEN NOT MATCHED THEN INSERT (id, customer) VALUES (s.id, s.customer);
-- COPY.
COPY orders (id, customer, amount) FROM STDIN;
201	copied	1.00
202	copied "too"	\N
203	\\N	3.50
\.
COPY no_key FROM STDIN;
7	seven
8	eight
\.
-- Truncates.
TRUNCATE composite_key;
TRUNCATE no_key, no_key_full;
TRUNCATE parent CASCADE;
TRUNCATE identity_index RESTART IDENTITY;
-- Messages.
SELECT pg_logical_emit_message(true, 'audit', 'in a transaction');
SELECT pg_logical_emit_message(false, 'audit.now', 'without one');
SELECT pg_logical_emit_message(true, 'noise', '\x00ff10'::bytea);
SELECT pg_logical_emit_message(true, 'audit', '');
BEGIN;
INSERT INTO orders VALUES (301, 'with message', 1);
SELECT pg_logical_emit_message(true, 'audit', 'between rows');
INSERT INTO orders VALUES (302, 'with message', 2);
SELECT pg_logical_emit_message(false, 'audit', 'at once');
COMMIT;
BEGIN;
SELECT pg_logical_emit_message(true, 'audit', 'rolled back');
SELECT pg_logical_emit_message(false, 'audit', 'stays');
ROLLBACK;
-- One row many times.
BEGIN;
INSERT INTO orders VALUES (400, 'a', 1);
UPDATE orders SET customer = 'b' WHERE id = 400;
UPDATE orders SET id = 401 WHERE id = 400;
DELETE FROM orders WHERE id = 401;
INSERT INTO orders VALUES (400, 'c', 2);
COMMIT;
