package engine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/logtest"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/security"
)

const stores = "clientconfig/testdata/"

// secured serves a log on TCP in each way that clients have to identify themselves,
// and returns the addresses. The topic "in" is written by the user writer and read by
// reader only; worker and others may use everything else.
func secured(t *testing.T, listeners ...broker.Listener) (addrs []string) {
	t.Helper()
	fs := vfs.NewMem()
	must(t, fs.MkdirAll(logtest.Memory))
	store, err := security.Open(logtest.Memory, fs)
	if err != nil {
		t.Fatal(err)
	}
	for user, mechanism := range map[string]string{"worker": "SCRAM-SHA-512", "writer": "SCRAM-SHA-256"} {
		m, _ := security.ParseMechanism(mechanism)
		change, err := security.NewPassword(user, m, user+"-secret", 4096)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.AlterCredentials([]security.Change{change}); err != nil {
			t.Fatal(err)
		}
	}
	allow := func(user string, op kmsg.ACLOperation) security.ACL {
		return security.ACL{Resource: security.Resource{Type: kmsg.ACLResourceTypeTopic, Name: "in", Pattern: kmsg.ACLResourcePatternTypeLiteral},
			Principal: "User:" + user, Host: "*", Operation: op, Permission: kmsg.ACLPermissionTypeAllow}
	}
	if err := store.CreateACLs([]security.ACL{allow("writer", kmsg.ACLOperationWrite), allow("writer", kmsg.ACLOperationCreate), allow("reader", kmsg.ACLOperationRead)}); err != nil {
		t.Fatal(err)
	}
	n := logtest.Start(t, logtest.On(fs, logtest.Memory), func(c *logtest.Config) {
		c.Broker.Security, c.Broker.Authorizer = store, &security.Authorizer{Store: store, AllowIfNoACL: true}
	})
	for _, l := range listeners {
		addrs = append(addrs, n.Listen(l, nil))
	}
	return addrs
}

// brokerTLS is the configuration of a broker with the key of the test's keystore.
func brokerTLS(t *testing.T, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	content, err := os.ReadFile(stores + "key.p12")
	if err != nil {
		t.Fatal(err)
	}
	key, cert, err := pkcs12.Decode(content, "changeit")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{PrivateKey: key, Certificate: [][]byte{cert.Raw}}}, ClientCAs: pool, ClientAuth: auth}
}

func jaas(module, user string) string {
	return "org.apache.kafka.common.security." + module + ` required username="` + user + `" password="` + user + `-secret";`
}

