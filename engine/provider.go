package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/javaprops"
)

// Classes of config providers (KIP-297, KIP-421).
const (
	FileProviderClass      = "org.apache.kafka.common.config.provider.FileConfigProvider"
	DirectoryProviderClass = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
	EnvProviderClass       = "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
)

// maxProviderBytes is the size up to which a provider reads a file (I5).
const maxProviderBytes = 1 << 20

// ProviderConfig is one of config.providers: what configs call it, its class and
// its parameters without config.providers.<name>.param.
type ProviderConfig struct {
	Name, Class string
	Params      map[string]string
}

// provider looks up a value. Without an error and without a value the reference
// stays as it is, as in Kafka.
type provider interface {
	lookup(path, key string) (value string, ok bool, err error)
}

// providers resolve references of the form ${provider:[path:]key}.
type providers map[string]provider

// newProviders makes the providers of a worker; errors name the property.
func newProviders(configs []ProviderConfig) (providers, error) {
	all := make(providers, len(configs))
	var errs []error
	for _, c := range configs {
		p, err := c.provider()
		if err != nil {
			errs = append(errs, fmt.Errorf("Invalid value for configuration config.providers.%s: %w", c.Name, err))
		}
		all[c.Name] = p
	}
	return all, errors.Join(errs...)
}

func (c *ProviderConfig) provider() (provider, error) {
	var paths []string
	var pattern string
	var d connect.Def
	switch c.Class {
	case FileProviderClass, DirectoryProviderClass:
		d.Add(connect.Option{Name: "allowed.paths", Var: &paths})
	case EnvProviderClass:
		d.Add(connect.Option{Name: "allowlist.pattern", Var: &pattern})
	default:
		return nil, fmt.Errorf("class %q: use one of %s, %s, %s", c.Class, FileProviderClass, DirectoryProviderClass, EnvProviderClass)
	}
	if err := connect.Err(d.Parse(c.Params)); err != nil {
		return nil, err
	}
	if unknown := d.Unknown(c.Params); len(unknown) > 0 {
		return nil, fmt.Errorf("param.%s: the class has no such parameter", unknown[0].Name)
	}
	if c.Class == EnvProviderClass {
		return newEnvProvider(pattern)
	}
	for i, p := range paths {
		if !filepath.IsAbs(p) {
			return nil, fmt.Errorf("param.allowed.paths: %s is not an absolute path", p)
		}
		paths[i] = filepath.Clean(p)
	}
	if c.Class == FileProviderClass {
		return fileProvider{allowedPaths(paths)}, nil
	}
	return directoryProvider{allowedPaths(paths)}, nil
}

// allowedPaths are where a provider may read; everywhere when there is none.
type allowedPaths []string

// allow returns the path without .. and symbolic links, and whether it may be
// read: a link must not lead out.
func (a allowedPaths) allow(path string) (string, bool) {
	if len(a) == 0 {
		return filepath.Clean(path), true
	}
	clean := filepath.Clean(path)
	if !filepath.IsAbs(clean) || !a.contains(clean) {
		return clean, false
	}
	real, err := filepath.EvalSymlinks(clean)
	return clean, err != nil || a.contains(real) || a.containsReal(real)
}

func (a allowedPaths) contains(path string) bool {
	return slices.ContainsFunc(a, func(root string) bool { return inside(root, path) })
}

// containsReal compares with where the allowed paths themselves lead.
func (a allowedPaths) containsReal(path string) bool {
	return slices.ContainsFunc(a, func(root string) bool {
		real, err := filepath.EvalSymlinks(root)
		return err == nil && inside(real, path)
	})
}

