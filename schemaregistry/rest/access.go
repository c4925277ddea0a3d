package rest

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"github.com/sluice-data/sluice/internal/httpauth"
	"github.com/sluice-data/sluice/schemaregistry"
)

// The roles that a user can have for a subject; write has read in it.
const (
	read  = "read"
	write = "write"
)

// Guard lets only the users of a file reach h, which is the handler that New returns and which asks for their roles. A pattern of the file
// is about qualified names, ":.context:subject" outside of the default context; "*" is about all subjects and the settings of all.
func Guard(h http.Handler, path string, logger *slog.Logger) (http.Handler, error) {
	file, err := httpauth.Open(path, logger)
	if err != nil {
		return nil, err
	}
	return file.Handler(h, func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, r, http.StatusUnauthorized, errorJSON{http.StatusUnauthorized, "User cannot access the resource."})
	}), nil
}

// may tells whether the user of a request has a role for a subject. Without users everything is allowed.
func may(ctx context.Context, role string, n schemaregistry.Name) bool {
	u := httpauth.UserOf(ctx)
	if u == nil {
		return true
	}
	has := u.Subject(settings(n))
	return has == write || has == role
}

// settings is the name that patterns are compared with: for the settings of a context or of all, that of the context.
func settings(n schemaregistry.Name) string {
	if n.Subject == "" && n.Context != schemaregistry.DefaultContext {
		return ":" + n.Context + ":"
	}
	return n.String()
}

// allow is an error unless the user has the role. The text is the same whether or not the subject exists.
func allow(ctx context.Context, role string, n schemaregistry.Name) error {
	if may(ctx, role, n) {
		return nil
	}
	return &schemaregistry.Error{Code: http.StatusForbidden, Message: "User is denied the operation " + role + " on subject " + n.String()}
}

// allowReferences wants the user to be able to read what a schema refers to, which its own text can be made to show.
func allowReferences(ctx context.Context, n schemaregistry.Name, references []schemaregistry.Reference) error {
	for _, ref := range (schemaregistry.Version{Name: n, References: references}).QualifiedReferences() {
		if err := allow(ctx, read, schemaregistry.ParseName(ref.Subject)); err != nil {
			return err
		}
	}
	return nil
}

// allowReached wants the user to be able to read all that a version refers to, directly or through others: a format may have it in the text.
func (a *api) allowReached(ctx context.Context, v schemaregistry.Version) error {
	if httpauth.UserOf(ctx) == nil {
		return nil
	}
	for _, n := range a.registry.Reached(v) {
		if err := allow(ctx, read, n); err != nil {
			return err
		}
	}
	return nil
}

// readable leaves out the versions that the user may not read.
func readable(ctx context.Context, versions []schemaregistry.Version) []schemaregistry.Version {
	return slices.DeleteFunc(versions, func(v schemaregistry.Version) bool { return !may(ctx, read, v.Name) })
}
