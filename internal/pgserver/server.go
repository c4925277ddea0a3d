package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-data/sluice/internal/loopback"
)

// Options of a server.
type Options struct {
	// Version is the major version; 0 is the newest that is there.
	Version int
	// Programs is the folder of PostgreSQL's programs; found by the version when it is
	// empty.
	Programs string
	// Settings are added to postgresql.conf, and win over ours.
	Settings map[string]string
	// Fsync makes commits durable, as a crash of the machine would need. A crash of
	// the server alone loses nothing without it.
	Fsync bool
	// Dir is where the data goes; a temporary folder that goes with the server
	// when it is empty.
	Dir string
	// Password is the superuser's. Empty: the server trusts everybody who reaches
	// its port or its socket, which is for tests.
	Password string
}

// Server is a running PostgreSQL, or one that was stopped and can be started again
// with its data and on its port.
type Server struct {
	// Version is the major version.
	Version int
	// Port is the loopback port; Restart and Start keep it.
	Port int
	// Dir holds the data, the unix socket and the log.
	Dir string

	bin      string
	settings map[string]string
	password string
	keep     bool
	log      *os.File
	process  *process
}

// User is the superuser of every server. AnyPassword is what clients may send to one
// that trusts everybody.
const (
	User        = "postgres"
	AnyPassword = "postgres"
)

// Mode is how Stop ends a server.
type Mode syscall.Signal

// The shutdown modes of pg_ctl.
const (
	Smart     = Mode(syscall.SIGTERM)
	Fast      = Mode(syscall.SIGINT)
	Immediate = Mode(syscall.SIGQUIT)
)

// Open runs a new server; Close ends it and removes what it wrote.
func Open(o Options) (*Server, error) {
	version, bin, err := o.find()
	if err != nil {
		return nil, err
	}
	s := &Server{Version: version, Dir: o.Dir, bin: bin, keep: o.Dir != "", settings: settings(o), password: o.Password}
	return s, s.open(func() error { return s.initdb() })
}

func (o *Options) find() (version int, bin string, err error) {
	if o.Programs != "" {
		return o.Version, o.Programs, nil
	}
	return find(o.Version)
}

// open makes the data with fill, unless it is there, and starts the server.
func (s *Server) open(fill func() error) error {
	return s.openAfter(fill, func() error { return nil })
}

// openAfter is open with something that is done to the configured data before the start.
func (s *Server) openAfter(fill, last func() error) error {
	err := s.create(fill)
	if err == nil {
		err = last()
	}
	if err != nil {
		s.Close()
		return fmt.Errorf("create PostgreSQL %d: %w", s.Version, err)
	}
	if err := s.start(); err != nil {
		s.Close()
		return fmt.Errorf("start PostgreSQL %d: %w", s.Version, err)
	}
	return nil
}

func settings(o Options) map[string]string {
	all := map[string]string{
		"wal_level": "logical", "max_wal_senders": "20", "max_replication_slots": "20", "max_connections": "100",
		"max_prepared_transactions": "10", "listen_addresses": "127.0.0.1", "logging_collector": "off",
		"shared_buffers": "64MB", "timezone": "UTC", "log_timezone": "UTC", "fsync": "off", "max_wal_size": "4GB",
		"log_checkpoints": "off", "autovacuum_naptime": "1min",
	}
	if o.Fsync {
		all["fsync"] = "on"
	}
	maps.Copy(all, o.Settings)
	return all
}

// create makes the folder and the data in it.
func (s *Server) create(fill func() error) error {
	if s.Dir == "" {
		dir, err := os.MkdirTemp("", "pg") // short: the path of a socket has a limit of 107 bytes
		if err != nil {
			return err
		}
		s.Dir = dir
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	var err error
	if s.log, err = os.OpenFile(filepath.Join(s.Dir, "postgres.log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644); err != nil {
		return err
	}
	if err := own(s.Dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		return nil
	}
	if err := fill(); err != nil {
		return err
	}
	return s.configure()
}

// own gives a file of ours to the server's user.
func own(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(path, nobody, nobody)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) initdb(more ...string) error {
	args := append([]string{"-D", s.data(), "-U", User, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"}, more...)
	if s.password == "" {
		return s.program(filepath.Join(s.bin, "initdb"), append(args, "-A", "trust")...)
	}
	file := filepath.Join(s.Dir, "password")
	if err := os.WriteFile(file, []byte(s.password), 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	if err := own(file); err != nil {
		return err
	}
	return s.program(filepath.Join(s.bin, "initdb"), append(args, "-A", "scram-sha-256", "--pwfile", file)...)
}

// program runs a program as the server's user to its end.
func (s *Server) program(name string, args ...string) error {
	p, err := spawn(s.log, name, args...)
	if err != nil {
		return err
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", name, p.err, s.Log())
	}
	return nil
}

// maxSocketDir is how long the name of a folder with a socket in it may be: a socket's
// path has at most 107 bytes.
const maxSocketDir = 107 - len("/.s.PGSQL.65535.lock")

// configure appends the settings to postgresql.conf.
func (s *Server) configure() error {
	var text strings.Builder
	sockets := s.Dir
	if len(sockets) > maxSocketDir {
		sockets = "" // the port is enough
	}
	fmt.Fprintf(&text, "\nunix_socket_directories = '%s'\n", sockets)
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(s.settings[name], "'", "''"))
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text.String())
	return errors.Join(err, f.Close())
}

// start runs the postmaster, on a free port the first time. Somebody else may take
// the port before the postmaster has it, so it tries a few.
func (s *Server) start() error {
	fresh := s.Port == 0
	var err error
	for range 5 {
		if fresh {
			if s.Port, err = loopback.FreePort(); err != nil {
				return err
			}
		}
		if err = s.run(); err == nil || !fresh {
			return err
		}
	}
	return err
}

// run starts the postmaster and waits until it answers.
func (s *Server) run() error {
	p, err := spawn(s.log, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", strconv.Itoa(s.Port))
	if err != nil {
		return err
	}
	s.process = p
	return patience.until(func() error {
		if p.ended() {
			return fmt.Errorf("PostgreSQL has ended: %w\n%s", p.err, s.Log())
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn, err := pgconn.Connect(ctx, s.ConnString(User))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// Close ends the server and removes its folder if Open made it.
func (s *Server) Close() {
	if s.process != nil {
		s.process.signal(syscall.SIGQUIT)
	}
	if s.log != nil {
		s.log.Close()
	}
	if !s.keep && s.Dir != "" {
		os.RemoveAll(s.Dir)
	}
}

// Stop shuts the server down and waits for its end.
func (s *Server) Stop(mode Mode) { s.process.signal(syscall.Signal(mode)) }

// Kill ends every process of the server at once, as kill -9 and a loss of power do.
func (s *Server) Kill() error { return s.process.kill(patience) }

// Done is closed when the server ends, however that comes. A server that was started
// again has another one.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Ended reports whether the server does not run.
func (s *Server) Ended() bool { return s.process.ended() }

// Again starts a stopped or killed server, after a fast shutdown if it runs.
func (s *Server) Again() error {
	if !s.process.ended() {
		s.Stop(Fast)
	}
	if err := s.start(); err != nil {
		return fmt.Errorf("start PostgreSQL %d again: %w", s.Version, err)
	}
	return nil
}

// ConnString is the superuser's URL of a database, over the loopback port. It has the
// password in it.
func (s *Server) ConnString(db string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", User, cmp.Or(s.password, AnyPassword), s.Port, db)
}

// Log is what the server has written.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "postgres.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}
