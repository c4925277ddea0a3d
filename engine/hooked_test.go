package engine_test

import (
	"context"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

const hookedClass = "sluice.HookedSourceConnector"

// hooks are what a hooked connector does; nil ones do nothing.
type hooks struct {
	onDefine   func()
	onValidate func() []*connect.ConfigError
	onPing     func(context.Context) error
	onSplit    func(maxTasks int) []map[string]string
	onMonitor  func(ctx context.Context, changed func()) error
	onAlter    func(context.Context, []connect.Mark) (bool, error)
	onRemove   func(context.Context, connect.RemoveContext, string) error
	source     func() connect.Source
}

func (h *hooks) plugin() connect.Spec {
	return connect.Spec{Class: hookedClass, Version: "1", Doc: "A source for tests.", New: func() connect.Config { return &hookedConfig{hooks: h} }}
}

type hookedConfig struct {
	*hooks
	option   string
	password connect.Secret
}

// Define implements connect.Config.
func (c *hookedConfig) Define(d *connect.Def) {
	if c.onDefine != nil {
		c.onDefine()
	}
	d.Add(connect.Option{Name: "hooked.option", Var: &c.option, Doc: "Any text."},
		connect.Option{Name: "hooked.password", Var: &c.password, NoDefault: true, Doc: "A secret."})
}

// Source implements connect.SourceConfig.
func (c *hookedConfig) Source() connect.Source {
	if c.source == nil {
		return &enginetest.Source{}
	}
	return c.source()
}

// Remove implements connect.Remover.
func (c *hookedConfig) Remove(ctx context.Context, rc connect.RemoveContext) error {
	if c.onRemove == nil {
		return nil
	}
	return c.onRemove(ctx, rc, c.option)
}

// Validate implements connect.Validator.
func (c *hookedConfig) Validate() []*connect.ConfigError {
	if c.onValidate == nil {
		return nil
	}
	return c.onValidate()
}

// Ping implements connect.Pinger.
func (c *hookedConfig) Ping(ctx context.Context) error {
	if c.onPing == nil {
		return nil
	}
	return c.onPing(ctx)
}

// Split implements connect.Splitter.
func (c *hookedConfig) Split(maxTasks int) []map[string]string {
	if c.onSplit == nil {
		return make([]map[string]string, 1)
	}
	return c.onSplit(maxTasks)
}

// Monitor implements connect.Monitor.
func (c *hookedConfig) Monitor(ctx context.Context, changed func()) error {
	if c.onMonitor == nil {
		return nil
	}
	return c.onMonitor(ctx, changed)
}

// AlterOffsets implements connect.SourceOffsetAlterer.
func (c *hookedConfig) AlterOffsets(ctx context.Context, marks []connect.Mark) (bool, error) {
	if c.onAlter == nil {
		return false, nil
	}
	return c.onAlter(ctx, marks)
}
