package security

import (
	"crypto/pbkdf2"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

func saltedPassword(t *testing.T, m Mechanism, password string, salt []byte) []byte {
	t.Helper()
	b, err := pbkdf2.Key(m.hash(), password, salt, MinIterations, m.hash()().Size())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents is all that a store knows, for comparison.
func contents(s *Store) string {
	b, err := encode(s.state.Load())
	return fmt.Sprint(string(b), err)
}

func fillStore(t *testing.T, s *Store) {
	t.Helper()
	c, err := NewPassword("alice", SCRAMSHA512, "secret", MinIterations)
	if err == nil {
		err = s.AlterCredentials([]Change{c})
	}
	if err == nil {
		err = s.CreateACLs(acls(t, "ALLOW User:alice * READ TOPIC t\nDENY User:* 10.0.0.1 ALL GROUP g*"))
	}
	if err == nil {
		err = s.AlterQuotas([]QuotaChange{
			{Entity: Entity{User: Exactly("alice"), ClientID: ByDefault()}, Set: map[string]float64{ProducerByteRate: 1024, RequestPercentage: 12.5}},
			{Entity: Entity{IP: ByDefault()}, Set: map[string]float64{ConnectionRate: 10}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStoreKeepsEverything(t *testing.T) {
	s := newStore(t)
	fillStore(t, s)
	again, err := Open(s.dir, vfs.OS)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := contents(again), contents(s); got != want {
		t.Errorf("after opening again\ngot  %s\nwant %s", got, want)
	}
	if strings.Contains(contents(s), "secret") {
		t.Error("the password is in the file")
	}
	if fi, err := os.Stat(filepath.Join(s.dir, storeFile)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want readable by the owner only", fi, err)
	}
}

// A power cut at any operation leaves the state of before or of after each
// change, and never less than what was acknowledged (I1, I7).
func TestStorePowerCut(t *testing.T) {
	for cut := 0; ; cut++ {
		mem := vfs.NewMem()
		if err := errors.Join(mem.MkdirAll("/d"), mem.SyncDir("/")); err != nil {
			t.Fatal(err)
		}
		var image *vfs.Mem
		ops := 0
		fault := &vfs.Fault{FS: mem, Inject: func(vfs.Op, string) error {
			if ops == cut && image == nil {
				image = mem.CrashClone(rand.New(rand.NewPCG(1, uint64(cut))), 0.5)
			}
			ops++
			return nil
		}}
		s, err := Open("/d", fault)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged, all := 0, acls(t, "ALLOW User:a * READ TOPIC t1\nALLOW User:a * READ TOPIC t2\nALLOW User:a * READ TOPIC t3")
		for _, a := range all {
			if err := s.CreateACLs([]ACL{a}); err != nil {
				t.Fatal(err)
			}
			if image == nil {
				acknowledged++
			}
		}
		if image == nil {
			if cut == 0 {
				t.Fatal("no operation was seen")
			}
			return
		}
		after, err := Open("/d", image)
		if err != nil {
			t.Fatalf("cut at operation %d: %v", cut, err)
		}
		if got := after.state.Load().acls; len(got) < acknowledged || !slices.Equal(got, all[:len(got)]) {
			t.Errorf("cut at operation %d: %d ACLs, %d were acknowledged", cut, len(got), acknowledged)
		}
	}
}

// After an fsync error nothing is acknowledged any more; a full disk passes.
func TestStoreErrors(t *testing.T) {
	var fail error
	on := vfs.OpSync
	fault := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, _ string) error {
		if op == on {
			return fail
		}
		return nil
	}}
	if err := fault.MkdirAll("/d"); err != nil {
		t.Fatal(err)
	}
	s, err := Open("/d", fault)
	if err != nil {
		t.Fatal(err)
	}
	one := acls(t, "ALLOW User:a * READ TOPIC t")
	on, fail = vfs.OpWrite, syscall.ENOSPC
	if err := s.CreateACLs(one); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("full disk: %v", err)
	}
	fail = nil
	if err := s.CreateACLs(one); err != nil {
		t.Errorf("with room again: %v", err)
	}
	on, fail = vfs.OpSync, syscall.EIO
	if err := s.CreateACLs(acls(t, "ALLOW User:b * READ TOPIC t")); !errors.Is(err, syscall.EIO) {
		t.Errorf("fsync error: %v", err)
	}
	fail = nil
	if err := s.CreateACLs(acls(t, "ALLOW User:b * READ TOPIC t")); !errors.Is(err, ErrFailed) {
		t.Errorf("after an fsync error: %v, want %v", err, ErrFailed)
	}
	select {
	case <-s.Failed():
	default:
		t.Error("Failed is open")
	}
	if n := len(s.state.Load().acls); n != 1 {
		t.Errorf("%d ACLs are in force, want the one that is durable", n)
	}
}

func TestStoreLimits(t *testing.T) {
	s := newStore(t)
	many := make([]ACL, maxACLs+1)
	for i := range many {
		many[i] = acl(t, "ALLOW User:a * READ TOPIC t"+fmt.Sprint(i))
	}
	if err := s.CreateACLs(many); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("%d ACLs: %v, want %v", len(many), err, kerr.PolicyViolation)
	}
	if err := s.CreateACLs(many[1:]); err != nil {
		t.Errorf("%d ACLs: %v", maxACLs, err)
	}
	all := ACLFilter{Type: kmsg.ACLResourceTypeAny, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}
	if _, err := s.DeleteACLs(slices.Repeat([]ACLFilter{all}, maxDeleted)); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("filters that match too much: %v, want %v", err, kerr.PolicyViolation)
	}
	if n := len(s.state.Load().acls); n != maxACLs {
		t.Errorf("%d ACLs after a refused deletion, want %d", n, maxACLs)
	}
}

func TestDecodeRefuses(t *testing.T) {
	s := newStore(t)
	fillStore(t, s)
	good, err := encode(s.state.Load())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode(good); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"alice", "bobby"}, {`"version":0`, `"version":1`}, {"READ", "BAKE"}, {"}", ""}} {
		if _, err := decode([]byte(strings.Replace(string(good), change[0], change[1], 1))); err == nil {
			t.Errorf("with %q for %q there was no error", change[1], change[0])
		}
	}
}

