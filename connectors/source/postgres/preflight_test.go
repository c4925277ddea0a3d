package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestPreflight opens on servers and databases that lack something: each error
// names the option and what to do, and is not tried again for ever.
func TestPreflight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql      string
		settings []string
		option   string
		want     []string
	}{
		"no such database": {"", []string{optDatabase, "nowhere"}, optDatabase, []string{`"nowhere" does not exist`}},
		"no such user":     {"", []string{optUser, "nobody_here"}, optUser, []string{"refuses the login", "pg_hba.conf"}},
		"no right to replicate": {`DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT ALL ON DATABASE DB TO plain; CREATE PUBLICATION dbz_publication`,
			[]string{optUser, "plain"}, optUser, []string{`ALTER ROLE "plain" REPLICATION`, "rds_replication"}},
		"no right to publish": {`DROP ROLE IF EXISTS repl; CREATE ROLE repl LOGIN REPLICATION; GRANT CREATE ON DATABASE DB TO repl`,
			[]string{optUser, "repl"}, optPublication, []string{"must be superuser", "CREATE PUBLICATION \"dbz_publication\" FOR ALL TABLES", optAutocreate}},
		"slot of another plugin": {`SELECT pg_create_logical_replication_slot('SLOT', 'test_decoding')`, nil, optSlot, []string{"test_decoding", "pg_drop_replication_slot"}},
		"physical slot":          {`SELECT pg_create_physical_replication_slot('SLOT')`, nil, optSlot, []string{"physical"}},
		"no publication":         {"", []string{optAutocreate, autocreateDisabled}, optPublication, []string{"no publication dbz_publication", "CREATE PUBLICATION"}},
		"publication of all, filtered": {`CREATE PUBLICATION dbz_publication FOR ALL TABLES`, []string{optAutocreate, autocreateFiltered}, optPublication,
			[]string{"is for all tables", "filtered"}},
		"nothing captured":       {"", []string{optAutocreate, autocreateFiltered, "table.include.list", "public.none"}, optPublication, []string{"no table", "table.include.list"}},
		"no TLS there":           {"", []string{optSSLMode, "require"}, optSSLMode, []string{"does not offer TLS", "ssl=on"}},
		"identity of no index":   {"", []string{optReplicaIdentity, "public.t:INDEX nothing"}, optReplicaIdentity, []string{`"nothing"`}},
		"identity, but no write": {"", []string{optReplicaIdentity, "public.t:FULL", optReadOnly, "true"}, optReplicaIdentity, []string{optReadOnly}},
		"initial statement":      {"", []string{optInitialStatements, "SELECT 1; SELEC 2"}, optInitialStatements, []string{"statement 2", "syntax error"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, oneTable, c.settings...)
			if c.sql != "" {
				r.db.Exec(t, strings.NewReplacer("SLOT", r.settings["slot.name"], "DB", r.db.Name).Replace(c.sql))
			}
			err := r.tryOpen()
			var ce *connect.ConfigError
			if !errors.As(err, &ce) || ce.Option != c.option || connect.IsRetriable(err) {
				t.Fatalf("got error %v, want one of the option %s", err, c.option)
			}
			for _, w := range c.want {
				if !strings.Contains(ce.Reason, w) {
					t.Errorf("the error does not say %q: %s", w, ce.Reason)
				}
			}
		})
	}
}

func TestPreflightOfServers(t *testing.T) {
	t.Parallel()
	plain := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"wal_level": "replica"}})
	r := &rig{t: t, settings: map[string]string{"database.hostname": "127.0.0.1", "database.port": fmt.Sprint(plain.Port), "database.user": pgtest.User,
		"database.dbname": pgtest.User, "topic.prefix": "pre"}}
	t.Cleanup(r.stop)
	err := r.tryOpen()
	if err == nil || !strings.Contains(err.Error(), "wal_level is replica") || !strings.Contains(err.Error(), "ALTER SYSTEM SET wal_level = logical") || connect.IsRetriable(err) {
		t.Errorf("got error %v, want one about wal_level", err)
	}
	plain.Stop(pgtest.Fast)
	r.stop()
	if err := r.tryOpen(); !connect.IsRetriable(err) {
		t.Errorf("got error %v for a server that is away, want one that may pass", err)
	}
	if err := r.config().Ping(t.Context()); err == nil || !strings.Contains(err.Error(), optHostname) {
		t.Errorf("ping: got error %v, want one of %s", err, optHostname)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	if err := r.config().Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if n := r.db.Text(t, `SELECT count(*) FROM pg_replication_slots WHERE database = '`+r.db.Name+`'`); n != "0" {
		t.Errorf("a ping has made %s slots", n)
	}
}

