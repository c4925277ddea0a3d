package broker

import (
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/security"
)

// Without an authorizer the ACL APIs say so, in the error that Kafka's tools know.
func TestACLsDisabled(t *testing.T) {
	c := newServer(t).raw()
	describe := kmsg.NewPtrDescribeACLsRequest()
	describe.SetVersion(2)
	if got := ask[*kmsg.DescribeACLsResponse](c, describe); got.ErrorCode != kerr.SecurityDisabled.Code {
		t.Errorf("describe: error %d", got.ErrorCode)
	}
	create := kmsg.NewPtrCreateACLsRequest()
	create.SetVersion(2)
	create.Creations = []kmsg.CreateACLsRequestCreation{kmsg.NewCreateACLsRequestCreation()}
	if got := ask[*kmsg.CreateACLsResponse](c, create); got.Results[0].ErrorCode != kerr.SecurityDisabled.Code {
		t.Errorf("create: error %d", got.Results[0].ErrorCode)
	}
	drop := kmsg.NewPtrDeleteACLsRequest()
	drop.SetVersion(2)
	drop.Filters = []kmsg.DeleteACLsRequestFilter{kmsg.NewDeleteACLsRequestFilter()}
	if got := ask[*kmsg.DeleteACLsResponse](c, drop); got.Results[0].ErrorCode != kerr.SecurityDisabled.Code {
		t.Errorf("delete: error %d", got.Results[0].ErrorCode)
	}
}

// A super user gives rights with Kafka's own requests; they hold at once, survive a
// restart, and end when they are taken away.
func TestACLsOverTheProtocol(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, nil)
	s.authorize()
	s.createTopic("sales-1", 1, nil)
	login := func(user string) kgo.Opt {
		return kgo.SASL(plain.Auth{User: user, Pass: "secret"}.AsMechanism())
	}
	listener := plainListener(func(l *Listener) { l.PlainUsers["root"] = "secret" })
	ln := s.listen(listener)
	root, alice := ln.admin(login("root")), func(opts ...kgo.Opt) *kgo.Client { return ln.client(append(opts, login("alice"))...) }
	if err := roundTrip(t, s, "sales-1", alice); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("without rights: %v", err)
	}
	if res, err := kadm.NewClient(alice()).CreateACLs(s.ctx(), aclOf("alice", "sales-")); err != nil || !errors.Is(res[0].Err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("alice makes ACLs: %v, %+v", err, res)
	}
	if res, err := root.CreateACLs(s.ctx(), aclOf("alice", "sales-")); err != nil || res[0].Err != nil {
		t.Fatalf("create: %v, %+v", err, res)
	}
	if err := roundTrip(t, s, "sales-1", alice); err != nil {
		t.Errorf("with rights: %v", err)
	}
	s.restart()
	s.authorize()
	ln = s.listen(listener)
	if err := roundTrip(t, s, "sales-1", alice); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	root = ln.admin(login("root"))
	got, err := root.DescribeACLs(s.ctx(), aclOf("alice", "sales-").ResourcePatternType(kadm.ACLPatternAny))
	if err != nil || len(got) != 2 || len(got[0].Described) != 1 {
		t.Fatalf("describe: %v, %+v", err, got)
	}
	if d := got[0].Described[0]; d.Principal != "User:alice" || d.Host != "*" || d.Pattern != kadm.ACLPatternPrefixed || d.Permission != kmsg.ACLPermissionTypeAllow {
		t.Errorf("described as %+v", d)
	}
	if gone, err := root.DeleteACLs(s.ctx(), aclOf("alice", "sales-")); err != nil || len(gone[0].Deleted) != 1 {
		t.Fatalf("delete: %v, %+v", err, gone)
	}
	if err := roundTrip(t, s, "sales-1", alice); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("after the rights are gone: %v", err)
	}
}

// aclOf allows a user to read and write topics with a prefix.
func aclOf(user, prefix string) *kadm.ACLBuilder {
	return kadm.NewACLs().Allow("User:"+user).AllowHosts("*").Topics(prefix).ResourcePatternType(kadm.ACLPatternPrefixed).
		Operations(kadm.OpRead, kadm.OpWrite)
}

