package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Types of connectors as the REST API names them.
const (
	typeSource  = "source"
	typeSink    = "sink"
	typeUnknown = "unknown"
)

// Types of other plugins as the REST API names them, beside those of package
// transform.
const (
	typeConverter       = "converter"
	typeHeaderConverter = "header_converter"
)

// plugins are the connectors that can be run, by every name that configs use.
type plugins struct {
	cfg         *Config
	workerGroup string // group.id, which no sink may use
	specs       []connect.Spec
	byName      map[string]*connect.Spec
	// known is what does not change of a plugin, so that nobody who asks for it
	// calls the plugin's code (I5).
	known map[*connect.Spec]*pluginState
	// classes are the full names in the order of GET /connector-plugins: sinks,
	// then sources, by name.
	classes []PluginInfo
	// exactlyOnce: sources write in transactions.
	exactlyOnce bool
	// topicCreationDisabled: topics of sources are the cluster's business.
	topicCreationDisabled bool
	// clients are the worker's settings of the tasks' Kafka clients, overrides says
	// which a connector may have of its own.
	clients   ClientSettings
	overrides overridePolicy
	// providers resolve references in configs.
	providers providers
}

// pluginState is a plugin's type, and how many calls of its code are under way.
type pluginState struct {
	kind    string
	removes bool // its config is a connect.Remover
	calls   atomic.Int64
}

// maxCalls bounds the calls of a plugin's code that are under way, so that one
// that never returns does not pile up goroutines (I5).
const maxCalls = 64

// call calls a plugin's code. What does not return in time is left to itself and
// its result is dropped (I5).
func (p *plugins) call(ctx context.Context, spec *connect.Spec, timeout time.Duration, f func() error) error {
	state := p.known[spec]
	if state == nil {
		return guardFor(ctx, timeout, f)
	}
	if state.calls.Add(1) > maxCalls {
		state.calls.Add(-1)
		return fmt.Errorf("%d calls of the plugin's code have not returned; restart the worker", maxCalls)
	}
	return guardFor(ctx, timeout, func() error {
		defer state.calls.Add(-1)
		return f()
	})
}

// split returns the settings of a connector's tasks. A call that was left to itself may
// still write its result, which nobody looks at.
func (p *plugins) split(ctx context.Context, d *definition) ([]map[string]string, error) {
	var tasks []map[string]string
	err := p.call(ctx, d.spec, defineTimeout, func() error {
		made, err := d.split()
		if err == nil {
			tasks = made
		}
		return err
	})
	if err != nil {
		return nil, d.hideSecrets(err)
	}
	return tasks, nil
}

func newPlugins(specs []connect.Spec) (*plugins, error) {
	p := &plugins{specs: specs, byName: make(map[string]*connect.Spec), known: make(map[*connect.Spec]*pluginState)}
	for i := range specs {
		s := &specs[i]
		kind, removes := pluginType(s)
		if s.Class == "" || kind == typeUnknown {
			return nil, fmt.Errorf("plugin %q: it needs a class, and a config of a source or a sink", s.Class)
		}
		p.known[s] = &pluginState{kind: kind, removes: removes}
		for _, class := range append([]string{s.Class}, s.Aliases...) {
			if p.byName[class] != nil {
				return nil, fmt.Errorf("plugin %q: two plugins have this name", class)
			}
			p.byName[class] = s
			p.classes = append(p.classes, PluginInfo{Class: class, Type: kind, Version: s.Version})
		}
	}
	slices.SortFunc(p.classes, func(a, b PluginInfo) int {
		return strings.Compare(a.Type+" "+a.Class, b.Type+" "+b.Class)
	})
	p.addSimpleNames()
	return p, nil
}

// addSimpleNames adds the last element of each class, with and without
// "Connector", where it leads to one plugin only.
func (p *plugins) addSimpleNames() {
	simple := make(map[string]*connect.Spec)
	for _, info := range p.classes {
		spec := p.byName[info.Class]
		name := info.Class[strings.LastIndexByte(info.Class, '.')+1:]
		for _, n := range []string{name, strings.TrimSuffix(name, "Connector")} {
			if other, taken := simple[n]; taken && other != spec {
				spec = nil // ambiguous
			}
			simple[n] = spec
		}
	}
	for name, spec := range simple {
		if spec != nil && p.byName[name] == nil {
			p.byName[name] = spec
		}
	}
}

// checkConverters tells at once whether the worker's converters can be made.
func checkConverters(cfg *Config) error {
	_, err := newConverters(cfg, &connectorOptions{}, nil)
	return err
}

// find returns the plugin of a name, or an error that lists what there is.
func (p *plugins) find(name string) (*connect.Spec, error) {
	if s := p.byName[name]; s != nil {
		return s, nil
	}
	classes := make([]string, len(p.classes))
	for i, c := range p.classes {
		classes[i] = c.Class
	}
	hint := ""
	if c := connect.Closest(name, slices.Sorted(maps.Keys(p.byName))); c != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", c)
	}
	// Clients know the beginning of this text.
	return nil, fmt.Errorf("Failed to find any class that implements Connector and which name matches %s%s; available connector plugins are: %s",
		name, hint, strings.Join(classes, ", "))
}

// kind returns the type of the connector that a config's class names.
func (p *plugins) kind(config map[string]string) string {
	if s := p.byName[strings.TrimSpace(config[classOption])]; s != nil {
		return p.known[s].kind
	}
	return typeUnknown
}

// pluginType calls the plugin's code.
func pluginType(s *connect.Spec) (kind string, removes bool) {
	config := s.New()
	_, removes = config.(connect.Remover)
	switch config.(type) {
	case connect.SourceConfig:
		return typeSource, removes
	case connect.SinkConfig:
		return typeSink, removes
	}
	return typeUnknown, false
}

// version returns the version of the plugin that a config names, or "".
func (p *plugins) version(config map[string]string) string {
	if s := p.byName[strings.TrimSpace(config[classOption])]; s != nil {
		return s.Version
	}
	return ""
}
