-- Rounds of changes that Debezium reads. After each the connector goes to the other
-- worker, which reads the lines that begin with "other" and a row of its own, and back.
-- A line is a session and a statement; after "fails" Debezium has stopped by itself.
-- round snapshot
-- round one
a INSERT INTO t VALUES (1, 'alone')
-- round interleaved
b BEGIN
b INSERT INTO t VALUES (2, 'long')
a INSERT INTO t VALUES (3, 'between')
a DELETE FROM t WHERE id = 1
b INSERT INTO t VALUES (4, 'long')
b COMMIT
-- round rolled back
b BEGIN
b INSERT INTO t VALUES (5, 'kept')
b SAVEPOINT s
b INSERT INTO t VALUES (6, 'not kept')
b ROLLBACK TO s
b INSERT INTO t VALUES (7, 'kept')
b COMMIT
-- round many rows
a INSERT INTO t SELECT i, 'one statement' FROM generate_series(10, 30) i
a UPDATE t SET v = 'changed' WHERE id BETWEEN 12 AND 15
-- round inside a copy
a INSERT INTO t VALUES (60, 'before')
a COPY t FROM PROGRAM 'printf "61,one\n62,two\n63,three\n64,%09000d\n65,five\n66,six\n" 0' (FORMAT csv)
fails
-- round inside a transaction
a BEGIN
a INSERT INTO t VALUES (67, 'one')
a INSERT INTO t VALUES (68, 'two')
a INSERT INTO t VALUES (69, repeat('x', 9000))
a INSERT INTO t VALUES (70, 'four')
a COMMIT
fails
-- round inside a transaction that began before the last commit
b BEGIN
b INSERT INTO t VALUES (71, 'one')
a INSERT INTO t VALUES (72, 'between')
b INSERT INTO t VALUES (73, repeat('x', 9000))
b INSERT INTO t VALUES (74, 'three')
b COMMIT
fails
-- round key changed
a UPDATE t SET id = 40 WHERE id = 10
-- round open at the end
b BEGIN
b INSERT INTO t VALUES (50, 'begun before')
a INSERT INTO t VALUES (51, 'committed before')
other b INSERT INTO t VALUES (52, 'begun before')
other b COMMIT
other a INSERT INTO t VALUES (53, 'after')
-- round message
a INSERT INTO t VALUES (80, 'before the message')
a SELECT pg_logical_emit_message(true, 'prefix', 'in a transaction')
-- round other tables
a INSERT INTO ignored VALUES (1)
-- round nothing
-- round truncated
a DELETE FROM t WHERE id > 20
