package security

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// ClusterName is the name of the one resource of type cluster.
	ClusterName = "kafka-cluster"

	wildcard         = "*"      // every resource, host
	everybody        = "User:*" // every principal
	maxACLFieldBytes = 4096     // of a resource name, principal or host (I5)
)

// Resource is what an ACL is about: one resource by its literal name, all of a type
// (literal *), or those whose names begin with a prefix (KIP-290).
type Resource struct {
	Type    kmsg.ACLResourceType        `json:"resource_type"`
	Name    string                      `json:"resource_name"`
	Pattern kmsg.ACLResourcePatternType `json:"pattern_type"`
}

// ACL allows or denies a principal (User:* for all) on a host (an address, * for
// all) one operation on a resource.
type ACL struct {
	Resource
	Principal  string                 `json:"principal"`
	Host       string                 `json:"host"`
	Operation  kmsg.ACLOperation      `json:"operation"`
	Permission kmsg.ACLPermissionType `json:"permission_type"`
}

// Validate returns an *Error with INVALID_REQUEST when a is no ACL that could ever apply.
func (a *ACL) Validate() error {
	invalid := func(format string, args ...any) error { return refuse(kerr.InvalidRequest, format, args...) }
	_, err := ParsePrincipal(a.Principal)
	switch {
	case a.Type < kmsg.ACLResourceTypeTopic || a.Type > kmsg.ACLResourceTypeUser:
		return invalid("resource type %d cannot have ACLs", a.Type)
	case a.Pattern != kmsg.ACLResourcePatternTypeLiteral && a.Pattern != kmsg.ACLResourcePatternTypePrefixed:
		return invalid("pattern type %d is not LITERAL or PREFIXED", a.Pattern)
	case a.Name == "":
		return invalid("resource name is empty")
	case a.Type == kmsg.ACLResourceTypeCluster && a.Name != ClusterName:
		return invalid("The only valid name for the CLUSTER resource is %s", ClusterName)
	case err != nil:
		return invalid("%v", err)
	case a.Host == "":
		return invalid("host is empty; * is every host")
	case a.Operation < kmsg.ACLOperationAll || a.Operation > kmsg.ACLOperationDescribeTokens:
		return invalid("operation %d cannot be allowed or denied", a.Operation)
	case a.Permission != kmsg.ACLPermissionTypeAllow && a.Permission != kmsg.ACLPermissionTypeDeny:
		return invalid("permission type %d is not ALLOW or DENY", a.Permission)
	case !utf8.ValidString(a.Name + a.Principal + a.Host):
		return invalid("resource name, principal and host are UTF-8")
	case max(len(a.Name), len(a.Principal), len(a.Host)) > maxACLFieldBytes:
		return invalid("resource name, principal and host have at most %d bytes", maxACLFieldBytes)
	}
	return nil
}

// compareACLs sorts by resource first, so that those of a resource stand together.
func compareACLs(a, b ACL) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Pattern, b.Pattern),
		cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Host, b.Host),
		cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Permission, b.Permission))
}

// ACLFilter selects ACLs. Nil names, and ANY, select all.
type ACLFilter struct {
	Type                  kmsg.ACLResourceType
	Pattern               kmsg.ACLResourcePatternType
	Name, Principal, Host *string
	Operation             kmsg.ACLOperation
	Permission            kmsg.ACLPermissionType
}

// Validate returns an *Error with INVALID_REQUEST when the filter has values of a later version.
func (f *ACLFilter) Validate() error {
	if f.Type < kmsg.ACLResourceTypeAny || f.Type > kmsg.ACLResourceTypeUser ||
		f.Pattern < kmsg.ACLResourcePatternTypeAny || f.Pattern > kmsg.ACLResourcePatternTypePrefixed ||
		f.Operation < kmsg.ACLOperationAny || f.Operation > kmsg.ACLOperationDescribeTokens ||
		f.Permission < kmsg.ACLPermissionTypeAny || f.Permission > kmsg.ACLPermissionTypeAllow {
		return refuse(kerr.InvalidRequest, "the filter has a resource type, pattern type, operation or permission that is not known")
	}
	return nil
}

// Matches reports whether the filter selects a.
func (f *ACLFilter) Matches(a *ACL) bool {
	return (f.Type == kmsg.ACLResourceTypeAny || f.Type == a.Type) && f.matchesName(a) &&
		is(f.Principal, a.Principal) && is(f.Host, a.Host) &&
		(f.Operation == kmsg.ACLOperationAny || f.Operation == a.Operation) &&
		(f.Permission == kmsg.ACLPermissionTypeAny || f.Permission == a.Permission)
}

// matchesName compares names: MATCH selects every pattern that applies to a
// resource of the name, the others select patterns by how they are written.
func (f *ACLFilter) matchesName(a *ACL) bool {
	switch {
	case f.Pattern == kmsg.ACLResourcePatternTypeMatch && f.Name != nil:
		return a.covers(*f.Name)
	case f.Pattern == kmsg.ACLResourcePatternTypeLiteral || f.Pattern == kmsg.ACLResourcePatternTypePrefixed:
		return f.Pattern == a.Pattern && is(f.Name, a.Name)
	default:
		return is(f.Name, a.Name)
	}
}

// covers reports whether the pattern applies to a resource of the name.
func (r *Resource) covers(name string) bool {
	if r.Pattern == kmsg.ACLResourcePatternTypePrefixed {
		return strings.HasPrefix(name, r.Name)
	}
	return r.Name == name || r.Name == wildcard
}

func is(wanted *string, got string) bool { return wanted == nil || *wanted == got }
