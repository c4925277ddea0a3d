package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/security"
)

// testCerts are a server's and a client's certificate of one issuer.
type testCerts struct {
	server, client tls.Certificate
	pool           *x509.CertPool
}

func newCerts(t testing.TB) testCerts {
	t.Helper()
	var c testCerts
	c.pool = x509.NewCertPool()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(subject pkix.Name, isCA bool, parent *x509.Certificate) tls.Certificate {
		t.Helper()
		template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, DNSNames: []string{"broker"}, IsCA: isCA,
			BasicConstraintsValid: true, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0)}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, key) // one key for all
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	ca, err := x509.ParseCertificate(issue(pkix.Name{CommonName: "issuer"}, true, nil).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	c.pool.AddCert(ca)
	c.server = issue(pkix.Name{CommonName: "broker"}, false, ca)
	c.client = issue(pkix.Name{CommonName: "alice", Organization: []string{"Example"}}, false, ca)
	return c
}

// serverConfig is the broker's own loading of the certificates, from PEM.
func (c testCerts) serverConfig(t testing.TB, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	config, err := security.NewTLS(security.TLSOptions{
		Chain:      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate[0]})),
		Key:        string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		ClientAuth: tls.NoClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	config = config.Clone()
	config.ClientAuth, config.ClientCAs, config.GetConfigForClient = auth, c.pool, nil
	return config
}

// dialTLS is a kgo.Dialer that speaks TLS to a listener.
func (l *memListener) dialTLS(config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := l.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return tls.Client(nc, config), nil
	}
}

// addUser makes a SCRAM user as Kafka's tools do, over the protocol.
func (s *server) addUser(name, password string, m kadm.ScramMechanism) {
	s.t.Helper()
	adm := kadm.NewClient(s.client())
	got, err := adm.AlterUserSCRAMs(s.ctx(), nil, []kadm.UpsertSCRAM{{User: name, Mechanism: m, Iterations: 4096, Password: password}})
	if err != nil || got.Error() != nil {
		s.t.Fatalf("add user %s: %v, %v", name, err, got.Error())
	}
}

func scram256(user, password string) sasl.Mechanism {
	return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
}

var allMechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// roundTrip produces a record and reads it back.
func roundTrip(t *testing.T, s *server, topic string, cl func(...kgo.Opt) *kgo.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := cl(kgo.RecordRetries(1))
	if err := p.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr(); err != nil {
		return err
	}
	if got := consume(t, ctx, cl(kgo.ConsumeTopics(topic)), 1); string(got[0].Value) != "v" {
		t.Errorf("consumed %q", got[0].Value)
	}
	return nil
}

// Every mechanism works over plaintext and TLS, with users created at run time,
// and no other password does. Users survive a restart.
func TestSASL(t *testing.T) {
	certs := newCerts(t)
	s := newServer(t)
	s.addUser("alice", "scram-secret", kadm.ScramSha256)
	s.addUser("alice", "scram-secret", kadm.ScramSha512)
	s.createTopic("t", 1, nil)
	s.restart()
	l := Listener{Mechanisms: allMechanisms, PlainUsers: map[string]string{"alice": "plain-secret"}}
	plaintext := s.listen(l)
	l.TLS = certs.serverConfig(t, tls.NoClientCert)
	encrypted := s.listen(l)
	config := &tls.Config{RootCAs: certs.pool, ServerName: "broker"}
	for name, m := range map[string]func(password string) sasl.Mechanism{
		"PLAIN":         func(p string) sasl.Mechanism { return plain.Auth{User: "alice", Pass: p}.AsMechanism() },
		"SCRAM-SHA-256": func(p string) sasl.Mechanism { return scram256("alice", p) },
		"SCRAM-SHA-512": func(p string) sasl.Mechanism { return scram.Auth{User: "alice", Pass: p}.AsSha512Mechanism() },
	} {
		password := "scram-secret"
		if name == "PLAIN" {
			password = "plain-secret"
		}
		for kind, dial := range map[string]kgo.Opt{"plaintext": kgo.Dialer(plaintext.dial), "TLS": kgo.Dialer(encrypted.dialTLS(config))} {
			t.Run(name+" over "+kind, func(t *testing.T) {
				good := func(opts ...kgo.Opt) *kgo.Client { return s.client(append(opts, dial, kgo.SASL(m(password)))...) }
				if err := roundTrip(t, s, "t", good); err != nil {
					t.Errorf("right password: %v", err)
				}
				err := s.client(dial, kgo.SASL(m("wrong")), kgo.RequestRetries(0)).Ping(s.ctx())
				if !errors.Is(err, kerr.SaslAuthenticationFailed) {
					t.Errorf("wrong password: %v, want %v", err, kerr.SaslAuthenticationFailed)
				}
			})
		}
	}
	if err := roundTrip(t, s, "t", s.client); err != nil { // the worker's connection
		t.Errorf("in memory: %v", err)
	}
}

