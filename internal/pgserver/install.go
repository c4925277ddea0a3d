package pgserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The major versions that are looked for when any will do.
const (
	oldest = 14
	newest = 18
)

// find returns a major version and the folder with its programs: the wanted one, or
// the newest that is there for 0.
func find(version int) (int, string, error) {
	if version != 0 {
		dir, err := bindir(version)
		return version, dir, err
	}
	for v := newest; v >= oldest; v-- {
		if dir, err := bindir(v); err == nil {
			return v, dir, nil
		}
	}
	return inPath()
}

// bindir returns the folder with the server's programs of a major version.
func bindir(version int) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL %d: %w", version, err)
	}
	return search(version, "postgres", filepath.Join(cache, fmt.Sprintf("postgres-%d", version), "bin"))
}

// Programs returns the folder with all programs of a major version, which the tests of
// upgrades need.
func Programs(version int) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", fmt.Errorf("find the programs of PostgreSQL %d: %w", version, err)
	}
	return search(version, "pg_upgrade", filepath.Join(cache, fmt.Sprintf("postgres-%d-all", version), "pginstall", "bin"))
}

// cacheDir is where `make servers` puts what it fetches.
func cacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if os.Geteuid() == 0 {
		cache, err = "/var/cache", nil // nobody cannot read root's own
	}
	return filepath.Join(cache, "sluice-test"), err
}

// search returns the first folder that has a program: of the system's or a fetched one.
func search(version int, program, fetched string) (string, error) {
	places := []string{
		fmt.Sprintf("/usr/lib/postgresql/%d/bin", version),
		fmt.Sprintf("/usr/pgsql-%d/bin", version),
		fetched,
	}
	for _, dir := range places {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL %d is in none of %s; `make servers` installs it", version, strings.Join(places, ", "))
}

// inPath finds a server in PATH, as other systems have it.
func inPath() (int, string, error) {
	missing := fmt.Errorf("no PostgreSQL server of the versions %d to %d was found: install one (apt-get install postgresql), or put the folder of its programs into PATH", oldest, newest)
	path, err := exec.LookPath("postgres")
	if err != nil {
		return 0, "", missing
	}
	text, err := exec.Command(path, "--version").Output() // postgres (PostgreSQL) 16.4
	if err != nil {
		return 0, "", fmt.Errorf("%s --version: %w", path, err)
	}
	words := strings.Fields(string(text))
	if len(words) < 3 {
		return 0, "", missing
	}
	major, _, _ := strings.Cut(words[2], ".")
	version, err := strconv.Atoi(major)
	if err != nil || version < oldest {
		return 0, "", missing
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return 0, "", fmt.Errorf("find PostgreSQL's programs: %w", err)
	}
	return version, filepath.Dir(path), nil
}
