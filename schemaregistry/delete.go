package schemaregistry

import (
	"context"
)

// DeleteVersion deletes a version of a subject and returns its number; -1 is the latest that is not deleted. A soft deleted version is still found by its
// id; permanent takes a soft deleted one away.
//
// Errors: 40401, 40402, 40406 it is soft deleted already, 40407 it is not, 42205 read-only, 42206 others refer to it.
func (r *Registry) DeleteVersion(ctx context.Context, n Name, number int, permanent bool) (int, error) {
	deleted := number
	err := r.change(ctx, func() ([]record, error) {
		versions := r.state.versionsOf(n)
		v, err := r.deletable(n, versions, number, permanent)
		if err != nil {
			return nil, err
		}
		deleted = v.number
		if err := r.unused(n, []version{*v}, permanent); err != nil {
			return nil, err
		}
		if permanent {
			return r.hardDelete(n, []version{*v}, len(versions) == 1), nil
		}
		return []record{softDelete(*v)}, nil
	})
	return deleted, err
}

// deletable finds the version that is meant, in the state that the deletion asks for.
func (r *Registry) deletable(n Name, versions []version, number int, permanent bool) (*version, error) {
	if err := r.writable(n); err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, subjectNotFound(n.String())
	}
	v := find(versions, number)
	if number == latestVersion {
		v = latest(versions)
	}
	switch {
	case v == nil:
		return nil, versionNotFound(number)
	case !permanent && v.deleted:
		return nil, errorf(CodeVersionSoftDeleted, "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently", n, v.number)
	case permanent && !v.deleted:
		return nil, errorf(CodeVersionNotSoftDeleted, "Subject '%s' Version %d was not deleted first before being permanently deleted", n, v.number)
	}
	return v, nil
}

// unused refuses to delete versions that others refer to: live ones, and before a hard delete soft deleted ones too. Those that are
// deleted together may refer to each other.
func (r *Registry) unused(n Name, versions []version, permanent bool) error {
	together := len(versions) > 1
	for _, v := range versions {
		for _, user := range r.state.users(n, v.number) {
			if (permanent || !user.deleted) && !(together && user.name == n) {
				return errorf(CodeReferenceExists, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", n, v.number)
			}
		}
	}
	return nil
}

func softDelete(v version) record {
	e := v.entry
	return newRecord(key{kind: keySchema, subject: v.name.String(), version: v.number}, schemaValue{Subject: v.name.String(), Version: v.number,
		ID: v.id, Type: e.typ, References: e.references, Metadata: e.metadata, Rules: e.rules, Schema: e.text.String(), Deleted: true})
}

// hardDelete takes versions away, with every form of their keys that is in the topic, and with the last one the subject's settings.
// The highest ids are kept elsewhere, so that none is ever given again.
func (r *Registry) hardDelete(n Name, versions []version, last bool) []record {
	records := []record{newRecord(key{kind: keyNoop}, noopValue{r.state.lastIDs()})}
	for _, v := range versions {
		records = append(records, r.state.forget(key{kind: keySchema, subject: n.String(), version: v.number})...)
	}
	if !last {
		return records
	}
	records = append(records, r.state.forget(key{kind: keyDeleteSubject, subject: n.String()})...)
	if _, ok := r.state.config(n.String()); ok {
		records = append(records, r.state.forget(key{kind: keyConfig, subject: n.String()})...)
	}
	if _, ok := r.state.mode(n.String()); ok {
		records = append(records, r.state.forget(key{kind: keyMode, subject: n.String()})...)
	}
	return records
}

// DeleteSubject deletes all versions of a subject and returns their numbers. permanent takes a soft deleted subject away.
//
// Errors: 40401, 40404 it is soft deleted already, 40405 it is not, 42205 read-only, 42206 others refer to it.
func (r *Registry) DeleteSubject(ctx context.Context, n Name, permanent bool) ([]int, error) {
	var numbers []int
	err := r.change(ctx, func() ([]record, error) {
		numbers = nil
		if err := r.writable(n); err != nil {
			return nil, err
		}
		versions := r.state.versionsOf(n)
		live := live(versions)
		switch {
		case len(versions) == 0:
			return nil, subjectNotFound(n.String())
		case !permanent && len(live) == 0:
			return nil, errorf(CodeSubjectSoftDeleted, "Subject '%s' was soft deleted.Set permanent=true to delete permanently", n)
		case permanent && len(live) > 0:
			return nil, errorf(CodeSubjectNotSoftDeleted, "Subject '%s' was not deleted first before being permanently deleted", n)
		case !permanent:
			versions = live
		}
		for _, v := range versions {
			numbers = append(numbers, v.number)
		}
		if err := r.unused(n, append(versions, version{number: -1}), permanent); err != nil {
			return nil, err
		}
		if permanent {
			return r.hardDelete(n, versions, true), nil
		}
		last := versions[len(versions)-1].number
		return []record{newRecord(key{kind: keyDeleteSubject, subject: n.String()}, deleteSubjectValue{n.String(), last})}, nil
	})
	return numbers, err
}

// DeleteContext removes a context without subjects.
//
// Errors: 42211 it has subjects.
func (r *Registry) DeleteContext(ctx context.Context, name string) error {
	return r.change(ctx, func() ([]record, error) {
		if len(r.state.matching(":"+name+":")) > 0 {
			return nil, errorf(CodeContextNotEmpty, "The specified context '%s' is not empty.", name)
		}
		return r.state.forget(key{kind: keyContext, context: name}), nil
	})
}
