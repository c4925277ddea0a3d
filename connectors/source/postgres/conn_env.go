package postgres

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// nothing is a connection string that leaves nothing to the environment: of what is not set
// afterwards, each is the client library's own default.
const nothing = "host=localhost port=5432 user=nobody password=none dbname=none sslmode=disable sslrootcert='' sslcert='' sslkey='' sslpassword='' sslnegotiation=postgres sslcertmode=allow sslsni=1 " +
	"passfile='' channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0 connect_timeout=0 target_session_attrs=any"

// blankConfig is nothing as the client library's config, which it takes from its own parser
// only.
func blankConfig() (cfg *pgx.ConnConfig, err error) {
	if os.Getenv("PGSERVICE") == "" {
		cfg, err = pgx.ParseConfig(nothing)
	} else {
		cfg, err = withoutService()
	}
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	return cfg, nil
}

// withoutService parses nothing where the environment names a service. The library then
// reads one whatever the connection string says, and takes an empty name for a name; so it
// gets a service that is empty.
func withoutService() (cfg *pgx.ConnConfig, err error) {
	f, err := os.CreateTemp("", "sluice-pgservice-*.conf")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString("[nothing]\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	path := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(f.Name())
	return pgx.ParseConfig(nothing + " service=nothing servicefile='" + path + "'")
}