// Metadata of all topics, and lists of groups, show a client its own only.
func TestListsAreFiltered(t *testing.T) {
	s := startServer(t, "/d", vfs.NewMem(), nil)
	s.createTopic("mine", 1, nil)
	s.createTopic("other", 1, nil)
	s.authorize("ALLOW User:alice READ TOPIC mine")
	ln := s.listen(plainListener(nil))
	c := ln.raw()
	c.login("alice")
	q := kmsg.NewPtrMetadataRequest()
	q.SetVersion(10)
	q.IncludeClusterAuthorizedOperations, q.IncludeTopicAuthorizedOperations = true, true
	got := ask[*kmsg.MetadataResponse](c, q)
	if len(got.Topics) != 1 || *got.Topics[0].Topic != "mine" {
		t.Fatalf("topics %+v, want mine only", got.Topics)
	}
	if want := int32(1<<kmsg.ACLOperationRead | 1<<kmsg.ACLOperationDescribe); got.Topics[0].AuthorizedOperations != want {
		t.Errorf("operations on mine: %b, want %b", got.Topics[0].AuthorizedOperations, want)
	}
	if got.AuthorizedOperations != 0 {
		t.Errorf("operations on the cluster: %b, want none", got.AuthorizedOperations)
	}
	all := ask[*kmsg.DescribeTopicPartitionsResponse](c, kmsg.NewPtrDescribeTopicPartitionsRequest())
	if len(all.Topics) != 1 || *all.Topics[0].Topic != "mine" {
		t.Errorf("DescribeTopicPartitions: %+v, want mine only", all.Topics)
	}
}

// A topic that a client may not see answers alike whether it exists or not, and
// is not created by asking.
func TestDeniedTopicsLookAlike(t *testing.T) {
	s := startServer(t, "/d", vfs.NewMem(), nil)
	s.createTopic("exists", 1, nil)
	s.authorize("ALLOW User:alice DESCRIBE TOPIC wanted")
	c := s.listen(plainListener(nil)).raw()
	c.login("alice")
	for _, topic := range []string{"exists", "does-not", "wanted"} {
		q := kmsg.NewPtrMetadataRequest()
		q.SetVersion(12)
		q.AllowAutoTopicCreation = true
		q.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
		got := ask[*kmsg.MetadataResponse](c, q).Topics[0]
		if got.ErrorCode != kerr.TopicAuthorizationFailed.Code || got.TopicID != [16]byte{} || len(got.Partitions) != 0 {
			t.Errorf("Metadata of %s: %+v", topic, got)
		}
		p := ask[*kmsg.ProduceResponse](c, produceRequest(topic, 1, oneBatch(t, 1, 10))).Topics[0].Partitions[0]
		if p.ErrorCode != kerr.TopicAuthorizationFailed.Code {
			t.Errorf("Produce to %s: error %d", topic, p.ErrorCode)
		}
		if _, ok := s.log.Topic(topic); ok && topic != "exists" {
			t.Errorf("%s was created", topic)
		}
	}
}

