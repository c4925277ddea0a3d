package security

import (
	"fmt"
	"strings"
)

// UserType is the type of every principal that authenticates.
const UserType = "User"

// Principal is who a client is, as ACLs name it: Type:Name.
type Principal struct{ Type, Name string }

// Anonymous is the principal of clients that do not authenticate.
var Anonymous = Principal{UserType, "ANONYMOUS"}

// User is the principal of a user name.
func User(name string) Principal { return Principal{UserType, name} }

func (p Principal) String() string { return p.Type + ":" + p.Name }

// ParsePrincipal reads Type:Name. The name may have colons, and the commas and
// equal signs of a distinguished name.
func ParsePrincipal(text string) (Principal, error) {
	typ, name, ok := strings.Cut(text, ":")
	if !ok || typ == "" || name == "" {
		return Principal{}, fmt.Errorf("principal %q is not of the form User:name", text)
	}
	return Principal{typ, name}, nil
}

// ParsePrincipals reads a list as super.users has it: parted by semicolons,
// because a distinguished name has commas.
func ParsePrincipals(text string) ([]Principal, error) {
	var all []Principal
	for s := range strings.SplitSeq(text, ";") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		p, err := ParsePrincipal(s)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
