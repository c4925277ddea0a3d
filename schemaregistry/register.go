package schemaregistry

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// Version is a version of a subject as clients see it.
type Version struct {
	Name       Name
	Number     int
	ID         int
	GUID       string
	Type       string
	References []Reference
	Metadata   *Metadata
	Rules      *RuleSet
	Schema     Text
	TimeMs     int64 // when it was written last
	Deleted    bool
	Aliases    []string // only where they are asked for
}

func (v *version) view() Version {
	e := v.entry
	return Version{Name: v.name, Number: v.number, ID: v.id, GUID: e.sum.GUID(), Type: e.typ, References: e.references, Metadata: e.metadata,
		Rules: e.rules, Schema: e.text, TimeMs: v.timeMs, Deleted: v.deleted}
}

// RegisterOptions go with a schema that is to be registered.
type RegisterOptions struct {
	Normalize bool
	ID        int // -1: the registry chooses; else only in mode IMPORT
	// Version is the number of the new version; 0: the next one; -1: the next one, also when an earlier one than the latest has the schema, which is written
	// down in its metadata, as every number is.
	Version int
	Force   bool
	// AddTags and RemoveTags change the tags in the schema. KeepTags adds those of the latest version to parts that are still there.
	AddTags, RemoveTags []tag.Tagged
	KeepTags            bool
}

// Register makes a schema the next version of a subject and returns it; a schema that the subject has already is returned as it is.
//
// Errors: 409 incompatible, 42201 no schema or no such reference, 42205 the mode does not allow it, 42208 no subject, 42209 too large, 42210
// rules that no client could execute.
func (r *Registry) Register(ctx context.Context, n Name, in Input, o RegisterOptions) (Version, error) {
	if err := checkSubject(n); err != nil {
		return Version{}, err
	}
	in.Rules = in.Rules.complete()
	if err := in.Rules.check(); err != nil {
		return Version{}, err
	}
	var target target
	err := r.change(ctx, func() (records []record, err error) {
		if r.mode(n) == Import {
			target, records, err = r.importVersion(n, in, o)
		} else {
			target, records, err = r.nextVersion(ctx, n, in, o)
		}
		return records, err
	})
	if err != nil {
		return Version{}, err
	}
	v := find(r.state.versionsOf(n), target.number)
	if v == nil || v.id != target.id {
		return Version{}, errorf(CodeStore, "Version %d of subject %s was changed by another registry meanwhile; try again", target.number, n)
	}
	return v.view(), nil
}

// target is where a registered schema is to be found.
type target struct{ number, id int }

// nextVersion decides what a new version of a subject writes.
func (r *Registry) nextVersion(ctx context.Context, n Name, in Input, o RegisterOptions) (target, []record, error) {
	if err := r.writable(n); err != nil {
		return target{}, nil, err
	}
	if o.ID >= 0 {
		return target{}, nil, errorf(CodeNotPermitted, "Subject %s in context %s is not in import mode", n.Subject, n.Context)
	}
	versions := r.state.versionsOf(n)
	in, o, err := r.prepared(n, in, o, versions)
	if err != nil {
		return target{}, nil, err
	}
	parsed, references, err := r.parse(n.Context, in, r.validatesNew(n))
	if err != nil {
		return target{}, nil, err
	}
	var co *content
	for _, a := range r.candidates(n, in.attachments(), latest(versions)) {
		co = r.contentOf(n, in, parsed, references, o.Normalize, a)
		if v := r.same(versions, co, parsed, false); v != nil && o.takes(v, versions) {
			return target{v.number, v.id}, nil, nil
		}
	}
	number := 1
	if len(versions) > 0 {
		number = versions[len(versions)-1].number + 1
	}
	if o.Version > 0 && o.Version != number {
		return target{}, nil, errorf(CodeInvalidSchema, "Invalid schema: version %d is not one more than previous version %d", o.Version, number-1)
	}
	if o.Version != 0 || property(co.metadata, versionProperty) != "" {
		co = newContent(co.typ, co.text.String(), co.references, attachments{withVersion(co.metadata, number), co.rules})
	}
	if !o.Force {
		verdict, err := r.check(ctx, n, co, parsed, versions)
		if err != nil {
			return target{}, nil, err
		}
		if !verdict.Compatible {
			return target{}, nil, incompatible(n, verdict)
		}
	}
	id, ok := r.state.idOf(n.Context, co.sum)
	if !ok {
		id = r.state.lastIDs()[n.Context] + 1
	}
	if id > math.MaxInt32 || number > math.MaxInt32 {
		return target{}, nil, errorf(CodeNotPermitted, "Subject %s in context %s has the highest id or version that there can be", n.Subject, n.Context)
	}
	records, err := r.schemaRecords(n, number, id, co)
	return target{number, id}, append(r.twins(versions, co), records...), err
}

