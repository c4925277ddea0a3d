package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	segmentio "github.com/segmentio/kafka-go"
	segmentioscram "github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sluice-data/sluice/test/process"
)

// authority makes a certificate for 127.0.0.1, signed by itself, and returns the
// files of the server and of the clients.
func authority(t *testing.T) (keystore, ca string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	dir := t.TempDir()
	keystore, ca = filepath.Join(dir, "keystore.pem"), filepath.Join(dir, "ca.pem")
	both := append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	if err := errors.Join(os.WriteFile(keystore, both, 0o600), os.WriteFile(ca, cert, 0o600)); err != nil {
		t.Fatal(err)
	}
	return keystore, ca, pool
}

const jaasAlice = `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";`

// secured are the properties of a server with every SASL mechanism and ACLs.
func secured(protocol string, more ...string) []string {
	return append([]string{
		"listeners=" + protocol + "://127.0.0.1:0",
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"listener.name." + strings.ToLower(protocol) + ".plain.sasl.jaas.config=" + jaasAlice,
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users=User:admin",
		"sluice.add.scram=SCRAM-SHA-256=[name=admin,password=admin-secret],SCRAM-SHA-512=[name=admin,password=admin-secret]",
	}, more...)
}

// kgoAs is a franz-go client with a user's credential.
func kgoAs(t *testing.T, addr string, m sasl.Mechanism, opts ...kgo.Opt) *kgo.Client {
	return kgoClient(t, addr, append(opts, kgo.SASL(m), kgo.RequestRetries(1), kgo.RecordRetries(1))...)
}

func admin512() sasl.Mechanism {
	return scram.Auth{User: "admin", Pass: "admin-secret"}.AsSha512Mechanism()
}

// Every mechanism, in plaintext and over TLS, in each client; a wrong password is
// refused, and franz-go and librdkafka are told so.
func TestSASL(t *testing.T) {
	keystore, ca, pool := authority(t)
	for _, protocol := range []string{"SASL_PLAINTEXT", "SASL_SSL"} {
		s := process.New(t, secured(protocol, "ssl.keystore.location="+keystore, "allow.everyone.if.no.acl.found=true")...)
		var config *tls.Config
		if protocol == "SASL_SSL" {
			config = &tls.Config{RootCAs: pool}
		}
		for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
			user := "admin"
			if mechanism == "PLAIN" {
				user = "alice"
			}
			for _, right := range []bool{true, false} {
				password := user + "-secret"
				if !right {
					password = "wrong"
				}
				for name, connect := range map[string]func() error{
					"franz-go":   func() error { return connectKgo(t, s.Addr, config, mechanism, user, password) },
					"librdkafka": func() error { return connectRd(s.Addr, protocol, ca, mechanism, user, password, right) },
					"Sarama":     func() error { return connectSarama(s.Addr, config, mechanism, user, password) },
					"segmentio":  func() error { return connectSegmentio(t, s.Addr, config, mechanism, user, password) },
				} {
					if !right && (name == "Sarama" || name == "segmentio") {
						continue // they try for a long time
					}
					if err := connect(); (err == nil) != right {
						t.Errorf("%s, %s with %s, password right %v: %v", name, protocol, mechanism, right, err)
					}
				}
			}
		}
	}
}

func connectKgo(t *testing.T, addr string, config *tls.Config, mechanism, user, password string) error {
	a := scram.Auth{User: user, Pass: password}
	m := map[string]sasl.Mechanism{"PLAIN": plain.Auth{User: user, Pass: password}.AsMechanism(),
		"SCRAM-SHA-256": a.AsSha256Mechanism(), "SCRAM-SHA-512": a.AsSha512Mechanism()}[mechanism]
	var opts []kgo.Opt
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	err := kgoAs(t, addr, m, opts...).Ping(limit(t))
	if err != nil && !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("franz-go: %v, want %v", err, kerr.SaslAuthenticationFailed)
	}
	return err
}

func connectRd(addr, protocol, ca, mechanism, user, password string, right bool) error {
	waitMs := int(patience.Milliseconds())
	if !right {
		waitMs = 1000 // it goes on trying, and says nothing until then
	}
	p, err := kafka.NewProducer(rdConfig(addr, map[string]any{"security.protocol": protocol, "ssl.ca.location": ca,
		"sasl.mechanisms": mechanism, "sasl.username": user, "sasl.password": password}))
	if err != nil {
		return err
	}
	defer p.Close()
	refused := make(chan error, 1)
	go func() {
		for e := range p.Events() {
			if err, ok := e.(kafka.Error); ok && err.Code() == kafka.ErrAuthentication {
				select {
				case refused <- err:
				default:
				}
			}
		}
	}()
	answered := make(chan error, 1)
	go func() {
		_, err := p.GetMetadata(nil, true, waitMs)
		answered <- err
	}()
	select {
	case err := <-refused:
		<-answered
		return err
	case err := <-answered:
		return err
	}
}

