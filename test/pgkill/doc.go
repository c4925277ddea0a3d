// Package pgkill kills what stands between a table and its topic, again and again,
// while the table changes: the server with kill -9, PostgreSQL with an immediate
// shutdown and with kill -9, and their connections. Load are transactions with
// savepoints, with keys that change, COPY, and some that are larger than what
// PostgreSQL decodes in memory. The first kills come while the snapshot is taken.
//
// At the end a reader of committed records wants (I2, I7):
//
//   - what the topic makes of each key to be the row of the table, and no other keys;
//   - each row's versions to be there one by one: every change counts up a column, so
//     a change that is lost is seen although later ones hide it;
//   - no event twice, by position, operation and key;
//   - the counts that each transaction's END has to be those of its events.
//
// SLUICE_POSTGRES_KILL_ROUNDS is the number of faults, SLUICE_KILL_SEED makes them
// come in the same order again, SLUICE_KILL_BINARY is a server to use instead of
// building one.
package pgkill
