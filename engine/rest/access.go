package rest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of the access file (I5).
const (
	maxAccessFile = 4 << 20 // bytes
	maxIterations = 10_000_000
	// accessInterval is how often, at most, the file is looked at for a change.
	accessInterval = time.Second
)

// role is what a user may do with a connector. Each includes those before it.
type role int

const (
	nobody role = iota
	view        // see its config, status, tasks, topics and offsets
	manage      // pause, resume, stop, restart
	edit        // create, change and delete it, and change its offsets
)

var roles = map[string]role{"view": view, "manage": manage, "edit": edit}

func (r role) String() string { return [...]string{"nobody", "view", "manage", "edit"}[r] }

// Access knows the users of the REST API and their roles, from a file:
//
//	{"users": [{"name": "alice", "password": "plain$secret", "connectors": {"*": "view", "sales-*": "edit"}}]}
//
// A password is plain$TEXT or pbkdf2-sha256$ITERATIONS$SALT$KEY with salt and key
// in base64. A pattern is a connector's name, or ends in * for names that begin
// so; the highest role of those that match counts.
type Access struct {
	path   string
	logger *slog.Logger

	mu       sync.Mutex // guards the fields below, and lets one password be checked at a time
	users    map[string]*user
	modified time.Time // of the file that users are from
	looked   time.Time
	key      []byte // of checked
	// checked are the passwords that were right, so that a request does not cost
	// as much as the first.
	checked map[string][]byte
}

type user struct {
	Name       string            `json:"name"`
	Password   string            `json:"password"`
	Connectors map[string]string `json:"connectors"`
}

// OpenAccess reads an access file. When the file changes it is read again; while
// it cannot be used, what was there before stays in use.
func OpenAccess(path string, logger *slog.Logger) (*Access, error) {
	a := &Access{path: path, logger: logger, key: make([]byte, sha256.Size), checked: make(map[string][]byte)}
	if _, err := rand.Read(a.key); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := a.load(); err != nil {
		return nil, err
	}
	return a, nil
}

