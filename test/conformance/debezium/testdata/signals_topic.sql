-- Signals that come by a topic, of a connector that may not write to its database.
CREATE TABLE filled (id int PRIMARY KEY, v text);
CREATE TABLE keyed (a int, b varchar(10), v numeric(10,2), PRIMARY KEY (a, b));
INSERT INTO filled SELECT g, 'row ' || g FROM generate_series(1, 10) g;
INSERT INTO keyed VALUES (1, 'x', 1), (1, 'y', 2.50), (2, 'x', NULL), (2, 'z', 4), (3, 'a', 5);
-- @stream
INSERT INTO filled VALUES (11, 'streamed');
-- @sync
-- @signal {"id": "ad-hoc-1", "type": "execute-snapshot", "data": {"type": "incremental", "data-collections": ["public.filled", "public.keyed"]}}
-- @records 18
UPDATE filled SET v = 'changed' WHERE id = 3;
-- @restart
-- @signal {"id": "ad-hoc-2", "type": "execute-snapshot", "data": {"type": "incremental", "data-collections": ["public.filled"], "additional-conditions": [{"data-collection": "public.filled", "filter": "id IN (3, 11)"}]}}
-- @records 22
-- @signal {"id": "log", "type": "log", "data": {"message": "at {}"}}
DELETE FROM filled WHERE id > 5;
