package pgtest

import (
	"sync"
	"testing"
)

// shared are the servers of this test process, by version.
var shared struct {
	sync.Mutex // guards servers
	servers    map[int]*Server
}

// Shared returns the server of a version that all tests of the package use; each
// makes its own Database. Main ends it.
func Shared(t testing.TB, version int) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if s := shared.servers[version]; s != nil {
		return s
	}
	s, err := Open(Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	if shared.servers == nil {
		shared.servers = make(map[int]*Server)
	}
	shared.servers[version] = s
	return s
}

// Main runs the tests and ends the shared servers, for TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	for _, s := range shared.servers {
		s.Close()
	}
	return code
}
