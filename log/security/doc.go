// Package security decides who a client is and what it may do and take: TLS
// certificates, SASL PLAIN and SCRAM, access control lists and client quotas, with
// the meaning that they have in Kafka.
//
// What is made at run time is kept by a [Store] in one file beside the log's
// catalogue, security.json:
//
//	{"version": 0, "crc32c": "<8 hex digits>", "security": {
//	    "salt_key": base64,                   makes the salts of users that do not exist, see [Store.SCRAM]
//	    "scram":  [{"user", "mechanism", "salt", "stored_key", "server_key", "iterations"}],
//	    "acls":   [{"resource_type", "resource_name", "pattern_type", "principal", "host", "operation", "permission_type"}],
//	    "quotas": [{"entity": {"user"|"client-id"|"ip": name, null is the default}, "values": {"producer_byte_rate": 1048576}}]}}
//
// The CRC-32C is over the bytes of the value of security. A change is durable
// (temporary file, fsync, rename, fsync of the directory) before it is in force
// and answered (I1); readers never wait, they see one whole state or the next. There
// are no passwords in the file: SCRAM keeps keys that prove one (RFC 5802). They
// still allow guessing, so the file is not for everybody to read.
//
// # Times
//
// A client cannot find out by time or answers which users exist: an unknown user
// of SCRAM gets a salt that stays the same and fails at the proof like a wrong
// password, and a password of PLAIN is compared in constant time with one that
// is always there.
package security
