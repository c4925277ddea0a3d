package security

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/internal/vfs"
)

const (
	storeFile    = "security.json"
	maxFileBytes = 16 << 20 // I5: a change that makes it larger is refused
	maxACLs      = 20_000   // I5
	maxUsers     = 20_000   // credentials, I5
	maxQuotas    = 20_000   // entities, I5
	maxNameBytes = 1024     // of a user, I5
	maxDeleted   = 100_000  // matches of all filters of one deletion, I5
)

// Store keeps SCRAM credentials, ACLs and quotas. It is safe for use by many
// goroutines.
type Store struct {
	dir    string
	fs     vfs.FS
	state  atomic.Pointer[state]
	failed chan struct{} // closed when an fsync has failed

	mu     sync.Mutex // serialises changes; guards broken
	broken bool
}

type scramKey struct {
	user      string
	mechanism Mechanism
}

// state is what there is at one time. It never changes once it is in Store.state.
type state struct {
	saltKey []byte
	scram   map[scramKey]Credential
	acls    []ACL // sorted
	quotas  map[Entity]map[string]float64

	index   *aclIndex                // of acls
	typical map[Mechanism]Credential // one of those in scram
}

// Open reads security.json in dir. A missing one is an empty store, and is made with the
// first change.
func Open(dir string, fsys vfs.FS) (*Store, error) {
	s := &Store{dir: dir, fs: fsys, failed: make(chan struct{})}
	path := filepath.Join(dir, storeFile)
	b, err := readFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		saltKey := make([]byte, 32)
		_, _ = rand.Read(saltKey) // never fails, see its documentation
		s.publish(&state{saltKey: saltKey, scram: map[scramKey]Credential{}, quotas: map[Entity]map[string]float64{}})
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	next, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w; restore the file", path, err)
	}
	s.publish(next)
	return s, nil
}

// Failed is closed when a change could not be made durable and nobody knows what
// is on disk: the process has to end (I1).
func (s *Store) Failed() <-chan struct{} { return s.failed }

func (s *Store) publish(next *state) {
	next.index = newACLIndex(next.acls)
	next.typical = map[Mechanism]Credential{}
	first := map[Mechanism]string{}
	for k, c := range next.scram {
		if user, ok := first[k.mechanism]; !ok || k.user < user {
			first[k.mechanism], next.typical[k.mechanism] = k.user, c
		}
	}
	s.state.Store(next)
}

// change edits a copy of the state, makes it durable and puts it in force.
func (s *Store) change(edit func(next *state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return ErrFailed
	}
	now := s.state.Load()
	next := &state{saltKey: now.saltKey, scram: maps.Clone(now.scram), acls: slices.Clone(now.acls), quotas: maps.Clone(now.quotas)}
	if err := edit(next); err != nil {
		return err
	}
	if len(next.acls) > maxACLs || len(next.scram) > maxUsers || len(next.quotas) > maxQuotas {
		return refuse(kerr.PolicyViolation, "the broker keeps at most %d ACLs, %d credentials and %d quotas: delete what is not used", maxACLs, maxUsers, maxQuotas)
	}
	b, err := encode(next)
	if err != nil {
		return fmt.Errorf("encode %s: %w", storeFile, err)
	}
	if len(b) > maxFileBytes {
		return refuse(kerr.PolicyViolation, "%s would have %d bytes, its limit is %d: delete what is not used", storeFile, len(b), maxFileBytes)
	}
	if err := s.write(b); err != nil { // I1
		return err
	}
	s.publish(next)
	return nil
}

// write replaces the file. mu is held.
func (s *Store) write(b []byte) error {
	path := filepath.Join(s.dir, storeFile)
	unsynced, err := s.writeTemp(path+".tmp", b)
	if err == nil {
		if err = s.fs.Rename(path+".tmp", path); err == nil {
			err = s.fs.SyncDir(s.dir)
			unsynced = err != nil
		}
	}
	if unsynced {
		s.broken = true
		close(s.failed)
	}
	if err != nil {
		return fmt.Errorf("%w: write %s: %w", kerr.KafkaStorageError, storeFile, err)
	}
	return nil
}

