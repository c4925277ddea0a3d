package security

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"regexp"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Mechanism is a SCRAM mechanism by its number in the Kafka protocol.
type Mechanism int8

// The SCRAM mechanisms.
const (
	SCRAMSHA256 Mechanism = 1
	SCRAMSHA512 Mechanism = 2
)

func (m Mechanism) String() string {
	switch m {
	case SCRAMSHA256:
		return "SCRAM-SHA-256"
	case SCRAMSHA512:
		return "SCRAM-SHA-512"
	}
	return "unknown mechanism " + strconv.Itoa(int(m))
}

// ParseMechanism is the reverse of String.
func ParseMechanism(name string) (Mechanism, bool) {
	for _, m := range []Mechanism{SCRAMSHA256, SCRAMSHA512} {
		if m.String() == name {
			return m, true
		}
	}
	return 0, false
}

func (m Mechanism) hash() func() hash.Hash {
	if m == SCRAMSHA512 {
		return sha512.New
	}
	return sha256.New
}

func (m Mechanism) hmac(key []byte, parts ...string) []byte {
	h := hmac.New(m.hash(), key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

func (m Mechanism) sum(b []byte) []byte {
	h := m.hash()()
	h.Write(b)
	return h.Sum(nil)
}

// Iterations of PBKDF2, as Kafka limits them.
const (
	MinIterations = 4096
	MaxIterations = 16384
)

const maxSaltBytes = 1024 // I5; Kafka's tools make about 26

// Credential is what SCRAM keeps of a password (RFC 5802, 3).
type Credential struct {
	Salt       []byte `json:"salt"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
	Iterations int    `json:"iterations"`
}

// credentialOf makes a credential of a salted password, which is what clients
// send when they create a user (KIP-554).
func (m Mechanism) credentialOf(salt, saltedPassword []byte, iterations int) Credential {
	return Credential{
		Salt:       salt,
		StoredKey:  m.sum(m.hmac(saltedPassword, "Client Key")),
		ServerKey:  m.hmac(saltedPassword, "Server Key"),
		Iterations: iterations,
	}
}

// check returns an *Error when the credential cannot be used.
func (c *Credential) check(m Mechanism) error {
	size := m.hash()().Size()
	switch {
	case c.Iterations < MinIterations || c.Iterations > MaxIterations:
		return refuse(kerr.UnacceptableCredential, "%d iterations are not between %d and %d", c.Iterations, MinIterations, MaxIterations)
	case len(c.Salt) == 0 || len(c.Salt) > maxSaltBytes:
		return refuse(kerr.UnacceptableCredential, "a salt has 1 to %d bytes, not %d", maxSaltBytes, len(c.Salt))
	case len(c.StoredKey) != size || len(c.ServerKey) != size:
		return refuse(kerr.UnacceptableCredential, "the keys of %s have %d bytes", m, size)
	}
	return nil
}

// Change is an edit of a user's credential for one mechanism.
type Change struct {
	User      string
	Mechanism Mechanism
	// Delete takes the credential away; what follows is of no meaning then.
	Delete         bool
	Iterations     int
	Salt           []byte
	SaltedPassword []byte // of an upsert; not kept
}

// NewPassword is the change that gives a user a password, with a random salt.
func NewPassword(user string, m Mechanism, password string, iterations int) (Change, error) {
	salt := make([]byte, 24)
	_, _ = rand.Read(salt) // never fails, see its documentation
	salted, err := pbkdf2.Key(m.hash(), password, salt, iterations, m.hash()().Size())
	if err != nil {
		return Change{}, fmt.Errorf("salt the password of %s: %w", user, err)
	}
	return Change{User: user, Mechanism: m, Iterations: iterations, Salt: salt, SaltedPassword: salted}, nil
}

// addSCRAM is Kafka's form of a first user, as kafka-storage --add-scram takes it.
var addSCRAM = regexp.MustCompile(`^(SCRAM-SHA-\d+)=\[name="?([^,"\]]+)"?(?:,iterations=(\d+))?,password="?(.+?)"?(?:,iterations=(\d+))?\]$`)

// ParseAddSCRAM reads MECHANISM=[name=USER,password=PASSWORD] with an optional
// iterations=N. Its error does not quote the text, which has a password (I6).
func ParseAddSCRAM(text string) (Change, error) {
	f := addSCRAM.FindStringSubmatch(text)
	if f == nil {
		return Change{}, fmt.Errorf("want SCRAM-SHA-256=[name=USER,password=PASSWORD] or SCRAM-SHA-512=[...], with ,iterations=N if wanted")
	}
	m, ok := ParseMechanism(f[1])
	if !ok {
		return Change{}, fmt.Errorf("mechanism %s is not SCRAM-SHA-256 or SCRAM-SHA-512", f[1])
	}
	iterations := MinIterations
	if n := f[3] + f[5]; n != "" {
		var err error
		if iterations, err = strconv.Atoi(n); err != nil || iterations < MinIterations || iterations > MaxIterations {
			return Change{}, fmt.Errorf("user %s: iterations are between %d and %d", f[2], MinIterations, MaxIterations)
		}
	}
	return NewPassword(f[2], m, f[4], iterations)
}
