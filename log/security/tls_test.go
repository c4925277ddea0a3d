package security

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// issuer signs certificates for tests.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test issuer"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{cert, key, certPEM(der)}
}

// issue returns chain and key in PEM.
func (i *issuer) issue(t testing.TB, subject pkix.Name, names ...string) (chain, key string) {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, DNSNames: names,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, &k.PublicKey, i.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return certPEM(der), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// handshake returns the server's certificate as a client gets it.
func handshake(t *testing.T, config *tls.Config, trusted *issuer) (*x509.Certificate, error) {
	t.Helper()
	a, b := net.Pipe()
	server := tls.Server(a, config)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Handshake() // the client's error is what counts
		a.Close()
	}()
	pool := x509.NewCertPool()
	pool.AddCert(trusted.cert)
	client := tls.Client(b, &tls.Config{RootCAs: pool, ServerName: "broker"})
	err := client.Handshake()
	b.Close()
	<-done
	if err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}

// New files are used by the next connection; files that are half written are not.
func TestTLSReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newIssuer(t)
		path := filepath.Join(t.TempDir(), "keystore.pem")
		write := func(text string, version int) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			at := time.Unix(int64(version), 0)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		chain, key := ca.issue(t, pkix.Name{CommonName: "first"}, "broker")
		write(chain+key, 1)
		var logged bytes.Buffer
		config, err := NewTLS(TLSOptions{KeystoreFile: path, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		serves := func(want string) {
			t.Helper()
			<-time.After(2 * reloadInterval)
			cert, err := handshake(t, config, ca)
			if err != nil || cert.Subject.CommonName != want {
				t.Fatalf("certificate %v, %v, want %s", cert, err, want)
			}
		}
		serves("first")
		chain, key = ca.issue(t, pkix.Name{CommonName: "second"}, "broker")
		write(chain+key[:len(key)/2], 2)
		serves("first")
		if !strings.Contains(logged.String(), "stay in use") {
			t.Errorf("the log says nothing about the broken file: %s", &logged)
		}
		write(chain+key, 3)
		serves("second")
	})
}

func TestTLSErrors(t *testing.T) {
	ca := newIssuer(t)
	chain, key := ca.issue(t, pkix.Name{CommonName: "a"})
	_, otherKey := ca.issue(t, pkix.Name{CommonName: "b"})
	for name, o := range map[string]TLSOptions{
		"no file":       {KeystoreFile: filepath.Join(t.TempDir(), "none")},
		"no key":        {Chain: chain},
		"another key":   {Chain: chain, Key: otherKey},
		"no truststore": {Chain: chain, Key: key, ClientAuth: tls.RequireAndVerifyClientCert},
		"no PEM":        {Chain: chain, Key: key, ClientAuth: tls.RequireAndVerifyClientCert, Trusted: "x"},
	} {
		if _, err := NewTLS(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The names are what Java's X500Principal.getName says of the same subjects.
func TestDistinguishedName(t *testing.T) {
	type part = pkix.AttributeTypeAndValue
	oid := func(arcs ...int) asn1.ObjectIdentifier { return arcs }
	cn, o, c, email := oid(2, 5, 4, 3), oid(2, 5, 4, 10), oid(2, 5, 4, 6), oid(1, 2, 840, 113549, 1, 9, 1)
	dc, uid := oid(0, 9, 2342, 19200300, 100, 1, 25), oid(0, 9, 2342, 19200300, 100, 1, 1)
	tests := []struct {
		rdns pkix.RDNSequence
		want string
	}{
		{pkix.RDNSequence{{part{Type: c, Value: "DE"}}, {part{Type: o, Value: "Example"}}, {part{Type: cn, Value: "alice"}}}, "CN=alice,O=Example,C=DE"},
		{pkix.RDNSequence{{part{Type: cn, Value: "alice"}}, {part{Type: c, Value: "DE"}}}, "C=DE,CN=alice"},
		{pkix.RDNSequence{{part{Type: o, Value: `A, "B" + C`}}, {part{Type: cn, Value: "#1"}}}, `CN=\#1,O=A\, \"B\" \+ C`},
		{pkix.RDNSequence{{part{Type: cn, Value: "a"}, part{Type: uid, Value: "7"}}}, "CN=a+UID=7"},
		{pkix.RDNSequence{{part{Type: dc, Value: "org"}}, {part{Type: email, Value: "a"}}}, "1.2.840.113549.1.9.1=#130161,DC=org"},
	}
	for _, tt := range tests {
		raw, err := asn1.Marshal(tt.rdns)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DistinguishedName(&x509.Certificate{RawSubject: raw}); err != nil || got != tt.want {
			t.Errorf("got %s, %v, want %s", got, err, tt.want)
		}
	}
}

func FuzzDistinguishedName(f *testing.F) {
	raw, err := asn1.Marshal(pkix.Name{CommonName: "a", Organization: []string{"b, c"}}.ToRDNSequence())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = DistinguishedName(&x509.Certificate{RawSubject: raw}) // must not panic
	})
}
