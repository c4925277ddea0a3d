package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// writeFile makes a file in a directory of the test.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// selfSigned makes a keystore for 127.0.0.1 and a pool that trusts it.
func selfSigned(t *testing.T) (keystore string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	return cert + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), pool
}

// A server with TLS, SCRAM and ACLs: the worker needs no credentials, the first
// user comes from the properties, and makes the second and its rights.
func TestSecuredServer(t *testing.T) {
	keystore, pool := selfSigned(t)
	dataDir := t.TempDir()
	start := func(password string) (addr string, end func() error) {
		c, err := loadProperties(t, `
listeners=SASL_SSL://127.0.0.1:0
ssl.keystore.location=`+writeFile(t, "keystore.pem", keystore)+`
sasl.enabled.mechanisms=SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin
sluice.add.scram=SCRAM-SHA-512=[name=admin,password=`+password+`]
`)
		if err != nil {
			t.Fatal(err)
		}
		c.DataDir, c.REST, c.Registry = dataDir, "127.0.0.1:0", "127.0.0.1:0"
		a, end := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
		return a.Kafka, end
	}
	addr, end := start("admin-secret")
	client := func(user, password string) *kgo.Client {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.RequestRetries(1), kgo.RecordRetries(1),
			kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	admin := kadm.NewClient(client("admin", "admin-secret"))
	users, err := admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: "alice", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "alice-secret"}})
	if err != nil || users.Error() != nil {
		t.Fatalf("make alice: %v, %v", err, users.Error())
	}
	if _, err := admin.CreateTopics(t.Context(), 1, 1, nil, "hers", "others"); err != nil {
		t.Fatal(err)
	}
	acls, err := admin.CreateACLs(t.Context(), kadm.NewACLs().Allow("User:alice").AllowHosts("127.0.0.1").Topics("hers").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpWrite))
	if err != nil || acls[0].Err != nil {
		t.Fatalf("give rights: %v, %+v", err, acls)
	}
	produce := func(topic string) error {
		return client("alice", "alice-secret").ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
	}
	if err := produce("hers"); err != nil {
		t.Errorf("her topic: %v", err)
	}
	if err := produce("others"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("another topic: %v", err)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	addr, _ = start("a new password that does not count, because admin exists")
	if err := client("admin", "admin-secret").Ping(t.Context()); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := produce("hers"); err != nil {
		t.Errorf("her topic after a restart: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(dataDir, logDir, "security.json")); err != nil || strings.Contains(string(text), "-secret") {
		t.Errorf("security.json has a password, or %v", err)
	}
}

// The properties of a worker on a secured cluster are those of Kafka's clients.
func TestWorkerOnASecuredServer(t *testing.T) {
	keystore, _ := selfSigned(t)
	store := writeFile(t, "keystore.pem", keystore)
	c, err := loadProperties(t, `
listeners=SASL_SSL://127.0.0.1:0
ssl.keystore.location=`+store+`
sasl.enabled.mechanisms=SCRAM-SHA-512
sluice.add.scram=SCRAM-SHA-512=[name=connect,password=connect-secret]
`)
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir, c.REST, c.Registry = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	cluster, _ := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
	const client = `security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="connect" password="connect-secret";
`
	if _, err := loadProperties(t, client); err == nil || !strings.Contains(err.Error(), "embedded log in memory") {
		t.Errorf("without bootstrap.servers: got %v", err)
	}
	c, err = loadProperties(t, client+"bootstrap.servers="+cluster.Kafka+"\nssl.truststore.location="+store)
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir, c.REST, c.Registry = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	_, end := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
	if err := end(); err != nil {
		t.Error(err)
	}
}
