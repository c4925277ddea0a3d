-- A restart between two changes.
CREATE TABLE s_first (id int PRIMARY KEY, v text);
CREATE TABLE s_second (id int PRIMARY KEY, v text DEFAULT 'none');
INSERT INTO s_first VALUES (1, 'one'), (2, 'two');
INSERT INTO s_second VALUES (1);
-- @stream
INSERT INTO s_first VALUES (3, 'three');
INSERT INTO s_second VALUES (2, NULL);
-- @restart
UPDATE s_first SET v = 'changed' WHERE id = 1;
DELETE FROM s_second;
