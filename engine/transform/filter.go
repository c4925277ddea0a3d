package transform

import "github.com/sluice-data/sluice/connect"

// filter is Filter: it drops every record that its predicate leaves to it.
type filter struct{}

func (filter) options() []connect.Option { return nil }
func (filter) prepare() error            { return nil }

func (filter) apply(*connect.Batch, *connect.Record) (bool, error) { return false, nil }
