package pgtest

import (
	"flag"
	"sync"
	"testing"
)

// shared are the servers of this test process, by version.
var shared struct {
	sync.Mutex // guards what follows
	all        []*Server
	free       map[int][]*Server
	used       map[user]*use
}

// A user is a test and the version that it uses.
type user struct {
	test    string
	version int
}

// A use is a server that a test has, and how often it was asked for.
type use struct {
	server *Server
	times  int
}

// Shared returns a server of a version that the tests of the package use one after the
// other: each makes its own Database. It is the test's alone until the test ends, since
// what the server waits for, and what it writes, is of all its databases. Main ends it.
func Shared(t testing.TB, version int) *Server {
	t.Helper()
	key := user{t.Name(), version}
	t.Cleanup(func() { giveBack(key) })
	if s := take(key); s != nil {
		return s
	}
	s, err := Open(Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	shared.Lock()
	defer shared.Unlock()
	shared.all = append(shared.all, s)
	shared.used[key] = &use{s, 1}
	return s
}

// take returns the server that a test has already, or a free one; nil: there is none.
func take(key user) *Server {
	shared.Lock()
	defer shared.Unlock()
	if shared.used == nil {
		shared.free, shared.used = make(map[int][]*Server), make(map[user]*use)
	}
	u := shared.used[key]
	if free := shared.free[key.version]; u == nil && len(free) > 0 {
		last := len(free) - 1
		u = &use{server: free[last]}
		shared.free[key.version], shared.used[key] = free[:last], u
	}
	if u == nil {
		return nil
	}
	u.times++
	return u.server
}

// giveBack is for the end of a test, once for each time that it has asked.
func giveBack(key user) {
	shared.Lock()
	defer shared.Unlock()
	u := shared.used[key]
	if u == nil { // it got none
		return
	}
	if u.times--; u.times == 0 {
		delete(shared.used, key)
		shared.free[key.version] = append(shared.free[key.version], u.server)
	}
}

// parallel is how many tests that may do so run at the same time, unless -parallel says
// otherwise: most of the time they wait for a server.
const parallel = "4"

// Main runs the tests and ends the shared servers, for TestMain.
func Main(m *testing.M) int {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", parallel)
	}
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	for _, s := range shared.all {
		s.Close()
	}
	return code
}
