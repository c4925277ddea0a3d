// Package pgtest runs real PostgreSQL servers for tests and benchmarks: of a wanted
// major version, in a folder of their own, with logical decoding on, on a unix
// socket and a loopback port. A test kills them, starts them again and finds its
// data there.
//
// Version 15 is Debian's, the others are fetched by test/postgres-servers.sh
// (`make servers`). A version that is not there fails the test. The servers are those of
// internal/pgserver.
//
// A test package with many tests shares servers, one for those that run one after the
// other, and more with t.Parallel:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestX(t *testing.T) {
//		db := pgtest.Shared(t, pgtest.Default).Database(t)
//		db.Exec(t, "CREATE TABLE ...")
//	}
package pgtest