// takes tells whether a version that has the schema already is what the options ask for.
func (o RegisterOptions) takes(v *version, versions []version) bool {
	return o.Version == 0 || o.Version == v.number || o.Version == latestVersion && v.number == latest(versions).number
}

// candidates are what a schema may have been stored with, the last of them what it will be stored with if it was not.
func (r *Registry) candidates(n Name, sent attachments, last *version) []attachments {
	full := r.attached(n, sent.inherited(last))
	if r.attaches(n) {
		return []attachments{full}
	}
	return []attachments{sent, full}
}

// prepared is a client's schema with its tags changed as it asks, and with the text of the latest version when there is none.
func (r *Registry) prepared(n Name, in Input, o RegisterOptions, versions []version) (Input, RegisterOptions, error) {
	in, err := reuse(in, versions)
	if err != nil {
		return in, o, err
	}
	if len(o.AddTags)+len(o.RemoveTags) > 0 {
		if in, err = r.retag(n, in, o.AddTags, o.RemoveTags); err != nil {
			return in, o, err
		}
		if o.Version == 0 {
			o.Version = latestVersion
		}
	}
	if last := latest(versions); o.KeepTags && last != nil {
		in, err = r.keepTags(n, in, last)
	}
	return in, o, err
}

// reuse fills in the text of the latest version when a client sends none, to change the metadata alone.
func reuse(in Input, versions []version) (Input, error) {
	if strings.TrimSpace(in.Text) != "" {
		return in, nil
	}
	v := latest(versions)
	if v == nil {
		return in, errorf(CodeInvalidSchema, "Empty schema")
	}
	in.Type, in.Text, in.References = v.entry.typ, v.entry.text.String(), v.entry.references
	return in, nil
}

func incompatible(n Name, v Verdict) *Error {
	return errorf(CodeIncompatible, "Schema being registered is incompatible with an earlier schema for subject \"%s\", details: %s", n, javaList(v.Messages))
}

// javaList is a list as Java prints it, which clients search.
func javaList(items []string) string {
	text := "["
	for i, item := range items {
		if i > 0 {
			text += ", "
		}
		text += item
	}
	return text + "]"
}

// twins takes away soft deleted versions with the same content, which the new one stands in for, unless others refer to them.
func (r *Registry) twins(versions []version, co *content) []record {
	var records []record
	for _, v := range versions {
		if v.deleted && v.entry.sum == co.sum && len(r.state.users(v.name, v.number)) == 0 {
			records = append(records, r.state.forget(key{kind: keySchema, subject: v.name.String(), version: v.number})...)
		}
	}
	return records
}

// schemaRecords are the records of a new version, and of its context when that is new.
//
// Errors: 42209 it is larger than a record may be.
func (r *Registry) schemaRecords(n Name, number, id int, co *content) ([]record, error) {
	var records []record
	if n.Context != DefaultContext && !slices.Contains(r.state.contextNames(), n.Context) {
		records = append(records, newRecord(key{kind: keyContext, context: n.Context}, contextValue{defaultTenant, n.Context}))
	}
	k := key{kind: keySchema, subject: n.String(), version: number}
	// Forms of the key that compaction takes for others would bring an older version back.
	records = append(records, r.state.forget(k)[1:]...)
	rec := newRecord(k, schemaValue{Subject: n.String(), Version: number, ID: id, Type: co.typ, References: co.references,
		Metadata: co.metadata, Rules: co.rules, Schema: co.text.String()})
	if size := len(rec.key) + len(rec.value); size > maxRecordBytes-recordOverhead {
		return nil, errorf(CodeSchemaTooLarge, "Schema too large: it takes %d bytes of the %d that a record may have", size, maxRecordBytes-recordOverhead)
	}
	return append(records, rec), nil
}

