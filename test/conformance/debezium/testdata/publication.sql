-- A publication that is changed while changes wait to be read.
CREATE TABLE p_always (id int PRIMARY KEY, v text);
CREATE TABLE p_later (id int PRIMARY KEY, v text);
CREATE TABLE p_former (id int PRIMARY KEY, v text);
CREATE PUBLICATION of_judge FOR TABLE p_always, p_former, zz_marker;
INSERT INTO p_always VALUES (1, 'before');
INSERT INTO p_later VALUES (1, 'before');
INSERT INTO p_former VALUES (1, 'before');
-- @stream
INSERT INTO p_always VALUES (2, 'streamed');
INSERT INTO p_later VALUES (2, 'not published');
INSERT INTO p_former VALUES (2, 'streamed');
ALTER PUBLICATION of_judge ADD TABLE p_later;
INSERT INTO p_later VALUES (3, 'published');
ALTER PUBLICATION of_judge DROP TABLE p_former;
INSERT INTO p_former VALUES (3, 'no more');
-- @stop
INSERT INTO p_always VALUES (4, 'while it is stopped');
INSERT INTO p_later VALUES (4, 'while it is stopped');
ALTER PUBLICATION of_judge DROP TABLE p_later;
INSERT INTO p_later VALUES (5, 'while it is not published');
ALTER PUBLICATION of_judge ADD TABLE p_former;
INSERT INTO p_former VALUES (4, 'published again');
ALTER PUBLICATION of_judge SET (publish = 'insert, delete');
UPDATE p_always SET v = 'not published' WHERE id = 4;
DELETE FROM p_always WHERE id = 1;
-- @resume
INSERT INTO p_always VALUES (6, 'resumed');
ALTER PUBLICATION of_judge SET (publish = 'insert, update, delete, truncate');
UPDATE p_always SET v = 'published' WHERE id = 4;
