package schemaregistry

import (
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// RuleSet is what clients do with data of a schema besides reading and writing it: transform, encrypt, refuse. The registry keeps and
// merges rules; it executes none.
type RuleSet struct {
	MigrationRules []Rule `json:"migrationRules,omitempty"`
	DomainRules    []Rule `json:"domainRules,omitempty"`
	EncodingRules  []Rule `json:"encodingRules,omitempty"`
	EnableAt       string `json:"enableAt,omitempty"`
}

// Rule is one of a set. Its kind is TRANSFORM and its mode WRITEREAD where a client says none.
type Rule struct {
	Name      string            `json:"name,omitempty"`
	Doc       string            `json:"doc,omitempty"`
	Kind      string            `json:"kind,omitempty"`
	Mode      string            `json:"mode,omitempty"`
	Type      string            `json:"type,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Expr      string            `json:"expr,omitempty"`
	OnSuccess string            `json:"onSuccess,omitempty"`
	OnFailure string            `json:"onFailure,omitempty"`
	Disabled  bool              `json:"disabled"`
}

// The modes of rules, by the list that they may be in.
var (
	migrationModes = []string{"UPGRADE", "DOWNGRADE", "UPDOWN"}
	dataModes      = []string{"WRITE", "READ", "WRITEREAD"}
	ruleKinds      = []string{"TRANSFORM", "CONDITION"}
	environments   = []string{"", "ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"}
)

// maxRuleName is how long the name of a rule may be, in units of UTF-16.
const maxRuleName = 256

// phases are the lists of a set, with what their rules are called in messages and the modes that they may have.
func (s *RuleSet) phases() []phase {
	return []phase{
		{&s.MigrationRules, "Migration", migrationModes},
		{&s.DomainRules, "Domain", dataModes},
		{&s.EncodingRules, "Encoding", dataModes},
	}
}

type phase struct {
	rules *[]Rule
	name  string
	modes []string
}

func (s *RuleSet) empty() bool {
	return s == nil || len(s.MigrationRules)+len(s.DomainRules)+len(s.EncodingRules) == 0 && s.EnableAt == ""
}

// complete fills in what a client left out, and puts tags in order.
func (s *RuleSet) complete() *RuleSet {
	if s == nil {
		return nil
	}
	c := *s
	for _, p := range c.phases() {
		*p.rules = slices.Clone(*p.rules)
		for i := range *p.rules {
			rule := &(*p.rules)[i]
			if rule.Kind == "" {
				rule.Kind = ruleKinds[0]
			}
			if rule.Mode == "" {
				rule.Mode = "WRITEREAD"
			}
			rule.Tags = sorted(rule.Tags)
		}
	}
	return &c
}

// check refuses rules that clients could not execute.
//
// Errors: 42210.
func (s *RuleSet) check() error {
	if s == nil {
		return nil
	}
	if !slices.Contains(environments, s.EnableAt) {
		return errorf(CodeInvalidRuleSet, "enableAt %q is none of %s", s.EnableAt, strings.Join(environments[1:], ", "))
	}
	names := make(map[string]bool)
	for _, p := range s.phases() {
		for _, rule := range *p.rules {
			if names[rule.Name] {
				return errorf(CodeInvalidRuleSet, "Found rule with duplicate name '%s'", rule.Name)
			}
			names[rule.Name] = true
			if err := rule.check(); err != nil {
				return err
			}
			if !slices.Contains(p.modes, rule.Mode) {
				return errorf(CodeInvalidRuleSet, "%s rules can only be %s", p.name, strings.Join(p.modes, ", "))
			}
		}
	}
	return nil
}

func (r *Rule) check() error {
	if err := checkRuleName(r.Name); err != nil {
		return err
	}
	if r.Type == "" {
		return errorf(CodeInvalidRuleSet, "Missing rule type")
	}
	if !slices.Contains(ruleKinds, r.Kind) {
		return errorf(CodeInvalidRuleSet, "The kind %q of the rule %s is none of %s", r.Kind, r.Name, strings.Join(ruleKinds, ", "))
	}
	if !slices.Contains(migrationModes, r.Mode) && !slices.Contains(dataModes, r.Mode) {
		return errorf(CodeInvalidRuleSet, "The mode %q of the rule %s is none of %s", r.Mode, r.Name, strings.Join(slices.Concat(migrationModes, dataModes), ", "))
	}
	several := strings.Contains(r.OnSuccess, ",") || strings.Contains(r.OnFailure, ",")
	if several && r.Mode != "WRITEREAD" && r.Mode != "UPDOWN" {
		return errorf(CodeInvalidRuleSet, "Multiple actions only valid with WRITEREAD and UPDOWN")
	}
	return nil
}

func checkRuleName(name string) error {
	switch {
	case name == "":
		return errorf(CodeInvalidRuleSet, "Missing rule name")
	case len(utf16.Encode([]rune(name))) > maxRuleName:
		return errorf(CodeInvalidRuleSet, "Rule name too long")
	}
	for i, c := range name {
		switch {
		case unicode.IsLetter(c) || c == '_':
		case i == 0:
			return errorf(CodeInvalidRuleSet, "Illegal initial character in rule name: %s", name)
		case !unicode.IsDigit(c) && c != '-':
			return errorf(CodeInvalidRuleSet, "Illegal character in rule name: %s", name)
		}
	}
	return nil
}

// mergeRules returns low with the rules of high behind it; a rule takes the place of those with its name.
func mergeRules(low, high *RuleSet) *RuleSet {
	switch {
	case low.empty():
		return high
	case high.empty():
		return low
	}
	m := RuleSet{EnableAt: high.EnableAt}
	if m.EnableAt == "" {
		m.EnableAt = low.EnableAt
	}
	lows, highs := low.phases(), high.phases()
	for i, p := range m.phases() {
		more := *highs[i].rules
		kept := slices.DeleteFunc(slices.Clone(*lows[i].rules), func(r Rule) bool {
			return slices.ContainsFunc(more, func(o Rule) bool { return o.Name == r.Name })
		})
		*p.rules = append(kept, more...)
	}
	return &m
}

// without returns the set without the rules of some names.
func (s *RuleSet) without(names []string) *RuleSet {
	if s == nil || len(names) == 0 {
		return s
	}
	c := *s
	for _, p := range c.phases() {
		*p.rules = slices.DeleteFunc(slices.Clone(*p.rules), func(r Rule) bool { return slices.Contains(names, r.Name) })
	}
	return &c
}

// hasType tells whether a rule is of a type.
func (s *RuleSet) hasType(typ string) bool {
	if s == nil {
		return false
	}
	for _, p := range s.phases() {
		if slices.ContainsFunc(*p.rules, func(r Rule) bool { return r.Type == typ }) {
			return true
		}
	}
	return false
}

// digest writes what of the rules counts for the sameness of schemas, as Confluent's registry does.
func (s *RuleSet) digest(w io.Writer) {
	for _, p := range s.phases() {
		for _, rule := range *p.rules {
			rule.digest(w)
		}
	}
	_, _ = io.WriteString(w, s.EnableAt)
}

func (r *Rule) digest(w io.Writer) {
	_, _ = io.WriteString(w, r.Name+r.Doc+r.Kind+r.Mode+r.Type)
	for _, tag := range sorted(r.Tags) {
		_, _ = io.WriteString(w, tag)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		_, _ = io.WriteString(w, name+r.Params[name])
	}
	_, _ = io.WriteString(w, r.Expr+r.OnSuccess+r.OnFailure)
	if r.Disabled {
		_, _ = w.Write([]byte{1})
	}
}