// What decode accepts it writes so that it reads the same again.
func FuzzDecode(f *testing.F) {
	s, err := Open(f.TempDir(), vfs.OS)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"salt_key":"AAAA","scram":[],"acls":[],"quotas":[]}`)
	f.Add(`{"salt_key":"AAAA","acls":[{"resource_type":"TOPIC","resource_name":"t","pattern_type":"LITERAL","principal":"User:a","host":"*","operation":"READ","permission_type":"ALLOW"}]}`)
	f.Add(`{"salt_key":"AAAA","quotas":[{"entity":{"user":null},"values":{"request_percentage":0.5}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		b := fmt.Appendf(nil, `{"version":0,"crc32c":%q,"security":%s}`, crcOf([]byte(text)), text)
		first, err := decode(b)
		if err != nil {
			return
		}
		s.publish(first) // must not panic
		once, err := encode(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := decode(once)
		if err != nil {
			t.Fatalf("%s\nis written as\n%s\nwhich is refused: %v", b, once, err)
		}
		if twice, _ := encode(second); string(twice) != string(once) {
			t.Errorf("got  %s\nwant %s", twice, once)
		}
	})
}

func TestPlainJAAS(t *testing.T) {
	const module = "org.apache.kafka.common.security.plain.PlainLoginModule required "
	for text, want := range map[string]map[string]string{
		module + `username="admin" password="x" user_admin="admin-secret" user_alice='a "quoted\' one';`: {"admin": "admin-secret", "alice": `a "quoted' one`},
		module + "\n  user_bob=plain ;\n":             {"bob": "plain"},
		module + ";":                                  {},
		module + `user_a="hidden"`:                    nil,
		module + `user_a="hidden;`:                    nil,
		module + `user_="hidden";`:                    nil,
		module + `user_a="";`:                         nil,
		module + `user_a="hidden"; other`:             nil,
		`org.example.Login required user_a="hidden";`: nil,
		strings.Replace(module, "required", "optional", 1) + `user_a="hidden";`: nil,
		"": nil,
	} {
		got, err := ParsePlainJAAS(text)
		if want == nil {
			if err == nil || strings.Contains(err.Error(), "hidden") { // I6
				t.Errorf("%s: %v, error %v", text, got, err)
			}
		} else if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}

func FuzzPlainJAAS(f *testing.F) {
	f.Add(plainLoginModule + ` required user_a="b\"c" user_d=e;`)
	f.Fuzz(func(t *testing.T, text string) {
		users, err := ParsePlainJAAS(text)
		for user, password := range users {
			if err != nil || user == "" || password == "" {
				t.Errorf("%q: %q", user, password)
			}
		}
	})
}
