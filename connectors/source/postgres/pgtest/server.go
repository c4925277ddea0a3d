package pgtest

import (
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/pgserver"
)

// Default is the major version for tests that do not care.
const Default = 15

// Versions are the major versions that the connector is tested with.
var Versions = []int{14, 15, 16, 17, 18}

// User is the superuser of every server. Connections are trusted; Password is what
// clients that want one may send.
const (
	User     = pgserver.User
	Password = pgserver.AnyPassword
)

// The shutdown modes of pg_ctl.
const (
	Smart     = pgserver.Smart
	Fast      = pgserver.Fast
	Immediate = pgserver.Immediate
)

// Options of a server. The zero value is good for a test: its Version is Default.
type Options = pgserver.Options

// Server is a server of a test.
type Server struct{ *pgserver.Server }

// Start runs a new server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Open runs a new server; Close ends it and removes what it wrote.
func Open(o Options) (*Server, error) {
	if o.Version == 0 {
		o.Version = Default
	}
	s, err := pgserver.Open(o)
	if err != nil {
		return nil, err
	}
	return &Server{s}, nil
}

// Standby runs a standby of the server until the test ends.
func (s *Server) Standby(t testing.TB, settings map[string]string) *Server {
	t.Helper()
	standby, err := s.OpenStandby(Options{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Close)
	return &Server{standby}
}

// Upgraded makes a server of another major version of this one with pg_upgrade, and runs
// it until the test ends. Of both versions Programs has to be set.
func (s *Server) Upgraded(t testing.TB, o Options) *Server {
	t.Helper()
	upgraded, err := s.OpenUpgraded(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upgraded.Close)
	return &Server{upgraded}
}

// Programs is the folder with all programs of a version, pg_upgrade among them.
func Programs(t testing.TB, version int) string {
	t.Helper()
	dir, err := pgserver.Programs(version)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Kill ends every process of the server at once, as kill -9 and a loss of power do.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.Server.Kill(); err != nil {
		t.Fatal(err)
	}
}

// Restart starts a stopped or killed server, after a fast shutdown if it runs.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.Again(); err != nil {
		t.Fatal(err)
	}
}

// dropPatience is how long the walsenders of a database may take to leave.
const dropPatience = 60 * time.Second

// poll tries a check every few milliseconds until it returns nil, and returns its last
// error.
func poll(limit time.Duration, check func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}
