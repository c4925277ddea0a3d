package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/engine/transform"
)

// Plugins lists every name of every connector, since clients look for the names
// that they know, and when connectorsOnly is false the transforms, predicates and
// converters too (KIP-769).
func (w *Worker) Plugins(connectorsOnly bool) []PluginInfo {
	all := slices.Clone(w.plugins.classes)
	if connectorsOnly {
		return all
	}
	for _, p := range transform.Plugins() {
		all = append(all, PluginInfo{Class: p.Class, Type: p.Kind, Version: Version})
	}
	for _, class := range convert.Classes() {
		all = append(all, PluginInfo{Class: class, Type: typeConverter, Version: Version})
	}
	for _, class := range convert.HeaderClasses() {
		all = append(all, PluginInfo{Class: class, Type: typeHeaderConverter, Version: Version})
	}
	return all
}

// PluginConfig returns the options of a plugin of any kind.
func (w *Worker) PluginConfig(ctx context.Context, plugin string) ([]ConfigDefinition, error) {
	if w.plugins.byName[plugin] == nil {
		return helperConfig(plugin)
	}
	d, err := w.plugins.define(ctx, map[string]string{classOption: plugin})
	if err != nil {
		return nil, err
	}
	return definitions(d.infos()), nil
}

// helperConfig returns the options of a transform, predicate or converter, without
// the prefix that they have in a connector's config.
func helperConfig(plugin string) ([]ConfigDefinition, error) {
	var d definition
	if p, ok := transform.Find(plugin); ok {
		d.def.Add(p.Options()...)
	} else if err := convert.Define(&d.def, plugin, ""); err != nil {
		return nil, notFound("Unknown plugin %s.", plugin)
	}
	d.values = d.def.Parse(nil)
	return definitions(d.infos()), nil
}

func definitions(infos ConfigInfos) []ConfigDefinition {
	all := make([]ConfigDefinition, len(infos.Configs))
	for i, c := range infos.Configs {
		all[i] = *c.Definition
	}
	return all
}

// Validate reads a config and returns what it makes of every option, errors
// included, after asking the connector's server where the connector can.
func (w *Worker) Validate(ctx context.Context, plugin string, config map[string]string) (ConfigInfos, error) {
	class := strings.TrimSpace(config[classOption])
	if class == "" {
		return ConfigInfos{}, badRequest("Connector config must contain connector.class")
	}
	spec, err := w.plugins.find(class)
	if err != nil {
		return ConfigInfos{}, badRequest("%s", err)
	}
	if w.plugins.byName[plugin] != spec {
		return ConfigInfos{}, badRequest("Included connector type %s does not match request type %s", class, plugin)
	}
	d, err := w.plugins.define(ctx, config)
	if err != nil {
		return ConfigInfos{}, err
	}
	d.ping(ctx, w.plugins)
	return d.infos(), nil
}

func (d *definition) infos() ConfigInfos {
	infos := ConfigInfos{Name: d.settings[classOption], Groups: []string{}, Configs: make([]ConfigInfo, 0, len(d.values))}
	orders := make(map[string]int)
	for _, v := range d.values {
		group := v.Option.Group
		if group == "" {
			group = groupConnector // clients take a group for granted
		}
		if orders[group] == 0 {
			infos.Groups = append(infos.Groups, group)
		}
		orders[group]++
		infos.ErrorCount += len(v.Errors)
		infos.Configs = append(infos.Configs, ConfigInfo{optionDefinition(v.Option, group, orders[group]), optionValue(v)})
	}
	return infos
}

func optionDefinition(o *connect.Option, group string, order int) *ConfigDefinition {
	d := &ConfigDefinition{Name: o.Name, Type: o.Type(), Required: o.Required, Importance: o.Importance.String(), Doc: o.Doc,
		Group: group, Width: o.Width.String(), DisplayName: o.Display, Dependents: o.Dependents, Order: order}
	if !o.Required && !o.NoDefault {
		d.DefaultValue = &o.Default
	}
	if d.DisplayName == "" {
		d.DisplayName = o.Name
	}
	if d.Dependents == nil {
		d.Dependents = []string{}
	}
	return d
}

func optionValue(v connect.OptionValue) ConfigValue {
	value := ConfigValue{Name: v.Option.Name, Value: v.Value, RecommendedValues: v.Option.OneOf, Errors: v.Errors, Visible: true}
	if value.RecommendedValues == nil {
		value.RecommendedValues = []string{}
	}
	if value.Errors == nil {
		value.Errors = []string{}
	}
	return value
}
