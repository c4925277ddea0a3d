-- Transactions with savepoints, errors, interleaving, preparation, and one that is
-- larger than the memory for decoding.
CREATE TABLE acct (id int PRIMARY KEY, v int);
CREATE TABLE log (id int PRIMARY KEY, t text);
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO acct VALUES (1, 1), (2, 2);
-- @stream
BEGIN;
INSERT INTO acct VALUES (10, 10);
SAVEPOINT a;
INSERT INTO acct VALUES (11, 11);
ROLLBACK TO a;
INSERT INTO acct VALUES (12, 12);
SAVEPOINT b;
INSERT INTO log VALUES (1, 'kept');
RELEASE b;
COMMIT;
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
INSERT INTO acct VALUES (20, 20);
SAVEPOINT c;
INSERT INTO acct VALUES (21, 21);
ROLLBACK TO b;
INSERT INTO acct VALUES (22, 22);
ROLLBACK TO a;
INSERT INTO acct VALUES (23, 23);
COMMIT;
BEGIN;
INSERT INTO acct VALUES (30, 30);
ROLLBACK;
DO $$
BEGIN
  INSERT INTO acct VALUES (40, 40);
  BEGIN
    INSERT INTO acct VALUES (41, 41);
    INSERT INTO acct VALUES (40, 0);
  EXCEPTION WHEN unique_violation THEN
    INSERT INTO log VALUES (2, 'duplicate');
  END;
END
$$;
-- Two at once: the first to begin is the last to commit.
BEGIN;
INSERT INTO acct VALUES (50, 50);
-- @session b
BEGIN;
INSERT INTO acct VALUES (51, 51);
INSERT INTO log VALUES (3, 'b');
-- @session 
INSERT INTO acct VALUES (52, 52);
-- @session b
INSERT INTO acct VALUES (53, 53);
COMMIT;
-- @session 
INSERT INTO log VALUES (4, 'a');
COMMIT;
-- Prepared.
BEGIN;
INSERT INTO acct VALUES (60, 60);
PREPARE TRANSACTION 'sixty';
INSERT INTO acct VALUES (61, 61);
COMMIT PREPARED 'sixty';
BEGIN;
INSERT INTO acct VALUES (62, 62);
PREPARE TRANSACTION 'sixtytwo';
ROLLBACK PREPARED 'sixtytwo';
-- Empty, and read only.
BEGIN;
COMMIT;
SELECT count(*) FROM acct;
BEGIN;
SELECT pg_logical_emit_message(true, 'only', 'a message');
COMMIT;
-- Larger than logical_decoding_work_mem, with a part that is undone.
BEGIN;
INSERT INTO log SELECT g, repeat('x', 200) FROM generate_series(1000, 1499) g;
SAVEPOINT half;
INSERT INTO log SELECT g, repeat('y', 200) FROM generate_series(2000, 2499) g;
ROLLBACK TO half;
INSERT INTO other SELECT g FROM generate_series(1, 20) g;
COMMIT;
SET synchronous_commit = off;
INSERT INTO acct VALUES (70, 70);
RESET synchronous_commit;
-- @restart
INSERT INTO acct VALUES (80, 80);
BEGIN;
INSERT INTO acct VALUES (81, 81);
UPDATE acct SET v = 0 WHERE id = 81;
COMMIT;
