package rest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/internal/httpauth"
	"github.com/sluice-data/sluice/schemaregistry"
)

// maxSchemas is the longest list of GET /schemas.
const maxSchemas = 1000

func (a *api) schemas(r *http.Request) (any, error) {
	if associated(r) {
		return schemaList{}, nil
	}
	versions, err := a.registry.Schemas(r.Context(), schemaregistry.SchemasQuery{Prefix: prefix(r), Deleted: deleted(r),
		LatestOnly: flag(r, "latestOnly"), RuleType: param(r, "ruleType"), Aliases: flag(r, "aliases")})
	list := schemaList{}
	for _, v := range page(r, readable(r.Context(), versions), maxSchemas) {
		v.Aliases = slices.DeleteFunc(slices.Clone(v.Aliases), func(alias string) bool { return !may(r.Context(), read, schemaregistry.ParseName(alias)) })
		list = append(list, a.schema(v))
	}
	return list, err
}

// associated tells whether a query asks for subjects with associations only: no subject has any here.
func associated(r *http.Request) bool {
	q := r.URL.Query()
	return (q.Has("resourceType") || q.Has("associationType") || q.Has("lifecycle")) && !slices.Contains(q["lifecycle"], "NONE")
}

func (a *api) types(*http.Request) (any, error) { return a.registry.Types(), nil }

// idOf reads an id of the path, and the name whose context it is in.
func (a *api) idOf(r *http.Request) (schemaregistry.Name, int, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return schemaregistry.Name{}, 0, &schemaregistry.Error{Code: http.StatusNotFound, Message: "HTTP 404 Not Found"}
	}
	n, err := within(r, param(r, "subject"))
	if err == nil && n.Subject != "" {
		n, err = a.registry.Aliased(r.Context(), n)
	}
	return n, id, err
}

// withID returns the schema of an id and the versions that have it, those of the query's subject when it names one.
func (a *api) withID(r *http.Request) (schemaregistry.Version, []schemaregistry.Version, error) {
	n, id, err := a.idOf(r)
	if err != nil {
		return schemaregistry.Version{}, nil, err
	}
	v, versions, err := a.registry.ByID(r.Context(), n, id)
	if err != nil {
		return v, nil, err
	}
	// An id is that of a subject: who may read none of those that have it may not read it.
	if versions = readable(r.Context(), versions); len(versions) == 0 {
		return v, nil, allow(r.Context(), read, v.Name)
	}
	// An id counts as deleted when all that have it are.
	v = versions[max(slices.IndexFunc(versions, func(v schemaregistry.Version) bool { return !v.Deleted }), 0)]
	var kept []schemaregistry.Version
	for _, v := range versions {
		if n.Subject == "" || v.Name.Subject == n.Subject {
			kept = append(kept, v)
		}
	}
	return v, kept, nil
}

func (a *api) byID(r *http.Request) (any, error) {
	v, versions, err := a.withID(r)
	if err == nil {
		v, err = a.formatted(r, v)
	}
	if err != nil {
		return nil, err
	}
	j := a.schema(v)
	j.Subject, j.Version, j.ID = "", 0, 0
	if param(r, "subject") != "" && len(versions) > 0 && !a.o.Legacy {
		j.Subject, j.Version = versions[0].Name.String(), versions[0].Number
	}
	if flag(r, "fetchMaxId") {
		j.MaxID = a.registry.MaxID(v.Name.Context)
	}
	j.Tags, err = a.findTags(r, v)
	return j, err
}

func (a *api) textByID(r *http.Request) (any, error) {
	v, _, err := a.withID(r)
	if err != nil {
		return nil, err
	}
	v, err = a.formatted(r, v)
	return text(v.Schema.String()), err
}

func (a *api) subjectsByID(r *http.Request) (any, error) {
	_, versions, err := a.withID(r)
	names := []string{}
	for _, v := range versions {
		if name := v.Name.String(); (!v.Deleted || flag(r, "deleted")) && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
	}
	return page(r, names, 0), err
}

