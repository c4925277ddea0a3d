-- Changes that came from another server.
CREATE TABLE o (id int PRIMARY KEY, v text);
-- @fails
SELECT pg_replication_origin_create('upstream');
INSERT INTO o VALUES (1, 'own');
-- @stream
INSERT INTO o VALUES (2, 'own');
-- @session b
SELECT pg_replication_origin_session_setup('upstream');
INSERT INTO o VALUES (3, 'of upstream');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/AABBCC', '2030-01-01 00:00:00+00');
INSERT INTO o VALUES (4, 'of upstream');
UPDATE o SET v = 'changed' WHERE id = 3;
DELETE FROM o WHERE id = 1;
COMMIT;
SELECT pg_replication_origin_session_reset();
INSERT INTO o VALUES (5, 'own again');