func handshakeRequest(version int16, mechanism string) *kmsg.SASLHandshakeRequest {
	q := kmsg.NewPtrSASLHandshakeRequest()
	q.SetVersion(version)
	q.Mechanism = mechanism
	return q
}

func authenticateRequest(token string) *kmsg.SASLAuthenticateRequest {
	q := kmsg.NewPtrSASLAuthenticateRequest()
	q.SetVersion(2)
	q.SASLAuthBytes = []byte(token)
	return q
}

// plainListener has one user.
func plainListener(change func(*Listener)) Listener {
	l := Listener{Mechanisms: []string{"PLAIN"}, PlainUsers: map[string]string{"alice": "secret", "bob": "secret"}}
	if change != nil {
		change(&l)
	}
	return l
}

func (c rawConn) login(user string) *kmsg.SASLAuthenticateResponse {
	c.t.Helper()
	if code := ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "PLAIN")).ErrorCode; code != 0 {
		c.t.Fatalf("handshake: %v", kerr.ErrorForCode(code))
	}
	return ask[*kmsg.SASLAuthenticateResponse](c, authenticateRequest("\x00"+user+"\x00secret"))
}

// Before authentication a client may ask for versions and authenticate, and
// nothing else.
func TestBeforeAuthentication(t *testing.T) {
	s := newServer(t)
	ln := s.listen(plainListener(nil))
	c := ln.raw()
	if got := ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest()); got.ErrorCode != 0 {
		t.Errorf("ApiVersions: error %d", got.ErrorCode)
	}
	q := kmsg.NewPtrMetadataRequest()
	c.send(requestFrame(q, q.AppendTo(nil)))
	c.closed()

	c = ln.raw()
	got := ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "GSSAPI"))
	if got.ErrorCode != kerr.UnsupportedSaslMechanism.Code || !slices.Equal(got.SupportedMechanisms, []string{"PLAIN"}) {
		t.Errorf("GSSAPI: error %d, mechanisms %v", got.ErrorCode, got.SupportedMechanisms)
	}
	c.closed()

	c = ln.raw()
	if got := ask[*kmsg.SASLAuthenticateResponse](c, authenticateRequest("\x00alice\x00secret")); got.ErrorCode != kerr.IllegalSaslState.Code {
		t.Errorf("no handshake: error %d", got.ErrorCode)
	}
	c.closed()

	c = ln.raw()
	ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "PLAIN"))
	if got := ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "PLAIN")); got.ErrorCode != kerr.IllegalSaslState.Code {
		t.Errorf("two handshakes: error %d", got.ErrorCode)
	}
	c.closed()

	c = s.listen(Listener{}).raw() // without SASL: an error, and the connection goes on
	if got := ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "PLAIN")); got.ErrorCode != kerr.IllegalSaslState.Code {
		t.Errorf("no SASL: error %d", got.ErrorCode)
	}
	if got := ask[*kmsg.SASLAuthenticateResponse](c, authenticateRequest("x")); got.ErrorCode != kerr.IllegalSaslState.Code {
		t.Errorf("no SASL: error %d", got.ErrorCode)
	}
	ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
}

