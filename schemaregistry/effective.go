package schemaregistry

import (
	"maps"
	"strings"
)

// holders are the names under which settings for a subject are looked up, the nearest first.
func (n Name) holders() []string {
	holders := []string{n.holder(), Name{Context: globalContext}.holder()}
	if n.Subject == "" {
		return holders
	}
	return append([]string{n.String()}, holders...)
}

// effective returns the nearest setting that is made.
func effective[T any](r *Registry, n Name, get func(Config) *T) *T {
	for _, h := range n.holders() {
		if c, ok := r.state.config(h); ok {
			if v := get(c); v != nil {
				return v
			}
		}
	}
	return nil
}

// nearest is the nearest config that there is. Its level, alias, metadata and rules count also where it has none: those further away do not.
func (r *Registry) nearest(n Name) (Config, bool) {
	for _, h := range n.holders() {
		if c, ok := r.state.config(h); ok {
			return c, true
		}
	}
	return Config{}, false
}

// completed is a subject's config with the settings that it does not make itself and has from others.
func (r *Registry) completed(n Name, c Config) Config {
	c.Normalize = effective(r, n, func(c Config) *bool { return c.Normalize })
	c.ValidateFields = effective(r, n, func(c Config) *bool { return c.ValidateFields })
	c.ValidateNewSchemas = effective(r, n, func(c Config) *bool { return c.ValidateNewSchemas })
	c.ValidateRules = effective(r, n, func(c Config) *bool { return c.ValidateRules })
	c.Policy = effective(r, n, func(c Config) *string { return c.Policy })
	c.Group = effective(r, n, func(c Config) *string { return c.Group })
	return c
}

// level is the compatibility that a subject's new versions are held to.
func (r *Registry) level(n Name) Compatibility {
	if c, _ := r.nearest(n); c.Level != nil {
		return *c.Level
	}
	return r.cfg.Level
}

func (r *Registry) normalizes(n Name) bool {
	v := effective(r, n, func(c Config) *bool { return c.Normalize })
	return v != nil && *v
}

// validatesNew tells whether new schemas are held to the stricter rules.
func (r *Registry) validatesNew(n Name) bool {
	v := effective(r, n, func(c Config) *bool { return c.ValidateNewSchemas })
	return v == nil || *v
}

// validatesFields tells whether the names that a schema's metadata reserves are kept free.
func (r *Registry) validatesFields(n Name) bool {
	v := effective(r, n, func(c Config) *bool { return c.ValidateFields })
	return v != nil && *v
}

// group is the metadata property whose value has to be the same in versions that are compared, "" for none.
func (r *Registry) group(n Name) string {
	if g := effective(r, n, func(c Config) *string { return c.Group }); g != nil {
		return *g
	}
	return ""
}

// lenient tells whether a subject has the policy LENIENT.
func (r *Registry) lenient(n Name) bool {
	p := effective(r, n, func(c Config) *string { return c.Policy })
	return p != nil && strings.EqualFold(*p, "LENIENT")
}

// mode is what may be done to a subject.
func (r *Registry) mode(n Name) Mode {
	for _, h := range n.holders()[len(n.holders())-2:] {
		if m, ok := r.state.mode(h); ok && m == ReadOnlyOverride {
			return m
		}
	}
	for _, h := range n.holders() {
		if m, ok := r.state.mode(h); ok {
			return m
		}
	}
	return ReadWrite
}

// writable refuses changes of a subject that is read-only.
func (r *Registry) writable(n Name) error {
	if m := r.mode(n); m == ReadOnly || m == ReadOnlyOverride || m == Forwarding {
		return errorf(CodeNotPermitted, "Subject %s in context %s is in read-only mode", n.Subject, n.Context)
	}
	return nil
}

// attached is what is stored with a schema that is sent with a: the subject's defaults below it, its overrides above.
func (r *Registry) attached(n Name, a attachments) attachments {
	low, high := r.around(n)
	return attachments{mergeMetadata(mergeMetadata(low.metadata, a.metadata), high.metadata), mergeRules(mergeRules(low.rules, a.rules), high.rules)}
}

// around are the defaults and the overrides of a subject.
func (r *Registry) around(n Name) (low, high attachments) {
	c, _ := r.nearest(n)
	return attachments{c.DefaultMetadata, c.DefaultRules}, attachments{c.OverrideMetadata, c.OverrideRules}
}

// attaches tells whether a subject has any.
func (r *Registry) attaches(n Name) bool {
	low, high := r.around(n)
	return low != attachments{} || high != attachments{}
}

// inherited is a with what the latest version has where nothing was sent.
func (a attachments) inherited(last *version) attachments {
	a = a.settled()
	if last == nil {
		return a
	}
	if a.metadata == nil {
		a.metadata = last.entry.metadata
	}
	if a.rules == nil {
		a.rules = last.entry.rules
	}
	return a
}

// mergeMetadata returns low with what high says above it.
func mergeMetadata(low, high *Metadata) *Metadata {
	switch {
	case low.empty() && high.empty():
		return nil
	case low.empty():
		return high
	case high.empty():
		return low
	}
	return &Metadata{Tags: mergeMaps(low.Tags, high.Tags), Properties: mergeMaps(low.Properties, high.Properties),
		Sensitive: sorted(append(append([]string(nil), low.Sensitive...), high.Sensitive...))}
}

func mergeMaps[V any](low, high map[string]V) map[string]V {
	m := maps.Clone(low)
	if m == nil {
		m = make(map[string]V)
	}
	maps.Copy(m, high)
	return m
}
