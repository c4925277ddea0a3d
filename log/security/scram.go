package security

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// scramExchange is the server's side of SCRAM (RFC 5802) without channel binding:
//
//	client  n,,n=user,r=nonce
//	server  r=nonce+more,s=salt,i=iterations
//	client  c=biws,r=nonce+more,p=proof
//	server  v=signature
//
// It is our own because it has to go on with a made-up salt when there is no such
// user, and because the store keeps keys, not passwords.
type scramExchange struct {
	mechanism Mechanism
	lookUp    func(user string) (c Credential, exists bool)

	user       string
	credential Credential
	exists     bool
	gs2Header  string
	nonce      string // ours, after the client's in both our message and its last
	firsts     string // both first messages, of which the proof is made
}

const maxNonceBytes = 1024 // I5: of the client; ours has 24

// SCRAM begins an exchange that knows the users of the store. A user that does not
// exist has a salt which depends on nothing but its name and the store.
func (s *Store) SCRAM(m Mechanism) Exchange {
	return &scramExchange{mechanism: m, lookUp: func(user string) (Credential, bool) {
		state := s.state.Load()
		if c, ok := state.scram[scramKey{user, m}]; ok {
			return c, true
		}
		return state.fakeCredential(user, m), false
	}}
}

// fakeCredential looks like those of other users of the mechanism.
func (s *state) fakeCredential(user string, m Mechanism) Credential {
	like, ok := s.typical[m]
	if !ok {
		like = Credential{Salt: make([]byte, 24), Iterations: MinIterations}
	}
	key := m.hmac(s.saltKey, "fake salt", m.String(), user)
	salt := make([]byte, 0, len(like.Salt)+len(key))
	for i := 0; len(salt) < len(like.Salt); i++ {
		salt = append(salt, m.hmac(key, strconv.Itoa(i))...)
	}
	return Credential{Salt: salt[:len(like.Salt)], StoredKey: key, ServerKey: key, Iterations: like.Iterations}
}

func (x *scramExchange) User() string { return x.user }

func (x *scramExchange) Next(message []byte) ([]byte, bool, error) {
	if x.nonce == "" {
		answer, ok := x.first(string(message))
		if !ok {
			return nil, false, ErrAuthentication
		}
		return []byte(answer), false, nil
	}
	answer, ok := x.final(string(message))
	if !ok {
		return nil, false, ErrAuthentication
	}
	return []byte(answer), true, nil
}

// first answers the client's first message.
func (x *scramExchange) first(message string) (string, bool) {
	flag, rest, ok1 := strings.Cut(message, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok1 || !ok2 || (flag != "n" && flag != "y") { // p: channel binding
		return "", false
	}
	x.gs2Header = flag + "," + authzid + ","
	fields := strings.Split(bare, ",")
	// What follows the nonce are extensions, which may be ignored; m= must not be.
	if len(fields) < 2 {
		return "", false
	}
	user, ok1 := strings.CutPrefix(fields[0], "n=")
	nonce, ok2 := strings.CutPrefix(fields[1], "r=")
	user, ok3 := saslName(user)
	if !ok1 || !ok2 || !ok3 || nonce == "" || len(nonce) > maxNonceBytes {
		return "", false
	}
	if as, ok := strings.CutPrefix(authzid, "a="); authzid != "" {
		if as, valid := saslName(as); !ok || !valid || as != user {
			return "", false
		}
	}
	x.user = user
	x.credential, x.exists = x.lookUp(user)
	x.nonce = newNonce()
	answer := "r=" + nonce + x.nonce + ",s=" + base64.StdEncoding.EncodeToString(x.credential.Salt) + ",i=" + strconv.Itoa(x.credential.Iterations)
	x.firsts = bare + "," + answer
	return answer, true
}

// final checks the client's proof.
func (x *scramExchange) final(message string) (string, bool) {
	at := strings.LastIndex(message, ",p=")
	if at < 0 {
		return "", false
	}
	withoutProof := message[:at]
	proof, err := base64.StdEncoding.DecodeString(message[at+len(",p="):])
	fields := strings.Split(withoutProof, ",")
	// librdkafka before 2.6.1 puts its nonce there twice, and Kafka looks at the end
	// only. That it ends in ours is what shows that the message is not an old one.
	if err != nil || len(fields) < 2 || fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(x.gs2Header)) ||
		!strings.HasPrefix(fields[1], "r=") || !strings.HasSuffix(fields[1], x.nonce) {
		return "", false
	}
	m, signed := x.mechanism, x.firsts+","+withoutProof
	clientKey := m.hmac(x.credential.StoredKey, signed)
	if len(proof) != len(clientKey) {
		return "", false
	}
	subtle.XORBytes(clientKey, clientKey, proof)
	proven := hmac.Equal(m.sum(clientKey), x.credential.StoredKey)
	if !proven || !x.exists {
		return "", false
	}
	return "v=" + base64.StdEncoding.EncodeToString(m.hmac(x.credential.ServerKey, signed)), true
}

// saslName undoes the escapes of a user name.
func saslName(s string) (string, bool) {
	if s == "" || strings.Count(s, "=") != strings.Count(s, "=2C")+strings.Count(s, "=3D") {
		return "", false
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s), true
}

func newNonce() string {
	b := make([]byte, 18)
	_, _ = rand.Read(b) // never fails, see its documentation
	return base64.RawStdEncoding.EncodeToString(b)
}