func connectSarama(addr string, config *tls.Config, mechanism, user, password string) error {
	c := saramaConfig()
	c.Metadata.Retry.Max = 0
	c.Net.SASL.Enable, c.Net.SASL.Mechanism = true, sarama.SASLMechanism(mechanism)
	c.Net.SASL.User, c.Net.SASL.Password = user, password
	c.Net.TLS.Enable, c.Net.TLS.Config = config != nil, config
	if mechanism != "PLAIN" {
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaSCRAM{sha512: mechanism == "SCRAM-SHA-512"} }
	}
	cl, err := sarama.NewClient([]string{addr}, c)
	if err != nil {
		return err
	}
	return cl.Close()
}

func connectSegmentio(t *testing.T, addr string, config *tls.Config, mechanism, user, password string) error {
	t.Helper()
	tr := &segmentio.Transport{TLS: config}
	defer tr.CloseIdleConnections()
	var err error
	switch mechanism {
	case "PLAIN":
		tr.SASL = segmentioPlain(user, password)
	case "SCRAM-SHA-256":
		tr.SASL, err = segmentioscram.Mechanism(segmentioscram.SHA256, user, password)
	default:
		tr.SASL, err = segmentioscram.Mechanism(segmentioscram.SHA512, user, password)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&segmentio.Client{Addr: segmentio.TCP(addr), Transport: tr, Timeout: 10 * time.Second}).Metadata(limit(t), &segmentio.MetadataRequest{})
	return err
}

// A user that an admin client makes at run time can log in at once, over kill -9
// too, and not any more when it is deleted.
func TestSCRAMUserAtRunTime(t *testing.T) {
	s := process.New(t, secured("SASL_PLAINTEXT")...)
	rd, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": s.Addr, "log_level": 0, "security.protocol": "SASL_PLAINTEXT",
		"sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "admin", "sasl.password": "admin-secret"})
	if err != nil {
		t.Fatal(err)
	}
	change := func(c kafka.UserScramCredentialUpsertion) {
		t.Helper()
		got, err := rd.AlterUserScramCredentials(limit(t), []kafka.UserScramCredentialUpsertion{c}, nil)
		if err != nil || got.Errors[c.User].Code() != kafka.ErrNoError {
			t.Fatalf("librdkafka makes a user: %+v, %v", got, err)
		}
	}
	info := kafka.ScramCredentialInfo{Mechanism: kafka.ScramMechanismSHA256, Iterations: 4096}
	change(kafka.UserScramCredentialUpsertion{User: "carol", Password: []byte("first"), ScramCredentialInfo: info})
	login := func(password string) error {
		return connectKgo(t, s.Addr, nil, "SCRAM-SHA-256", "carol", password)
	}
	if err := login("first"); err != nil {
		t.Errorf("the new user: %v", err)
	}
	change(kafka.UserScramCredentialUpsertion{User: "carol", Password: []byte("second"), ScramCredentialInfo: info})
	rd.Close()
	restart(t, s)
	if err := login("first"); err == nil {
		t.Error("the old password is good after the change and kill -9")
	}
	if err := login("second"); err != nil {
		t.Errorf("the new password after kill -9: %v", err)
	}
	described, err := kadm.NewClient(kgoAs(t, s.Addr, admin512())).DescribeUserSCRAMs(limit(t), "carol")
	if err != nil || len(described["carol"].CredInfos) != 1 {
		t.Errorf("kadm describes %+v, %v", described, err)
	}
	deleted, err := kadm.NewClient(kgoAs(t, s.Addr, admin512())).AlterUserSCRAMs(limit(t), []kadm.DeleteSCRAM{{User: "carol", Mechanism: kadm.ScramSha256}}, nil)
	if err != nil || deleted.Error() != nil {
		t.Errorf("kadm deletes the user: %v, %v", err, deleted.Error())
	}
	if err := login("second"); err == nil {
		t.Error("the deleted user can log in")
	}
}

