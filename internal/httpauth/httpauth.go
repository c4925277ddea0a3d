// Package httpauth is who may call an HTTP API: basic authentication against a file of users, each with roles for names.
//
//	{"users": [{"name": "alice", "password": "plain$secret", "connectors": {"*": "view"}, "subjects": {"sales-*": "write"}}]}
//
// A password is plain$TEXT or pbkdf2-sha256$ITERATIONS$SALT$KEY with salt and key in base64. A pattern is a name, or ends in * for
// names that begin so; the highest role of those that match counts. One file can be used by several APIs.
package httpauth

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
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of the file (I5).
const (
	maxFile       = 4 << 20 // bytes
	maxIterations = 10_000_000
	// interval is how often, at most, the file is looked at for a change.
	interval = time.Second
)

// The roles, each with those before it.
var (
	connectorRoles = []string{"view", "manage", "edit"}
	subjectRoles   = []string{"read", "write"}
)

// Grants are roles by pattern.
type Grants map[string]string

// best returns the highest role for a name, "" when there is none. roles are in order.
func (g Grants) best(name string, roles []string) string {
	highest := -1
	for pattern, role := range g {
		prefix, all := strings.CutSuffix(pattern, "*")
		if pattern == name || all && strings.HasPrefix(name, prefix) {
			highest = max(highest, slices.Index(roles, role))
		}
	}
	if highest < 0 {
		return ""
	}
	return roles[highest]
}

func (g Grants) check(what string, roles []string) error {
	for pattern, role := range g {
		if !slices.Contains(roles, role) {
			return fmt.Errorf("%s %s: the role is not one of %s", what, pattern, strings.Join(roles, ", "))
		}
	}
	return nil
}

// User is a user of the file.
type User struct {
	Name       string `json:"name"`
	Password   string `json:"password"`
	Connectors Grants `json:"connectors"`
	Subjects   Grants `json:"subjects"`
}

// Connector returns the user's role for a connector: view, manage, edit or none.
func (u *User) Connector(name string) string { return u.Connectors.best(name, connectorRoles) }

// Subject returns the user's role for a subject: read, write or none.
func (u *User) Subject(name string) string { return u.Subjects.best(name, subjectRoles) }

// File knows the users.
type File struct {
	path   string
	logger *slog.Logger

	mu       sync.Mutex // guards the fields below, and lets one password be checked at a time
	users    map[string]*User
	modified time.Time // of the file that users are from
	looked   time.Time
	key      []byte // of checked
	// checked are the passwords that were right, so that a request does not cost
	// as much as the first.
	checked map[string][]byte
}

// Open reads a file of users. When it changes it is read again; while it cannot be used, what was there before stays in use.
func Open(path string, logger *slog.Logger) (*File, error) {
	a := &File{path: path, logger: logger, key: make([]byte, sha256.Size), checked: make(map[string][]byte)}
	if _, err := rand.Read(a.key); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := a.load(); err != nil {
		return nil, err
	}
	return a, nil
}

// load reads the file. The caller holds a.mu, or is the only one.
func (a *File) load() error {
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
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return fmt.Errorf("read access file: %w", err)
	}
	users, err := parseFile(text)
	if err != nil {
		return fmt.Errorf("access file %s: %w", a.path, err)
	}
	a.users, a.modified = users, info.ModTime()
	clear(a.checked)
	return nil
}

func parseFile(text []byte) (map[string]*User, error) {
	var file struct {
		Users []*User `json:"users"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, errors.New("it is not a JSON object of users with name, password, connectors and subjects") // no text of the file, which has passwords (I6)
	}
	users := make(map[string]*User)
	for i, u := range file.Users {
		if u == nil || u.Name == "" || users[u.Name] != nil {
			return nil, fmt.Errorf("user %d has no name, or that of another user", i+1)
		}
		_, err := parsePassword(u.Password)
		if err == nil {
			err = u.Connectors.check("connectors", connectorRoles)
		}
		if err == nil {
			err = u.Subjects.check("subjects", subjectRoles)
		}
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", u.Name, err)
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
func (a *File) login(name, given string) *User {
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

func (a *File) reload() {
	if time.Since(a.looked) < interval {
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

// Handler lets only known users reach next; refuse answers the others.
func (a *File) Handler(next http.Handler, refuse http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, given, _ := r.BasicAuth()
		u := a.login(name, given)
		if u == nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="sluice"`)
			refuse(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}

// WithNobody returns a context whose user has no rights, for a request that proves in another way than by a password who sends it.
func WithNobody(ctx context.Context) context.Context {
	return context.WithValue(ctx, userKey{}, &User{})
}

// UserOf returns the user of a request that came through Handler, nil for another, which is how the process calls itself.
func UserOf(ctx context.Context) *User {
	u, _ := ctx.Value(userKey{}).(*User)
	return u
}
