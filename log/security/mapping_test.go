package security

import "testing"

func TestPrincipalRules(t *testing.T) {
	const dn = "CN=Alice,OU=Sales,O=Example,C=DE"
	for _, tt := range []struct{ rules, dn, want string }{
		{"", dn, dn},
		{"DEFAULT", dn, dn},
		{"RULE:^CN=(.*?),.*$/$1/", dn, "Alice"},
		{"RULE:^CN=(.*?),OU=(.*?),.*$/$1@$2/L, DEFAULT", dn, "alice@sales"},
		{"RULE:^CN=(.*?),.*$/$1x/U", dn, "ALICEX"},
		{"RULE:^UID=(.*)$/$1/,RULE:CN=([^,]+).*/$1/,DEFAULT", dn, "Alice"},
		{`RULE:CN=a\/b/x\/y/`, "CN=a/b", `x\/y`},
		{"RULE:Alice/x/,DEFAULT", dn, dn}, // the whole name has to match
		{"RULE:^UID=(.*)$/$1/", dn, ""},
	} {
		rules, err := ParsePrincipalRules(tt.rules)
		if err != nil {
			t.Errorf("%s: %v", tt.rules, err)
			continue
		}
		if got, err := rules.Name(tt.dn); got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s of %s: got %q, %v, want %q", tt.rules, tt.dn, got, err, tt.want)
		}
	}
	for _, bad := range []string{"RULE:x", "RULE:x/y", "RULE:(/y/", "OTHER", "DEFAULT DEFAULT", "RULE:x/y/X"} {
		if rules, err := ParsePrincipalRules(bad); err == nil {
			t.Errorf("%s was read as %v", bad, rules)
		}
	}
}

func FuzzPrincipalRules(f *testing.F) {
	f.Add("RULE:^CN=(.*?),.*$/$1/L,DEFAULT", "CN=a,O=b")
	f.Fuzz(func(t *testing.T, text, dn string) {
		if rules, err := ParsePrincipalRules(text); err == nil {
			_, _ = rules.Name(dn) // must not panic
		}
	})
}
