-- What marks the first and last rows of a snapshot.
CREATE TABLE a_one (id int PRIMARY KEY);
CREATE TABLE b_two (id int PRIMARY KEY, v text);
CREATE TABLE c_three (id int PRIMARY KEY);
CREATE TABLE empty_1 (id int PRIMARY KEY);
CREATE TABLE empty_2 (id int PRIMARY KEY);
INSERT INTO a_one VALUES (1);
INSERT INTO b_two VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO c_three VALUES (1), (2);
-- @stream
INSERT INTO a_one VALUES (2);
INSERT INTO empty_1 VALUES (1);
