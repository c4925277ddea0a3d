package schemaregistry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The methods in this file return copies, which stay as they are: contents never change.

// versionsOf returns the versions of a subject in order, soft deleted ones included.
func (s *state) versionsOf(name Name) []version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sub := s.subjects[name]
	if sub == nil {
		return nil
	}
	return values(sub.versions)
}

func values(versions []*version) []version {
	copies := make([]version, len(versions))
	for i, v := range versions {
		copies[i] = *v
	}
	return copies
}

// live leaves out what is soft deleted.
func live(versions []version) []version {
	return slices.DeleteFunc(slices.Clone(versions), func(v version) bool { return v.deleted })
}

// latest is the newest version that is not deleted, nil when there is none.
func latest(versions []version) *version {
	for i := len(versions) - 1; i >= 0; i-- {
		if !versions[i].deleted {
			return &versions[i]
		}
	}
	return nil
}

// byID returns the content of an id and the versions that have it.
func (s *state) byID(context string, id int) (*content, []version) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.contexts[context]
	if c == nil || c.ids[id] == nil {
		return nil, nil
	}
	return c.ids[id].content, values(c.ids[id].versions)
}

// only returns the version of an id that no other version has.
func (s *state) only(context string, id int) (v version, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.contexts[context]; c != nil {
		if e := c.ids[id]; e != nil && len(e.versions) == 1 {
			return *e.versions[0], true
		}
	}
	return version{}, false
}

// idOf returns the lowest id of a content in a context.
func (s *state) idOf(context string, of sum) (id int, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.contexts[context]
	if c == nil || len(c.bySum[of]) == 0 {
		return 0, false
	}
	return slices.Min(c.bySum[of]), true
}

// replacements is how often a version went or got another schema.
func (s *state) replacements() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.replaced
}

// bySum returns a content and its id in each context that has it.
func (s *state) bySum(of sum) (*content, map[string]int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sh := s.contents[of]
	if sh == nil {
		return nil, nil
	}
	ids := make(map[string]int)
	for name, c := range s.contexts {
		if len(c.bySum[of]) > 0 {
			ids[name] = slices.Min(c.bySum[of])
		}
	}
	return sh.content, ids
}

// lastIDs are the highest ids that were ever given.
func (s *state) lastIDs() map[string]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := make(map[string]int)
	for name, c := range s.contexts {
		if c.lastID > 0 {
			ids[name] = c.lastID
		}
	}
	return ids
}

// contextNames returns the contexts in order, the default one always among them.
func (s *state) contextNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := []string{DefaultContext}
	for name, c := range s.contexts {
		if c.named || len(c.ids) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// matching returns the subjects that match a prefix, in order, each with its versions.
func (s *state) matching(prefix string) [][]version {
	match := prefixMatcher(prefix)
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	byName := make(map[string]*subject)
	for name, sub := range s.subjects {
		if match(name) {
			full := name.String()
			names, byName[full] = append(names, full), sub
		}
	}
	slices.Sort(names)
	found := make([][]version, len(names))
	for i, name := range names {
		found[i] = values(byName[name].versions)
	}
	return found
}

// prefixMatcher reads a subjectPrefix: ":*:" and what follows is about all contexts, ":context:" about one, all else about the default
// one.
func prefixMatcher(prefix string) func(Name) bool {
	p := ParseName(prefix)
	return func(n Name) bool {
		return (p.Context == anyContext || p.Context == n.Context) && strings.HasPrefix(n.Subject, p.Subject)
	}
}

// aliases are the names that are configured to stand for each subject, in order.
func (s *state) aliases() map[Name][]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	aliases := make(map[Name][]string)
	for _, name := range slices.Sorted(maps.Keys(s.configs)) {
		if c := s.configs[name]; c.Alias != nil && *c.Alias != "" {
			of := ParseName(*c.Alias).within(ParseName(name).Context)
			aliases[of] = append(aliases[of], name)
		}
	}
	return aliases
}

// config returns what is configured for exactly this holder.
func (s *state) config(holder string) (Config, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.configs[holder]
	return c, ok
}

// mode returns the mode of exactly this holder.
func (s *state) mode(holder string) (Mode, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	m, ok := s.modes[holder]
	return m, ok
}

// users returns the versions that refer to one.
func (s *state) users(of Name, number int) []version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var users []version
	for name, sub := range s.subjects {
		for _, v := range sub.versions {
			for _, ref := range v.entry.references {
				if ref.Version == number && ParseName(ref.Subject).within(name.Context) == of {
					users = append(users, *v)
					break
				}
			}
		}
	}
	slices.SortFunc(users, func(a, b version) int {
		return cmp.Or(cmp.Compare(a.name.String(), b.name.String()), a.number-b.number)
	})
	return users
}

// forget returns records that take away whatever has a key, in all forms of its bytes.
func (s *state) forget(k key) []record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	records := []record{{key: k.bytes()}}
	for _, form := range s.forms[k] {
		records = append(records, record{key: []byte(form)})
	}
	return records
}