// writeTemp writes and syncs a file; unsynced says that the sync failed.
func (s *Store) writeTemp(path string, b []byte) (unsynced bool, err error) {
	f, err := s.fs.OpenFile(path, vfs.Create|vfs.Truncate|vfs.Private)
	if err != nil {
		return false, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if _, err := f.WriteAt(b, 0); err != nil {
		return false, err
	}
	err = f.Sync()
	return err != nil, err
}

func readFile(fsys vfs.FS, path string) ([]byte, error) {
	f, err := fsys.OpenFile(path, vfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxFileBytes {
		return nil, fmt.Errorf("%d bytes are too many", size)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil && (err != io.EOF || n < len(b)) {
		return nil, err
	}
	return b, nil
}

// ACLs returns those that the filter selects, sorted by resource.
func (s *Store) ACLs(f ACLFilter) []ACL {
	var found []ACL
	for _, a := range s.state.Load().acls {
		if f.Matches(&a) {
			found = append(found, a)
		}
	}
	return found
}

// CreateACLs adds ACLs, which the caller has validated, durably. Those that exist stay.
func (s *Store) CreateACLs(acls []ACL) error {
	return s.change(func(next *state) error {
		next.acls = append(next.acls, acls...)
		slices.SortFunc(next.acls, compareACLs)
		next.acls = slices.Compact(next.acls)
		return nil
	})
}

// DeleteACLs takes away, durably, what any of the filters selects, and returns
// what each selected.
func (s *Store) DeleteACLs(filters []ACLFilter) (deleted [][]ACL, err error) {
	err = s.change(func(next *state) error {
		deleted = make([][]ACL, len(filters))
		n := 0
		next.acls = slices.DeleteFunc(next.acls, func(a ACL) bool {
			gone := false
			for i := 0; i < len(filters) && n <= maxDeleted; i++ {
				if filters[i].Matches(&a) {
					n++
					deleted[i] = append(deleted[i], a)
					gone = true
				}
			}
			return gone
		})
		if n > maxDeleted {
			return refuse(kerr.PolicyViolation, "the filters match more than %d ACLs together: use fewer filters", maxDeleted)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return deleted, nil
}

// Credentials returns the mechanisms that users have a credential for, and the
// iterations of each.
func (s *Store) Credentials() map[string]map[Mechanism]int {
	users := map[string]map[Mechanism]int{}
	for k, c := range s.state.Load().scram {
		if users[k.user] == nil {
			users[k.user] = map[Mechanism]int{}
		}
		users[k.user][k.mechanism] = c.Iterations
	}
	return users
}

// AlterCredentials makes all changes, durably, or none. Errors are those of Check.
func (s *Store) AlterCredentials(changes []Change) error {
	return s.change(func(next *state) error {
		for i := range changes {
			c := &changes[i]
			credential, err := c.credential(next)
			if err != nil {
				return err
			}
			if next.scram[scramKey{c.User, c.Mechanism}] = credential; c.Delete {
				delete(next.scram, scramKey{c.User, c.Mechanism})
			}
		}
		return nil
	})
}

// Check returns why a change cannot be made: an *Error with UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM or
// RESOURCE_NOT_FOUND.
func (s *Store) Check(c Change) error {
	_, err := c.credential(s.state.Load())
	return err
}

// credential is what c puts into a state; zero when c deletes.
func (c *Change) credential(now *state) (Credential, error) {
	refused := func(code *kerr.Error, format string, args ...any) (Credential, error) {
		return Credential{}, refuse(code, format, args...)
	}
	_, exists := now.scram[scramKey{c.User, c.Mechanism}]
	switch {
	case c.Mechanism != SCRAMSHA256 && c.Mechanism != SCRAMSHA512:
		return refused(kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
	case c.User == "":
		return refused(kerr.UnacceptableCredential, "Username must not be empty")
	case c.Delete && !exists:
		return refused(kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist")
	case c.Delete:
		return Credential{}, nil
	case len(c.User) > maxNameBytes || !utf8.ValidString(c.User):
		return refused(kerr.UnacceptableCredential, "a user name is UTF-8 of at most %d bytes", maxNameBytes)
	}
	if want := c.Mechanism.hash()().Size(); len(c.SaltedPassword) != want {
		return refused(kerr.UnacceptableCredential, "a salted password of %s has %d bytes, not %d", c.Mechanism, want, len(c.SaltedPassword))
	}
	credential := c.Mechanism.credentialOf(slices.Clone(c.Salt), c.SaltedPassword, c.Iterations)
	return credential, credential.check(c.Mechanism)
}
