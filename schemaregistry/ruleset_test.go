package schemaregistry_test

import (
	"reflect"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// Rules survive a restart and count for the GUID, in the order in which Confluent's registry hashes them: the pinned one was computed by
// hand.
func TestRules(t *testing.T) {
	rules := &schemaregistry.RuleSet{
		EnableAt:       "CLIENT",
		MigrationRules: []schemaregistry.Rule{{Name: "up", Mode: "UPGRADE", Type: "JSONATA", Expr: "$"}},
		DomainRules: []schemaregistry.Rule{{Name: "len", Doc: "is short", Kind: "CONDITION", Mode: "WRITE", Type: "CEL", Tags: []string{"b", "a"},
			Params: map[string]string{"z": "1", "a": "2"}, Expr: "size(message) < 10", OnSuccess: "NONE", OnFailure: "DLQ", Disabled: true}},
		EncodingRules: []schemaregistry.Rule{{Name: "enc", Type: "ENCRYPT_PAYLOAD"}},
	}
	in := schemaregistry.Input{Text: `"string"`, Rules: rules, Metadata: &schemaregistry.Metadata{Properties: map[string]string{"owner": "me"}}}
	dir := t.TempDir()
	opts, stopLog := registrytest.Cluster(t, vfs.OS, dir)
	r, stop := registrytest.Start(t, opts)
	v, err := r.Register(t.Context(), name("s"), in, schemaregistry.RegisterOptions{ID: -1})
	if want := "28205b90-0d32-834c-e2e0-e055e9caccf4"; err != nil || v.GUID != want {
		t.Fatalf("registered %+v, %v, want the GUID %s", v, err, want)
	}
	stop()
	stopLog()
	opts, _ = registrytest.Cluster(t, vfs.OS, dir)
	r, _ = registrytest.Start(t, opts)
	got, err := r.Version(t.Context(), name("s"), 1, false)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("after a restart:\n%+v, %v\nwant\n%+v", got, err, v)
	}
	if rule := got.Rules.EncodingRules[0]; rule.Kind != "TRANSFORM" || rule.Mode != "WRITEREAD" {
		t.Errorf("a rule without kind and mode: %+v", rule)
	}
	if rules.EncodingRules[0].Kind != "" || rules.DomainRules[0].Tags[0] != "b" {
		t.Errorf("the client's rules were changed: %+v", rules)
	}
}
