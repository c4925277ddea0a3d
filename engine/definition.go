package engine

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/engine/transform"
)

const (
	// defineTimeout bounds a connector's reading of its config, which is code
	// without I/O.
	defineTimeout = 10 * time.Second
	// pingTimeout bounds a connector's look at its server.
	pingTimeout = 15 * time.Second
)

// definition is a connector's config after it was read: the framework's options
// and the connector's, with every error.
type definition struct {
	settings map[string]string // as sent
	resolved resolved          // settings without references
	spec     *connect.Spec     // nil: the class is not known
	config   connect.Config
	options  connectorOptions
	def      connect.Def
	// transforms are those that the settings name, with their options' values.
	transforms *transform.Plan
	values     []connect.OptionValue
	unknown    []connect.UnknownOption
	// ineffective are the overrides of client settings that mean nothing here.
	ineffective []connect.UnknownOption
	secrets     *strings.Replacer // hides the values of PASSWORD options and of references in texts (I6)
}

// define reads a config. Its error is one of the connector's code; errors of the
// config are in the definition.
func (p *plugins) define(ctx context.Context, settings map[string]string) (*definition, error) {
	var d *definition
	err := p.call(ctx, p.byName[strings.TrimSpace(settings[classOption])], defineTimeout, func() error {
		made := &definition{settings: settings}
		if err := made.read(p); err != nil {
			return err
		}
		d = made
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the config of the connector: %w", err)
	}
	return d, nil
}

func (d *definition) read(p *plugins) error {
	d.resolved = p.providers.resolve(d.settings)
	class := strings.TrimSpace(d.resolved.settings[classOption])
	d.options.defineCommon(&d.def)
	spec, unknownClass := p.find(class)
	if d.spec = spec; spec != nil {
		d.config = spec.New()
		switch d.config.(type) {
		case connect.SourceConfig:
			d.options.defineSource(&d.def)
			if !p.topicCreationDisabled {
				d.options.defineTopicGroups(&d.def, d.resolved.settings)
			}
		case connect.SinkConfig:
			d.options.defineSink(&d.def)
		}
		d.readClients(p)
		connect.DefineAll(d.config, &d.def, d.resolved.settings)
	}
	d.defineConverters()
	d.transforms = transform.Define(&d.def, d.resolved.settings)
	d.values = d.def.Parse(d.resolved.settings)
	d.secrets = secretReplacer(d.values, d.resolved.hide())
	d.hideResolved()
	switch {
	case spec == nil && class != "":
		d.fail(classOption, unknownClass.Error())
	case spec != nil:
		d.checkOverrides(&p.overrides)
		d.checkClients(p.cfg)
		d.unknown = append(d.def.Unknown(d.settings), d.ineffective...)
		if _, ok := d.config.(connect.SinkConfig); ok {
			d.checkSink(p.workerGroup)
		}
		d.validate()
		d.checkFollows(p.cfg)
		d.checkExactlyOnce(p.exactlyOnce)
	}
	return nil
}

// defineConverters adds the options of converters that the connector has of its
// own. A class that is not known is an error of its own option.
func (d *definition) defineConverters() {
	for _, which := range []string{"key", "value", "header"} {
		if class := strings.TrimSpace(d.resolved.settings[which+".converter"]); class != "" {
			_ = convert.Define(&d.def, class, which+".converter.")
		} else {
			d.def.Ignore(which + ".converter.*") // Kafka uses them with a class of one's own only
		}
	}
}

// validate applies the rules between options, once each is right on its own.
func (d *definition) validate() {
	_, source := d.config.(connect.SourceConfig)
	for _, e := range d.transforms.Errors(d.values, source) {
		d.fail(e.Option, d.secrets.Replace(e.Error()))
	}
	v, ok := d.config.(connect.Validator)
	if !ok || d.err() != nil {
		return
	}
	for _, e := range v.Validate() {
		d.fail(e.Option, d.secrets.Replace(e.Error()))
	}
}

// ping asks the connector whether its server answers, once the config has no
// error but a missing name: forms validate before the user has thought of one.
func (d *definition) ping(ctx context.Context, plugins *plugins) {
	p, ok := d.config.(connect.Pinger)
	if !ok || slices.ContainsFunc(d.values, func(v connect.OptionValue) bool { return len(v.Errors) > 0 && v.Option.Name != nameOption }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := plugins.call(ctx, d.spec, pingTimeout, func() error { return p.Ping(ctx) })
	var c *connect.ConfigError
	switch {
	case errors.As(err, &c):
		d.fail(c.Option, d.secrets.Replace(c.Error()))
	case err != nil:
		d.fail(classOption, d.secrets.Replace(err.Error()))
	}
}

// hideResolved shows references in place of their values, and adds the errors of
// those that could not be resolved (I6).
func (d *definition) hideResolved() {
	for i := range d.values {
		v := &d.values[i]
		raw := d.settings[v.Option.Name]
		if v.Value != nil && d.resolved.uses(raw) {
			if _, password := v.Option.Var.(*connect.Secret); !password {
				v.Value = &raw
			}
			if text := strings.TrimSpace(d.resolved.settings[v.Option.Name]); text != "" {
				for n, e := range v.Errors {
					v.Errors[n] = strings.ReplaceAll(e, text, raw)
				}
			}
		}
		for n, e := range v.Errors {
			v.Errors[n] = d.secrets.Replace(e)
		}
	}
	for _, name := range sortedKeys(d.resolved.errs) {
		d.fail(name, d.resolved.errs[name])
	}
}

// fail adds an error to an option, to connector.class when there is no such
// option.
func (d *definition) fail(option, reason string) {
	at := 0
	for i := range d.values {
		switch d.values[i].Option.Name {
		case option:
			d.values[i].Errors = append(d.values[i].Errors, reason)
			return
		case classOption:
			at = i
		}
	}
	d.values[at].Errors = append(d.values[at].Errors, reason)
}

// err returns all errors in Kafka's form, nil when there are none.
func (d *definition) err() error {
	var lines []string
	for _, v := range d.values {
		lines = append(lines, v.Errors...)
	}
	if len(lines) == 0 {
		return nil
	}
	return badRequest("Connector configuration is invalid and contains the following %d error(s):\n%s\n"+
		"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
		len(lines), strings.Join(lines, "\n"))
}

// split returns the configs of the tasks: the connector's, what differs, and the
// class of the task.
func (d *definition) split() ([]map[string]string, error) {
	splits, err := d.splits()
	if err != nil {
		return nil, err
	}
	if err := d.options.checkTasks(d.options.name, len(splits)); err != nil {
		return nil, err
	}
	tasks := make([]map[string]string, len(splits))
	for i, diff := range splits {
		tasks[i] = make(map[string]string, len(d.settings)+len(diff)+1)
		for k, v := range d.settings {
			tasks[i][k] = v
		}
		for k, v := range diff {
			tasks[i][k] = d.restore(k, v)
		}
		tasks[i][taskClassOption] = taskClass(d.spec)
	}
	return tasks, nil
}

// taskClass is the class that Java workers of the same group run a task with: beside
// FileStreamSourceConnector, the first of the names that a plugin has from Kafka
// Connect, is FileStreamSourceTask. Here it is of no meaning.
func taskClass(spec *connect.Spec) string {
	class := spec.Class
	if len(spec.Aliases) > 0 {
		class = spec.Aliases[0]
	}
	if name, ok := strings.CutSuffix(class, "Connector"); ok {
		return name + "Task"
	}
	return class
}

func (d *definition) splits() (splits []map[string]string, err error) {
	switch c := d.config.(type) {
	case connect.Splitter:
		err = guard(func() error { splits = c.Split(d.options.tasksMax); return nil })
		return splits, err
	case connect.SinkConfig:
		return make([]map[string]string, d.options.tasksMax), nil
	}
	return make([]map[string]string, 1), nil
}

// hideSecrets replaces an error whose text or stack has a secret in it (I6).
func (d *definition) hideSecrets(err error) error {
	if err == nil {
		return nil
	}
	text := trace(err)
	if hidden := d.secrets.Replace(text); hidden != text {
		return errors.New(hidden)
	}
	return err
}

// secretReplacer hides the values of PASSWORD options, as they are and as a URL
// has them, in texts that connectors write (I6).
func secretReplacer(values []connect.OptionValue, pairs []string) *strings.Replacer {
	for _, v := range values {
		s, ok := v.Option.Var.(*connect.Secret)
		if !ok || !s.IsSet() {
			continue
		}
		plain := s.Reveal()
		forms := []string{plain, url.QueryEscape(plain), url.PathEscape(plain)}
		slices.Sort(forms)
		for _, f := range slices.Compact(forms) {
			pairs = append(pairs, f, connect.HiddenValue)
		}
	}
	return strings.NewReplacer(pairs...)
}
