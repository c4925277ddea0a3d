package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// The options that list aliases, and what stands before those of an alias.
const (
	transformsOption = "transforms"
	predicatesOption = "predicates"
)

// maxAliases is how many transforms, and how many predicates, a connector may have
// (I5).
const maxAliases = 100

// Plan is what the settings of a connector say of its transforms. Its options' values
// are in it, so it makes one Chain.
type Plan struct {
	transforms []*planned
	predicates []*planned
	errs       []*connect.ConfigError
}

// planned is an alias with its plugin.
type planned struct {
	alias, prefix string // prefix ends with a dot
	class         string
	predicateName string // of a transform: the alias of its predicate
	negate        bool
	hasNegate     bool

	transform transformation // nil: the class is not known
	predicate predicate
}

// Define declares the options of the aliases that the settings transforms and
// predicates list, in groups named after them. The two settings themselves are the
// caller's, CheckAliases is for them.
func Define(d *connect.Def, settings map[string]string) *Plan {
	p := &Plan{}
	names := make(map[string]bool)
	for _, o := range d.Options() {
		names[o.Name] = true
	}
	for _, alias := range aliases(settings[transformsOption]) {
		t := &planned{alias: alias, prefix: transformsOption + "." + alias + "."}
		_, t.hasNegate = settings[t.prefix+"negate"]
		if plugin, ok := Find(strings.TrimSpace(settings[t.prefix+"type"])); ok && plugin.transform != nil {
			t.transform = plugin.transform()
		}
		p.transforms = append(p.transforms, t)
		d.Ignore(t.prefix + "plugin.version") // KIP-891: there is one version
		p.declare(d, names, "Transforms: "+alias, transformsOption, t.options())
	}
	for _, alias := range aliases(settings[predicatesOption]) {
		t := &planned{alias: alias, prefix: predicatesOption + "." + alias + "."}
		if plugin, ok := Find(strings.TrimSpace(settings[t.prefix+"type"])); ok && plugin.predicate != nil {
			t.predicate = plugin.predicate()
		}
		p.predicates = append(p.predicates, t)
		d.Ignore(t.prefix + "plugin.version")
		p.declare(d, names, "Predicates: "+alias, predicatesOption, t.predicateOptions())
	}
	return p
}

// aliases splits a list as connect.Def does. Those that CheckAliases refuses are
// left out.
func aliases(list string) []string {
	var all []string
	for alias := range strings.SplitSeq(list, ",") {
		if alias = strings.TrimSpace(alias); alias != "" && !slices.Contains(all, alias) && len(all) < maxAliases {
			all = append(all, alias)
		}
	}
	return all
}

// CheckAliases returns what is wrong with a list of aliases, with Kafka's words.
func CheckAliases(list []string) error {
	switch {
	case len(list) > maxAliases:
		return fmt.Errorf("there are %d aliases, more than %d", len(list), maxAliases)
	case slices.Contains(list, ""):
		return errors.New("an alias must not be empty")
	}
	for i, alias := range list {
		if slices.Contains(list[:i], alias) {
			return errors.New("Duplicate alias provided.")
		}
	}
	return nil
}

// declare adds options of an alias. A name that is taken, by an alias such as
// "a.b" beside "a", is an error of the list.
func (p *Plan) declare(d *connect.Def, names map[string]bool, group, list string, options []connect.Option) {
	for _, o := range options {
		if names[o.Name] {
			p.errs = append(p.errs, &connect.ConfigError{Option: list, Reason: fmt.Sprintf("two aliases have an option %s; name one of them otherwise", o.Name)})
			continue
		}
		names[o.Name] = true
		o.Group = group
		d.Add(o)
	}
}

func (t *planned) options() []connect.Option {
	options := []connect.Option{
		t.typeOption("transformation", KindTransformation),
		{Name: t.prefix + "predicate", Var: &t.predicateName, NoDefault: true, Importance: connect.Medium,
			Doc: "Alias of the predicate that chooses the records; every record when not given."},
		{Name: t.prefix + "negate", Var: &t.negate, Default: "false", Importance: connect.Medium,
			Doc: "Whether the records are those that the predicate does not hold for."},
	}
	if t.transform == nil {
		return options
	}
	return append(options, prefixed(t.prefix, t.transform.options())...)
}

