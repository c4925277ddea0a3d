-- A heartbeat that writes.
CREATE TABLE beats (id int PRIMARY KEY);
CREATE TABLE quiet_table (id int PRIMARY KEY);
INSERT INTO quiet_table VALUES (1);
-- @stream
INSERT INTO quiet_table VALUES (2);
-- @sync
-- @restart
DELETE FROM quiet_table;
-- @sync
DO $$ BEGIN IF NOT EXISTS (SELECT FROM beats) THEN RAISE EXCEPTION 'no heartbeat has written'; END IF; END $$;
