package schemaregistry_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/logtest"
	"github.com/sluice-data/sluice/log/security"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// A registry that may use its topic and not create topics uses the one that somebody else has made.
func TestTopicOfSomebodyElse(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll(logtest.Memory); err != nil {
		t.Fatal(err)
	}
	store, err := security.Open(logtest.Memory, fs)
	if err != nil {
		t.Fatal(err)
	}
	allow := func(typ kmsg.ACLResourceType, name, user string, op kmsg.ACLOperation) security.ACL {
		return security.ACL{Resource: security.Resource{Type: typ, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral},
			Principal: "User:" + user, Host: "*", Operation: op, Permission: kmsg.ACLPermissionTypeAllow}
	}
	topic := kmsg.ACLResourceTypeTopic
	if err := store.CreateACLs([]security.ACL{allow(kmsg.ACLResourceTypeCluster, "kafka-cluster", "admin", kmsg.ACLOperationCreate),
		allow(topic, "_schemas", "registry", kmsg.ACLOperationRead), allow(topic, "_schemas", "registry", kmsg.ACLOperationWrite),
		allow(topic, "_schemas", "registry", kmsg.ACLOperationDescribeConfigs)}); err != nil {
		t.Fatal(err)
	}
	n := logtest.Start(t, logtest.On(fs, logtest.Memory), func(c *logtest.Config) {
		c.Broker.Security, c.Broker.Authorizer = store, &security.Authorizer{Store: store, AllowIfNoACL: true}
	})
	addr := n.Listen(broker.Listener{Name: "SASL_PLAINTEXT", Mechanisms: []string{"PLAIN"}, PlainUsers: map[string]string{"admin": "a", "registry": "r"}}, nil)
	as := func(user, password string) []kgo.Opt {
		return []kgo.Opt{kgo.SeedBrokers(addr), kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())}
	}
	compact := "compact"
	if _, err := kadm.NewClient(client(t, as("admin", "a"))).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, "_schemas"); err != nil {
		t.Fatal(err)
	}
	r, _ := registrytest.Start(t, as("registry", "r"))
	if v := register(t, r, "s", `"int"`); v.ID != 1 {
		t.Errorf("registered %+v", v)
	}
}
