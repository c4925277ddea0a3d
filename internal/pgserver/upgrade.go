package pgserver

import (
	"path/filepath"
	"strconv"
)

// OpenUpgraded stops the server, makes one of another major version of its data with
// pg_upgrade, and runs that. Both need all of PostgreSQL's programs, not the server's
// alone. Of the options Version, Programs, Settings and Dir count.
func (s *Server) OpenUpgraded(o Options) (*Server, error) {
	version, bin, err := o.find()
	if err != nil {
		return nil, err
	}
	upgraded := &Server{Version: version, Dir: o.Dir, bin: bin, keep: o.Dir != "", settings: settings(o)}
	s.Stop(Fast)
	var args []string
	if version >= 18 {
		args = append(args, "--no-data-checksums") // has to be as in the old one
	}
	return upgraded, upgraded.openAfter(func() error { return upgraded.initdb(args...) }, func() error { return upgraded.takeOver(s) })
}

// takeOver runs pg_upgrade, which writes into the folder where it is started.
func (s *Server) takeOver(old *Server) error {
	return s.program("/bin/sh", "-c", `cd "$0" && exec "$@"`, s.Dir, filepath.Join(s.bin, "pg_upgrade"), "--no-sync", "-U", User,
		"-b", old.bin, "-B", s.bin, "-d", old.data(), "-D", s.data(), "-p", strconv.Itoa(old.Port), "-P", strconv.Itoa(old.Port))
}