func (a *api) versionsByID(r *http.Request) (any, error) {
	_, versions, err := a.withID(r)
	list := schemaList{}
	for _, v := range versions {
		if !v.Deleted || flag(r, "deleted") {
			list = append(list, schemaJSON{Subject: v.Name.String(), Version: v.Number})
		}
	}
	return page(r, list, 0), err
}

func (a *api) byGUID(r *http.Request) (any, error) {
	v, ids, err := a.withGUID(r)
	if err != nil {
		return nil, err
	}
	// What it refers to is the same in every context that has it.
	v.Name.Context = slices.Min(slices.Collect(maps.Keys(ids)))
	if v, err = a.inFormat(r, v); err != nil {
		return nil, err
	}
	j := a.schema(v)
	j.Subject, j.Deleted = "", nil
	return j, nil
}

// withGUID returns the schema of a GUID and its ids by context, as far as the user may read subjects that have it.
func (a *api) withGUID(r *http.Request) (schemaregistry.Version, map[string]int, error) {
	v, ids, err := a.registry.ByGUID(r.Context(), r.PathValue("guid"))
	if err != nil {
		return v, nil, err
	}
	for name, id := range ids {
		_, versions, err := a.registry.ByID(r.Context(), schemaregistry.Name{Context: name}, id)
		if err != nil || len(readable(r.Context(), versions)) == 0 {
			delete(ids, name)
		}
	}
	if len(ids) == 0 {
		return v, nil, &schemaregistry.Error{Code: http.StatusForbidden, Message: "User is denied the operation " + read + " on schema " + v.GUID}
	}
	return v, ids, nil
}

func (a *api) idsByGUID(r *http.Request) (any, error) {
	_, ids, err := a.withGUID(r)
	type contextID struct {
		Context string `json:"context"`
		ID      int    `json:"id"`
	}
	list := []contextID{}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		list = append(list, contextID{name, ids[name]})
	}
	return list, err
}

func (a *api) contexts(r *http.Request) (any, error) {
	names, err := a.registry.Contexts(r.Context())
	if err != nil {
		return nil, err
	}
	seen, err := a.readableContexts(r.Context())
	start := param(r, "contextPrefix")
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, start) || !seen(name) })
	return page(r, names, 0), err
}

// allContexts is the subjectPrefix of every subject.
const allContexts = ":*:"

// readableContexts tells which contexts the user may know of: the default one, those that a role names, and those with a subject that the
// user may read.
func (a *api) readableContexts(ctx context.Context) (func(name string) bool, error) {
	if httpauth.UserOf(ctx) == nil {
		return func(string) bool { return true }, nil
	}
	subjects, err := a.registry.Subjects(ctx, allContexts, schemaregistry.WithDeleted)
	seen := map[string]bool{schemaregistry.DefaultContext: true}
	for _, subject := range subjects {
		if n := schemaregistry.ParseName(subject); may(ctx, read, n) {
			seen[n.Context] = true
		}
	}
	return func(name string) bool { return seen[name] || may(ctx, read, schemaregistry.Name{Context: name}) }, err
}

func (a *api) deleteContext(r *http.Request) (any, error) {
	name, err := contextName(r.PathValue("context"))
	if err != nil {
		return nil, err
	}
	if err := allow(r.Context(), write, schemaregistry.Name{Context: name}); err != nil {
		return nil, err
	}
	return nil, a.registry.DeleteContext(r.Context(), name)
}

func (a *api) clusterID(r *http.Request) (any, error) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	id, err := a.registry.ClusterID(ctx)
	if err != nil {
		return nil, err
	}
	type scope struct {
		Path     []string          `json:"path"`
		Clusters map[string]string `json:"clusters"`
	}
	return struct {
		ID    string `json:"id"`
		Scope scope  `json:"scope"`
	}{"", scope{[]string{}, map[string]string{"kafka-cluster": id, "schema-registry-cluster": "schema-registry"}}}, nil
}

func (a *api) deployment(*http.Request) (any, error) {
	return map[string]any{"attributes": []string{}}, nil
}

func (a *api) releaseVersion(*http.Request) (any, error) {
	return map[string]string{"version": a.o.Version, "commitId": ""}, nil
}
