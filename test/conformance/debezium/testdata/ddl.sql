-- Schemas that change while the connector runs.
CREATE TABLE evolving (id int PRIMARY KEY, a int, b text);
CREATE TABLE renamed (id int PRIMARY KEY, v int);
CREATE TABLE dropped (id int PRIMARY KEY, v int);
CREATE TABLE rekeyed (id int PRIMARY KEY, code text NOT NULL, v int);
CREATE SCHEMA second;
INSERT INTO evolving VALUES (1, 1, 'one');
INSERT INTO renamed VALUES (1, 1);
INSERT INTO dropped VALUES (1, 1);
INSERT INTO rekeyed VALUES (1, 'a', 1);
-- @stream
INSERT INTO evolving VALUES (2, 2, 'two');
-- @sync
ALTER TABLE evolving ADD COLUMN c varchar(10);
INSERT INTO evolving VALUES (3, 3, 'three', 'new');
UPDATE evolving SET c = 'late' WHERE id = 1;
-- @sync
ALTER TABLE evolving ADD COLUMN d int NOT NULL DEFAULT 9;
INSERT INTO evolving (id) VALUES (4);
-- @sync
ALTER TABLE evolving DROP COLUMN b;
INSERT INTO evolving (id, a, c, d) VALUES (5, 5, 'five', 5);
DELETE FROM evolving WHERE id = 2;
-- @sync
ALTER TABLE evolving RENAME COLUMN c TO sea;
INSERT INTO evolving (id, a, sea, d) VALUES (6, 6, 'six', 6);
-- @sync
ALTER TABLE evolving ALTER COLUMN a TYPE bigint;
INSERT INTO evolving (id, a) VALUES (7, 7000000000);
-- @sync
ALTER TABLE evolving ALTER COLUMN a TYPE text USING 'n' || a;
INSERT INTO evolving (id, a) VALUES (8, 'eight');
-- @sync
ALTER TABLE evolving ALTER COLUMN sea TYPE varchar(50);
INSERT INTO evolving (id, sea) VALUES (9, 'wider');
-- @sync
ALTER TABLE evolving ALTER COLUMN d DROP NOT NULL;
INSERT INTO evolving (id, d) VALUES (10, NULL);
-- @sync
ALTER TABLE evolving ADD COLUMN b int;
INSERT INTO evolving (id, b) VALUES (11, 11);
-- @sync
ALTER TABLE renamed RENAME TO named_again;
INSERT INTO named_again VALUES (2, 2);
-- @sync
ALTER TABLE named_again SET SCHEMA second;
INSERT INTO second.named_again VALUES (3, 3);
-- @sync
DROP TABLE dropped;
CREATE TABLE dropped (id text PRIMARY KEY, w int);
INSERT INTO dropped VALUES ('again', 1);
-- @sync
CREATE TABLE fresh (id int PRIMARY KEY, v int);
INSERT INTO fresh VALUES (1, 1);
-- @sync
ALTER TABLE rekeyed DROP CONSTRAINT rekeyed_pkey, ADD PRIMARY KEY (code);
INSERT INTO rekeyed VALUES (2, 'b', 2);
UPDATE rekeyed SET v = 3 WHERE code = 'b';
DELETE FROM rekeyed WHERE code = 'a';
-- @sync
ALTER TABLE rekeyed DROP CONSTRAINT rekeyed_pkey;
INSERT INTO rekeyed VALUES (4, 'd', 4);
-- @sync
ALTER TABLE rekeyed REPLICA IDENTITY FULL;
UPDATE rekeyed SET v = 5 WHERE id = 4;
-- A change of a schema within a transaction, with rows before and after it.
-- @sync
BEGIN;
ALTER TABLE fresh ADD COLUMN w text;
INSERT INTO fresh VALUES (3, 3, 'after');
COMMIT;
-- A change of a schema that is rolled back.
BEGIN;
ALTER TABLE fresh ADD COLUMN never text;
INSERT INTO fresh VALUES (4, 4, 'gone', 'gone');
ROLLBACK;
INSERT INTO fresh VALUES (5, 5, 'stays');
-- @sync
CREATE TABLE copied AS SELECT g AS id, 'row ' || g AS label FROM generate_series(1, 3) g;
-- @restart
INSERT INTO fresh VALUES (6, 6, 'after a restart');