// importVersion decides what a version with a given id and number writes (mode IMPORT): nothing is checked but the id.
func (r *Registry) importVersion(n Name, in Input, o RegisterOptions) (target, []record, error) {
	if o.ID < 0 {
		return target{}, nil, errorf(CodeNotPermitted, "Subject %s in context %s is not in read-write mode", n.Subject, n.Context)
	}
	if len(o.AddTags)+len(o.RemoveTags) > 0 {
		var err error
		if in, err = r.retag(n, in, o.AddTags, o.RemoveTags); err != nil {
			return target{}, nil, err
		}
	}
	parsed, references, err := r.parse(n.Context, in, false)
	if err != nil {
		return target{}, nil, err
	}
	co := newContent(in.Type, parsed.Canonical(), references, in.attachments())
	if other, _ := r.state.byID(n.Context, o.ID); other != nil && other.sum != co.sum {
		return target{}, nil, errorf(CodeNotPermitted, "Overwrite new schema with id %d is not permitted.", o.ID)
	}
	versions := r.state.versionsOf(n)
	number := o.Version
	if number <= 0 {
		number = 1
		if len(versions) > 0 {
			number = versions[len(versions)-1].number + 1
		}
		if v := r.same(versions, co, parsed, false); v != nil && v.id == o.ID {
			return target{v.number, v.id}, nil, nil
		}
	}
	if v := find(versions, number); v != nil && !v.deleted && v.id == o.ID && v.entry.sum == co.sum {
		return target{number, o.ID}, nil, nil
	}
	records, err := r.schemaRecords(n, number, o.ID, co)
	return target{number, o.ID}, records, err
}

// same returns the newest version with the same content, else the newest that says the same: attributes in another order, or its
// references sent in place.
func (r *Registry) same(versions []version, co *content, parsed Schema, deleted bool) *version {
	for i := len(versions) - 1; i >= 0; i-- {
		if v := &versions[i]; (deleted || !v.deleted) && v.entry.sum == co.sum {
			return v
		}
	}
	for i := len(versions) - 1; i >= 0; i-- {
		v := &versions[i]
		if v.deleted && !deleted || v.entry.typ != co.typ || !sameAttachments(v, co.attachments()) {
			continue
		}
		if len(co.references) > 0 && !slices.Equal(co.references, v.entry.references) {
			continue
		}
		if old, err := r.stored(v); err == nil && parsed.Equal(old) {
			return v
		}
	}
	return nil
}

// versionProperty is the version that a client has put into the metadata of a schema that it once got.
const versionProperty = "confluent:version"

// sameAttachments leaves out the version in the metadata when one side has none, and takes it at its word when only the new side has one.
func sameAttachments(v *version, a attachments) bool {
	old := v.entry.attachments()
	was, is := property(old.metadata, versionProperty), property(a.metadata, versionProperty)
	if is != "" && was == "" && is != strconv.Itoa(v.number) {
		return false
	}
	if was == "" || is == "" {
		old.metadata, a.metadata = withoutVersion(old.metadata), withoutVersion(a.metadata)
	}
	return newContent("", "", nil, old).sum == newContent("", "", nil, a).sum
}

// withVersion has a number in the metadata.
func withVersion(m *Metadata, number int) *Metadata {
	return mergeMetadata(m, &Metadata{Properties: map[string]string{versionProperty: strconv.Itoa(number)}})
}

func withoutVersion(m *Metadata) *Metadata {
	if property(m, versionProperty) == "" {
		return m
	}
	c := *m
	c.Properties = maps.Clone(m.Properties)
	delete(c.Properties, versionProperty)
	return &c
}

// Lookup returns the version of a subject that has a schema. A subject that names no context and is not in the default one is looked for
// in the others.
//
// Errors: 40401 no such subject, 40403 it has no such schema, 42201 no schema.
func (r *Registry) Lookup(ctx context.Context, n Name, in Input, normalize, deleted bool) (Version, error) {
	if err := r.await(ctx); err != nil {
		return Version{}, err
	}
	v, err := r.lookup(n, in, normalize, deleted)
	if err != nil && n.Context == DefaultContext {
		for _, other := range r.state.contextNames() {
			if v, err := r.lookup(Name{other, n.Subject}, in, normalize, deleted); err == nil {
				return v.view(), nil
			}
		}
	}
	if err != nil {
		return Version{}, err
	}
	return v.view(), nil
}

func (r *Registry) lookup(n Name, in Input, normalize, deleted bool) (*version, error) {
	versions := r.state.versionsOf(n)
	if len(versions) == 0 || !deleted && latest(versions) == nil {
		return nil, subjectNotFound(n.String())
	}
	if strings.TrimSpace(in.Text) == "" {
		return nil, errorf(CodeSchemaNotFound, "Schema not found")
	}
	parsed, references, err := r.parse(n.Context, in, false)
	if err != nil {
		return nil, err
	}
	sent := in.attachments()
	tries := append([]attachments{sent, r.attached(n, sent)}, r.candidates(n, sent, latest(versions))...)
	for _, a := range tries {
		if v := r.same(versions, r.contentOf(n, in, parsed, references, normalize, a), parsed, deleted); v != nil {
			return v, nil
		}
	}
	return nil, errorf(CodeSchemaNotFound, "Schema not found")
}
