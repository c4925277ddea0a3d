package schemaregistry

import "context"

// Config returns what is configured for a subject, a context (a name without a subject) or all (the default context without one), with the
// registry's own level where none is. With toGlobal it is what is in force there.
//
// Errors: 40408 nothing is configured for the subject or context.
func (r *Registry) Config(ctx context.Context, n Name, toGlobal bool) (Config, error) {
	if err := r.await(ctx); err != nil {
		return Config{}, err
	}
	c, ok := r.state.config(settingsKey(n))
	switch {
	case n.isSpecific() && !ok && !toGlobal:
		return Config{}, errorf(CodeNoSubjectConfig, "Subject '%s' does not have subject-level compatibility configured", n)
	case !ok:
		c, _ = r.nearest(n)
	case toGlobal:
		c = r.completed(n, c)
	}
	return r.withLevel(c), nil
}

// withLevel has the registry's own level where none is configured.
func (r *Registry) withLevel(c Config) Config {
	if c.Level == nil {
		c.Level = &r.cfg.Level
	}
	return c
}

// settingsKey is the name under which the settings of a subject, a context or all are kept.
func settingsKey(n Name) string {
	if n.Subject == "" {
		return n.holder()
	}
	return n.String()
}

// SetConfig changes the settings that edit changes in what is configured, and returns what is configured then.
//
// Errors: 42205 read-only, 42208 no subject, 42210 rules that no client could execute.
func (r *Registry) SetConfig(ctx context.Context, n Name, edit func(*Config)) (Config, error) {
	if err := checkSubject(n); err != nil {
		return Config{}, err
	}
	var next Config
	err := r.change(ctx, func() ([]record, error) {
		if err := r.writable(n); err != nil {
			return nil, err
		}
		next, _ = r.state.config(settingsKey(n))
		edit(&next)
		for _, rules := range []**RuleSet{&next.DefaultRules, &next.OverrideRules} {
			*rules = (*rules).complete()
			if err := (*rules).check(); err != nil {
				return nil, err
			}
		}
		k := key{kind: keyConfig, subject: settingsKey(n)}
		return append(r.state.forget(k)[1:], newRecord(k, configValue{settingsKey(n), next})), nil
	})
	return next, err
}

// DeleteConfig takes the settings of a subject, a context or all away and returns them.
//
// Errors: 40401 nothing is configured, 42205 read-only.
func (r *Registry) DeleteConfig(ctx context.Context, n Name) (Config, error) {
	var old Config
	err := r.change(ctx, func() ([]record, error) {
		if err := r.writable(n); err != nil {
			return nil, err
		}
		var ok bool
		old, ok = r.state.config(settingsKey(n))
		old = r.withLevel(old)
		switch {
		case !ok && n.isSpecific():
			return nil, subjectNotFound(n.String())
		case !ok:
			return nil, nil
		}
		return r.state.forget(key{kind: keyConfig, subject: settingsKey(n)}), nil
	})
	return old, err
}

// Mode returns the mode of a subject, a context or all. With toGlobal it is the one in force there.
//
// Errors: 40409 the subject or context has none of its own.
func (r *Registry) Mode(ctx context.Context, n Name, toGlobal bool) (Mode, error) {
	if err := r.await(ctx); err != nil {
		return "", err
	}
	if m, ok := r.state.mode(settingsKey(n)); ok {
		return m, nil
	}
	if n.isSpecific() && !toGlobal {
		return "", errorf(CodeNoSubjectMode, "Subject '%s' does not have subject-level mode configured", n)
	}
	return r.mode(n), nil
}

// SetMode sets the mode. IMPORT needs a subject, context or registry without live versions, or force; what is soft deleted there is hard
// deleted without force.
//
// Errors: 42204 no such mode there, 42205 modes are fixed or there are subjects, 42206 others refer to what is soft deleted, 42208 no subject.
func (r *Registry) SetMode(ctx context.Context, n Name, m Mode, force bool) error {
	if err := checkSubject(n); err != nil {
		return err
	}
	if m == Forwarding && n.Context != globalContext {
		return errorf(CodeInvalidMode, "Forward mode only supported on global level")
	}
	if r.cfg.FixedModes {
		return errorf(CodeNotPermitted, "Mode changes are not allowed")
	}
	return r.change(ctx, func() ([]record, error) {
		k := key{kind: keyMode, subject: settingsKey(n)}
		records := append(r.state.forget(k)[1:], newRecord(k, modeValue{settingsKey(n), m}))
		if m != Import || r.mode(n) == Import || force {
			return records, nil
		}
		cleared, err := r.clear(n)
		return append(cleared, records...), err
	})
}

// clear takes away what is soft deleted and refuses when something is not, or others refer to it. Without subject and context that is about
// all contexts.
func (r *Registry) clear(n Name) ([]record, error) {
	affected := r.state.matching(":" + n.Context + ":")
	if settingsKey(n) == "" || n.Context == globalContext {
		affected = r.state.matching(":" + anyContext + ":")
	}
	if n.Subject != "" {
		affected = nil
		if versions := r.state.versionsOf(n); len(versions) > 0 {
			affected = [][]version{versions}
		}
	}
	var records []record
	for _, versions := range affected {
		if latest(versions) != nil {
			return nil, errorf(CodeNotPermitted, "Cannot import since found existing subjects")
		}
		name := versions[0].name
		if err := r.unused(name, versions, true); err != nil {
			return nil, err
		}
		records = append(records, r.hardDelete(name, versions, false)...)
		records = append(records, newRecord(key{kind: keyClearSubject, subject: name.String()}, clearSubjectValue{name.String()}))
	}
	return records, nil
}

// DeleteMode takes the mode of a subject, a context or all away, with recursive those of a context's subjects too, and returns the
// old one; "" when recursive has found none of the context's own.
//
// Errors: 40401 there is none, 42205 modes are fixed.
func (r *Registry) DeleteMode(ctx context.Context, n Name, recursive bool) (Mode, error) {
	if r.cfg.FixedModes {
		return "", errorf(CodeNotPermitted, "Mode changes are not allowed")
	}
	var old Mode
	err := r.change(ctx, func() ([]record, error) {
		m, ok := r.state.mode(settingsKey(n))
		switch {
		case !ok && settingsKey(n) == "":
			m = ReadWrite
		case !ok && (n.Subject != "" || !recursive):
			return nil, subjectNotFound(settingsKey(n))
		}
		old = m
		records := r.state.forget(key{kind: keyMode, subject: settingsKey(n)})
		if recursive && n.Subject == "" {
			for _, versions := range r.state.matching(":" + n.Context + ":") {
				if _, ok := r.state.mode(versions[0].name.String()); ok {
					records = append(records, r.state.forget(key{kind: keyMode, subject: versions[0].name.String()})...)
				}
			}
		}
		return records, nil
	})
	return old, err
}

// Aliased returns the subject that a name is configured to stand for, itself when there is none.
func (r *Registry) Aliased(ctx context.Context, n Name) (Name, error) {
	if err := r.await(ctx); err != nil {
		return n, err
	}
	if c, ok := r.state.config(n.String()); ok && c.Alias != nil && *c.Alias != "" {
		return ParseName(*c.Alias).within(n.Context), nil
	}
	return n, nil
}