// After a handshake of v0 tokens come without a header, as kafka-python 2.0 and
// librdkafka before 0.11 send them.
func TestSASLHandshakeV0(t *testing.T) {
	ln := newServer(t).listen(plainListener(nil))
	c := ln.raw()
	ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(0, "PLAIN"))
	c.send([]byte("\x00alice\x00secret"))
	var answer [4]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil || answer != [4]byte{} {
		t.Fatalf("answer % x, %v, want an empty token", answer, err)
	}
	ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())

	c = ln.raw()
	ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(0, "PLAIN"))
	c.send([]byte("\x00alice\x00wrong"))
	c.closed()
}

// A client that is not authenticated can neither send large frames nor stay.
func TestUnauthenticatedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		s := startServer(t, "/d", mem, func(c *Config) { c.MaxUnauthenticatedFrameBytes = 1000 })
		ln := s.listen(plainListener(nil))
		c := ln.raw()
		if _, err := c.Write([]byte{0, 0, 0x10, 0, 0, 36}); err != nil {
			t.Fatal(err)
		}
		c.closed()

		start := time.Now()
		c = ln.raw()
		for range 5 { // what it may ask keeps no connection open
			<-time.After(5 * time.Second)
			ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest())
		}
		c.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read %v, want the connection closed", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("closed after %v, want 30s", took)
		}
		s.stop()
	})
}

// A failed authentication is answered after a while, and then the connection ends.
func TestFailedAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, "/d", vfs.NewMem(), nil)
		ln := s.listen(plainListener(nil))
		for _, token := range []string{"\x00alice\x00wrong", "\x00nobody\x00secret", ""} {
			c := ln.raw()
			ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "PLAIN"))
			start := time.Now()
			got := ask[*kmsg.SASLAuthenticateResponse](c, authenticateRequest(token))
			const want = "Authentication failed: Invalid username or password, with SASL mechanism PLAIN"
			if got.ErrorCode != kerr.SaslAuthenticationFailed.Code || got.ErrorMessage == nil || *got.ErrorMessage != want {
				t.Errorf("%q: error %d, %v", token, got.ErrorCode, got.ErrorMessage)
			}
			if took := time.Since(start); took != 100*time.Millisecond {
				t.Errorf("%q: answered after %v, want 100ms", token, took)
			}
			c.closed()
		}
		s.stop()
	})
}

// Sessions (KIP-368): the answer says how long one lasts, a request after that
// closes the connection, authenticating again prolongs it, as the same user only.
func TestReauthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, "/d", vfs.NewMem(), nil)
		ln := s.listen(plainListener(func(l *Listener) { l.MaxReauth = time.Minute }))
		c := ln.raw()
		if got := c.login("alice"); got.ErrorCode != 0 || got.SessionLifetimeMillis != 60_000 {
			t.Fatalf("error %d, lifetime %d ms, want 60000", got.ErrorCode, got.SessionLifetimeMillis)
		}
		if got := ask[*kmsg.SASLHandshakeResponse](c, handshakeRequest(1, "PLAIN")); got.ErrorCode != kerr.IllegalSaslState.Code {
			t.Errorf("at once again: error %d", got.ErrorCode)
		}
		<-time.After(50 * time.Second)
		if got := c.login("alice"); got.ErrorCode != 0 {
			t.Fatalf("again: error %d", got.ErrorCode)
		}
		<-time.After(50 * time.Second)
		ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest()) // beyond the first session
		<-time.After(11 * time.Second)
		if got := c.login("alice"); got.ErrorCode != 0 { // expired, and yet a client may do this
			t.Fatalf("after the session: error %d", got.ErrorCode)
		}
		<-time.After(61 * time.Second)
		q := kmsg.NewPtrMetadataRequest()
		c.send(requestFrame(q, q.AppendTo(nil)))
		c.closed()

		c = ln.raw()
		c.login("alice")
		<-time.After(2 * time.Second)
		if got := c.login("bob"); got.ErrorCode != kerr.SaslAuthenticationFailed.Code {
			t.Errorf("as another user: error %d", got.ErrorCode)
		}
		c.closed()
		s.stop()
	})
}

