package schemaregistry

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// maxOldSchema is how much of an old schema a message shows, in bytes.
const maxOldSchema = 10 << 10

// Verdict says whether a schema gets along with earlier versions.
type Verdict struct {
	Compatible bool
	// Messages are Confluent's, one for each difference and three about the version that it is with.
	Messages []string
	// Differences are those of Messages.
	Differences []Difference
	Version     int // the version that it does not get along with
}

// check compares a new schema with earlier versions, the newest first, and stops at the first that it does not get along with.
func (r *Registry) check(n Name, level Compatibility, typ string, next Schema, metadata *Metadata, versions []version) (Verdict, error) {
	if level == None {
		return Verdict{Compatible: true}, nil
	}
	versions = r.comparable(n, metadata, versions)
	if !level.transitive() && len(versions) > 1 {
		versions = versions[len(versions)-1:]
	}
	for i := len(versions) - 1; i >= 0; i-- {
		v := &versions[i]
		verdict, err := r.compare(level, typ, next, v)
		if err != nil || !verdict.Compatible {
			return verdict, err
		}
	}
	return Verdict{Compatible: true}, nil
}

// comparable leaves out soft deleted versions and those of another compatibility group.
func (r *Registry) comparable(n Name, metadata *Metadata, versions []version) []version {
	group := r.group(n)
	return slices.DeleteFunc(live(versions), func(v version) bool {
		return group != "" && property(v.entry.metadata, group) != property(metadata, group)
	})
}

func property(m *Metadata, name string) string {
	if m == nil {
		return ""
	}
	return m.Properties[name]
}

func (r *Registry) compare(level Compatibility, typ string, next Schema, v *version) (Verdict, error) {
	verdict := Verdict{Version: v.number}
	if v.entry.typ != typ {
		verdict.Messages = []string{"Incompatible because of different schema type"}
		return r.explain(verdict, level, v), nil
	}
	old, err := r.stored(v)
	if err != nil {
		return verdict, fmt.Errorf("read version %d: %w", v.number, err)
	}
	add := func(reader, writer Schema, newReads bool) error {
		found, err := r.providers[typ].CanRead(reader, writer, newReads)
		for _, d := range found {
			verdict.Messages = append(verdict.Messages, d.Message)
		}
		verdict.Differences = append(verdict.Differences, found...)
		return err
	}
	if level.forward() {
		if err := add(old, next, false); err != nil {
			return verdict, invalidSchema(err)
		}
	}
	if level.backward() {
		if err := add(next, old, true); err != nil {
			return verdict, invalidSchema(err)
		}
	}
	if len(verdict.Differences) == 0 {
		return Verdict{Compatible: true}, nil
	}
	return r.explain(verdict, level, v), nil
}

// explain adds what the new schema was compared with.
func (r *Registry) explain(verdict Verdict, level Compatibility, v *version) Verdict {
	for _, d := range verdict.Differences {
		if d.Fix != "" {
			verdict.Messages = append(verdict.Messages, fmt.Sprintf("{fix: '%s'}", d.Fix))
		}
	}
	old := fmt.Sprintf("{oldSchema: '%s'}", v.entry.text)
	if len(v.entry.text) > maxOldSchema {
		old = fmt.Sprintf("{oldSchema: <truncated> '%s...'}", strings.ToValidUTF8(v.entry.text[:maxOldSchema], ""))
	}
	verdict.Messages = append(verdict.Messages, fmt.Sprintf("{oldSchemaVersion: %d}", v.number), old,
		fmt.Sprintf("{validateFields: 'false', compatibility: '%s'}", level))
	return verdict
}

// Compatible tells whether a schema could be the next version of a subject. number is the version to compare it with, -1 the latest, 0 all
// that the subject's level asks for.
//
// Errors: 40402 a version that is not there, 42201 a schema that is none.
func (r *Registry) Compatible(ctx context.Context, n Name, number int, in Input, normalize bool) (Verdict, error) {
	if err := r.await(ctx); err != nil {
		return Verdict{}, err
	}
	versions := r.state.versionsOf(n)
	level := r.level(n)
	switch {
	case number > 0:
		v := find(versions, number)
		if v == nil || v.deleted {
			return Verdict{}, versionNotFound(number)
		}
		versions = []version{*v}
	case number == latestVersion:
		if v := latest(versions); v != nil {
			versions = []version{*v}
		}
	}
	next, references, err := r.parse(n.Context, in, r.validatesNew(n))
	if err != nil {
		return Verdict{}, err
	}
	co := r.contentOf(n, in, next, references, normalize)
	return r.check(n, level, co.typ, next, co.metadata, versions)
}

// contentOf is what would be stored of a client's schema.
func (r *Registry) contentOf(n Name, in Input, parsed Schema, references []Reference, normalize bool) *content {
	text := parsed.Canonical()
	if normalize || r.normalizes(n) {
		text = parsed.Normalized()
		references = normalizedReferences(references)
	}
	return newContent(in.Type, text, references, r.metadata(n, in.Metadata))
}

func normalizedReferences(references []Reference) []Reference {
	s := slices.Clone(references)
	slices.SortStableFunc(s, func(a, b Reference) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(s, func(a, b Reference) bool { return a.Name == b.Name })
}
