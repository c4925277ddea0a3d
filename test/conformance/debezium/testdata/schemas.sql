-- Schemas, tables and columns of which some are captured.
CREATE SCHEMA shown;
CREATE SCHEMA hidden;
CREATE TABLE shown.t (id int PRIMARY KEY, v text, secret text);
CREATE TABLE shown.no_row (id int PRIMARY KEY, v text);
CREATE TABLE hidden.t (id int PRIMARY KEY, v text);
CREATE TABLE t (secret_key int, id int, v text, PRIMARY KEY (secret_key, id));
INSERT INTO shown.t VALUES (1, 'shown', 'secret');
INSERT INTO hidden.t VALUES (1, 'hidden');
INSERT INTO t VALUES (7, 1, 'public');
-- @stream
INSERT INTO shown.t VALUES (2, 'shown', 'secret');
INSERT INTO hidden.t VALUES (2, 'hidden');
INSERT INTO t VALUES (8, 2, 'public');
UPDATE shown.t SET secret = 'changed' WHERE id = 1;
UPDATE shown.t SET v = 'changed' WHERE id = 1;
UPDATE hidden.t SET v = 'changed';
UPDATE t SET secret_key = 9 WHERE id = 2;
BEGIN;
DELETE FROM hidden.t;
DELETE FROM shown.t;
DELETE FROM t;
COMMIT;
CREATE TABLE shown.later (id int PRIMARY KEY, v text, secret text);
CREATE TABLE hidden.later (id int PRIMARY KEY, v text);
INSERT INTO shown.later VALUES (1, 'later', 'secret');
INSERT INTO hidden.later VALUES (1, 'later');
