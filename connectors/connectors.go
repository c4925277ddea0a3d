// Package connectors lists the connectors that are built in.
package connectors

import (
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3"
	"github.com/sluice-data/sluice/connectors/source/mqtt"
)

// Plugins returns the connectors that are built in.
func Plugins() []connect.Spec { return []connect.Spec{mqtt.Spec, s3.Spec} }
