// Package pgoutput decodes what a walsender of PostgreSQL sends while logical
// replication runs with the plugin pgoutput: the frames of the copy stream and
// the messages in them, of protocol versions 1 to 4.
//
// # Frames
//
//	'w'  WAL start int64 | server WAL end int64 | server clock int64 | message
//	'k'  server WAL end int64 | server clock int64 | reply requested byte
//
// and in the other direction a standby status update:
//
//	'r'  written int64 | flushed int64 | applied int64 | clock int64 | reply requested byte
//
// # Messages
//
// The first byte is the kind. Integers are big-endian, names end with a zero
// byte. Inside a stream block (between 'S' and 'E', version 2 and later) the
// messages R, Y, I, U, D, T and M have the xid of their (sub)transaction as an
// int32 after the kind.
//
//	B  final LSN | commit time | xid
//	C  flags byte | commit LSN | end LSN | commit time
//	O  commit LSN | name
//	R  oid | namespace | name | replica identity byte | n int16 | n × (flags byte, name, type oid, typmod)
//	Y  oid | namespace | name
//	I  relation oid | 'N' tuple
//	U  relation oid | ['K' or 'O' tuple] | 'N' tuple
//	D  relation oid | 'K' or 'O' tuple
//	T  n int32 | options byte | n × relation oid
//	M  flags byte | LSN | prefix | length int32 | content
//	S  xid | first segment byte
//	E
//	c  xid | flags byte | commit LSN | end LSN | commit time
//	A  xid | sub xid | [abort LSN | abort time], version 4 with streaming=parallel
//	b  prepare LSN | end LSN | prepare time | xid | gid
//	P  flags byte | prepare LSN | end LSN | prepare time | xid | gid; p in the same form
//	K  flags byte | commit LSN | end LSN | commit time | xid | gid
//	r  flags byte | prepare end LSN | rollback end LSN | prepare time | rollback time | xid | gid
//
//	tuple: n int16 | n × ('n' | 'u' | 't' length int32 text | 'b' length int32 binary)
//
// Times are microseconds since 2000-01-01 UTC. The formats are those of
// "Logical Replication Message Formats" in PostgreSQL's manual.
package pgoutput
