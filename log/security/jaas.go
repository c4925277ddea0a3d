package security

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/internal/jaas"
)

const plainLoginModule = "org.apache.kafka.common.security.plain.PlainLoginModule"

// ParsePlainJAAS reads the users of a PLAIN login module as sasl.jaas.config has
// them:
//
//	org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret" user_bob="other";
//
// Its errors do not quote values, which are passwords (I6).
func ParsePlainJAAS(text string) (map[string]string, error) {
	l, err := jaas.Parse(text)
	switch {
	case l.Module != plainLoginModule:
		return nil, fmt.Errorf("the login module is %q, want %s", l.Module, plainLoginModule)
	case l.Flag != "required":
		return nil, fmt.Errorf("the login module is %q, want required", l.Flag)
	case err != nil:
		return nil, err
	}
	users := map[string]string{}
	for _, o := range l.Options {
		if user, ok := strings.CutPrefix(o.Name, "user_"); ok {
			if user == "" || o.Value == "" {
				return nil, fmt.Errorf("option %s: give a user and a password", o.Name)
			}
			users[user] = o.Value
		}
	}
	return users, nil
}