// SCRAM users are described without their keys, and each user has one answer.
func TestSCRAMOverTheProtocol(t *testing.T) {
	s := newServer(t)
	s.addUser("alice", "a", kadm.ScramSha256)
	s.addUser("alice", "a", kadm.ScramSha512)
	s.addUser("bob", "b", kadm.ScramSha256)
	adm := kadm.NewClient(s.client())
	got, err := adm.DescribeUserSCRAMs(s.ctx())
	if err != nil || len(got) != 2 || len(got["alice"].CredInfos) != 2 || got["bob"].CredInfos[0].Iterations != 4096 {
		t.Errorf("all: %v, %+v", err, got)
	}
	one := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	one.Users = []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "nobody"}, {Name: "bob"}, {Name: "bob"}}
	codes := errorCodesOf(ask[*kmsg.DescribeUserSCRAMCredentialsResponse](s.raw(), one))
	if want := []int16{kerr.DuplicateResource.Code, kerr.ResourceNotFound.Code}; !slices.Equal(codes, want) {
		t.Errorf("by name: error codes %v, want %v", codes, want)
	}
	alter := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	alter.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "alice", Mechanism: 1}, {Name: "bob", Mechanism: 2}, {Name: "carol", Mechanism: 9}}
	alter.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{
		{Name: "alice", Mechanism: 1, Iterations: 4096, Salt: []byte("salt"), SaltedPassword: make([]byte, 32)},
		{Name: "dave", Mechanism: 1, Iterations: 1, Salt: []byte("salt"), SaltedPassword: make([]byte, 32)},
		{Name: "erin", Mechanism: 1, Iterations: 4096, Salt: []byte("salt"), SaltedPassword: make([]byte, 32)},
	}
	codes = errorCodesOf(ask[*kmsg.AlterUserSCRAMCredentialsResponse](s.raw(), alter))
	want := []int16{kerr.DuplicateResource.Code, kerr.ResourceNotFound.Code, kerr.UnsupportedSaslMechanism.Code, kerr.UnacceptableCredential.Code, 0}
	if !slices.Equal(codes, want) {
		t.Errorf("alter: error codes %v, want %v", codes, want)
	}
	if after := s.store.Credentials(); len(after) != 3 || len(after["alice"]) != 2 {
		t.Errorf("after the change there are %v, want alice's two, bob and erin", after)
	}
}

// errorCodesOf are the codes of the entries of a response, without its own.
func errorCodesOf(resp kmsg.Response) []int16 {
	_, codes := isDenied(resp)
	if _, ok := resp.(*kmsg.DescribeUserSCRAMCredentialsResponse); ok {
		return codes[1:]
	}
	return codes
}

// Quotas are set and described with Kafka's requests; none is an empty list.
func TestQuotasOverTheProtocol(t *testing.T) {
	s := newServer(t)
	empty := kmsg.NewPtrDescribeClientQuotasRequest()
	empty.SetVersion(1)
	c := s.raw()
	c.send(requestFrame(empty, empty.AppendTo(nil)))
	body, err := c.receive()
	// tags, throttle, error code, null message, and then the entries: 0 is null, 1 empty.
	if err != nil || len(body) < 9 || body[8] != 1 {
		t.Errorf("no quotas: % x, %v, want an empty list", body, err)
	}
	adm := kadm.NewClient(s.client())
	user, def := "alice", (*string)(nil)
	got, err := adm.AlterClientQuotas(s.ctx(), []kadm.AlterClientQuotaEntry{
		{Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &user}, {Type: "client-id", Name: def}}, Ops: []kadm.AlterClientQuotaOp{{Key: security.ProducerByteRate, Value: 1000}}},
		{Entity: kadm.ClientQuotaEntity{{Type: "user", Name: def}}, Ops: []kadm.AlterClientQuotaOp{{Key: "nonsense", Value: 1}}},
	})
	if err != nil || got[0].Err != nil || !errors.Is(got[1].Err, kerr.InvalidRequest) {
		t.Fatalf("alter: %v, %+v", err, got)
	}
	described, err := adm.DescribeClientQuotas(s.ctx(), true, []kadm.DescribeClientQuotaComponent{
		{Type: "user", MatchName: &user, MatchType: 0}, {Type: "client-id", MatchType: 1},
	})
	if err != nil || len(described) != 1 || described[0].Values[0] != (kadm.ClientQuotaValue{Key: security.ProducerByteRate, Value: 1000}) {
		t.Errorf("describe: %v, %+v", err, described)
	}
	if _, err := adm.DescribeClientQuotas(s.ctx(), true, []kadm.DescribeClientQuotaComponent{{Type: "shoe size", MatchType: 2}}); !errors.Is(err, kerr.UnsupportedVersion) {
		t.Errorf("an unknown type: %v", err)
	}
}
