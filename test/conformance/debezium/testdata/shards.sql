-- Tables that share a topic.
CREATE TABLE shard_1 (id int PRIMARY KEY, v text);
CREATE TABLE shard_2 (id int PRIMARY KEY, v text);
CREATE TABLE single (id int PRIMARY KEY, v text);
INSERT INTO shard_1 VALUES (1, 'one');
INSERT INTO shard_2 VALUES (1, 'two');
INSERT INTO single VALUES (1, 'single');
-- @stream
INSERT INTO shard_1 VALUES (2, 'one');
INSERT INTO shard_2 VALUES (2, 'two');
UPDATE shard_1 SET v = 'changed' WHERE id = 2;
UPDATE shard_2 SET id = 3 WHERE id = 2;
DELETE FROM shard_1;
BEGIN;
INSERT INTO single VALUES (2, 'single');
DELETE FROM shard_2;
COMMIT;
