package security

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), vfs.OS)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// acl reads "ALLOW|DENY principal host OPERATION TYPE name|prefix*", where a name
// alone is literal, *: every.
func acl(t testing.TB, text string) ACL {
	t.Helper()
	f := strings.Fields(text)
	a := ACL{Principal: f[1], Host: f[2], Resource: Resource{Name: f[5], Pattern: kmsg.ACLResourcePatternTypeLiteral}}
	var err error
	if prefix, ok := strings.CutSuffix(f[5], "*"); ok && prefix != "" {
		a.Name, a.Pattern = prefix, kmsg.ACLResourcePatternTypePrefixed
	}
	a.Permission, err = kmsg.ParseACLPermissionType(f[0])
	if err == nil {
		a.Operation, err = kmsg.ParseACLOperation(f[3])
	}
	if err == nil {
		a.Type, err = kmsg.ParseACLResourceType(f[4])
	}
	if err == nil {
		err = a.Validate()
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

func acls(t testing.TB, text string) []ACL {
	t.Helper()
	var all []ACL
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, acl(t, line))
		}
	}
	return all
}

func TestAuthorizer(t *testing.T) {
	tests := []struct {
		name, acls string
		ask        string // "principal host OPERATION TYPE name"
		want       bool
	}{
		{"nothing", "", "User:a h READ TOPIC t", false},
		{"super user", "DENY User:root * ALL TOPIC t", "User:root h READ TOPIC t", true},
		{"literal", "ALLOW User:a * READ TOPIC t", "User:a h READ TOPIC t", true},
		{"another name", "ALLOW User:a * READ TOPIC t", "User:a h READ TOPIC t2", false},
		{"another type", "ALLOW User:a * READ TOPIC t", "User:a h READ GROUP t", false},
		{"another user", "ALLOW User:a * READ TOPIC t", "User:b h READ TOPIC t", false},
		{"another operation", "ALLOW User:a * READ TOPIC t", "User:a h WRITE TOPIC t", false},
		{"everybody", "ALLOW User:* * READ TOPIC t", "User:b h READ TOPIC t", true},
		{"host", "ALLOW User:a 10.0.0.1 READ TOPIC t", "User:a 10.0.0.1 READ TOPIC t", true},
		{"another host", "ALLOW User:a 10.0.0.1 READ TOPIC t", "User:a 10.0.0.2 READ TOPIC t", false},
		{"every topic", "ALLOW User:a * READ TOPIC *", "User:a h READ TOPIC t", true},
		{"prefix", "ALLOW User:a * READ TOPIC sales-*", "User:a h READ TOPIC sales-2026", true},
		{"prefix itself", "ALLOW User:a * READ TOPIC sales-*", "User:a h READ TOPIC sales-", true},
		{"before the prefix", "ALLOW User:a * READ TOPIC sales-*", "User:a h READ TOPIC sale", false},
		{"all operations", "ALLOW User:a * ALL TOPIC t", "User:a h DELETE TOPIC t", true},
		{"describe from read", "ALLOW User:a * READ TOPIC t", "User:a h DESCRIBE TOPIC t", true},
		{"describe from write", "ALLOW User:a * WRITE TOPIC t", "User:a h DESCRIBE TOPIC t", true},
		{"describe from delete", "ALLOW User:a * DELETE TOPIC t", "User:a h DESCRIBE TOPIC t", true},
		{"describe from alter", "ALLOW User:a * ALTER TOPIC t", "User:a h DESCRIBE TOPIC t", true},
		{"no describe from create", "ALLOW User:a * CREATE TOPIC t", "User:a h DESCRIBE TOPIC t", false},
		{"describe configs from alter configs", "ALLOW User:a * ALTER_CONFIGS TOPIC t", "User:a h DESCRIBE_CONFIGS TOPIC t", true},
		{"no describe configs from describe", "ALLOW User:a * DESCRIBE TOPIC t", "User:a h DESCRIBE_CONFIGS TOPIC t", false},
		{"deny before allow", "ALLOW User:a * READ TOPIC t\nDENY User:a * READ TOPIC t", "User:a h READ TOPIC t", false},
		{"deny of a prefix before a literal allow", "ALLOW User:a * READ TOPIC sales-1\nDENY User:* * READ TOPIC sales*", "User:a h READ TOPIC sales-1", false},
		{"deny of everything", "ALLOW User:a * READ TOPIC t\nDENY User:a * ALL TOPIC *", "User:a h READ TOPIC t", false},
		{"deny of one host", "ALLOW User:a * READ TOPIC t\nDENY User:a 10.0.0.9 READ TOPIC t", "User:a 10.0.0.1 READ TOPIC t", true},
		{"deny of describe leaves read", "ALLOW User:a * READ TOPIC t\nDENY User:a * DESCRIBE TOPIC t", "User:a h READ TOPIC t", true},
		{"deny of read leaves describe", "ALLOW User:a * WRITE TOPIC t\nDENY User:a * READ TOPIC t", "User:a h DESCRIBE TOPIC t", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			if err := s.CreateACLs(acls(t, tt.acls)); err != nil {
				t.Fatal(err)
			}
			a := Authorizer{Store: s, SuperUsers: []Principal{User("root")}}
			q := acl(t, "ALLOW "+tt.ask)
			p, _ := ParsePrincipal(q.Principal)
			if got := a.Allows(p, q.Host, q.Operation, q.Type, q.Name); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.ask, got, tt.want)
			}
		})
	}
}

