package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issuer makes certificates for one test.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t}
	i.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	i.pem, _, i.key = i.sign(i.cert)
	return i
}

func (i *issuer) sign(c *x509.Certificate) (certPEM, keyPEM string, key *ecdsa.PrivateKey) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	parent := i.key
	if parent == nil {
		parent = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, i.cert, key.Public(), parent)
	if err != nil {
		i.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), key
}

// issue returns a certificate and key for an address or, if that is nil, a client.
func (i *issuer) issue(ip net.IP) (certPEM, keyPEM string) {
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if ip != nil {
		c.IPAddresses = []net.IP{ip}
	}
	certPEM, keyPEM, _ = i.sign(c)
	return certPEM, keyPEM
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSAndWebSockets(t *testing.T) {
	ca := newIssuer(t)
	cert, key := ca.issue(net.IPv4(127, 0, 0, 1))
	clientCert, clientKey := ca.issue(nil)
	port := func() int { return freePort(t) }
	mutual, ws, wss := port(), port(), port()
	caFile := writeFile(t, "ca.pem", ca.pem)
	files := fmt.Sprintf("cafile %s\ncertfile %s\nkeyfile %s\n", caFile, writeFile(t, "cert.pem", cert), writeFile(t, "key.pem", key))
	m := startMosquitto(t, files,
		fmt.Sprintf("listener %d 127.0.0.1\nrequire_certificate true\n%s", mutual, files),
		fmt.Sprintf("listener %d 127.0.0.1\nprotocol websockets", ws),
		fmt.Sprintf("listener %d 127.0.0.1\nprotocol websockets\n%s", wss, files))
	uri := func(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }

	works := map[string]map[string]string{
		"CA as file":   fast(uri("ssl", m.port), optTLSCA, caFile),
		"CA inline":    fast(uri("mqtts", m.port), optTLSCA, ca.pem),
		"client cert":  fast(uri("tls", mutual), optTLSCA, caFile, optTLSCert, clientCert, optTLSKey, clientKey),
		"ws":           fast(uri("ws", ws)),
		"wss":          fast(uri("wss", wss), optTLSCA, caFile),
		"key as files": fast(uri("ssl", mutual), optTLSCA, caFile, optTLSCert, writeFile(t, "c", clientCert), optTLSKey, writeFile(t, "k", clientKey)),
	}
	for name, settings := range works {
		t.Run(name, func(t *testing.T) {
			settings[optTopics] = "t/" + strings.ReplaceAll(name, " ", "")
			settings[optClientID] = name
			k := openTask(t, nil, settings)
			k.connected(1)
			big := strings.Repeat("x", 300_000) // several reads of the buffer
			if strings.HasPrefix(name, "ws") {
				big = big[:8_000] // Mosquitto 2.0 sends 40 KB a second over WebSockets
			}
			publish(t, publisher(t, uri("ws", ws)), settings[optTopics], 1, "a", big)
			if got := k.read(2, true); got[0].value != "a" || got[1].value != big {
				t.Errorf("got %d and %d bytes", len(got[0].value), len(got[1].value))
			}
			k.close()
		})
	}
	fails := []struct {
		settings map[string]string
		want     string
	}{
		{fast(uri("ssl", m.port)), "mqtt.tls.ca: the certificate of ssl://127.0.0.1"},
		{fast(uri("wss", wss)), "mqtt.tls.ca: the certificate of wss://127.0.0.1"},
		{fast(strings.Replace(uri("ssl", m.port), "127.0.0.1", "localhost", 1), optTLSCA, caFile), "mqtt.server.uri: the certificate of ssl://localhost"},
		{fast(uri("ssl", mutual), optTLSCA, caFile), "mqtt.tls.cert: ssl://127.0.0.1"},
		{fast(uri("ssl", ws), optTLSCA, caFile), "mqtt.server.uri: ssl://127.0.0.1"},
	}
	for _, f := range fails {
		var err error
		for range 5 { // a reset of the connection can overtake the broker's alert
			if err = parse(t, f.settings).Ping(t.Context()); err != nil && strings.HasPrefix(err.Error(), f.want) {
				break
			}
		}
		if err == nil || !strings.HasPrefix(err.Error(), f.want) {
			t.Errorf("got %v, want %s", err, f.want)
		}
	}
	noLeaks(t)
}
