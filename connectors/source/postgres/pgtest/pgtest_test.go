package pgtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestVersions starts each version and has it decode a change.
func TestVersions(t *testing.T) {
	for _, version := range Versions {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			db := Start(t, Options{Version: version}).Database(t)
			if got := db.Text(t, "current_setting('server_version_num')"); !strings.HasPrefix(got, fmt.Sprint(version)) {
				t.Errorf("the server's version is %s, want %d", got, version)
			}
			db.Exec(t, "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE TABLE t (id int PRIMARY KEY)")
			db.Exec(t, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
			db.Exec(t, "CREATE PUBLICATION p FOR TABLE t; INSERT INTO t VALUES (1)")
			got := db.Text(t, "SELECT count(*) FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')")
			if got != "4" {
				t.Errorf("the slot has %s messages, want 4: begin, relation, insert, commit", got)
			}
		})
	}
}

// TestCrash wants committed rows to be there after kill -9 and after an immediate
// shutdown, on the same port.
func TestCrash(t *testing.T) {
	s := Start(t, Options{})
	db := s.Database(t)
	db.Exec(t, "CREATE TABLE t (id int)")
	idle := db.Connect(t)
	port := s.Port
	for i, stop := range []func(){func() { s.Kill(t) }, func() { s.Stop(Immediate) }, func() { s.Stop(Fast) }} {
		db.Exec(t, fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		stop()
		if err := idle.Ping(context.Background()); err == nil {
			t.Error("a connection has survived its server")
		}
		s.Restart(t)
		if got := db.Text(t, "SELECT count(*) FROM t"); got != fmt.Sprint(i+1) || s.Port != port {
			t.Errorf("after stop %d: %s rows on port %d, want %d on %d", i, got, s.Port, i+1, port)
		}
	}
}

// TestShared wants databases of one server to be apart, and gone with their test
// although a slot is left in them; and a server to be one test's at a time.
func TestShared(t *testing.T) {
	s := Shared(t, Default)
	var name string
	t.Run("with a slot", func(t *testing.T) {
		db := s.Database(t)
		name = db.Name
		db.Exec(t, "SELECT pg_create_logical_replication_slot('left', 'pgoutput')")
	})
	db := s.Database(t)
	if got := db.Text(t, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'"); got != "0" || Shared(t, Default) != s {
		t.Errorf("%s databases are left", got)
	}
	var other *Server
	for range 2 {
		t.Run("beside it", func(t *testing.T) {
			got := Shared(t, Default)
			if got == s || other != nil && got != other {
				t.Errorf("the server is that of another test: %t", got == s)
			}
			other = got
		})
	}
}

// TestMissingVersion wants an error that says what to do.
func TestMissingVersion(t *testing.T) {
	if _, err := Open(Options{Version: 9}); err == nil || !strings.Contains(err.Error(), "make servers") {
		t.Errorf("error of a version that is not there: %v", err)
	}
}
