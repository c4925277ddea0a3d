package main

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// loadProperties loads a server's config from the text of a properties file.
func loadProperties(t *testing.T, text string, given ...string) (Config, error) {
	t.Helper()
	flags := map[string]bool{}
	for _, name := range given {
		flags[name] = true
	}
	f := serverFlags{config: writeFile(t, "worker.properties", text), dataDir: "d", rest: defaultREST, kafka: defaultKafka, registry: defaultRegistry}
	return f.load(flags, nil, nil)
}

const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="pa55word";`

func TestBrokerProperties(t *testing.T) {
	c, err := loadProperties(t, `
listeners=http://127.0.0.1:1, SASL_SSL://:9093, internal://127.0.0.1:9092
advertised.listeners=SASL_SSL://broker.example.com:9093
listener.security.protocol.map=INTERNAL:SASL_PLAINTEXT
ssl.keystore.location=/etc/broker.pem
ssl.truststore.location=/etc/ca.pem
listener.name.sasl_ssl.ssl.client.auth=requested
ssl.enabled.protocols=TLSv1.3
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.internal.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.internal.plain.sasl.jaas.config=`+jaas+`
connections.max.reauth.ms=60000
listener.name.internal.max.connections=7
max.connections=100
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=200
max.connections.per.ip=20
max.connections.per.ip.overrides=127.0.0.1:50,::1:3
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:CN=ops,O=Example
sluice.add.scram=SCRAM-SHA-512=[name=admin,password=pa55,word],SCRAM-SHA-256=[name=bob,password=pa55word]
group.id=workers
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.REST != "127.0.0.1:1" || !maps.Equal(c.Properties, map[string]string{"group.id": "workers"}) {
		t.Errorf("REST %s, worker's properties %v, want none of the broker's", c.REST, c.Properties)
	}
	b := c.broker
	if len(b.listeners) != 2 {
		t.Fatalf("%d listeners, want 2", len(b.listeners))
	}
	l := b.listeners[0]
	if l.Name != "SASL_SSL" || l.addr != ":9093" || l.AdvertisedAddr != "broker.example.com:9093" || !slices.Equal(l.Mechanisms, []string{"SCRAM-SHA-512"}) ||
		l.MaxReauth != time.Minute || l.MaxConnections != 0 || l.PlainUsers != nil {
		t.Errorf("first listener %+v", l)
	}
	if o := l.tls; o == nil || o.KeystoreFile != "/etc/broker.pem" || o.TruststoreFile != "/etc/ca.pem" || o.ClientAuth != tls.VerifyClientCertIfGiven || o.MinVersion != tls.VersionTLS13 {
		t.Errorf("its TLS %+v", o)
	}
	l = b.listeners[1]
	if l.Name != "INTERNAL" || l.AdvertisedAddr != "" || l.tls != nil || !slices.Equal(l.Mechanisms, []string{"PLAIN", "SCRAM-SHA-256"}) ||
		l.MaxConnections != 7 || l.PlainUsers["alice"] != "pa55word" {
		t.Errorf("second listener %+v", l)
	}
	if !b.authorize || len(b.superUsers) != 2 || b.superUsers[1].Name != "CN=ops,O=Example" || b.allowIfNoACL {
		t.Errorf("authorization %v %v %v", b.authorize, b.superUsers, b.allowIfNoACL)
	}
	if len(b.users) != 2 || b.users[0].User != "admin" || b.users[1].User != "bob" {
		t.Errorf("%d users", len(b.users))
	}
	if b.limits.maxConnections != 100 || b.limits.maxConnectionsPerIP != 20 || !maps.Equal(b.limits.perIPOverrides, map[string]int{"127.0.0.1": 50, "::1": 3}) {
		t.Errorf("limits %+v", b.limits)
	}
	if want := (logCleaning{time.Second, 200 * time.Millisecond}); b.cleaning != want {
		t.Errorf("cleaning %+v, want %+v", b.cleaning, want)
	}
}

// The flag --kafka is the simple way, and wins; on an external cluster the
// properties of a broker are left to the worker's client.
func TestBrokerPropertiesAndFlags(t *testing.T) {
	c, err := loadProperties(t, "listeners=SSL://127.0.0.1:9093\nssl.keystore.location=x", "kafka")
	if l := c.kafkaListeners(); err != nil || len(l) != 1 || l[0].addr != defaultKafka || l[0].tls != nil {
		t.Errorf("with --kafka: %+v, %v", l, err)
	}
	c, err = loadProperties(t, "bootstrap.servers=kafka:9092\nssl.truststore.location=x")
	if err != nil || c.Properties["ssl.truststore.location"] != "x" {
		t.Errorf("external cluster: properties %v, %v", c.Properties, err)
	}
}

func TestBrokerPropertyErrors(t *testing.T) {
	for text, want := range map[string]string{
		"listeners=OUTSIDE://:9092":                                                 "listener.security.protocol.map",
		"listeners=PLAINTEXT://9092":                                                "NAME://HOST:PORT",
		"listeners=PLAINTEXT://:1,PLAINTEXT://:2":                                   "twice",
		"listeners=SSL://:9093":                                                     "ssl.keystore.location",
		"listeners=SSL://:9093\nssl.keystore.type=JKS":                              "ssl.keystore.type",
		"listeners=SSL://:9093\nssl.keystore.location=x\nssl.key.password=pa55word": "unencrypted",
		"listeners=SASL_PLAINTEXT://:9092":                                          "sasl.enabled.mechanisms",
		"listeners=SASL_PLAINTEXT://:9092\nsasl.enabled.mechanisms=GSSAPI":          "sasl.enabled.mechanisms",
		"listeners=SASL_PLAINTEXT://:9092\nsasl.enabled.mechanisms=PLAIN\nlistener.name.sasl_plaintext.plain.sasl.jaas.config=x pa55word": "login module",
		"listeners=SASL_PLAINTEXT://:9092\nsasl.enabled.mechanisms=PLAIN":                                                                 "plain.sasl.jaas.config",
		"listeners=PLAINTEXT://:9092\nadvertised.listeners=SSL://x:1":                                                                     "no listener SSL",
		"listener.security.protocol.map=A:TLS":                                                                                            "listener.security.protocol.map",
		"authorizer.class.name=org.example.Mine":                                                                                          "authorizer.class.name",
		"super.users=alice":                                                                                                               "super.users",
		"max.connections.per.ip.overrides=host:1":                                                                                         "ADDRESS:NUMBER",
		"sluice.add.scram=alice:pa55word":                                                                                                 "SCRAM-SHA-256=[",
		"max.connections=many":                                                                                                            "max.connections",
	} {
		_, err := loadProperties(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pa55word") { // I6
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}