// With allow.everyone.if.no.acl.found a resource is open until the first ACL is
// about it, whomever that is for.
func TestAllowIfNoACL(t *testing.T) {
	s := newStore(t)
	a := Authorizer{Store: s, AllowIfNoACL: true}
	read := func() bool {
		return a.Allows(User("a"), "h", kmsg.ACLOperationRead, kmsg.ACLResourceTypeTopic, "t")
	}
	if !read() {
		t.Error("denied without any ACL")
	}
	if err := s.CreateACLs(acls(t, "ALLOW User:b * READ TOPIC t")); err != nil {
		t.Fatal(err)
	}
	if read() {
		t.Error("allowed though the resource has ACLs")
	}
}

func TestAllowsAny(t *testing.T) {
	tests := []struct {
		acls string
		want bool
	}{
		{"", false},
		{"ALLOW User:a * WRITE TOPIC t", true},
		{"ALLOW User:a * READ TOPIC t", false},
		{"ALLOW User:a * WRITE GROUP t", false},
		{"ALLOW User:a * WRITE TOPIC t\nDENY User:a * WRITE TOPIC t", false},
		{"ALLOW User:a * WRITE TOPIC t\nDENY User:a * WRITE TOPIC *", false},
		{"ALLOW User:a * WRITE TOPIC ab*\nDENY User:a * WRITE TOPIC a*", false},
		{"ALLOW User:a * WRITE TOPIC a*\nDENY User:a * WRITE TOPIC ab*", true},
		{"ALLOW User:a * WRITE TOPIC *\nDENY User:a * WRITE TOPIC ab*", true},
	}
	for _, tt := range tests {
		s := newStore(t)
		if err := s.CreateACLs(acls(t, tt.acls)); err != nil {
			t.Fatal(err)
		}
		a := Authorizer{Store: s}
		if got := a.AllowsAny(User("a"), "h", kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.acls, got, tt.want)
		}
	}
}

