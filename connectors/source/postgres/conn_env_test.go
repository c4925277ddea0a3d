package postgres

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestEnvironmentDoesNotCount sets what PostgreSQL's own programs take from the environment:
// a connector's config alone says how to connect.
func TestEnvironmentDoesNotCount(t *testing.T) {
	dial := func(t *testing.T) *pgconn.Config {
		t.Helper()
		cfg, err := (&rig{t: t, settings: minimal()}).config().connection.dialConfig(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &cfg.Config
	}
	// What can be compared of a config.
	facts := func(c *pgconn.Config) []any {
		return []any{c.Host, c.Port, c.Database, c.User, c.Password, c.TLSConfig == nil, c.ConnectTimeout, maps.Clone(c.RuntimeParams), c.SSLNegotiation, len(c.Fallbacks),
			c.MinProtocolVersion, c.MaxProtocolVersion, c.ChannelBinding, c.RequireAuth, c.SSLCertMode, c.ValidateConnect == nil, c.AfterConnect == nil, c.OnNotice == nil}
	}
	want := facts(dial(t))
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), `a 'quoted' \ folder`)) // of the empty service
	if err := os.Mkdir(os.TempDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	service := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(service, []byte("[other]\nhost=elsewhere\nsslmode=verify-full\noptions=-c search_path=other\nchannel_binding=require\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", service)
	for name, value := range map[string]string{"PGHOST": "elsewhere", "PGPORT": "no port", "PGDATABASE": "other", "PGUSER": "other", "PGPASSWORD": "other", "PGPASSFILE": "/dev/null",
		"PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "no number", "PGSSLMODE": "verify-full", "PGSSLKEY": "/none", "PGSSLCERT": "/none", "PGSSLCERTMODE": "require", "PGSSLSNI": "0",
		"PGSSLROOTCERT": "/none", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGTZ": "Asia/Tokyo", "PGOPTIONS": "-c search_path=other",
		"PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.2", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "scram-sha-256",
		"PGSERVICE": "other", "PGSERVICEFILE": "/none"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if got := facts(dial(t)); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
