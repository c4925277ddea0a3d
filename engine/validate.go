package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// Plugins lists every name of every plugin, since clients look for the names
// that they know. Plugins other than connectors are listed when connectorsOnly is
// false; there are none in this version.
func (w *Worker) Plugins(connectorsOnly bool) []PluginInfo { return slices.Clone(w.plugins.classes) }

// PluginConfig returns the options of a plugin.
func (w *Worker) PluginConfig(ctx context.Context, plugin string) ([]ConfigDefinition, error) {
	if w.plugins.byName[plugin] == nil {
		return nil, notFound("Unknown plugin %s.", plugin)
	}
	d, err := w.plugins.define(ctx, map[string]string{classOption: plugin})
	if err != nil {
		return nil, err
	}
	infos := d.infos()
	definitions := make([]ConfigDefinition, len(infos.Configs))
	for i, c := range infos.Configs {
		definitions[i] = *c.Definition
	}
	return definitions, nil
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
