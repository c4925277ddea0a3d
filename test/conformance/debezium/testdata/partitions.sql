-- Partitioned tables.
CREATE TABLE by_range (id int, day date NOT NULL, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE by_range_2020 PARTITION OF by_range FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE by_range_2021 (v text, day date NOT NULL, id int NOT NULL, PRIMARY KEY (id, day));
ALTER TABLE by_range ATTACH PARTITION by_range_2021 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE by_list (id int, region text) PARTITION BY LIST (region);
CREATE TABLE by_list_eu PARTITION OF by_list FOR VALUES IN ('de', 'fr');
CREATE TABLE by_list_rest PARTITION OF by_list DEFAULT;
CREATE TABLE by_hash (id int PRIMARY KEY, v int) PARTITION BY HASH (id);
CREATE TABLE by_hash_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_hash_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_range VALUES (1, '2020-05-05', 'old'), (2, '2021-05-05', 'new');
INSERT INTO by_list VALUES (1, 'de'), (2, 'us');
INSERT INTO by_hash VALUES (1, 1), (2, 2), (3, 3);
-- @stream
INSERT INTO by_range VALUES (3, '2020-06-06', 'three');
INSERT INTO by_range VALUES (4, '2021-06-06', 'four');
UPDATE by_range SET v = 'changed';
UPDATE by_range SET day = '2021-07-07' WHERE id = 3;
DELETE FROM by_range WHERE id = 4;
INSERT INTO by_list VALUES (3, 'fr'), (4, 'jp');
INSERT INTO by_hash VALUES (4, 4), (5, 5), (6, 6);
UPDATE by_hash SET v = v + 10;
-- @sync
CREATE TABLE by_range_2022 PARTITION OF by_range FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
INSERT INTO by_range VALUES (5, '2022-01-01', 'five');
-- @sync
ALTER TABLE by_range DETACH PARTITION by_range_2020;
INSERT INTO by_range_2020 VALUES (6, '2020-01-01', 'detached');
INSERT INTO by_range VALUES (7, '2021-01-01', 'still in');
TRUNCATE by_list;
