package schemaregistry

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// Tagger is a Schema whose parts can have tags.
type Tagger interface {
	// Tagged lists the parts that have tags. An error means that it would be too long (I5).
	Tagged() ([]tag.Tagged, error)
	// WithTags is the canonical text with other tags. An error is about a part that is not there.
	WithTags(edits []tag.Edit) (string, error)
}

// What one request may change (I5): so many parts, with paths of so many bytes.
const (
	maxTagEdits = 1000
	maxTagPath  = 4096
)

// retag changes the tags of a client's schema: first some are added, then some removed.
//
// Errors: 42201 a part is not there.
func (r *Registry) retag(n Name, in Input, add, remove []tag.Tagged) (Input, error) {
	if len(add)+len(remove) > maxTagEdits {
		return in, errorf(CodeInvalidSchema, "Invalid schema: tags of more than %d parts are changed at once", maxTagEdits)
	}
	var edits []tag.Edit
	for _, t := range add {
		edits = append(edits, tag.Edit{Entity: t.Entity, Add: t.Tags})
	}
	for _, t := range remove {
		edits = append(edits, tag.Edit{Entity: t.Entity, Remove: t.Tags})
	}
	for _, e := range edits {
		if len(e.Entity.Path) > maxTagPath {
			return in, errorf(CodeInvalidSchema, "Invalid schema: the path of a part with tags is longer than %d bytes", maxTagPath)
		}
	}
	return r.editTags(n, in, edits)
}

func (r *Registry) editTags(n Name, in Input, edits []tag.Edit) (Input, error) {
	parsed, _, err := r.parse(n.Context, in, false)
	if err != nil {
		return in, err
	}
	tagger, ok := parsed.(Tagger)
	if !ok {
		return in, errorf(CodeInvalidSchema, "Invalid schema: schemas of the type %s have no tags", in.Type)
	}
	if in.Text, err = tagger.WithTags(edits); err != nil {
		return in, invalidSchema(err)
	}
	return in, nil
}

// keepTags adds the tags of a version to the parts that a client's schema still has.
func (r *Registry) keepTags(n Name, in Input, last *version) (Input, error) {
	old, err := r.stored(last)
	if err != nil {
		return in, errorf(CodeStore, "Read version %d of subject %s: %v", last.number, last.name, err)
	}
	from, ok := old.(Tagger)
	if !ok || last.entry.typ != cmp.Or(in.Type, Avro) {
		return in, nil
	}
	tagged, err := from.Tagged()
	if err != nil || len(tagged) == 0 {
		return in, nil // what is too long to list is too long to keep
	}
	var edits []tag.Edit
	for _, t := range tagged {
		if len(t.Entity.Path) <= maxTagPath {
			edits = append(edits, tag.Edit{Entity: t.Entity, Add: t.Tags, Optional: true})
		}
	}
	return r.editTags(n, in, edits)
}

// FindTags lists the parts of a version that have any of some tags, "*" being all tags.
//
// Errors: 42201 the schema cannot be read.
func (r *Registry) FindTags(v Version, tags []string) ([]tag.Tagged, error) {
	parsed, _, err := r.parse(v.Name.Context, Input{Type: v.Type, Text: v.Schema.String(), References: v.References}, false)
	if err != nil {
		return nil, err
	}
	tagger, ok := parsed.(Tagger)
	if !ok {
		return nil, nil
	}
	tagged, err := tagger.Tagged()
	if err != nil {
		return nil, invalidSchema(err)
	}
	all := slices.Contains(tags, "*")
	return slices.DeleteFunc(tagged, func(t tag.Tagged) bool {
		return !all && !slices.ContainsFunc(t.Tags, func(text string) bool { return slices.Contains(tags, text) })
	}), nil
}

// TagChange is what Tag changes in a version to make the next one of it.
type TagChange struct {
	Version     int // of the new one; 0: the next
	Add, Remove []tag.Tagged
	Metadata    *Metadata // in place of that of the version; nil: the same
	Rules       *RuleSet  // in place of the rules, nil for none, unless some are merged or removed
	MergeRules  *RuleSet
	RemoveRules []string
}

// Tag registers a version of a subject again with other tags, metadata and rules.
//
// Errors: those of Version and of Register.
func (r *Registry) Tag(ctx context.Context, n Name, number int, change TagChange) (Version, error) {
	v, err := r.Version(ctx, n, number, false)
	if err != nil {
		return Version{}, err
	}
	in := Input{Type: v.Type, Text: v.Schema.String(), References: v.References, Metadata: v.Metadata}
	if change.Metadata != nil {
		in.Metadata = change.Metadata
	}
	if in.Rules, err = r.changedRules(n, change); err != nil {
		return Version{}, err
	}
	o := RegisterOptions{ID: -1, Version: change.Version, AddTags: change.Add, RemoveTags: change.Remove}
	if o.Version == 0 {
		o.Version = latestVersion
	}
	return r.Register(ctx, n, in, o)
}

// changedRules are the rules of a new version, which begin with those of the one before it where rules are merged or removed.
//
// Errors: 42210.
func (r *Registry) changedRules(n Name, change TagChange) (*RuleSet, error) {
	merge := change.MergeRules.complete()
	if err := merge.check(); err != nil {
		return nil, err
	}
	if merge == nil && change.RemoveRules == nil {
		return change.Rules, nil
	}
	if change.Rules != nil {
		return nil, errorf(CodeInvalidRuleSet, "ruleSet should be omitted if specifying rulesToMerge or rulesToRemove")
	}
	before := latestVersion
	if change.Version > 0 {
		before = change.Version - 1
	}
	var rules *RuleSet
	if v, err := r.version(n, before, false); err == nil {
		rules = v.entry.rules
	}
	return mergeRules(rules, merge).without(change.RemoveRules), nil
}
