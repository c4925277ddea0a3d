package security

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Authorizer answers who may do what, as Kafka's StandardAuthorizer does: super
// users everything; otherwise a matching DENY refuses, a matching ALLOW allows,
// and without either the answer is no.
type Authorizer struct {
	// Store has the ACLs.
	Store *Store
	// SuperUsers may do everything (super.users).
	SuperUsers []Principal
	// AllowIfNoACL allows everybody what no ACL is about (allow.everyone.if.no.acl.found).
	AllowIfNoACL bool
}

// Allows reports whether the principal may do op on a resource, coming from host.
func (a *Authorizer) Allows(p Principal, host string, op kmsg.ACLOperation, typ kmsg.ACLResourceType, name string) bool {
	if slices.Contains(a.SuperUsers, p) {
		return true
	}
	text := p.String()
	found, allowed := false, false
	for acl := range a.Store.state.Load().index.covering(typ, name) {
		found = true
		if !acl.isFor(text, host) {
			continue
		}
		if acl.Permission == kmsg.ACLPermissionTypeDeny {
			if acl.Operation == op || acl.Operation == kmsg.ACLOperationAll {
				return false // whatever else allows
			}
			continue
		}
		allowed = allowed || implies(acl.Operation, op)
	}
	return allowed || (!found && a.AllowIfNoACL)
}

// AllowsAny reports whether there is any resource of a type on which the
// principal may do op (KIP-679): what an idempotent producer has to show.
func (a *Authorizer) AllowsAny(p Principal, host string, op kmsg.ACLOperation, typ kmsg.ACLResourceType) bool {
	if a.Allows(p, host, op, typ, "hardcode") { // super users and the like, by a name as good as any
		return true
	}
	text := p.String()
	var denied []Resource
	var allowed []Resource
	for _, acl := range a.Store.state.Load().acls {
		switch {
		case acl.Type != typ || !acl.isFor(text, host):
		case acl.Permission == kmsg.ACLPermissionTypeDeny:
			if acl.Operation == op || acl.Operation == kmsg.ACLOperationAll {
				denied = append(denied, acl.Resource)
			}
		case implies(acl.Operation, op):
			allowed = append(allowed, acl.Resource)
		}
	}
	return slices.ContainsFunc(allowed, func(r Resource) bool {
		return !slices.ContainsFunc(denied, func(d Resource) bool { return d.contains(r) })
	})
}

// contains reports whether every resource that other applies to is one of r's.
func (r Resource) contains(other Resource) bool {
	switch {
	case r.Pattern == kmsg.ACLResourcePatternTypePrefixed:
		all := other.Pattern == kmsg.ACLResourcePatternTypeLiteral && other.Name == wildcard
		return !all && strings.HasPrefix(other.Name, r.Name)
	case r.Name == wildcard:
		return true
	}
	return r == other
}

// isFor reports whether the ACL applies to a principal on a host.
func (a *ACL) isFor(principal, host string) bool {
	return (a.Principal == principal || a.Principal == everybody) && (a.Host == host || a.Host == wildcard)
}

// implies reports whether being allowed one operation allows another.
func implies(allowed, op kmsg.ACLOperation) bool {
	switch {
	case allowed == op || allowed == kmsg.ACLOperationAll:
		return true
	case op == kmsg.ACLOperationDescribe:
		return allowed == kmsg.ACLOperationRead || allowed == kmsg.ACLOperationWrite ||
			allowed == kmsg.ACLOperationDelete || allowed == kmsg.ACLOperationAlter
	case op == kmsg.ACLOperationDescribeConfigs:
		return allowed == kmsg.ACLOperationAlterConfigs
	}
	return false
}

// aclIndex finds the ACLs of a resource without looking at the others: it is
// asked for every topic of every produce and fetch.
type aclIndex struct {
	byPattern map[Resource][]ACL
	// prefixes are the lengths of the prefixed names of each type, each once.
	prefixes map[kmsg.ACLResourceType][]int
}

func newACLIndex(acls []ACL) *aclIndex {
	x := &aclIndex{byPattern: map[Resource][]ACL{}, prefixes: map[kmsg.ACLResourceType][]int{}}
	for _, a := range acls {
		x.byPattern[a.Resource] = append(x.byPattern[a.Resource], a)
		if n := len(a.Name); a.Pattern == kmsg.ACLResourcePatternTypePrefixed && !slices.Contains(x.prefixes[a.Type], n) {
			x.prefixes[a.Type] = append(x.prefixes[a.Type], n)
		}
	}
	return x
}

// covering yields the ACLs whose pattern applies to a resource.
func (x *aclIndex) covering(typ kmsg.ACLResourceType, name string) func(yield func(*ACL) bool) {
	return func(yield func(*ACL) bool) {
		each := func(r Resource) bool {
			acls := x.byPattern[r]
			for i := range acls {
				if !yield(&acls[i]) {
					return false
				}
			}
			return true
		}
		if !each(Resource{typ, name, kmsg.ACLResourcePatternTypeLiteral}) {
			return
		}
		if name != wildcard && !each(Resource{typ, wildcard, kmsg.ACLResourcePatternTypeLiteral}) {
			return
		}
		for _, n := range x.prefixes[typ] {
			if n <= len(name) && !each(Resource{typ, name[:n], kmsg.ACLResourcePatternTypePrefixed}) {
				return
			}
		}
	}
}