// TestPublications starts in each mode and looks at what there is then.
func TestPublications(t *testing.T) {
	t.Parallel()
	testPublications(t)
}

func testPublications(t *testing.T) {
	tables := `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
		CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);`
	what := `SELECT string_agg(schemaname || '.' || tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'dbz_publication'`
	how := `SELECT concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot) FROM pg_publication WHERE pubname = 'dbz_publication'`
	for name, c := range map[string]struct {
		sql       string
		settings  []string
		what, how string
	}{
		"all tables":           {"", nil, "public.a public.b public.p1", "t t t t t f"},
		"via root":             {"", []string{"publish.via.partition.root", "true"}, "public.a public.b public.p", "t t t t t t"},
		"no tables":            {"", []string{optAutocreate, autocreateNoTables}, "", "f t t t t f"},
		"filtered":             {"", []string{optAutocreate, autocreateFiltered, "table.include.list", "public.[ab]"}, "public.a public.b", "f t t t t f"},
		"filtered, operations": {"", []string{optAutocreate, autocreateFiltered, "table.include.list", "public.a", "skipped.operations", "u,t"}, "public.a", "f t f t f f"},
		"filtered, changed": {`CREATE PUBLICATION dbz_publication FOR TABLE a`, []string{optAutocreate, autocreateFiltered, "table.include.list", "public.b"},
			"public.b", "f t t t t f"},
		"there already": {`CREATE PUBLICATION dbz_publication FOR TABLE a`, nil, "public.a", "f t t t t f"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tables+c.sql, c.settings...)
			r.open()
			if got := r.db.Text(t, what); got != c.what {
				t.Errorf("the tables are %q, want %q", got, c.what)
			}
			if got := r.db.Text(t, how); got != c.how {
				t.Errorf("the publication is %q, want %q", got, c.how)
			}
		})
	}
}

// TestPublicationMadeLate has a slot with a backlog from before the publication.
func TestPublicationMadeLate(t *testing.T) {
	t.Parallel()
	r := newRig(t, oneTable)
	r.db.Exec(t, `SELECT pg_create_logical_replication_slot('`+r.settings["slot.name"]+`', 'pgoutput')`)
	r.db.Exec(t, `INSERT INTO t VALUES (1, 'a')`)
	r.open()
	_, err := r.read(t.Context())
	for err == nil || connect.IsRetriable(err) {
		_, err = r.read(t.Context())
	}
	if !strings.Contains(err.Error(), optPublication) || !strings.Contains(err.Error(), "pg_replication_slot_advance") {
		t.Errorf("got error %v, want one with a remedy", err)
	}
	r.stop() // what it says helps
	r.db.Exec(t, `SELECT pg_replication_slot_advance('`+r.settings["slot.name"]+`', pg_current_wal_lsn())`)
	r.settings[optMismatch] = mismatchTrustGreater
	r.open()
	r.db.Exec(t, `INSERT INTO t VALUES (2, 'b')`)
	r.want(`public.t c - (2 "b")`)
}

func TestReplicaIdentities(t *testing.T) {
	t.Parallel()
	r := newRig(t, `CREATE TABLE a (id int NOT NULL UNIQUE, v text); CREATE TABLE b (id int, v text); CREATE TABLE c (id int PRIMARY KEY, v text)`,
		optReplicaIdentity, "public.a:INDEX a_id_key,public.b:FULL,other.c:FULL")
	r.open()
	got := r.db.Text(t, `SELECT string_agg(relname || relreplident::text, ' ' ORDER BY relname) FROM pg_class WHERE relname IN ('a', 'b', 'c')`)
	if got != "ai bf cd" {
		t.Errorf("the replica identities are %s", got)
	}
	r.db.Exec(t, `INSERT INTO b VALUES (1, 'x'); UPDATE b SET v = 'y'`)
	r.want(`public.b c - (1 "x")`, `public.b u (1 "x") (1 "y")`)
	r.stop()
	r.settings[optReplicaIdentity] = ""
	r.db.Exec(t, `ALTER TABLE b REPLICA IDENTITY DEFAULT`)
	r.open()
	if !strings.Contains(r.log.String(), "no replica identity") || !strings.Contains(r.log.String(), "public.b") {
		t.Error("the log says nothing of the table without identity")
	}
}
