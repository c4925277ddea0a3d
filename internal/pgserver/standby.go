package pgserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// standbySlot is the physical slot of the primary that a standby streams from.
const standbySlot = "standby"

// OpenStandby runs a standby that streams from the server through the physical slot
// "standby". The server is stopped for a moment, for its files to be copied. It has
// to trust its clients; of the options Settings and Dir count.
func (s *Server) OpenStandby(o Options) (*Server, error) {
	all := maps.Clone(s.settings)
	maps.Copy(all, map[string]string{"hot_standby_feedback": "on", "primary_slot_name": standbySlot,
		"primary_conninfo": fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s", s.Port, User, User)})
	maps.Copy(all, o.Settings)
	standby := &Server{Version: s.Version, Dir: o.Dir, bin: s.bin, keep: o.Dir != "", settings: all}
	return standby, standby.open(func() error {
		s.Stop(Fast)
		if err := standby.copyOf(s); err != nil {
			return err
		}
		if err := s.Again(); err != nil {
			return err
		}
		return s.Statement("SELECT pg_create_physical_replication_slot('" + standbySlot + "')")
	})
}

// copyOf copies the data of a stopped server, to begin as a standby.
func (s *Server) copyOf(stopped *Server) error {
	if err := s.program("/bin/cp", "-a", stopped.data(), s.data()); err != nil {
		return err
	}
	signal := filepath.Join(s.data(), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return err
	}
	return own(signal)
}

// Promote makes a primary of a standby and waits until it takes writes.
func (s *Server) Promote() error {
	if err := s.Statement("SELECT pg_promote(true, 60)"); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return nil
}

// Statement runs a statement as the superuser and forgets its answer.
func (s *Server) Statement(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(patience))
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.ConnString(User))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}
