package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Default is the major version for tests that do not care.
const Default = 15

// Versions are the major versions that the connector is tested with.
var Versions = []int{14, 15, 16, 17, 18}

// bindir returns the folder with the programs of a major version.
func bindir(version int) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL %d: %w", version, err)
	}
	if os.Geteuid() == 0 {
		cache = "/var/cache" // nobody cannot read root's own
	}
	places := []string{
		fmt.Sprintf("/usr/lib/postgresql/%d/bin", version),
		filepath.Join(cache, "sluice-test", fmt.Sprintf("postgres-%d", version), "bin"),
	}
	for _, dir := range places {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL %d is in none of %s; `make servers` installs it", version, strings.Join(places, ", "))
}
