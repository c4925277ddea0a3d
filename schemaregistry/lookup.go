package schemaregistry

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Deleted says what of the soft deleted is wanted.
type Deleted int

// What is listed.
const (
	WithoutDeleted Deleted = iota
	WithDeleted
	OnlyDeleted
)

// of picks versions.
func (d Deleted) of(versions []version) []version {
	return slices.DeleteFunc(slices.Clone(versions), func(v version) bool {
		return d == WithoutDeleted && v.deleted || d == OnlyDeleted && !v.deleted
	})
}

// Subjects returns the names of the subjects that match a prefix, in order. A subject counts as deleted when all its versions are.
func (r *Registry) Subjects(ctx context.Context, prefix string, d Deleted) ([]string, error) {
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	names := []string{}
	for _, versions := range r.state.matching(prefix) {
		gone := latest(versions) == nil
		if d == WithDeleted || gone == (d == OnlyDeleted) {
			names = append(names, versions[0].name.String())
		}
	}
	return names, nil
}

// Versions returns the numbers of a subject's versions, with asNegative all of them, those of deleted ones below zero.
//
// Errors: 40401.
func (r *Registry) Versions(ctx context.Context, n Name, d Deleted, asNegative bool) ([]int, error) {
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	versions := r.state.versionsOf(n)
	if len(versions) == 0 || d == WithoutDeleted && latest(versions) == nil {
		return nil, subjectNotFound(n.String())
	}
	if asNegative {
		d = WithDeleted
	}
	numbers := []int{}
	for _, v := range d.of(versions) {
		if v.deleted && asNegative {
			v.number = -v.number
		}
		numbers = append(numbers, v.number)
	}
	return numbers, nil
}

// Version returns a version of a subject; -1 is the latest that is not deleted, whatever deleted says. A subject that names no context and is not
// in the default one is looked for in the others.
//
// Errors: 40401, 40402.
func (r *Registry) Version(ctx context.Context, n Name, number int, deleted bool) (Version, error) {
	if err := r.await(ctx); err != nil {
		return Version{}, err
	}
	v, err := r.version(n, number, deleted)
	if err != nil && n.Context == DefaultContext {
		for _, other := range r.state.contextNames() {
			if v, err := r.version(Name{other, n.Subject}, number, deleted); err == nil {
				return v.view(), nil
			}
		}
	}
	if err != nil {
		return Version{}, err
	}
	return v.view(), nil
}

func (r *Registry) version(n Name, number int, deleted bool) (*version, error) {
	versions := r.state.versionsOf(n)
	last := latest(versions)
	switch {
	case len(versions) == 0 || last == nil && !deleted:
		return nil, subjectNotFound(n.String())
	case number == latestVersion && last != nil:
		return last, nil
	}
	if v := find(versions, number); v != nil && (deleted || !v.deleted) {
		return v, nil
	}
	return nil, versionNotFound(number)
}

// QualifiedReferences are the references with the contexts of their subjects.
func (v Version) QualifiedReferences() []Reference {
	var qualified []Reference
	for _, ref := range v.References {
		ref.Subject = ParseName(ref.Subject).within(v.Name.Context).String()
		qualified = append(qualified, ref)
	}
	return qualified
}

// Formatted returns the text of a version in a format that its type has, such as "resolved": with what it refers to in it.
//
// Errors: 42201 it cannot be read, or a reference leads nowhere.
func (r *Registry) Formatted(v Version, format string) (string, error) {
	s, _, err := r.parse(v.Name.Context, Input{Type: v.Type, Text: v.Schema.String(), References: v.References}, false)
	if err != nil {
		return "", err
	}
	f, ok := s.(Formatter)
	switch {
	case ok:
		text, err := f.Formatted(format)
		if err != nil {
			return "", invalidSchema(err)
		}
		return text, nil
	case format == "resolved":
		return s.Inlined(), nil
	}
	return v.Schema.String(), nil
}

// ClusterID is the name of the cluster that has the topic.
func (r *Registry) ClusterID(ctx context.Context) (string, error) {
	if err := r.await(ctx); err != nil {
		return "", err
	}
	m, err := r.store.admin.BrokerMetadata(ctx)
	return m.Cluster, storeError(err)
}