// Deny before allow, names and prefixes, and each API's own error.
func TestACLs(t *testing.T) {
	s := process.New(t, secured("SASL_PLAINTEXT")...)
	adm, ctx := kadm.NewClient(kgoAs(t, s.Addr, admin512())), limit(t)
	for _, topic := range []string{"sales-eu", "sales-secret", "other"} {
		if _, err := adm.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
	alice := func(opts ...kgo.Opt) *kgo.Client {
		return kgoAs(t, s.Addr, plain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism(), opts...)
	}
	write := func(topic string) error {
		return alice().ProduceSync(limit(t), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()
	}
	if err := write("sales-eu"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("without an ACL: %v", err)
	}
	create := func(b *kadm.ACLBuilder) {
		t.Helper()
		if got, err := adm.CreateACLs(ctx, b); err != nil || got[0].Err != nil {
			t.Fatalf("create ACL: %+v, %v", got, err)
		}
	}
	create(kadm.NewACLs().Allow("User:alice").AllowHosts("*").Topics("sales-").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpWrite, kadm.OpRead))
	create(kadm.NewACLs().Deny("User:alice").DenyHosts("*").Topics("sales-secret").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpAll))
	create(kadm.NewACLs().Allow("User:alice").AllowHosts("127.0.0.1").Groups("reports").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpRead))
	for topic, want := range map[string]error{"sales-eu": nil, "sales-secret": kerr.TopicAuthorizationFailed, "other": kerr.TopicAuthorizationFailed} {
		if err := write(topic); !errors.Is(err, want) {
			t.Errorf("write to %s: %v, want %v", topic, err, want)
		}
	}
	topics, err := kadm.NewClient(alice()).ListTopics(ctx)
	if err != nil || len(topics) != 1 || !topics.Has("sales-eu") {
		t.Errorf("alice sees %v, %v, want sales-eu", topics.Names(), err)
	}
	for group, want := range map[string]error{"reports": nil, "others": kerr.GroupAuthorizationFailed} {
		if _, err := kadm.NewClient(alice()).FetchOffsets(ctx, group); !errors.Is(err, want) {
			t.Errorf("offsets of group %s: %v, want %v", group, err, want)
		}
	}
	if _, err := kadm.NewClient(alice()).CreateTopic(ctx, 1, 1, nil, "mine"); !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("alice creates a topic: %v", err)
	}

	conf := saramaConfig()
	conf.Net.SASL.Enable, conf.Net.SASL.Mechanism, conf.Net.SASL.User, conf.Net.SASL.Password = true, "SCRAM-SHA-512", "admin", "admin-secret"
	conf.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaSCRAM{sha512: true} }
	sa, err := sarama.NewClusterAdmin([]string{s.Addr}, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer sa.Close()
	name := "sales-eu"
	matched, err := sa.ListAcls(sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: &name, Operation: sarama.AclOperationAny,
		PermissionType: sarama.AclPermissionAny, ResourcePatternTypeFilter: sarama.AclPatternMatch})
	if err != nil || len(matched) != 1 || matched[0].ResourceName != "sales-" || len(matched[0].Acls) != 2 {
		t.Errorf("Sarama: what matches sales-eu is %+v, %v", matched, err)
	}
	q := kmsg.NewPtrMetadataRequest()
	q.IncludeTopicAuthorizedOperations = true
	resp, err := q.RequestWith(ctx, alice())
	if err != nil || len(resp.Topics) != 1 {
		t.Fatalf("metadata: %+v, %v", resp, err)
	}
	if want := int32(1<<3 | 1<<4 | 1<<8); resp.Topics[0].AuthorizedOperations != want {
		t.Errorf("authorized operations %b, want read, write and describe: %b", resp.Topics[0].AuthorizedOperations, want)
	}
}

// A producer above its quota is slowed down to it, and told so.
func TestProducerQuota(t *testing.T) {
	s := process.New(t)
	makeTopic(t, s.Addr, "slow", 1)
	const rate = 100_000
	client := "judge-quota"
	entry := kadm.AlterClientQuotaEntry{Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &client}}, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: rate}}}
	if got, err := kadmClient(t, s.Addr).AlterClientQuotas(limit(t), []kadm.AlterClientQuotaEntry{entry}); err != nil || got[0].Err != nil {
		t.Fatalf("set quota: %+v, %v", got, err)
	}
	throttled := make(chan struct{}, 1000)
	p, err := kafka.NewProducer(rdConfig(s.Addr, map[string]any{"client.id": client, "statistics.interval.ms": 100, "linger.ms": 5, "batch.size": 20_000}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	go func() {
		for e := range p.Events() {
			if stats, ok := e.(*kafka.Stats); ok && throttleTime.MatchString(stats.String()) {
				select {
				case throttled <- struct{}{}:
				default:
				}
			}
		}
	}()
	begin := time.Now()
	for i, err := range rdSend(t, p, "slow", numbered(strings.Repeat("x", 1000), 500)) {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	took := time.Since(begin)
	if took < 3*time.Second || took > patience/2 {
		t.Errorf("500 kB took %v, want about 5 s less the first second's worth", took)
	}
	select {
	case <-throttled:
	case <-time.After(patience):
		t.Error("librdkafka was not told of a throttle time")
	}
}

var throttleTime = regexp.MustCompile(`"throttle":\s*\{\s*"min":\s*\d+,\s*"max":\s*[1-9]`)

// A session that ends while records flow is renewed on the same connection.
func TestReauthentication(t *testing.T) {
	s := process.New(t, secured("SASL_PLAINTEXT", "connections.max.reauth.ms=4000", "allow.everyone.if.no.acl.found=true")...)
	cl := kgoAs(t, s.Addr, admin512())
	if _, err := kadm.NewClient(cl).CreateTopic(limit(t), 1, 1, nil, "flow"); err != nil {
		t.Fatal(err)
	}
	rd := rdProducer(t, s.Addr, map[string]any{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "SCRAM-SHA-256",
		"sasl.username": "admin", "sasl.password": "admin-secret"})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); time.Since(begin) < 6*time.Second; <-tick.C {
		if err := cl.ProduceSync(limit(t), &kgo.Record{Topic: "flow", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatalf("franz-go after %v: %v", time.Since(begin), err)
		}
		for _, err := range rdSend(t, rd, "flow", values("x")) {
			if err != nil {
				t.Fatalf("librdkafka after %v: %v", time.Since(begin), err)
			}
		}
	}
}
