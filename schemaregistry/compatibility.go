package schemaregistry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// maxOldSchema is how much of an old schema a message shows, in units of UTF-16, as Java counts.
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

// check compares a new schema with earlier versions, the newest first, and stops at the first that it does not get along with, or when ctx ends.
func (r *Registry) check(ctx context.Context, n Name, co *content, next Schema, versions []version) (Verdict, error) {
	level, versions := r.level(n), live(versions)
	verdict := Verdict{Compatible: true}
	if r.validatesFields(n) {
		verdict.Messages = reservedFields(co.metadata, next, latest(versions))
	}
	if level != None {
		if err := r.compareAll(ctx, &verdict, level, co.typ, next, r.comparable(n, co.metadata, versions)); err != nil {
			return verdict, err
		}
	}
	if verdict.Compatible = len(verdict.Messages) == 0; !verdict.Compatible {
		verdict.Messages = append(verdict.Messages, fmt.Sprintf("{validateFields: '%t', compatibility: '%s'}", r.validatesFields(n), level))
	}
	return verdict, nil
}

func (r *Registry) compareAll(ctx context.Context, verdict *Verdict, level Compatibility, typ string, next Schema, versions []version) error {
	if !level.Transitive() && len(versions) > 1 {
		versions = versions[len(versions)-1:]
	}
	for i := len(versions) - 1; i >= 0 && verdict.Version == 0; i-- {
		if ctx.Err() != nil { // nobody waits for the answer, and others may wait for their turn
			return errorf(CodeTimeout, "Comparing the schema with version %d of subject %s and those before it was not finished in time", versions[i].number, versions[i].name)
		}
		if err := r.compare(verdict, level, typ, next, &versions[i]); err != nil {
			return err
		}
	}
	return nil
}

// comparable leaves out versions of another compatibility group.
func (r *Registry) comparable(n Name, metadata *Metadata, versions []version) []version {
	group := r.group(n)
	return slices.DeleteFunc(versions, func(v version) bool {
		return group != "" && property(v.entry.metadata, group) != property(metadata, group)
	})
}

func property(m *Metadata, name string) string {
	if m == nil {
		return ""
	}
	return m.Properties[name]
}

// compare adds what is between a new schema and one version; their number is the verdict's when anything is.
func (r *Registry) compare(verdict *Verdict, level Compatibility, typ string, next Schema, v *version) error {
	if v.entry.typ != typ {
		verdict.Messages, verdict.Version = append(verdict.Messages, "Incompatible because of different schema type"), v.number
		return nil
	}
	old, err := r.stored(v)
	if err != nil {
		return errorf(CodeStore, "Read version %d of subject %s: %v", v.number, v.name, err)
	}
	found, err := Differences(r.comparer(v.name, typ), level, next, old)
	if err != nil {
		return invalidSchema(err)
	}
	// The old schema is shown where what new readers cannot read is listed, or where that is all that is asked.
	show := false
	for _, d := range found {
		verdict.Messages, verdict.Version = append(verdict.Messages, d.Message), v.number
		show = show || d.NewReads || !level.backward()
	}
	verdict.Differences = found
	verdict.explain(v, show)
	return nil
}

// comparer is what compares the schemas of a subject.
func (r *Registry) comparer(n Name, typ string) Provider {
	p := r.providers[typ]
	if l, ok := p.(LenientProvider); ok && r.lenient(n) {
		return l.Lenient()
	}
	return p
}

// Differences are the reasons why a new schema does not get along with an old one at a level, those of old readers first.
func Differences(p Provider, level Compatibility, next, old Schema) (all []Difference, err error) {
	if level.forward() {
		if all, err = p.CanRead(old, next, false); err != nil {
			return nil, err
		}
	}
	if level.backward() {
		found, err := p.CanRead(next, old, true)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// explain adds what would help, and what the new schema was compared with.
func (verdict *Verdict) explain(v *version, show bool) {
	for _, d := range verdict.Differences {
		if d.Fix != "" {
			verdict.Messages = append(verdict.Messages, fmt.Sprintf("{fix: '%s'}", d.Fix))
		}
	}
	if !show {
		return
	}
	verdict.Messages = append(verdict.Messages, fmt.Sprintf("{oldSchemaVersion: %d}", v.number), oldSchema(v.entry.text.String()))
}

// oldSchema is the message with an earlier schema, cut where Confluent's is.
func oldSchema(text string) string {
	if len(text) <= maxOldSchema {
		return "{oldSchema: '" + text + "'}"
	}
	units := utf16.Encode([]rune(text))
	if len(units) <= maxOldSchema {
		return "{oldSchema: '" + text + "'}"
	}
	return "{oldSchema: <truncated> '" + string(utf16.Decode(units[:maxOldSchema])) + "...'}"
}

// reservedProperty lists names that fields may not have, separated by commas.
const reservedProperty = "confluent:reserved"

// reservedFields says what breaks the rules of validateFields: names once reserved stay so, and no field has one.
func reservedFields(m *Metadata, next Schema, last *version) []string {
	var messages []string
	now := reserved(m)
	if last != nil {
		for _, name := range reserved(last.entry.metadata) {
			if !slices.Contains(now, name) {
				messages = append(messages, fmt.Sprintf("{errorType:'RESERVED_FIELD_REMOVED', description:'The name %s is not among the reserved names any more', additionalInfo:'%s'}", name, name))
			}
		}
	}
	for _, name := range now {
		if next.HasField(name) {
			messages = append(messages, fmt.Sprintf("{errorType:'FIELD_CONFLICTS_WITH_RESERVED_FIELD', description:'The field %s has a reserved name', additionalInfo:'%s'}", name, name))
		}
	}
	return messages
}

func reserved(m *Metadata) []string {
	var names []string
	for _, name := range strings.Split(property(m, reservedProperty), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return sorted(names)
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
	return r.check(ctx, n, r.contentOf(n, in, next, references, normalize, r.attached(n, in.attachments())), next, versions)
}

// contentOf is what would be stored of a client's schema with a.
func (r *Registry) contentOf(n Name, in Input, parsed Schema, references []Reference, normalize bool, a attachments) *content {
	text := parsed.Canonical()
	if normalize || r.normalizes(n) {
		text = parsed.Normalized()
		references = normalizedReferences(references)
	}
	return newContent(in.Type, text, references, a)
}

func normalizedReferences(references []Reference) []Reference {
	s := slices.Clone(references)
	slices.SortStableFunc(s, func(a, b Reference) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(s, func(a, b Reference) bool { return a.Name == b.Name })
}