// ReferencedBy returns the ids of the schemas that refer to a version, which may be soft deleted; with deleted those too of which only soft
// deleted versions do.
//
// Errors: 40401, 40402.
func (r *Registry) ReferencedBy(ctx context.Context, n Name, number int, deleted bool) ([]int, error) {
	v, err := r.Version(ctx, n, number, true)
	if err != nil {
		return nil, err
	}
	ids := []int{}
	for _, user := range r.state.users(v.Name, v.Number) {
		if deleted || !user.deleted {
			ids = append(ids, user.id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// SchemasQuery says which versions are wanted.
type SchemasQuery struct {
	Prefix     string
	Deleted    Deleted
	LatestOnly bool   // of each subject
	RuleType   string // those with a rule of the type; "" for all
	// Aliases has versions with the aliases of their subjects, and those of subjects one of whose aliases has the prefix.
	Aliases bool
}

// Schemas returns the versions that a query asks for, in the order of their subjects.
func (r *Registry) Schemas(ctx context.Context, q SchemasQuery) ([]Version, error) {
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	subjects := r.state.matching(q.Prefix)
	var aliases map[Name][]string
	if q.Aliases {
		aliases = r.state.aliases()
		subjects = r.withAliased(subjects, aliases, q.Prefix)
	}
	var all []Version
	for _, versions := range subjects {
		versions = q.Deleted.of(versions)
		if q.LatestOnly && len(versions) > 1 {
			versions = versions[len(versions)-1:]
		}
		for i := range versions {
			if v := versions[i].view(); q.RuleType == "" || v.Rules.hasType(q.RuleType) {
				v.Aliases = aliases[v.Name]
				all = append(all, v)
			}
		}
	}
	return all, nil
}

// withAliased adds the subjects that do not match a prefix themselves but have an alias that does.
func (r *Registry) withAliased(subjects [][]version, aliases map[Name][]string, prefix string) [][]version {
	match := prefixMatcher(prefix)
	for name, list := range aliases {
		if match(name) || !slices.ContainsFunc(list, func(alias string) bool { return match(ParseName(alias)) }) {
			continue
		}
		if versions := r.state.versionsOf(name); len(versions) > 0 {
			subjects = append(subjects, versions)
		}
	}
	slices.SortFunc(subjects, func(a, b []version) int { return strings.Compare(a[0].name.String(), b[0].name.String()) })
	return subjects
}

// ByID returns the schema of an id, and every version that has it. The context is that of n. A subject in n that names no context, and has the id
// in another one and not in the default one, decides for that one: an id is another schema in each.
//
// Errors: 40403.
func (r *Registry) ByID(ctx context.Context, n Name, id int) (Version, []Version, error) {
	if err := r.await(ctx); err != nil {
		return Version{}, nil, err
	}
	co, versions := r.state.byID(n.Context, id)
	has := func(vs []version) bool {
		return slices.ContainsFunc(vs, func(v version) bool { return v.name.Subject == n.Subject })
	}
	if n.Context == DefaultContext && n.Subject != "" && !has(versions) {
		for _, other := range r.state.contextNames() {
			if c, vs := r.state.byID(other, id); has(vs) {
				co, versions = c, vs
				break
			}
		}
	}
	if co == nil {
		return Version{}, nil, errorf(CodeSchemaNotFound, "Schema %d not found", id)
	}
	slices.SortFunc(versions, func(a, b version) int {
		return cmp.Or(cmp.Compare(a.name.String(), b.name.String()), a.number-b.number)
	})
	views := make([]Version, len(versions))
	for i := range versions {
		views[i] = versions[i].view()
	}
	return views[0], views, nil
}

// Only returns the version of an id that no other version of the context has, as is the case for most ids. False: there are more or none, or the
// schemas have not been read yet; ByID tells.
func (r *Registry) Only(context string, id int) (Version, bool) {
	if !r.Ready() {
		return Version{}, false
	}
	v, ok := r.state.only(context, id)
	if !ok {
		return Version{}, false
	}
	return v.view(), true
}

// ByGUID returns the schema of a GUID, and its id in each context that has it.
//
// Errors: 40403.
func (r *Registry) ByGUID(ctx context.Context, guid string) (Version, map[string]int, error) {
	if err := r.await(ctx); err != nil {
		return Version{}, nil, err
	}
	if s, ok := parseGUID(guid); ok {
		if co, ids := r.state.bySum(s); co != nil {
			return Version{GUID: s.GUID(), Type: co.typ, References: co.references, Metadata: co.metadata, Rules: co.rules, Schema: co.text}, ids, nil
		}
	}
	return Version{}, nil, errorf(CodeSchemaNotFound, "Schema %s not found", guid)
}

// ByMetadata returns the newest version of a subject whose metadata has all the properties.
//
// Errors: 40401, 40403.
func (r *Registry) ByMetadata(ctx context.Context, n Name, properties map[string]string, deleted bool) (Version, error) {
	if err := r.await(ctx); err != nil {
		return Version{}, err
	}
	versions := r.state.versionsOf(n)
	if len(versions) == 0 || !deleted && latest(versions) == nil {
		return Version{}, subjectNotFound(n.String())
	}
	for i := len(versions) - 1; i >= 0; i-- {
		v := &versions[i]
		if v.deleted && !deleted || !hasAll(v.entry.metadata, properties) {
			continue
		}
		return v.view(), nil
	}
	return Version{}, errorf(CodeSchemaNotFound, "Schema not found")
}

func hasAll(m *Metadata, properties map[string]string) bool {
	for name, value := range properties {
		if m == nil || m.Properties[name] != value {
			return false
		}
	}
	return true
}

// Contexts returns the names of the contexts, in order.
func (r *Registry) Contexts(ctx context.Context) ([]string, error) {
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	return r.state.contextNames(), nil
}

// Types returns the types of schemas that can be registered.
func (r *Registry) Types() []string {
	var types []string
	for _, p := range r.cfg.Providers {
		types = append(types, p.Type())
	}
	return types
}

// MaxID is the highest id that was ever given in a context.
func (r *Registry) MaxID(context string) int { return r.state.lastIDs()[context] }