func inside(root, path string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

// fileProvider reads keys of properties files.
type fileProvider struct{ allowed allowedPaths }

func (p fileProvider) lookup(path, key string) (string, bool, error) {
	path, ok := p.allowed.allow(path)
	if !ok {
		return "", false, nil
	}
	text, err := readSmall(path)
	if err != nil {
		return "", false, err
	}
	values, err := javaprops.Parse(text)
	if err != nil {
		return "", false, fmt.Errorf("read properties of %s: it is not a properties file", path) // the error has content (I6)
	}
	value, ok := values[key]
	return value, ok, nil
}

// directoryProvider reads files whose name is the key, such as mounted secrets.
type directoryProvider struct{ allowed allowedPaths }

func (p directoryProvider) lookup(path, key string) (string, bool, error) {
	if key == "" || key == "." || key == ".." || strings.ContainsRune(key, filepath.Separator) {
		return "", false, nil
	}
	path, ok := p.allowed.allow(filepath.Join(path, key))
	if !ok {
		return "", false, nil
	}
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return text, err == nil, err
}

func readSmall(path string) (string, error) {
	// Before Open, which would wait for the other end of a pipe.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("read a config value: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read a config value: %w", err) // names the file
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProviderBytes+1))
	if err != nil {
		return "", fmt.Errorf("read a config value: %w", err)
	}
	if len(text) > maxProviderBytes {
		return "", fmt.Errorf("read a config value: %s is larger than %d bytes", path, maxProviderBytes)
	}
	return string(text), nil
}

// envProvider reads environment variables whose whole name the pattern matches.
type envProvider struct{ allowed *regexp.Regexp }

func newEnvProvider(pattern string) (provider, error) {
	if pattern == "" {
		return envProvider{}, nil
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, fmt.Errorf("param.allowlist.pattern: not a regular expression (RE2): %w", err)
	}
	return envProvider{re}, nil
}

func (p envProvider) lookup(path, key string) (string, bool, error) {
	if path != "" || p.allowed != nil && !p.allowed.MatchString(key) {
		return "", false, nil
	}
	value, ok := os.LookupEnv(key)
	return value, ok, nil
}

// reference is Kafka's pattern: ${provider:key} or ${provider:path:key}.
var reference = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// resolved is a config with its references replaced.
type resolved struct {
	settings map[string]string
	values   map[string]string // of each reference, by its text
	errs     map[string]string // why a setting could not be resolved
	sum      [sha256.Size]byte // of values
}

// resolve replaces the references of a config (KIP-297). What no provider knows
// stays as it is. Values are not looked at again for references.
func (p providers) resolve(settings map[string]string) resolved {
	r := resolved{settings: settings}
	if len(p) == 0 {
		return r
	}
	r.settings = make(map[string]string, len(settings))
	for name, text := range settings {
		r.settings[name] = reference.ReplaceAllStringFunc(text, func(ref string) string {
			value, ok, err := p.lookup(ref)
			if err != nil {
				if r.errs == nil {
					r.errs = make(map[string]string)
				}
				r.errs[name] = fmt.Sprintf("Could not resolve %s: %v", ref, err)
			}
			if !ok {
				return ref
			}
			if r.values == nil {
				r.values = make(map[string]string)
			}
			r.values[ref] = value
			return value
		})
	}
	r.sum = sumOf(r.values)
	return r
}

func (p providers) lookup(ref string) (string, bool, error) {
	m := reference.FindStringSubmatch(ref)
	provider := p[m[1]]
	if provider == nil {
		return "", false, nil
	}
	return provider.lookup(strings.TrimSpace(m[3]), strings.TrimSpace(m[4]))
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func sumOf(values map[string]string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, ref := range sortedKeys(values) {
		fmt.Fprintf(h, "%d %s%d %s", len(ref), ref, len(values[ref]), values[ref])
	}
	h.Sum(sum[:0])
	return sum
}

// uses tells whether a setting has a reference that was resolved.
func (r *resolved) uses(text string) bool {
	for ref := range r.values {
		if strings.Contains(text, ref) {
			return true
		}
	}
	return false
}

// hide returns pairs for a strings.Replacer that put the references back where
// their values are (I6). Values too short to be a secret of any worth are left
// in: they are part of too many words.
func (r *resolved) hide() []string {
	var pairs []string
	for _, ref := range sortedKeys(r.values) {
		if value := strings.TrimSpace(r.values[ref]); len(value) >= minHidden {
			pairs = append(pairs, value, ref)
		}
	}
	return pairs
}

// minHidden is the length from which a resolved value is hidden in texts.
const minHidden = 4

// restore puts references back into a setting that a connector made of the
// resolved config, so that what is stored has no secrets (I6).
func (d *definition) restore(name, text string) string {
	if raw, ok := d.settings[name]; ok && d.resolved.settings[name] == text {
		return raw
	}
	if len(d.resolved.values) == 0 {
		return text
	}
	return strings.NewReplacer(d.resolved.hide()...).Replace(text)
}
