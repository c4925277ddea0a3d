package broker

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// authorize switches authorization on with these ACLs, each "ALLOW|DENY principal
// OPERATION TYPE name". Anonymous clients have none, root may do everything.
func (s *server) authorize(lines ...string) {
	s.t.Helper()
	s.Broker.cfg.Authorizer = &security.Authorizer{Store: s.store, SuperUsers: []security.Principal{security.User("root")}}
	var all []security.ACL
	for _, line := range lines {
		f := strings.Fields(line)
		a := security.ACL{Principal: f[1], Host: "*", Resource: security.Resource{Name: f[4], Pattern: kmsg.ACLResourcePatternTypeLiteral}}
		var errs [3]error
		a.Permission, errs[0] = kmsg.ParseACLPermissionType(f[0])
		a.Operation, errs[1] = kmsg.ParseACLOperation(f[2])
		a.Type, errs[2] = kmsg.ParseACLResourceType(f[3])
		if errs != [3]error{} {
			s.t.Fatalf("%s: %v", line, errs)
		}
		all = append(all, a)
	}
	if err := s.store.CreateACLs(all); err != nil {
		s.t.Fatal(err)
	}
}