func (t *planned) predicateOptions() []connect.Option {
	options := []connect.Option{t.typeOption("predicate", KindPredicate)}
	if t.predicate == nil {
		return options
	}
	return append(options, prefixed(t.prefix, t.predicate.options())...)
}

func (t *planned) typeOption(what, kind string) connect.Option {
	return connect.Option{Name: t.prefix + "type", Var: &t.class, Required: true, Class: true, OneOf: classes(kind), Importance: connect.High,
		Width: connect.WidthLong, Display: strings.ToUpper(what[:1]) + what[1:] + " type for " + t.alias, Doc: fmt.Sprintf("Class for the '%s' %s.", t.alias, what)}
}

func prefixed(prefix string, options []connect.Option) []connect.Option {
	for i := range options {
		options[i].Name = prefix + options[i].Name
	}
	return options
}

// onlySinks is a transform with an option that has no meaning for a source.
type onlySinks interface {
	// onlySinks returns the option's name when it is set, or "".
	onlySinks() string
}

// Errors prepares the plugins and returns what is wrong between options, by the
// values that parsing them gave. It is called once, before Chain.
func (p *Plan) Errors(values []connect.OptionValue, source bool) []*connect.ConfigError {
	errs := p.errs
	for _, t := range p.predicates {
		if t.predicate != nil && wellFormed(values, t.prefix) {
			errs = t.add(errs, t.predicate.prepare())
		}
	}
	for _, t := range p.transforms {
		errs = append(errs, p.choice(t)...)
		if t.transform == nil || !wellFormed(values, t.prefix) {
			continue
		}
		errs = t.add(errs, t.transform.prepare())
		if o, ok := t.transform.(onlySinks); ok && source && o.onlySinks() != "" {
			errs = append(errs, &connect.ConfigError{Option: t.prefix + o.onlySinks(), Reason: "only records of sinks have an offset; remove this setting"})
		}
	}
	return errs
}

// wellFormed tells whether all options with a prefix parsed without error.
func wellFormed(values []connect.OptionValue, prefix string) bool {
	return !slices.ContainsFunc(values, func(v connect.OptionValue) bool {
		return len(v.Errors) > 0 && strings.HasPrefix(v.Option.Name, prefix)
	})
}

func (t *planned) add(errs []*connect.ConfigError, err error) []*connect.ConfigError {
	var c *connect.ConfigError
	if errors.As(err, &c) {
		errs = append(errs, &connect.ConfigError{Option: t.prefix + c.Option, Reason: c.Reason})
	}
	return errs
}

// choice checks which records a transform is for.
func (p *Plan) choice(t *planned) (errs []*connect.ConfigError) {
	switch name := t.prefix + "predicate"; {
	case t.predicateName != "" && p.predicate(t.predicateName) == nil:
		errs = append(errs, &connect.ConfigError{Option: name, Reason: fmt.Sprintf("there is no predicate %q; list it in %s", t.predicateName, predicatesOption)})
	case t.predicateName == "" && t.hasNegate:
		errs = append(errs, &connect.ConfigError{Option: t.prefix + "type", Reason: fmt.Sprintf(
			"Config '%snegate' was provided but there is no config '%s' defining a predicate to be negated.", t.prefix, name)})
	}
	return errs
}

func (p *Plan) predicate(alias string) *planned {
	for _, t := range p.predicates {
		if t.alias == alias {
			return t
		}
	}
	return nil
}

// Chain returns the transforms, nil when there are none. Options and Errors must have
// been without error.
func (p *Plan) Chain() *Chain {
	if len(p.transforms) == 0 {
		return nil
	}
	c := &Chain{}
	for _, t := range p.transforms {
		s := step{alias: t.alias, class: t.class, apply: t.transform, negate: t.negate}
		if t.predicateName != "" {
			s.when = p.predicate(t.predicateName).predicate
		}
		c.steps = append(c.steps, s)
	}
	return c
}
