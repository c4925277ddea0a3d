package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// patience is for a start with recovery on a busy machine.
const patience = waiter(60 * time.Second)

// Options of a server. The zero value is good for a test.
type Options struct {
	// Version is the major version, Default when it is 0.
	Version int
	// Settings are added to postgresql.conf, and win over ours.
	Settings map[string]string
	// Fsync makes commits durable, as a crash of the machine would need. A crash of
	// the server alone loses nothing without it.
	Fsync bool
	// Dir is where the data goes; a temporary folder that goes with the server
	// when it is empty.
	Dir string
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
	keep     bool
	log      *os.File
	process  *process
}

// User is the superuser of every server. Connections are trusted; Password is what
// clients that want one may send.
const (
	User     = "postgres"
	Password = "postgres"
)

// Mode is how Stop ends a server.
type Mode syscall.Signal

// The shutdown modes of pg_ctl.
const (
	Smart     = Mode(syscall.SIGTERM)
	Fast      = Mode(syscall.SIGINT)
	Immediate = Mode(syscall.SIGQUIT)
)

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
	bin, err := bindir(o.Version)
	if err != nil {
		return nil, err
	}
	s := &Server{Version: o.Version, Dir: o.Dir, bin: bin, keep: o.Dir != "", settings: settings(o)}
	if err := s.create(); err != nil {
		s.Close()
		return nil, fmt.Errorf("create PostgreSQL %d: %w", o.Version, err)
	}
	if err := s.start(); err != nil {
		s.Close()
		return nil, fmt.Errorf("start PostgreSQL %d: %w", o.Version, err)
	}
	return s, nil
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
func (s *Server) create() error {
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
	if os.Geteuid() == 0 {
		if err := os.Chown(s.Dir, nobody, nobody); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		return nil
	}
	if err := s.initdb(); err != nil {
		return err
	}
	return s.configure()
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) initdb() error {
	p, err := spawn(s.log, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", User, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("initdb: %w\n%s", p.err, s.Log())
	}
	return nil
}

// configure appends the settings to postgresql.conf.
func (s *Server) configure() error {
	var text strings.Builder
	fmt.Fprintf(&text, "\nunix_socket_directories = '%s'\n", s.Dir)
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
			if s.Port, err = freePort(); err != nil {
				return err
			}
		}
		if err = s.run(); err == nil || !fresh {
			return err
		}
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
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
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.process.kill(patience); err != nil {
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

// Again is Restart for those who have no test.
func (s *Server) Again() error {
	if !s.process.ended() {
		s.Stop(Fast)
	}
	if err := s.start(); err != nil {
		return fmt.Errorf("start PostgreSQL %d again: %w", s.Version, err)
	}
	return nil
}

// ConnString is the URL of a database, over the loopback port.
func (s *Server) ConnString(db string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", User, Password, s.Port, db)
}

// Log is what the server has written.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "postgres.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}
