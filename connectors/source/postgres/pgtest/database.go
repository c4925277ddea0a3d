package pgtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is a database of a server, made for one test.
type Database struct {
	*Server
	Name string
}

var databases atomic.Int64

// Database makes an empty database. Its slots and connections end with the test, and
// so does it.
func (s *Server) Database(t testing.TB) *Database {
	t.Helper()
	d := &Database{Server: s, Name: fmt.Sprintf("test%d", databases.Add(1))}
	s.Exec(t, "CREATE DATABASE "+d.Name)
	t.Cleanup(func() {
		if s.Ended() {
			return
		}
		d.dropSlots(t)
		s.Exec(t, "DROP DATABASE IF EXISTS "+d.Name+" WITH (FORCE)")
	})
	return d
}

// dropSlots ends the walsenders of the database and drops its replication slots,
// which would keep it and the server's log of changes.
func (d *Database) dropSlots(t testing.TB) {
	t.Helper()
	conn := d.Server.connect(t, User)
	defer conn.Close(context.Background())
	err := poll(dropPatience, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 AND active", d.Name); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1", d.Name)
		return err
	})
	if err != nil {
		t.Errorf("drop the replication slots of %s: %v", d.Name, err)
	}
}

// ConnString is the URL of the database.
func (d *Database) ConnString() string { return d.Server.ConnString(d.Name) }

// Connect opens a connection that is closed with the test.
func (d *Database) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	return d.Server.Connect(t, d.Name)
}

// Exec runs statements in one connection, as psql does with a script: several at once
// are one transaction unless they say otherwise.
func (d *Database) Exec(t testing.TB, sql string) {
	t.Helper()
	d.Server.exec(t, d.Name, sql)
}

// Text returns the first column of a query's first row as text.
func (d *Database) Text(t testing.TB, sql string) string {
	t.Helper()
	conn := d.Server.connect(t, d.Name)
	defer conn.Close(context.Background())
	var text *string
	if err := conn.QueryRow(context.Background(), "SELECT ("+sql+")::text").Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if text == nil {
		return ""
	}
	return *text
}

// Exec runs statements in the database postgres.
func (s *Server) Exec(t testing.TB, sql string) {
	t.Helper()
	s.exec(t, User, sql)
}

func (s *Server) exec(t testing.TB, db, sql string) {
	t.Helper()
	conn := s.connect(t, db)
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Connect opens a connection to a database that is closed with the test.
func (s *Server) Connect(t testing.TB, db string) *pgx.Conn {
	t.Helper()
	conn := s.connect(t, db)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (s *Server) connect(t testing.TB, db string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.ConnString(db))
	if err != nil {
		t.Fatalf("connect to %s: %v\n%s", db, err, s.Log())
	}
	return conn
}