// Requests that are under way when a client authenticates again are answered.
func TestReauthenticationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, "/d", vfs.NewMem(), nil)
		s.createTopic("t", 1, nil)
		var sessions atomic.Int64
		auth := plain.Plain(func(context.Context) (plain.Auth, error) {
			sessions.Add(1)
			return plain.Auth{User: "alice", Pass: "secret"}, nil
		})
		ln := s.listen(plainListener(func(l *Listener) { l.MaxReauth = 10 * time.Second }))
		cl := ln.client(kgo.SASL(auth))
		for range 600 {
			if err := cl.ProduceSync(s.ctx(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			<-time.After(50 * time.Millisecond)
		}
		if n := sessions.Load(); n < 4 {
			t.Errorf("%d authentications in 30s with sessions of 10s", n)
		}
		cl.Close()
		s.stop()
	})
}

// The principal of a client certificate is its distinguished name.
func TestMutualTLS(t *testing.T) {
	certs := newCerts(t)
	s := startServer(t, t.TempDir(), vfs.OS, nil)
	listener := Listener{TLS: certs.serverConfig(t, tls.RequireAndVerifyClientCert)}
	ln := s.listen(listener)
	config := &tls.Config{RootCAs: certs.pool, ServerName: "broker"}
	without := s.client(kgo.Dialer(ln.dialTLS(config)), kgo.RequestRetries(0))
	if err := without.Ping(s.ctx()); err == nil {
		t.Error("a client without a certificate was served")
	}
	with := config.Clone()
	with.Certificates = []tls.Certificate{certs.client}
	s.authorize("ALLOW User:CN=alice,O=Example CREATE TOPIC only-alices")
	adm := kadm.NewClient(s.client(kgo.Dialer(ln.dialTLS(with))))
	if _, err := adm.CreateTopic(s.ctx(), 1, 1, nil, "only-alices"); err != nil {
		t.Errorf("alice: %v", err)
	}
	if _, err := adm.CreateTopic(s.ctx(), 1, 1, nil, "others"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("alice: %v, want %v", err, kerr.TopicAuthorizationFailed)
	}
	var err error
	if listener.PrincipalRules, err = security.ParsePrincipalRules("RULE:CN=(.*?),.*/$1/"); err != nil {
		t.Fatal(err)
	}
	s.authorize("ALLOW User:alice CREATE TOPIC by-rule")
	adm = kadm.NewClient(s.client(kgo.Dialer(s.listen(listener).dialTLS(with))))
	if _, err := adm.CreateTopic(s.ctx(), 1, 1, nil, "by-rule"); err != nil {
		t.Errorf("alice by a rule: %v", err)
	}
}

// Plaintext on a TLS port, and TLS on a plaintext one, end the connection only.
func TestWrongProtocol(t *testing.T) {
	certs := newCerts(t)
	s := newServer(t)
	ln := s.listen(Listener{TLS: certs.serverConfig(t, tls.NoClientCert)})
	c := ln.raw()
	q := kmsg.NewPtrMetadataRequest()
	c.send(requestFrame(q, q.AppendTo(nil)))
	if _, err := io.Copy(io.Discard, c); err != nil { // an alert, and the end
		t.Errorf("plaintext to TLS: %v", err)
	}
	plaintext := s.listen(Listener{})
	if _, err := plaintext.dialTLS(&tls.Config{RootCAs: certs.pool, ServerName: "broker"})(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	ask[*kmsg.MetadataResponse](plaintext.raw(), kmsg.NewPtrMetadataRequest())
}
