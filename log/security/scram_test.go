package security

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// authenticate plays a client of franz-go against an exchange.
func authenticate(t *testing.T, m sasl.Mechanism, x Exchange) error {
	t.Helper()
	session, message, err := m.Authenticate(t.Context(), "host")
	if err != nil {
		t.Fatal(err)
	}
	for {
		answer, done, err := x.Next(message)
		if err != nil {
			return err
		}
		clientDone, next, err := session.Challenge(answer)
		if err != nil {
			t.Fatalf("the client refuses the server: %v", err)
		}
		if done != clientDone {
			t.Fatalf("server done %v, client %v", done, clientDone)
		}
		if done {
			return nil
		}
		message = next
	}
}

func storeWith(t *testing.T, user, password string, m Mechanism) *Store {
	t.Helper()
	s := newStore(t)
	c, err := NewPassword(user, m, password, MinIterations)
	if err == nil {
		err = s.AlterCredentials([]Change{c})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(m Mechanism, user, password string) sasl.Mechanism {
	auth := func(context.Context) (scram.Auth, error) { return scram.Auth{User: user, Pass: password}, nil }
	if m == SCRAMSHA512 {
		return scram.Sha512(auth)
	}
	return scram.Sha256(auth)
}

func TestSCRAM(t *testing.T) {
	for _, m := range []Mechanism{SCRAMSHA256, SCRAMSHA512} {
		s := storeWith(t, "al,i=ce", "secret", m)
		x := s.SCRAM(m)
		if err := authenticate(t, client(m, "al,i=ce", "secret"), x); err != nil || x.User() != "al,i=ce" {
			t.Errorf("%s: %v, user %q", m, err, x.User())
		}
		for _, wrong := range [][2]string{{"al,i=ce", "Secret"}, {"bob", "secret"}} {
			if err := authenticate(t, client(m, wrong[0], wrong[1]), s.SCRAM(m)); !errors.Is(err, ErrAuthentication) {
				t.Errorf("%s as %s: %v, want %v", m, wrong, err, ErrAuthentication)
			}
		}
	}
	s := storeWith(t, "a", "b", SCRAMSHA256)
	if err := authenticate(t, client(SCRAMSHA512, "a", "b"), s.SCRAM(SCRAMSHA512)); !errors.Is(err, ErrAuthentication) {
		t.Errorf("a credential of another mechanism: %v, want %v", err, ErrAuthentication)
	}
}

// The example of RFC 7677, 3, with its nonces.
func TestSCRAMVector(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	salted := saltedPassword(t, SCRAMSHA256, "pencil", salt)
	credential := SCRAMSHA256.credentialOf(salt, salted, MinIterations)
	x := &scramExchange{mechanism: SCRAMSHA256, lookUp: func(string) (Credential, bool) { return credential, true }}
	if _, _, err := x.Next([]byte("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")); err != nil {
		t.Fatal(err)
	}
	const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	x.nonce = nonce[20:]
	x.firsts = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=" + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	answer, done, err := x.Next([]byte("c=biws,r=" + nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	if want := "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="; string(answer) != want || !done || err != nil {
		t.Errorf("got %s, %v, %v, want %s", answer, done, err, want)
	}
}

// librdkafka before 2.6.1, which is in Debian 12 and kcat, repeats its nonce in the
// last message and signs that.
func TestSCRAMTwiceTheNonce(t *testing.T) {
	salt := []byte("some salt")
	salted := saltedPassword(t, SCRAMSHA256, "secret", salt)
	credential := SCRAMSHA256.credentialOf(salt, salted, MinIterations)
	x := &scramExchange{mechanism: SCRAMSHA256, lookUp: func(string) (Credential, bool) { return credential, true }}
	answer, _, err := x.Next([]byte("n,,n=alice,r=mine"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, _ := strings.Cut(strings.TrimPrefix(string(answer), "r=mine"), ",")
	withoutProof := "c=biws,r=minemine" + theirs
	clientKey := SCRAMSHA256.hmac(salted, "Client Key")
	proof := make([]byte, len(clientKey))
	subtle.XORBytes(proof, clientKey, SCRAMSHA256.hmac(SCRAMSHA256.sum(clientKey), "n=alice,r=mine,"+string(answer)+","+withoutProof))
	if _, done, err := x.Next([]byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof))); !done || err != nil {
		t.Errorf("done %v, %v", done, err)
	}
}

// What the server says about a user that does not exist looks like what it says
// about one that does, each time and after a restart.
func TestSCRAMHidesWhoExists(t *testing.T) {
	s := storeWith(t, "alice", "secret", SCRAMSHA256)
	first := func(s *Store, user string) (salt, iterations string) {
		answer, done, err := s.SCRAM(SCRAMSHA256).Next([]byte("n,,n=" + user + ",r=nonce"))
		f := strings.Split(string(answer), ",")
		if err != nil || done || len(f) != 3 {
			t.Fatalf("%s: %q, %v, %v", user, answer, done, err)
		}
		return f[1], f[2]
	}
	salt, iterations := first(s, "bob")
	real, realIterations := first(s, "alice")
	if len(salt) != len(real) || iterations != realIterations {
		t.Errorf("salts of %d and %d characters, %s and %s", len(salt), len(real), iterations, realIterations)
	}
	if again, _ := first(s, "bob"); again != salt {
		t.Error("the salt changed")
	}
	if other, _ := first(s, "carol"); other == salt {
		t.Error("two users have one salt")
	}
	reopened, err := Open(s.dir, s.fs)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := first(reopened, "bob"); after != salt {
		t.Error("the salt changed with a restart")
	}
}

func TestSCRAMGarbage(t *testing.T) {
	s := storeWith(t, "alice", "secret", SCRAMSHA256)
	for _, message := range []string{
		"", "n", "n,", "n,,", "n,,n=alice", "n,,n=,r=x", "n,,n=alice,r=", "n,,m=ext,n=alice,r=x", "p=tls-unique,,n=alice,r=x",
		"n,a=bob,n=alice,r=x", "n,n=alice,r=x", "n,,n=al=ice,r=x", "n,,n=alice,r=" + strings.Repeat("x", maxNonceBytes+1),
	} {
		if answer, _, err := s.SCRAM(SCRAMSHA256).Next([]byte(message)); !errors.Is(err, ErrAuthentication) {
			t.Errorf("%q: %q, %v, want %v", message, answer, err, ErrAuthentication)
		}
	}
	for _, message := range []string{"", "c=biws,r=NONCE", "c=biws,r=other,p=AAAA", "c=biws,r=NONCE,p=", "c=biws,r=NONCE,p=AAAA", "c=eSws,r=NONCE,p=AAAA", "c=biws,r=NONCE,p=!"} {
		x := s.SCRAM(SCRAMSHA256).(*scramExchange)
		if _, _, err := x.Next([]byte("n,,n=alice,r=x")); err != nil {
			t.Fatal(err)
		}
		message = strings.Replace(message, "NONCE", x.nonce, 1)
		if answer, _, err := x.Next([]byte(message)); !errors.Is(err, ErrAuthentication) {
			t.Errorf("%q: %q, %v, want %v", message, answer, err, ErrAuthentication)
		}
	}
}

// Whatever a client sends, it does not get in without the password.
func FuzzSCRAM(f *testing.F) {
	f.Add([]byte("n,,n=alice,r=x"), []byte("c=biws,r=x,p=AAAA"))
	f.Add([]byte("y,a=alice,n=alice,r=x,tokenauth=true"), []byte("c=eSxhPWFsaWNlLA==,r=x,m=1,p="))
	salt := bytes.Repeat([]byte{1}, 20)
	credential := SCRAMSHA256.credentialOf(salt, bytes.Repeat([]byte{2}, 32), MinIterations)
	f.Fuzz(func(t *testing.T, first, final []byte) {
		x := &scramExchange{mechanism: SCRAMSHA256, lookUp: func(user string) (Credential, bool) { return credential, user == "alice" }}
		if _, done, err := x.Next(first); err != nil || done {
			if done {
				t.Error("done after the first message")
			}
			return
		}
		final = bytes.ReplaceAll(final, []byte("r=x"), []byte("r="+x.nonce))
		if answer, done, err := x.Next(final); done || err == nil {
			t.Errorf("%q was accepted: %q", final, answer)
		}
	})
}

func TestPlain(t *testing.T) {
	users := map[string]string{"alice": "secret", "bob": "other"}
	if x := NewPlain(users); authenticate(t, plain.Auth{User: "alice", Pass: "secret"}.AsMechanism(), x) != nil || x.User() != "alice" {
		t.Errorf("alice is %q", x.User())
	}
	for _, message := range []string{"", "alice", "\x00alice\x00", "\x00alice\x00other", "\x00carol\x00secret", "\x00carol\x00",
		"bob\x00alice\x00secret", "\x00alice\x00secret\x00", "\x00\x00secret"} {
		if _, done, err := NewPlain(users).Next([]byte(message)); done || !errors.Is(err, ErrAuthentication) {
			t.Errorf("%q: done %v, %v", message, done, err)
		}
	}
	if _, done, err := NewPlain(users).Next([]byte("alice\x00alice\x00secret")); !done || err != nil {
		t.Errorf("authorization id of the user: done %v, %v", done, err)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte("\x00alice\x00x"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if _, done, err := NewPlain(map[string]string{"alice": "a long secret"}).Next(message); done && !bytes.HasSuffix(message, []byte("a long secret")) {
			t.Errorf("%q was accepted, %v", message, err)
		}
	})
}

func TestAlterCredentials(t *testing.T) {
	s := storeWith(t, "alice", "secret", SCRAMSHA256)
	good, err := NewPassword("bob", SCRAMSHA512, "x", MaxIterations)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(c *Change)
		want   error
	}{
		"good":                {func(c *Change) {}, nil},
		"few iterations":      {func(c *Change) { c.Iterations = MinIterations - 1 }, kerr.UnacceptableCredential},
		"many iterations":     {func(c *Change) { c.Iterations = MaxIterations + 1 }, kerr.UnacceptableCredential},
		"no user":             {func(c *Change) { c.User = "" }, kerr.UnacceptableCredential},
		"no salt":             {func(c *Change) { c.Salt = nil }, kerr.UnacceptableCredential},
		"short password":      {func(c *Change) { c.SaltedPassword = c.SaltedPassword[:32] }, kerr.UnacceptableCredential},
		"mechanism":           {func(c *Change) { c.Mechanism = 3 }, kerr.UnsupportedSaslMechanism},
		"delete nobody":       {func(c *Change) { c.User, c.Delete = "nobody", true }, kerr.ResourceNotFound},
		"delete other's kind": {func(c *Change) { c.User, c.Delete = "alice", true }, kerr.ResourceNotFound},
	}
	for name, tt := range tests {
		c := good
		tt.change(&c)
		if err := s.Check(c); !errors.Is(err, tt.want) {
			t.Errorf("%s: Check: %v, want %v", name, err, tt.want)
		}
		if tt.want == nil {
			continue
		}
		if err := s.AlterCredentials([]Change{good, c}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if got := s.Credentials(); len(got) != 1 || got["alice"][SCRAMSHA256] != MinIterations {
		t.Errorf("after refused changes there is %v", got)
	}
	if err := s.AlterCredentials([]Change{{User: "alice", Mechanism: SCRAMSHA256, Delete: true}}); err != nil || len(s.Credentials()) != 0 {
		t.Errorf("delete: %v, left %v", err, s.Credentials())
	}
}

func TestParseAddSCRAM(t *testing.T) {
	for text, want := range map[string]string{
		`SCRAM-SHA-256=[name=alice,password=se,c]ret]`:             "alice SCRAM-SHA-256 se,c]ret 4096",
		`SCRAM-SHA-512=[name="alice",password="secret"]`:           "alice SCRAM-SHA-512 secret 4096",
		`SCRAM-SHA-512=[name=alice,iterations=8192,password=x]`:    "alice SCRAM-SHA-512 x 8192",
		`SCRAM-SHA-256=[name=alice,password=x,iterations=8192]`:    "alice SCRAM-SHA-256 x 8192",
		`SCRAM-SHA-1=[name=alice,password=hidden]`:                 "",
		`SCRAM-SHA-256=[name=alice,password=hidden,iterations=10]`: "",
		`SCRAM-SHA-256=[password=hidden]`:                          "",
		`alice:hidden`:                                             "",
	} {
		c, err := ParseAddSCRAM(text)
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "hidden") { // I6
				t.Errorf("%s: error %v", text, err)
			}
			continue
		}
		f := strings.Fields(want)
		if err != nil || c.User != f[0] || c.Mechanism.String() != f[1] {
			t.Fatalf("%s: %+v, %v, want %s", text, c, err, want)
		}
		s := newStore(t)
		if err := s.AlterCredentials([]Change{c}); err != nil {
			t.Fatal(err)
		}
		if err := authenticate(t, client(c.Mechanism, f[0], f[2]), s.SCRAM(c.Mechanism)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
