package rest

import (
	"math"
	"net/http"
	"slices"

	"github.com/sluice-data/sluice/schemaregistry"
)

func (a *api) root(*http.Request) (any, error) { return struct{}{}, nil }

// target is the subject in a request's path, or the one that it is an alias of. The user has to have the role for it.
func (a *api) target(r *http.Request, role string) (schemaregistry.Name, error) {
	n, err := within(r, r.PathValue("subject"))
	if err == nil {
		n, err = a.registry.Aliased(r.Context(), n)
	}
	if err != nil {
		return n, err
	}
	return n, allow(r.Context(), role, n)
}

// targetVersion is the subject and the version in a request's path.
func (a *api) targetVersion(r *http.Request, role string) (schemaregistry.Name, int, error) {
	number, err := versionNumber(r)
	if err != nil {
		return schemaregistry.Name{}, 0, err
	}
	n, err := a.target(r, role)
	return n, number, err
}

// prefix is the subjectPrefix of a query, in the context of the path.
func prefix(r *http.Request) string {
	text := param(r, "subjectPrefix")
	if c := contextOf(r); c != schemaregistry.DefaultContext && schemaregistry.ParseName(text).Context == schemaregistry.DefaultContext {
		return ":" + c + ":" + text
	}
	if !r.URL.Query().Has("subjectPrefix") {
		return ":*:"
	}
	return text
}

func (a *api) subjects(r *http.Request) (any, error) {
	names, err := a.registry.Subjects(r.Context(), prefix(r), deleted(r))
	names = slices.DeleteFunc(names, func(name string) bool { return !may(r.Context(), read, schemaregistry.ParseName(name)) })
	return page(r, names, 0), err
}

func (a *api) versions(r *http.Request) (any, error) {
	n, err := a.target(r, read)
	if err != nil {
		return nil, err
	}
	numbers, err := a.registry.Versions(r.Context(), n, deleted(r), flag(r, "deletedAsNegative"))
	return page(r, numbers, 0), err
}

func (a *api) version(r *http.Request) (any, error) {
	v, err := a.versionOf(r)
	if err != nil {
		return nil, err
	}
	j := a.schema(v)
	j.Tags, err = a.findTags(r, v)
	return j, err
}

func (a *api) versionOf(r *http.Request) (schemaregistry.Version, error) {
	n, number, err := a.targetVersion(r, read)
	if err != nil {
		return schemaregistry.Version{}, err
	}
	v, err := a.registry.Version(r.Context(), n, number, flag(r, "deleted"))
	if err != nil {
		return v, err
	}
	return a.formatted(r, v)
}

// formatted gives a schema the form that a query asks for. It may have been found in another context than the one that was asked for.
func (a *api) formatted(r *http.Request, v schemaregistry.Version) (schemaregistry.Version, error) {
	if err := allow(r.Context(), read, v.Name); err != nil {
		return schemaregistry.Version{}, err
	}
	return a.inFormat(r, v)
}

// inFormat is formatted for what the user may read.
func (a *api) inFormat(r *http.Request, v schemaregistry.Version) (schemaregistry.Version, error) {
	if param(r, "referenceFormat") == "qualified" {
		v.References = v.QualifiedReferences()
	}
	format := param(r, "format")
	if format == "" {
		return v, nil
	}
	if err := a.allowReached(r.Context(), v); err != nil {
		return schemaregistry.Version{}, err
	}
	text, err := a.registry.Formatted(v, format)
	v.Schema = schemaregistry.NewText(text)
	return v, err
}

func (a *api) versionText(r *http.Request) (any, error) {
	v, err := a.versionOf(r)
	return text(v.Schema.String()), err
}

func (a *api) referencedBy(r *http.Request) (any, error) {
	n, number, err := a.targetVersion(r, read)
	if err != nil {
		return nil, err
	}
	ids, err := a.registry.ReferencedBy(r.Context(), n, number, flag(r, "deleted"))
	return page(r, ids, 0), err
}