// load reads the file. The caller holds a.mu, or is the only one.
func (a *Access) load() error {
	a.looked = time.Now()
	f, err := os.Open(a.path)
	if err != nil {
		return fmt.Errorf("open access file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open access file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxAccessFile))
	if err != nil {
		return fmt.Errorf("read access file: %w", err)
	}
	users, err := parseAccess(text)
	if err != nil {
		return fmt.Errorf("access file %s: %w", a.path, err)
	}
	a.users, a.modified = users, info.ModTime()
	clear(a.checked)
	return nil
}

func parseAccess(text []byte) (map[string]*user, error) {
	var file struct {
		Users []*user `json:"users"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, errors.New("it is not a JSON object of users with name, password and connectors") // no text of the file, which has passwords (I6)
	}
	users := make(map[string]*user)
	for i, u := range file.Users {
		if u == nil || u.Name == "" || users[u.Name] != nil {
			return nil, fmt.Errorf("user %d has no name, or that of another user", i+1)
		}
		if _, err := parsePassword(u.Password); err != nil {
			return nil, fmt.Errorf("user %s: %w", u.Name, err)
		}
		for pattern, name := range u.Connectors {
			if roles[name] == nobody {
				return nil, fmt.Errorf("user %s, connectors %s: the role is not one of view, manage, edit", u.Name, pattern)
			}
		}
		users[u.Name] = u
	}
	return users, nil
}

// password checks one user's password.
type password struct {
	plain      string
	iterations int // 0: plain
	salt, key  []byte
}

func parsePassword(text string) (p password, err error) {
	if plain, ok := strings.CutPrefix(text, "plain$"); ok && plain != "" {
		return password{plain: plain}, nil
	}
	wrong := errors.New("the password is neither plain$TEXT nor pbkdf2-sha256$ITERATIONS$SALT$KEY with salt and key in base64")
	parts := strings.Split(text, "$")
	if len(parts) != 4 || parts[0] != "pbkdf2-sha256" {
		return p, wrong
	}
	var errIterations, errSalt, errKey error
	p.iterations, errIterations = strconv.Atoi(parts[1])
	p.salt, errSalt = base64.StdEncoding.DecodeString(parts[2])
	p.key, errKey = base64.StdEncoding.DecodeString(parts[3])
	if errors.Join(errIterations, errSalt, errKey) != nil || p.iterations < 1 || p.iterations > maxIterations || len(p.key) < 16 || len(p.key) > 64 {
		return p, wrong
	}
	return p, nil
}

func (p password) matches(given string) bool {
	if p.iterations == 0 {
		return subtle.ConstantTimeCompare([]byte(p.plain), []byte(given)) == 1
	}
	key, err := pbkdf2.Key(sha256.New, given, p.salt, p.iterations, len(p.key))
	return err == nil && subtle.ConstantTimeCompare(p.key, key) == 1
}

// login returns the user of a name and password, nil when they are wrong.
func (a *Access) login(name, given string) *user {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reload()
	u := a.users[name]
	if u == nil {
		return nil
	}
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(given))
	sum := mac.Sum(nil)
	if hmac.Equal(a.checked[name], sum) {
		return u
	}
	p, err := parsePassword(u.Password)
	if err != nil || !p.matches(given) {
		return nil
	}
	a.checked[name] = sum
	return u
}

func (a *Access) reload() {
	if time.Since(a.looked) < accessInterval {
		return
	}
	a.looked = time.Now()
	info, err := os.Stat(a.path)
	if err == nil && info.ModTime().Equal(a.modified) {
		return
	}
	if err == nil {
		err = a.load()
	}
	if err != nil {
		a.logger.Warn("read the access file; what it said before stays in use", "error", err)
	}
}

// userKey is the key of a request's user in its context.
type userKey struct{}

// Handler lets only known users reach next, which is the handler that New
// returns. GET /health is open to all. A request between workers has a signature
// in place of a user, and none of the users' rights.
func (a *Access) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		name, given, _ := r.BasicAuth()
		u := a.login(name, given)
		if u == nil && betweenWorkers(r) {
			u = &user{}
		}
		if u == nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="sluice"`)
			writeError(w, &restError{http.StatusUnauthorized, "User cannot access the resource."})
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}

// roleFor returns the user's role for a connector. Without users, which is also
// how the process calls itself, everything is allowed.
func roleFor(ctx context.Context, connector string) role {
	u, ok := ctx.Value(userKey{}).(*user)
	if !ok {
		return edit
	}
	best := nobody
	for pattern, name := range u.Connectors {
		prefix, all := strings.CutSuffix(pattern, "*")
		if pattern == connector || all && strings.HasPrefix(connector, prefix) {
			best = max(best, roles[name])
		}
	}
	return best
}

// editsSomething tells whether a user may edit any connector.
func editsSomething(ctx context.Context) bool {
	u, ok := ctx.Value(userKey{}).(*user)
	if !ok {
		return true
	}
	for _, name := range u.Connectors {
		if roles[name] == edit {
			return true
		}
	}
	return false
}

func forbidden(format string, args ...any) error {
	return &restError{http.StatusForbidden, fmt.Sprintf(format, args...)}
}

// allow returns an error unless the user has a role for a connector. The text is
// the same whether or not the connector exists.
func allow(ctx context.Context, needed role, connector string) error {
	if roleFor(ctx, connector) >= needed {
		return nil
	}
	return forbidden("User may not %s connector %s; the access file has the roles", needed, connector)
}

// restricted checks the user's role before a handler runs.
func restricted(method, path string, h handler) handler {
	needed := neededRole(method, path)
	if method == http.MethodPost && path == "/connectors/{name}/tasks" || path == "/connectors/{name}/fence" {
		return h // between workers: the signature counts
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		var err error
		switch {
		case strings.HasPrefix(path, "/connectors/{name}"):
			err = allow(r.Context(), needed, r.PathValue("name"))
		case strings.HasPrefix(path, "/admin/") && needed == edit:
			err = allow(r.Context(), edit, "*")
		case strings.HasSuffix(path, "/config/validate") && !editsSomething(r.Context()):
			err = forbidden("User may not edit any connector; the access file has the roles")
		}
		if err != nil {
			return err
		}
		return h(w, r)
	}
}

func neededRole(method, path string) role {
	if method == http.MethodGet {
		return view
	}
	for _, end := range []string{"/pause", "/resume", "/stop", "/restart", "/topics/reset"} {
		if strings.HasSuffix(path, end) {
			return manage
		}
	}
	return edit
}
