-- Tables that change their columns while the connector is stopped.
CREATE TABLE grows (id int PRIMARY KEY, v text);
CREATE TABLE shrinks (id int PRIMARY KEY, v text, extra int);
CREATE TABLE retyped (id int PRIMARY KEY, v int);
INSERT INTO grows VALUES (1, 'one');
INSERT INTO shrinks VALUES (1, 'one', 1);
INSERT INTO retyped VALUES (1, 1);
-- @stream
INSERT INTO grows VALUES (2, 'two');
INSERT INTO shrinks VALUES (2, 'two', 2);
INSERT INTO retyped VALUES (2, 2);
-- @stop
INSERT INTO grows VALUES (3, 'of the first form');
ALTER TABLE grows ADD COLUMN more int NOT NULL DEFAULT 5;
INSERT INTO grows VALUES (4, 'of the second form');
ALTER TABLE grows ADD COLUMN yet_more text;
INSERT INTO grows VALUES (5, 'of the third form', 6, 'there');
INSERT INTO shrinks VALUES (3, 'of the first form', 3);
ALTER TABLE shrinks DROP COLUMN extra;
INSERT INTO shrinks VALUES (4, 'of the second form');
INSERT INTO retyped VALUES (3, 3);
ALTER TABLE retyped ALTER COLUMN v TYPE bigint;
INSERT INTO retyped VALUES (4, 4000000000);
-- @resume
INSERT INTO grows VALUES (6, 'resumed', 7, 'too');
DELETE FROM shrinks WHERE id = 3;
UPDATE retyped SET v = 5 WHERE id = 3;
