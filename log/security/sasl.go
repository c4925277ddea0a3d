package security

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// MechanismPlain is the name of SASL PLAIN.
const MechanismPlain = "PLAIN"

// Exchange is the server's side of one SASL authentication.
type Exchange interface {
	// Next takes the client's next message and returns the answer. It returns
	// ErrAuthentication when the credentials are wrong, and may not be called again
	// after that or after done.
	Next(message []byte) (answer []byte, done bool, err error)
	// User is who has authenticated, once Next was done.
	User() string
}

// plainExchange is SASL PLAIN (RFC 4616): one message, authorization id NUL user
// NUL password.
type plainExchange struct {
	passwords map[string]string // by user
	user      string
}

// NewPlain begins PLAIN with the passwords of users.
func NewPlain(passwords map[string]string) Exchange { return &plainExchange{passwords: passwords} }

func (x *plainExchange) User() string { return x.user }

func (x *plainExchange) Next(message []byte) ([]byte, bool, error) {
	parts := strings.Split(string(message), "\x00")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, false, ErrAuthentication
	}
	want, known := x.passwords[parts[1]]
	// Sums have one length, so the time says nothing about the password, and there
	// is always one to compare with, so it says nothing about the user.
	same := sumsEqual(parts[2], want)
	asOther := parts[0] != "" && parts[0] != parts[1]
	if !known || !same || asOther {
		return nil, false, ErrAuthentication
	}
	x.user = parts[1]
	return []byte{}, true, nil
}

func sumsEqual(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
