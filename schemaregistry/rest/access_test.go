package rest_test

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// TestAccess asks as users with different roles: a request of a line, who sends it, and the status and a part of the answer.
func TestAccess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(path, []byte(`{"users": [
		{"name": "root", "password": "plain$p", "subjects": {"*": "write"}},
		{"name": "team", "password": "plain$p", "subjects": {"team-*": "write", "shared": "read"}},
		{"name": "ctx", "password": "plain$p", "subjects": {":.c:*": "write"}},
		{"name": "none", "password": "plain$p"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	h, err := rest.Guard(rest.New(r, rest.Options{}), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const guid = "ef524ea1-b91e-7317-3d93-8ade36c1db32" // of "int"
	for _, c := range []struct{ user, request, want string }{
		{"nobody", "GET /subjects", "401 User cannot access"},
		{"none", "GET /subjects", "200 []"},
		{"none", "GET /schemas/types", "200 AVRO"},
		{"team", `POST /subjects/team-a/versions {"schema":"\"string\""}`, `200 "id":1`},
		{"team", `POST /subjects/shared/versions {"schema":"\"int\""}`, "403 denied the operation write on subject shared"},
		{"root", `POST /subjects/shared/versions {"schema":"\"int\""}`, `200 "id":2`},
		{"root", `POST /subjects/secret/versions {"schema":"\"long\""}`, `200 "id":3`},
		{"root", `POST /subjects/other/versions {"schema":"\"string\""}`, `200 "id":1`},
		{"root", `POST /subjects/:.c:s/versions {"schema":"\"bytes\""}`, `200 "id":1`},
		{"team", "GET /subjects", `200 ["shared","team-a"]`},
		{"team", "GET /schemas", `200 [{"subject":"shared"`},
		{"team", "GET /schemas/ids/2", "200 int"},
		{"team", "GET /schemas/ids/3", "403 denied"},
		{"team", "GET /schemas/ids/3/schema", "403 denied"},
		{"team", "GET /schemas/ids/1/subjects", `200 ["team-a"]`},
		{"team", "GET /schemas/ids/1/versions", `200 [{"subject":"team-a","version":1}]`},
		{"none", "GET /schemas/ids/1/subjects", "403 denied"},
		{"team", "GET /schemas/guids/" + guid, "200 int"},
		{"none", "GET /schemas/guids/" + guid, "403 denied"},
		{"none", "GET /schemas/guids/" + guid + "/ids", "403 denied"},
		{"team", "GET /subjects/secret/versions/1", "403 denied"},
		{"team", "GET /subjects/missing/versions/1", "403 denied"},
		{"team", `POST /subjects/secret {"schema":"\"long\""}`, "403 denied"},
		{"team", `POST /compatibility/subjects/secret/versions {"schema":"\"int\""}`, "403 denied"},
		{"team", `POST /subjects/team-b/versions {"schema":"\"x\"","references":[{"name":"x","subject":"secret","version":1}]}`, "403 subject secret"},
		{"team", "GET /subjects/s/versions/1", "403 denied"},
		{"team", `PUT /config {"compatibility":"NONE"}`, "403 denied"},
		{"team", `PUT /config/team-a {"compatibility":"NONE","alias":"secret"}`, "200 NONE"},
		{"team", "GET /subjects/team-a/versions/1", "403 subject secret"},
		{"team", `PUT /mode {"mode":"IMPORT"}`, "403 denied"},
		{"team", "DELETE /subjects/shared", "403 denied"},
		{"ctx", "GET /contexts/.c/subjects/s/versions/latest", "200 bytes"},
		{"ctx", `PUT /mode/:.c: {"mode":"READONLY"}`, "200 READONLY"},
		{"ctx", "GET /subjects/secret/versions/1", "403 denied"},
		{"ctx", "GET /contexts", `200 [".",".c"]`},
		{"root", "GET /contexts", `200 [".",".c"]`},
		{"team", "GET /contexts", `200 ["."]`},
		{"ctx", "DELETE /contexts/.d", "403 denied"},
		{"root", "DELETE /contexts/.d", "204 "},
		{"root", `POST /subjects/hidden/versions {"schema":"{\"type\":\"enum\",\"name\":\"H\",\"symbols\":[\"A\"]}"}`, `200 "id":4`},
		{"root", `POST /subjects/between/versions {"schema":"{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"h\",\"type\":\"H\"}]}","references":[{"name":"H","subject":"hidden","version":1}]}`, `200 "id":5`},
		{"root", `POST /subjects/team-r/versions {"schema":"{\"type\":\"array\",\"items\":\"B\"}","references":[{"name":"B","subject":"between","version":1}]}`, `200 "id":6`},
		{"root", "GET /subjects/team-r/versions/1/schema?format=resolved", `200 "symbols":["A"]`},
		{"team", "GET /subjects/team-r/versions/1/schema", `200 "items":"B"`},
		{"team", "GET /subjects/team-r/versions/1/schema?format=resolved", "403 denied the operation read on subject hidden"},
		{"team", "GET /schemas/ids/6?format=resolved", "403 denied the operation read on subject hidden"},
	} {
		method, rest, _ := strings.Cut(c.request, " ")
		target, body, _ := strings.Cut(rest, " ")
		req := httptest.NewRequest(method, target, strings.NewReader(body))
		req.SetBasicAuth(c.user, "p")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		status, part, _ := strings.Cut(c.want, " ")
		if got := w.Body.String(); status != strconv.Itoa(w.Code) || !strings.Contains(got, part) {
			t.Errorf("%s: %s\ngot  %d %s\nwant %s", c.user, c.request, w.Code, got, c.want)
		}
	}
	if _, err := rest.Guard(h, "/none", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that is not there was opened")
	}
}
