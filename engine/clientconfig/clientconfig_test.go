package clientconfig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/keystore"
)

// read parses properties, a line each.
func read(t *testing.T, text string) (*Settings, error) {
	t.Helper()
	properties := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[key] = value
	}
	var s Settings
	var d connect.Def
	s.Define(&d, "")
	return &s, connect.Err(d.Parse(properties))
}

// keyPEM returns the key pair of testdata in PEM, as openssl would convert it.
func keyPEM(t *testing.T) string {
	t.Helper()
	content, err := keystore.ReadFile("testdata/key.p12")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := (&keystore.Store{Content: content, Password: "changeit"}).KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

// handshake connects to a server with the key of testdata that wants a client
// certificate if mutual, and says what went wrong.
func handshake(t *testing.T, s *Settings, name string, mutual bool) error {
	t.Helper()
	server, err := tls.X509KeyPair([]byte(keyPEM(t)), []byte(keyPEM(t)))
	if err != nil {
		t.Fatal(err)
	}
	sc := &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: x509.NewCertPool()}
	if mutual {
		sc.ClientAuth = tls.RequireAndVerifyClientCert
		leaf, err := x509.ParseCertificate(server.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		sc.ClientCAs.AddCert(leaf)
	}
	cc, err := s.TLS()
	if err != nil {
		return err
	}
	cc.ServerName = name
	ln, err := tls.Listen("tcp", "127.0.0.1:0", sc)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer ln.Close()
	serving.Go(func() {
		conn, err := ln.Accept()
		if err == nil {
			_, _ = conn.Write([]byte("x"))
			_ = conn.Close()
		}
	})
	conn, err := tls.Dial("tcp", ln.Addr().String(), cc)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

// Stores that keytool made are read, whatever their type is said to be.
func TestStores(t *testing.T) {
	keystore := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keystore, []byte(keyPEM(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, properties := range map[string]string{
		"PEM":    "ssl.truststore.type=PEM\nssl.truststore.location=testdata/trust.pem\nssl.keystore.location=" + keystore,
		"JKS":    "ssl.truststore.type=JKS\nssl.truststore.location=testdata/trust.jks\nssl.truststore.password=changeit\nssl.keystore.location=testdata/key.jks\nssl.keystore.password=changeit\nssl.key.password=keypass",
		"PKCS12": "ssl.truststore.location=testdata/trust.p12\nssl.truststore.password=changeit\nssl.keystore.location=testdata/key.p12\nssl.keystore.type=JKS\nssl.keystore.password=changeit",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := read(t, "security.protocol=SSL\n"+properties)
			if err != nil {
				t.Fatal(err)
			}
			if err := handshake(t, s, "localhost", true); err != nil {
				t.Errorf("handshake: %v", err)
			}
		})
	}
}

// Whom a client believes: the truststore's certificates, under the name it dialled
// unless told not to look at it; without a truststore, the system's.
func TestTrust(t *testing.T) {
	const trust = "security.protocol=SSL\nssl.truststore.location=testdata/trust.pem\n"
	for _, tt := range []struct{ properties, server, want string }{
		{trust, "localhost", ""},
		{trust, "elsewhere", "not elsewhere"},
		{trust + "ssl.endpoint.identification.algorithm=", "elsewhere", ""},
		{"security.protocol=SSL", "localhost", "unknown authority"},
		{"security.protocol=SSL\nssl.endpoint.identification.algorithm=", "localhost", "unknown authority"},
	} {
		s, err := read(t, tt.properties)
		if err != nil {
			t.Fatal(err)
		}
		err = handshake(t, s, tt.server, false)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q to %s: got %v, want %q", tt.properties, tt.server, err, tt.want)
		}
	}
}

// Errors name the property and the next step, and no secret (I6).
func TestErrors(t *testing.T) {
	const scram = "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
	broken := filepath.Join(t.TempDir(), "encrypted.pem")
	if err := os.WriteFile(broken, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ properties, want string }{
		{"security.protocol=TLS", "security.protocol"},
		{"sasl.mechanism=OAUTHBEARER", "OAUTHBEARER is not supported"},
		{"sasl.mechanism=GSSAPI", "GSSAPI is not supported"},
		{"sasl.mechanism=x", "use PLAIN"},
		{"security.protocol=SASL_SSL", "sasl.mechanism"},
		{scram, "sasl.jaas.config"},
		{scram + `sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="hidden";`, "ScramLoginModule required"},
		{scram + `sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="hidden"`, "semicolon"},
		{scram + `sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required user="u" password="hidden";`, "username="},
		{"security.protocol=SSL\nssl.truststore.location=testdata/missing.pem", "ssl.truststore.location: open testdata/missing.pem"},
		{"security.protocol=SSL\nssl.truststore.location=testdata/trust.jks\nssl.truststore.password=hidden", "ssl.truststore.location: read JKS"},
		{"security.protocol=SSL\nssl.truststore.location=testdata/trust.p12\nssl.truststore.password=hidden", "ssl.truststore.location: read it as PKCS#12"},
		{"security.protocol=SSL\nssl.truststore.location=testdata/key.jks\nssl.truststore.password=changeit", "no trusted certificate"},
		{"security.protocol=SSL\nssl.keystore.location=testdata/trust.jks\nssl.keystore.password=changeit", "no private key"},
		{"security.protocol=SSL\nssl.keystore.location=testdata/key.jks\nssl.keystore.password=changeit\nssl.key.password=hidden", "ssl.key.password"},
		{"security.protocol=SSL\nssl.keystore.location=" + broken, "openssl pkey"},
		{"security.protocol=SSL\nssl.keystore.certificate.chain=x", "ssl.keystore.certificate.chain"},
	} {
		s, err := read(t, tt.properties)
		if err == nil {
			_, err = s.Opts()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: got %v, want an error with %q", tt.properties, err, tt.want)
		}
	}
}

// A property with a prefix counts before the one without, and those without hold for
// the rest.
func TestPrefixed(t *testing.T) {
	properties := map[string]string{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "producer.sasl.mechanism": "SCRAM-SHA-256", "consumer.linger.ms": "1"}
	s, err := Prefixed(properties, "producer.")
	if err != nil || s == nil || s.protocol != "SASL_PLAINTEXT" || s.mechanism != "SCRAM-SHA-256" {
		t.Errorf("producers have %+v, %v", s, err)
	}
	if s, err := Prefixed(properties, "consumer."); s != nil || err != nil {
		t.Errorf("consumers have settings of their own: %+v, %v", s, err)
	}
	properties["producer.sasl.mechanism"] = "x"
	if _, err := Prefixed(properties, "producer."); err == nil || !strings.Contains(err.Error(), "producer.*") {
		t.Errorf("got %v, want an error that names producer.*", err)
	}
}

// Whatever a store holds, reading it ends with certificates or an error (I5).
func FuzzStore(f *testing.F) {
	for _, name := range []string{"trust.pem", "trust.jks", "trust.p12", "key.jks", "key.p12"} {
		content, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s := keystore.Store{Content: content, Password: "changeit", KeyPassword: "keypass"}
		_, _ = s.Certificates()
		_, _ = s.KeyPair()
	})
}
