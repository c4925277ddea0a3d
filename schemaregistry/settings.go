package schemaregistry

import (
	"slices"
	"strings"
)

// Compatibility says which earlier versions a new one has to get along with, and how.
type Compatibility string

// The levels. Transitive ones are about all earlier versions, the others about the latest.
const (
	None               Compatibility = "NONE"
	Backward           Compatibility = "BACKWARD"
	BackwardTransitive Compatibility = "BACKWARD_TRANSITIVE"
	Forward            Compatibility = "FORWARD"
	ForwardTransitive  Compatibility = "FORWARD_TRANSITIVE"
	Full               Compatibility = "FULL"
	FullTransitive     Compatibility = "FULL_TRANSITIVE"
)

var levels = []Compatibility{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}

// ParseCompatibility reads a level in any case.
func ParseCompatibility(text string) (Compatibility, error) {
	if c := Compatibility(strings.ToUpper(text)); slices.Contains(levels, c) {
		return c, nil
	}
	return "", errorf(CodeInvalidCompatibility, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

// backward, forward: the new schema reads what the old one wrote, the old one what the new one writes.
func (c Compatibility) backward() bool { return strings.HasPrefix(string(c), "BACK") || c.full() }
func (c Compatibility) forward() bool  { return strings.HasPrefix(string(c), "FORW") || c.full() }
func (c Compatibility) full() bool     { return strings.HasPrefix(string(c), "FULL") }

// Transitive tells whether all earlier versions count, not the latest alone.
func (c Compatibility) Transitive() bool { return strings.HasSuffix(string(c), "_TRANSITIVE") }

// Mode says what may be done to a subject.
type Mode string

// The modes.
const (
	ReadWrite        Mode = "READWRITE"
	ReadOnly         Mode = "READONLY"
	ReadOnlyOverride Mode = "READONLY_OVERRIDE" // of all subjects, whatever theirs says
	Import           Mode = "IMPORT"            // ids and versions come with the request
	Forwarding       Mode = "FORWARD"
)

var modes = []Mode{ReadWrite, ReadOnly, ReadOnlyOverride, Import, Forwarding}

// ParseMode reads a mode in any case.
func ParseMode(text string) (Mode, error) {
	if m := Mode(strings.ToUpper(text)); slices.Contains(modes, m) {
		return m, nil
	}
	return "", errorf(CodeInvalidMode, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT, and FORWARD")
}

// Config are the settings of a subject, a context or all. What is nil is not set.
type Config struct {
	Alias              *string        `json:"alias,omitempty"`
	AliasForDeks       *bool          `json:"aliasForDeks,omitempty"`
	Normalize          *bool          `json:"normalize,omitempty"`
	ValidateFields     *bool          `json:"validateFields,omitempty"`
	ValidateNewSchemas *bool          `json:"validateNewSchemas,omitempty"`
	ValidateRules      *bool          `json:"validateRules,omitempty"`
	Level              *Compatibility `json:"compatibilityLevel,omitempty"`
	Policy             *string        `json:"compatibilityPolicy,omitempty"`
	Group              *string        `json:"compatibilityGroup,omitempty"`
	DefaultMetadata    *Metadata      `json:"defaultMetadata,omitempty"`
	OverrideMetadata   *Metadata      `json:"overrideMetadata,omitempty"`
	DefaultRules       *RuleSet       `json:"defaultRuleSet,omitempty"`
	OverrideRules      *RuleSet       `json:"overrideRuleSet,omitempty"`
}
