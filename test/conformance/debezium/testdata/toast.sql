-- Values that are stored out of line and do not change. EXTERNAL keeps them from being compressed.
CREATE EXTENSION hstore;
CREATE TABLE toasted (id int PRIMARY KEY, n int, t text, v varchar, b bytea, j jsonb, js json, x xml, ta text[], ia int[], ba bigint[], ua uuid[], da date[], na numeric[], h hstore, nn text NOT NULL, c char(3000));
ALTER TABLE toasted ALTER COLUMN t SET STORAGE EXTERNAL, ALTER COLUMN v SET STORAGE EXTERNAL, ALTER COLUMN b SET STORAGE EXTERNAL, ALTER COLUMN j SET STORAGE EXTERNAL, ALTER COLUMN js SET STORAGE EXTERNAL, ALTER COLUMN x SET STORAGE EXTERNAL, ALTER COLUMN ta SET STORAGE EXTERNAL, ALTER COLUMN ia SET STORAGE EXTERNAL, ALTER COLUMN ba SET STORAGE EXTERNAL, ALTER COLUMN ua SET STORAGE EXTERNAL, ALTER COLUMN da SET STORAGE EXTERNAL, ALTER COLUMN na SET STORAGE EXTERNAL, ALTER COLUMN h SET STORAGE EXTERNAL, ALTER COLUMN nn SET STORAGE EXTERNAL, ALTER COLUMN c SET STORAGE EXTERNAL;
CREATE TABLE toasted_full (id int PRIMARY KEY, n int, t text, b bytea);
ALTER TABLE toasted_full REPLICA IDENTITY FULL;
ALTER TABLE toasted_full ALTER COLUMN t SET STORAGE EXTERNAL, ALTER COLUMN b SET STORAGE EXTERNAL;
CREATE TABLE toasted_key (k text PRIMARY KEY, n int, t text);
ALTER TABLE toasted_key ALTER COLUMN k SET STORAGE EXTERNAL, ALTER COLUMN t SET STORAGE EXTERNAL;
INSERT INTO toasted_full VALUES (1, 1, repeat('f', 3000), NULL);
-- @stream
INSERT INTO toasted VALUES (1, 1, repeat('t', 3000), repeat('v', 3000), decode(repeat('00ff', 1500), 'hex'), to_jsonb(repeat('j', 3000)), to_json(repeat('k', 3000)), xmlparse(CONTENT '<a>' || repeat('x', 3000) || '</a>'), array_fill('element'::text, ARRAY[400]), array_fill(7, ARRAY[1000]), array_fill(8::bigint, ARRAY[500]), array_fill('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, ARRAY[200]), array_fill('2020-01-01'::date, ARRAY[1000]), array_fill(1.5::numeric, ARRAY[1000]), hstore('key', repeat('h', 3000)), repeat('n', 3000), repeat('c', 3000));
UPDATE toasted SET n = 2;
UPDATE toasted SET t = 'short now';
UPDATE toasted SET t = repeat('T', 4000), b = NULL;
UPDATE toasted SET n = 3;
UPDATE toasted SET id = 2;
DELETE FROM toasted;
INSERT INTO toasted_full VALUES (2, 1, repeat('f', 3000), decode(repeat('ab', 3000), 'hex'));
UPDATE toasted_full SET n = 2;
UPDATE toasted_full SET id = 3 WHERE id = 2;
UPDATE toasted_full SET t = 'short' WHERE id = 3;
DELETE FROM toasted_full;
INSERT INTO toasted_key VALUES (repeat('k', 2200), 1, repeat('t', 3000));
UPDATE toasted_key SET n = 2;
UPDATE toasted_key SET k = repeat('l', 2200);
DELETE FROM toasted_key;
