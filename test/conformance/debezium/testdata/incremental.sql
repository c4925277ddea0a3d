-- Incremental snapshots that a signal asks for.
CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));
CREATE TABLE filled (id int PRIMARY KEY, v text);
CREATE TABLE keyed (a int, b varchar(10), v numeric(10,2), PRIMARY KEY (a, b));
CREATE TABLE empty (id int PRIMARY KEY);
INSERT INTO filled SELECT g, 'row ' || g FROM generate_series(1, 10) g;
INSERT INTO keyed VALUES (1, 'x', 1), (1, 'y', 2.50), (2, 'x', NULL), (2, 'z', 4), (3, 'a', 5);
-- @stream
INSERT INTO filled VALUES (11, 'streamed');
-- @sync
INSERT INTO signals VALUES ('ad-hoc-1', 'execute-snapshot', '{"type": "incremental", "data-collections": ["public.filled", "public.keyed", "public.empty"]}');
-- @records 31
UPDATE filled SET v = 'changed' WHERE id = 3;
INSERT INTO signals VALUES ('ad-hoc-2', 'execute-snapshot', '{"type": "incremental", "data-collections": ["public.filled"], "additional-conditions": [{"data-collection": "public.filled", "filter": "id IN (3, 11)"}]}');
-- @records 39
INSERT INTO signals VALUES ('ad-hoc-3', 'log', '{"message": "at {}"}');
DELETE FROM filled WHERE id > 5;