func TestACLFilter(t *testing.T) {
	s := newStore(t)
	if err := s.CreateACLs(acls(t, `
		ALLOW User:a * READ TOPIC sales
		ALLOW User:a * READ TOPIC sales-*
		ALLOW User:a * READ TOPIC *
		DENY  User:b h WRITE TOPIC sales
		ALLOW User:a * READ GROUP sales`)); err != nil {
		t.Fatal(err)
	}
	name := func(s string) *string { return &s }
	all := ACLFilter{Type: kmsg.ACLResourceTypeAny, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}
	tests := []struct {
		name   string
		change func(f *ACLFilter)
		want   int
	}{
		{"everything", func(f *ACLFilter) {}, 5},
		{"type", func(f *ACLFilter) { f.Type = kmsg.ACLResourceTypeGroup }, 1},
		{"any pattern of a name", func(f *ACLFilter) { f.Name = name("sales") }, 3},
		{"any pattern of a prefix's name", func(f *ACLFilter) { f.Name = name("sales-") }, 1},
		{"literal", func(f *ACLFilter) { f.Name, f.Pattern = name("sales"), kmsg.ACLResourcePatternTypeLiteral }, 3},
		{"literal *", func(f *ACLFilter) { f.Name, f.Pattern = name("*"), kmsg.ACLResourcePatternTypeLiteral }, 1},
		{"prefixed", func(f *ACLFilter) { f.Pattern = kmsg.ACLResourcePatternTypePrefixed }, 1},
		{"match a name", func(f *ACLFilter) {
			f.Type, f.Name, f.Pattern = kmsg.ACLResourceTypeTopic, name("sales-1"), kmsg.ACLResourcePatternTypeMatch
		}, 2},
		{"match without a name", func(f *ACLFilter) { f.Pattern = kmsg.ACLResourcePatternTypeMatch }, 5},
		{"principal", func(f *ACLFilter) { f.Principal = name("User:b") }, 1},
		{"host", func(f *ACLFilter) { f.Host = name("h") }, 1},
		{"operation", func(f *ACLFilter) { f.Operation = kmsg.ACLOperationWrite }, 1},
		{"permission", func(f *ACLFilter) { f.Permission = kmsg.ACLPermissionTypeDeny }, 1},
	}
	for _, tt := range tests {
		f := all
		tt.change(&f)
		if got := s.ACLs(f); len(got) != tt.want {
			t.Errorf("%s: %d ACLs, want %d: %v", tt.name, len(got), tt.want, got)
		}
	}
	gone, err := s.DeleteACLs([]ACLFilter{{Type: kmsg.ACLResourceTypeTopic, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}, all})
	if err != nil || len(gone[0]) != 4 || len(gone[1]) != 5 || len(s.ACLs(all)) != 0 {
		t.Errorf("deleted %d and %d, %d left, %v, want 4, 5 and 0", len(gone[0]), len(gone[1]), len(s.ACLs(all)), err)
	}
}

func TestACLValidate(t *testing.T) {
	for name, change := range map[string]func(a *ACL){
		"type any":         func(a *ACL) { a.Type = kmsg.ACLResourceTypeAny },
		"pattern match":    func(a *ACL) { a.Pattern = kmsg.ACLResourcePatternTypeMatch },
		"no name":          func(a *ACL) { a.Name = "" },
		"cluster name":     func(a *ACL) { a.Type = kmsg.ACLResourceTypeCluster },
		"no principal":     func(a *ACL) { a.Principal = "" },
		"no type":          func(a *ACL) { a.Principal = "alice" },
		"no host":          func(a *ACL) { a.Host = "" },
		"operation any":    func(a *ACL) { a.Operation = kmsg.ACLOperationAny },
		"permission any":   func(a *ACL) { a.Permission = kmsg.ACLPermissionTypeAny },
		"not UTF-8":        func(a *ACL) { a.Name = "\xff" },
		"very long a name": func(a *ACL) { a.Name = strings.Repeat("x", maxACLFieldBytes+1) },
	} {
		a := acl(t, "ALLOW User:a * READ TOPIC t")
		change(&a)
		if err := a.Validate(); !errors.Is(err, kerr.InvalidRequest) {
			t.Errorf("%s: %v, want %v", name, err, kerr.InvalidRequest)
		}
	}
}

func TestParsePrincipals(t *testing.T) {
	got, err := ParsePrincipals("User:alice; User:CN=bob,O=Example;;")
	if want := "[User:alice User:CN=bob,O=Example]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
	if _, err := ParsePrincipals("alice"); err == nil {
		t.Error("a principal without a type was accepted")
	}
}
