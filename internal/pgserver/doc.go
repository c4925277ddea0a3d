// Package pgserver runs real PostgreSQL servers: of a wanted major version, in a
// folder of their own, with logical decoding on and on a loopback port, for as long as
// this process lives. Tests use it through connectors/source/postgres/pgtest, and the
// demo for its shop.
//
// PostgreSQL does not run as root, so root starts it as nobody. On Linux the server
// ends with this process whatever ends that, kill -9 included; elsewhere Close ends
// it.
package pgserver
