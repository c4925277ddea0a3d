package rest_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crypto/pbkdf2"
	"crypto/sha256"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/engine/rest"
)

func accessFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func hashed(t *testing.T, text string) string {
	t.Helper()
	salt := []byte("0123456789abcdef")
	key, err := pbkdf2.Key(sha256.New, text, salt, 1000, 32)
	if err != nil {
		t.Fatal(err)
	}
	return "pbkdf2-sha256$1000$" + base64.StdEncoding.EncodeToString(salt) + "$" + base64.StdEncoding.EncodeToString(key)
}

func TestRoles(t *testing.T) {
	path := accessFile(t, `{"users": [
		{"name": "root", "password": "`+hashed(t, "secret")+`", "connectors": {"*": "edit"}},
		{"name": "op", "password": "plain$op", "connectors": {"*": "view", "sales-*": "manage"}},
		{"name": "dev", "password": "plain$dev", "connectors": {"sales-*": "edit"}},
		{"name": "none", "password": "plain$none"}]}`)
	access, err := rest.OpenAccess(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := enginetest.Start(t, enginetest.Fake(t), nil, plugins()...)
	w.Create(t, "sales-1", map[string]string{"connector.class": "TestSource"})
	w.Create(t, "hr", map[string]string{"connector.class": "TestSource"})
	w.Await(t, "sales-1", engine.Running, engine.Running)
	h := access.Handler(rest.New(w.Worker))
	for _, tt := range []struct {
		user, request string
		want          int
	}{
		{"", "GET /", 401}, {"", "GET /health", 200}, {"", "GET /nowhere", 401},
		{"root:wrong", "GET /", 401}, {"nobody:x", "GET /", 401}, {"op:", "GET /", 401}, {"root:secret", "GET /", 200}, {"root:secret", "GET /", 200},
		{"none:none", "GET /", 200}, {"none:none", "GET /connectors/hr", 403}, {"none:none", "GET /connectors/absent", 403},
		{"op:op", "GET /connectors/hr/config", 200}, {"op:op", "PUT /connectors/hr/pause", 403}, {"op:op", "PUT /connectors/sales-1/pause", 202},
		{"op:op", "POST /connectors/sales-1/restart", 204}, {"op:op", "POST /connectors/sales-1/tasks/0/restart", 204},
		{"op:op", `PUT /connectors/sales-1/config {"connector.class":"TestSource"}`, 403}, {"op:op", `PATCH /connectors/sales-1/config {}`, 403},
		{"op:op", "DELETE /connectors/sales-1", 403}, {"op:op", "DELETE /connectors/sales-1/offsets", 403},
		{"op:op", `PUT /connector-plugins/TestSource/config/validate {"connector.class":"TestSource"}`, 403},
		{"op:op", `PUT /admin/loggers/root {"level":"INFO"}`, 403}, {"op:op", "GET /admin/loggers", 200},
		{"dev:dev", `PUT /connector-plugins/TestSource/config/validate {"connector.class":"TestSource"}`, 200},
		{"dev:dev", `PUT /admin/loggers/root {"level":"INFO"}`, 403}, {"root:secret", `PUT /admin/loggers/root {"level":"INFO"}`, 200},
		{"dev:dev", `POST /connectors {"name":"hr-2","config":{"connector.class":"TestSource"}}`, 403},
		{"dev:dev", `POST /connectors {"name":"sales-2","config":{"connector.class":"TestSource"}}`, 201},
		{"dev:dev", `POST /connectors {"config":{"name":"hr-2","connector.class":"TestSource"}}`, 403},
		{"dev:dev", "DELETE /connectors/sales-2", 204}, {"dev:dev", "GET /connectors/hr", 403},
		{"root:secret", "DELETE /connectors/sales-1", 204},
	} {
		if got := as(h, tt.user, tt.request); got.Code != tt.want {
			t.Errorf("%s: %s: got %d %s, want %d", tt.user, tt.request, got.Code, got.Body, tt.want)
		}
	}
	if got := as(h, "dev:dev", "GET /connectors").Body.String(); got != "[]" {
		t.Errorf("connectors that dev sees: %s", got)
	}
	if got := as(h, "", "GET /").Header().Get("WWW-Authenticate"); got != `Basic realm="sluice"` {
		t.Errorf("WWW-Authenticate: %s", got)
	}
}

func as(h http.Handler, user, request string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(request, " ")
	path, body, hasBody := strings.Cut(path, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if hasBody {
		r.Header.Set("Content-Type", "application/json")
	}
	if name, password, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, password)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// TestAccessFileErrors wants no text of the file in an error, since it has
// passwords (I6).
func TestAccessFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"users": hunter2`: "not a JSON object",
		`{"users": [{"name":"a","password":"hunter2"}]}`:                                   "neither plain$TEXT",
		`{"users": [{"name":"a","password":"plain$"}]}`:                                    "neither plain$TEXT",
		`{"users": [{"password":"plain$hunter2"}]}`:                                        "has no name",
		`{"users": [{"name":"a","password":"plain$b"},{"name":"a","password":"plain$b"}]}`: "that of another",
		`{"users": [{"name":"a","password":"plain$b","connectors":{"x":"admin"}}]}`:        "not one of view, manage, edit",
		`{"users": [{"name":"a","password":"pbkdf2-sha256$999999999$AAAA$AAAA"}]}`:         "neither plain$TEXT",
	} {
		_, err := rest.OpenAccess(accessFile(t, text), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := rest.OpenAccess("/none", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func FuzzAccessFile(f *testing.F) {
	f.Add([]byte(`{"users": [{"name":"a","password":"plain$b","connectors":{"x*":"edit"}}]}`))
	f.Add([]byte(`{"users": [null, {"name":"a","password":"pbkdf2-sha256$1$AAAA$AAAAAAAAAAAAAAAAAAAAAA=="}]}`))
	path := filepath.Join(f.TempDir(), "access.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = rest.OpenAccess(path, slog.New(slog.DiscardHandler))
	})
}