func (a *api) byMetadata(r *http.Request) (any, error) {
	keys, values := r.URL.Query()["key"], r.URL.Query()["value"]
	properties := make(map[string]string)
	for i := range min(len(keys), len(values)) {
		properties[keys[i]] = values[i]
	}
	n, err := a.target(r, read)
	if err != nil {
		return nil, err
	}
	v, err := a.registry.ByMetadata(r.Context(), n, properties, flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	v, err = a.formatted(r, v)
	return a.schema(v), err
}

func (a *api) lookup(r *http.Request) (any, error) {
	var body requestJSON
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	n, err := a.target(r, read)
	if err != nil {
		return nil, err
	}
	if err := allowReferences(r.Context(), n, body.References); err != nil {
		return nil, err
	}
	v, err := a.registry.Lookup(r.Context(), n, body.input(), flag(r, "normalize"), flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	v, err = a.formatted(r, v)
	return a.schema(v), err
}

func (a *api) register(r *http.Request) (any, error) {
	var body requestJSON
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	o := schemaregistry.RegisterOptions{Normalize: flag(r, "normalize"), ID: -1, Force: flag(r, "force"),
		AddTags: body.AddTags, RemoveTags: body.RemoveTags, KeepTags: body.KeepTags}
	if body.ID != nil {
		o.ID = *body.ID
	}
	if body.Version != nil {
		o.Version = *body.Version
	}
	if o.ID > math.MaxInt32 || o.Version > math.MaxInt32 {
		return nil, &schemaregistry.Error{Code: http.StatusBadRequest, Message: "Read the request body: id and version are at most 2^31-1"}
	}
	n, err := a.target(r, write)
	if err != nil {
		return nil, err
	}
	if err := allowReferences(r.Context(), n, body.References); err != nil {
		return nil, err
	}
	v, err := a.registry.Register(r.Context(), n, body.input(), o)
	return a.registered(r, v, err)
}

// registered is the answer to what has made a version.
func (a *api) registered(r *http.Request, v schemaregistry.Version, err error) (any, error) {
	if err == nil {
		v, err = a.formatted(r, v)
	}
	if err != nil {
		return nil, err
	}
	if a.o.Legacy {
		return schemaJSON{ID: v.ID}, nil
	}
	j := a.schema(v)
	j.Subject = ""
	return j, nil
}

func (a *api) deleteVersion(r *http.Request) (any, error) {
	n, number, err := a.targetVersion(r, write)
	if err != nil {
		return nil, err
	}
	return a.registry.DeleteVersion(r.Context(), n, number, flag(r, "permanent"))
}

func (a *api) deleteSubject(r *http.Request) (any, error) {
	n, err := a.target(r, write)
	if err != nil {
		return nil, err
	}
	return a.registry.DeleteSubject(r.Context(), n, flag(r, "permanent"))
}

// compatible compares a schema with one version, or with all that the subject's level asks for.
func (a *api) compatible(r *http.Request) (any, error) {
	number := 0
	if r.PathValue("version") != "" {
		var err error
		if number, err = versionNumber(r); err != nil {
			return nil, err
		}
	}
	var body requestJSON
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	n, err := a.target(r, read)
	if err != nil {
		return nil, err
	}
	if err := allowReferences(r.Context(), n, body.References); err != nil {
		return nil, err
	}
	verdict, err := a.registry.Compatible(r.Context(), n, number, body.input(), flag(r, "normalize"))
	verbose := flag(r, "verbose")
	if e, ok := err.(*schemaregistry.Error); ok && verbose && e.Code == schemaregistry.CodeInvalidSchema {
		verdict, err = schemaregistry.Verdict{Messages: []string{e.Message}}, nil
	}
	if err != nil {
		return nil, err
	}
	if !verbose {
		return struct {
			Compatible bool `json:"is_compatible"`
		}{verdict.Compatible}, nil
	}
	return struct {
		Compatible bool     `json:"is_compatible"`
		Messages   []string `json:"messages"`
	}{verdict.Compatible, append([]string{}, verdict.Messages...)}, nil
}