// Each way of Kafka's clients to a broker that wants to know who they are leads there,
// and not with a wrong password.
func TestClientSecurity(t *testing.T) {
	plain := map[string]string{"reader": "reader-secret"}
	addrs := secured(t,
		broker.Listener{Name: "SSL", TLS: brokerTLS(t, tls.RequireAndVerifyClientCert)},
		broker.Listener{Name: "SASL_SSL", TLS: brokerTLS(t, tls.NoClientCert), Mechanisms: []string{"SCRAM-SHA-512", "PLAIN"}, PlainUsers: plain},
		broker.Listener{Name: "SASL_PLAINTEXT", Mechanisms: []string{"SCRAM-SHA-256", "PLAIN"}, PlainUsers: plain})
	trust := map[string]string{"ssl.truststore.location": stores + "trust.jks", "ssl.truststore.password": "changeit"}
	for _, tt := range []struct {
		name, addr string
		ok         bool
		properties map[string]string
	}{
		{"certificate", addrs[0], true, map[string]string{"security.protocol": "SSL", "ssl.keystore.location": stores + "key.jks", "ssl.keystore.password": "changeit", "ssl.key.password": "keypass"}},
		{"no certificate", addrs[0], false, map[string]string{"security.protocol": "SSL"}},
		{"SCRAM over TLS", addrs[1], true, map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": jaas("scram.ScramLoginModule", "worker")}},
		{"PLAIN over TLS", addrs[1], true, map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.jaas.config": jaas("plain.PlainLoginModule", "reader")}},
		{"unknown user", addrs[1], false, map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.jaas.config": jaas("plain.PlainLoginModule", "nobody")}},
		{"another mechanism", addrs[2], false, map[string]string{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": jaas("scram.ScramLoginModule", "worker")}},
		{"SCRAM", addrs[2], true, map[string]string{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256", "sasl.jaas.config": jaas("scram.ScramLoginModule", "writer")}},
		{"no TLS", addrs[1], false, map[string]string{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": jaas("plain.PlainLoginModule", "reader")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for k, v := range trust {
				tt.properties[k] = v
			}
			cfg, err := engine.ParseProperties(tt.properties)
			if err != nil {
				t.Fatal(err)
			}
			client, err := kgo.NewClient(append(cfg.WorkerOpts, kgo.SeedBrokers(tt.addr), kgo.RequestRetries(0), kgo.DisableClientMetrics())...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(t.Context(), enginetest.Patience)
			defer cancel()
			if err := client.Ping(ctx); (err == nil) != tt.ok {
				t.Errorf("ping: %v, want success: %v", err, tt.ok)
			}
		})
	}
}

// A connector may be another user than its worker's, with a policy that allows no more
// than that: each may do its own only, and the offsets of the source are the worker's
// business.
func TestPrincipalsOfConnectors(t *testing.T) {
	addrs := secured(t, broker.Listener{Name: "SASL_SSL", TLS: brokerTLS(t, tls.NoClientCert),
		Mechanisms: []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"}, PlainUsers: map[string]string{"reader": "reader-secret"}})
	cfg, err := engine.ParseProperties(map[string]string{"bootstrap.servers": addrs[0], "connector.client.config.override.policy": "Principal",
		"security.protocol": "SASL_SSL", "ssl.truststore.location": stores + "trust.pem", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": jaas("scram.ScramLoginModule", "worker"),
	})
	must(t, err)
	var got collector
	var log enginetest.Log
	w := enginetest.Start(t, &enginetest.Cluster{}, func(c *engine.Config) {
		cfg.Plugins, cfg.Logger, cfg.WorkerID, cfg.TaskShutdownTimeout = c.Plugins, c.Logger, c.WorkerID, c.TaskShutdownTimeout
		*c = cfg
	}, counting("in", 100, &log), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "not", sourceConf("auto.restart.enable", "false"))
	if status := w.Await(t, "not", engine.Running, engine.Failed); !strings.Contains(status.Tasks[0].Trace, "TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("the worker's user writes: %s", status.Tasks[0].Trace)
	}
	must(t, w.Delete(t.Context(), "not"))
	w.Create(t, "src", sourceConf("producer.override.sasl.mechanism", "SCRAM-SHA-256", "producer.override.sasl.jaas.config", jaas("scram.ScramLoginModule", "writer")))
	w.Create(t, "snk", sinkConf("consumer.override.sasl.mechanism", "PLAIN", "consumer.override.sasl.jaas.config", jaas("plain.PlainLoginModule", "reader")))
	got.await(t, texts(0, 100)...)
	enginetest.Eventually(t, caughtUp(&log, 100), func() string { return fmt.Sprint(log.Events()) })

	// What is given is checked, and shown without secrets (I6).
	infos, err := w.Validate(t.Context(), enginetest.SourceClass, sourceConf("name", "bad", "producer.override.sasl.mechanism", "SCRAM-SHA-256", "producer.override.sasl.jaas.config", "hunter2"))
	must(t, err)
	text := fmt.Sprintf("%+v", infos)
	for _, c := range infos.Configs {
		text += fmt.Sprint(c.Value.Errors)
		for _, shown := range []*string{c.Value.Value, c.Definition.DefaultValue} {
			if shown != nil {
				text += *shown
			}
		}
	}
	if infos.ErrorCount != 1 || !strings.Contains(text, "producer.override.sasl.jaas.config: ") || strings.Contains(text, "hunter2") || strings.Contains(text, "worker-secret") {
		t.Errorf("a wrong login module: %d errors, %s", infos.ErrorCount, text)
	}
}

// A worker has one user, what its sources write another one and what its sinks read a
// third: each may do its own only.
func TestWorkerOnASecuredCluster(t *testing.T) {
	addrs := secured(t, broker.Listener{Name: "SASL_SSL", TLS: brokerTLS(t, tls.NoClientCert),
		Mechanisms: []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"}, PlainUsers: map[string]string{"reader": "reader-secret"}})
	properties, err := engine.ParseProperties(map[string]string{
		"security.protocol": "SASL_SSL", "ssl.truststore.location": stores + "trust.pem", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": jaas("scram.ScramLoginModule", "worker"),
		"producer.sasl.mechanism": "SCRAM-SHA-256", "producer.sasl.jaas.config": jaas("scram.ScramLoginModule", "writer"), "producer.compression.type": "lz4",
		"consumer.sasl.mechanism": "PLAIN", "consumer.sasl.jaas.config": jaas("plain.PlainLoginModule", "reader"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got collector
	cluster := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(addrs[0])}}
	w := enginetest.Start(t, cluster, func(cfg *engine.Config) {
		cfg.WorkerOpts, cfg.ProducerOpts, cfg.ConsumerOpts, cfg.AdminOpts, cfg.Clients = properties.WorkerOpts, properties.ProducerOpts, properties.ConsumerOpts, properties.AdminOpts, properties.Clients
	}, counting("in", 100, new(enginetest.Log)), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "src", sourceConf())
	w.Create(t, "snk", sinkConf())
	got.await(t, texts(0, 100)...)
}
