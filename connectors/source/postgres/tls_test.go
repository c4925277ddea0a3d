package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	a := &authority{t: t, dir: dir}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.write(name+".crt", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// issue writes NAME.crt and NAME.key.
func (a *authority) issue(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	cert, key := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	a.write(name+".crt", "CERTIFICATE", cert.Raw)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".key", "PRIVATE KEY", der)
	a.raw(name+".pk8", der)
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.raw(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (a *authority) raw(name string, data []byte) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		a.t.Fatal(err)
	}
	if os.Geteuid() == 0 { // the server runs as nobody
		if err := os.Chown(path, 65534, 65534); err != nil {
			a.t.Fatal(err)
		}
	}
}

// TestTLS connects to a server with TLS in every mode, with client certificates in
// every form.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ca := newAuthority(t, dir, "ca")
	ca.issue("server")
	cert, key := ca.issue("client")
	newAuthority(t, dir, "other").issue("stranger")
	p12, err := pkcs12.Modern.Encode(key, cert, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	ca.raw("client.p12", p12)
	in := func(name string) string { return filepath.Join(dir, name) }
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"ssl": "on", "ssl_cert_file": in("server.crt"), "ssl_key_file": in("server.key"), "ssl_ca_file": in("ca.crt")}})
	pemKey, err := os.ReadFile(in("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings []string
		client   string // name in its certificate, "plain" without TLS
		option   string // of the error
	}{
		"disable":                      {[]string{optSSLMode, "disable"}, "plain", ""},
		"allow":                        {[]string{optSSLMode, "allow"}, "plain", ""},
		"prefer":                       {nil, "", ""},
		"require":                      {[]string{optSSLMode, "require"}, "", ""},
		"require and a root":           {[]string{optSSLMode, "require", optSSLRootCert, in("other.crt")}, "", optSSLMode},
		"verify-ca":                    {[]string{optSSLMode, "verify-ca", optSSLRootCert, in("ca.crt")}, "", ""},
		"verify-ca, other name":        {[]string{optSSLMode, "verify-ca", optSSLRootCert, in("ca.crt"), optHostname, "localhost"}, "", ""},
		"verify-ca, unknown authority": {[]string{optSSLMode, "verify-ca"}, "", optSSLMode},
		"verify-full":                  {[]string{optSSLMode, "verify-full", optSSLRootCert, in("ca.crt")}, "", ""},
		"verify-full, other name":      {[]string{optSSLMode, "verify-full", optSSLRootCert, in("ca.crt"), optHostname, "localhost"}, "", optSSLMode},
		"client, PEM":                  {[]string{optSSLMode, "require", optSSLCert, in("client.crt"), optSSLKey, in("client.key")}, "/CN=client", ""},
		"client, text":                 {[]string{optSSLMode, "require", optSSLCert, in("client.crt"), optSSLKey, string(pemKey)}, "/CN=client", ""},
		"client, PKCS-8":               {[]string{optSSLMode, "require", optSSLCert, in("client.crt"), optSSLKey, in("client.pk8")}, "/CN=client", ""},
		"client, PKCS-12":              {[]string{optSSLMode, "require", optSSLKey, in("client.p12"), optSSLPassword, "secret"}, "/CN=client", ""},
		"client, wrong password":       {[]string{optSSLMode, "require", optSSLKey, in("client.p12"), optSSLPassword, "wrong"}, "", optSSLPassword},
		"client, key of another":       {[]string{optSSLMode, "require", optSSLCert, in("client.crt"), optSSLKey, in("stranger.key")}, "", optSSLCert},
		"client, no key":               {[]string{optSSLMode, "require", optSSLCert, in("client.crt")}, "", optSSLKey},
		"client, no file":              {[]string{optSSLMode, "require", optSSLCert, in("none"), optSSLKey, in("client.key")}, "", optSSLCert},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{t: t, settings: map[string]string{"database.hostname": "127.0.0.1", "database.port": strconv.Itoa(server.Port), "database.user": pgtest.User,
				"database.dbname": pgtest.User, "topic.prefix": "pre"}}
			for i := 0; i < len(c.settings); i += 2 {
				r.settings[c.settings[i]] = c.settings[i+1]
			}
			cfg := r.config()
			conn, err := cfg.connect(t.Context())
			if c.option != "" {
				var ce *connect.ConfigError
				if !errors.As(err, &ce) || ce.Option != c.option {
					t.Errorf("got error %v, want one of %s", err, c.option)
				}
				if err != nil && (strings.Contains(err.Error(), "PRIVATE KEY") || strings.Contains(err.Error(), "secret")) {
					t.Errorf("the error gives a secret away: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer closeConn(conn)
			var got string
			err = conn.QueryRow(t.Context(), `SELECT CASE WHEN ssl THEN coalesce(client_dn, '') ELSE 'plain' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()`).Scan(&got)
			if err != nil || got != c.client {
				t.Errorf("the server sees %q, error %v; want %q", got, err, c.client)
			}
			rc, err := cfg.connectReplication(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			closeConn(rc)
		})
	}
}
