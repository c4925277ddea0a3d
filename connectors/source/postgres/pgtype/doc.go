// Package pgtype turns columns of PostgreSQL into schemas of Kafka Connect and
// their cells into values, as Debezium's PostgreSQL connector does.
//
// A Catalog knows the types of one database: Load reads them, Refresh asks for
// one that was made later. Compile makes a Codec for a column once per version of
// its table; the codec then reads the cells of that column, in PostgreSQL's text
// or binary form, with no lookup, reflection or map per cell. Scalars allocate
// nothing; strings, decimals, arrays and structs take their memory from the
// Batch.
//
// # What the server must be told
//
// The text of a cell depends on settings of the session that the server writes it
// in. Settings lists what this package reads; it must be set on every connection
// whose text is given to a Codec. On a replication connection that is a start-up
// parameter or an item of "options". The binary form depends on none of them.
//
// COPY's text format escapes cells with backslashes; a Codec wants them
// unescaped. A null cell never gets here: the caller has its own sign for it.
//
// # Limits
//
// All that is read is hostile (I5): each decoder refuses what is malformed with a
// *ValueError and reads nothing beyond the cell. Arrays have at most maxDims
// dimensions, and memory grows with the length of the cell, not with a number that
// stands in it; a numeric has at most PostgreSQL's 147,455 digits.
package pgtype
